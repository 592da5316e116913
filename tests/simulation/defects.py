"""Defects to be planted: each is a part of the worker replaced by one that does the same, but for one thing that it gets wrong.

The simulation must find every one of them; what it can't find here it could not find in the worker either.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

from envision_worker.app import Parts, Worker
from envision_worker.desks.desk import DeskRef, DeskTicket, Fields, LocalFile
from envision_worker.desks.manageengine.desk import ManageEngineDesk
from envision_worker.errors import Refused, Unsure
from envision_worker.handlers.effects import Answer, Effects, Look, Unsettled
from envision_worker.handlers.ticket_locks import TicketLocks
from envision_worker.handlers.work import Turn, Work
from envision_worker.intake.delivery import Deliveries
from envision_worker.intake.gate import Gate, Reason
from envision_worker.intake.gates import Gates
from envision_worker.intake.lanes import Lane, Lanes, Live
from envision_worker.intake.visibility import HandlingTimes
from envision_worker.ledger.records import Effect, Kept, State
from envision_worker.ledger.sqlite_messages import SqliteMessages
from envision_worker.outcome import Applied, Outcome
from envision_worker.vocabulary import DeskTicketId, EnsonoTicketNumber, MessageId, TicketType
from worlds.simulated import World

Plant = Callable[[World], None]
Tickets = Mapping[EnsonoTicketNumber, list[Kept]]


def in_worker(tamper: Callable[[Worker], None]) -> Plant:
    """A defect in each worker of a world."""

    def plant(world: World) -> None:
        world.tamper = tamper

    return plant


def in_desk(desk: type[ManageEngineDesk]) -> Plant:
    """A defect in how the desk is called."""

    def plant(world: World) -> None:
        def alter(parts: Parts) -> Parts:
            assert isinstance(parts.desk, ManageEngineDesk)
            parts.desk.__class__ = desk
            return parts

        world.alter = alter

    return plant


# --- lanes -----------------------------------------------------------------------------------------------------------


class TrustsItsList(SqliteMessages):
    """Does not look whether an earlier message of the ticket is still undone."""

    async def standing(self, message_id: MessageId) -> tuple[Kept, bool] | None:
        found = await super().standing(message_id)
        return (found[0], True) if found else None


def _trusting(worker: Worker) -> None:
    worker.parts.ledger.messages.__class__ = _mixed(TrustsItsList, type(worker.parts.ledger.messages))


def _mixed(defect: type[Any], base: type[Any]) -> type[Any]:
    """The defect on top of whatever class stands there (the oracles watch, too)."""
    return type(defect.__name__, (defect, base), {})


class GoesOn(Lane):
    """Begins the next message of a ticket although the one before it failed."""

    async def _step(self, known: Kept) -> bool:
        await super()._step(known)
        return True


class GoingOnLanes(Lanes):
    def offer(self, tickets: Tickets, live: Mapping[MessageId, Live]) -> None:
        super().offer(tickets, live)
        for lane, _ in self._reading.values():
            lane.__class__ = GoesOn


class ReversedLanes(Lanes):
    """Takes the newest message of a ticket first."""

    def offer(self, tickets: Tickets, live: Mapping[MessageId, Live]) -> None:
        super().offer({ticket: items[::-1] for ticket, items in tickets.items()}, live)


class PassingLanes(Lanes):
    """Lets messages pass a dead letter."""

    def offer(self, tickets: Tickets, live: Mapping[MessageId, Live]) -> None:
        passed = {
            ticket: [item for item in items if item.state is not State.DEAD_LETTER] for ticket, items in tickets.items()
        }
        super().offer(passed, live)


class GivesUpDeleting(Lane):
    """Takes an expired handle for a failure of its message, for ever."""

    given_up: set[MessageId]

    async def _acknowledge(self, item: Kept) -> bool:
        if item.message_id in self.given_up:
            return False
        acknowledged = await super()._acknowledge(item)
        if not acknowledged:
            self.given_up.add(item.message_id)
        return acknowledged


def _gives_up_deleting(worker: Worker) -> None:
    given_up: set[MessageId] = set()

    class GivingUpLanes(Lanes):
        def offer(self, tickets: Tickets, live: Mapping[MessageId, Live]) -> None:
            super().offer(tickets, live)
            for lane, _ in self._reading.values():
                lane.__class__ = GivesUpDeleting
                lane.given_up = given_up  # type: ignore[attr-defined]

    worker.lanes.__class__ = GivingUpLanes


class NoLocks(TicketLocks):
    """Lets several work on one ticket."""

    @asynccontextmanager
    async def holding(self, ticket: EnsonoTicketNumber) -> AsyncIterator[None]:
        yield


class TwiceAtATime(Lanes):
    """A redelivery is begun although its first handling still runs."""

    def offer(self, tickets: Tickets, live: Mapping[MessageId, Live]) -> None:
        for ticket in tickets:
            if ticket in self._reading:
                self._reading[EnsonoTicketNumber(f"{ticket} before")] = self._reading.pop(ticket)
        super().offer(tickets, live)

    async def _run(self, ticket: EnsonoTicketNumber, lane: Lane) -> None:
        await super()._run(ticket, lane)


def _twice_at_a_time(worker: Worker) -> None:
    worker.lanes.__class__ = TwiceAtATime
    worker.lanes.tickets.__class__ = NoLocks


class AlwaysFits(HandlingTimes):
    """Begins messages whatever is left of their window."""

    def fits(self, transaction_type: str, left_s: float) -> bool:
        return True


# --- handling --------------------------------------------------------------------------------------------------------


class Hasty(Deliveries):
    """Says that a message is applied, and applies it then."""

    async def handle(self, kept: Kept, turn: Turn, *, live: bool) -> Outcome:
        self.under_way = asyncio.create_task(super().handle(kept, turn, live=live))
        return Applied()


class Blind(Effects):
    """Does not look on the desk after an answer was lost."""

    async def _look_after(self, effect: Effect, look: Look) -> Answer | None:
        return None


class BlindDeliveries(Deliveries):
    def _work(self, kept: Kept, *args: Any) -> Work:
        work = super()._work(kept, *args)
        work.effects.__class__ = Blind
        return work


class Impatient(Unsettled):
    """Does not wait until a lost write must have shown."""

    def wait_s(self, ticket: EnsonoTicketNumber) -> float:
        return 0.0


class SeesNoRepeats(SqliteMessages):
    """Takes what Ensono sends a second time for something new."""

    async def begin(self, message_id: MessageId) -> MessageId | None:
        await super().begin(message_id)
        return None


# --- the desk --------------------------------------------------------------------------------------------------------


class Markless(ManageEngineDesk):
    """Writes notes without the mark by which they are found again."""

    async def add_note(self, ref: DeskRef, html: str, *, public: bool) -> str:
        return await super().add_note(ref, re.sub(r"Ensono ref \w+", "", html), public=public)


class FindsNothing(ManageEngineDesk):
    """Does not find a counterpart by Ensono's number."""

    async def find(self, kind: Any, ensono_number: str) -> list[DeskTicketId]:
        return []


class TakesLostForRefused(ManageEngineDesk):
    """Takes a write whose answer was lost for one that was refused."""

    async def create(self, ticket_type: TicketType, wanted: Fields) -> DeskTicket:
        try:
            return await super().create(ticket_type, wanted)
        except Unsure as exc:
            raise Refused(exc.peer, exc.operation, exc.detail) from exc

    async def add_note(self, ref: DeskRef, html: str, *, public: bool) -> str:
        try:
            return await super().add_note(ref, html, public=public)
        except Unsure as exc:
            raise Refused(exc.peer, exc.operation, exc.detail) from exc

    async def attach(self, ref: DeskRef, file: LocalFile) -> str:
        try:
            return await super().attach(ref, file)
        except Unsure as exc:
            raise Refused(exc.peer, exc.operation, exc.detail) from exc


# --- gates -----------------------------------------------------------------------------------------------------------


class NeverCloses(Gate):
    def _close(self, reason: Reason, detail: str, wait_s: float) -> None:
        return


class NeverOpens(Gate):
    def _open(self) -> None:
        return


class ReadsAnyway(Gates):
    """Does not care for closed gates where it reads."""

    __slots__ = ()

    def are_open(self) -> bool:
        return True


def _in_both_gates(gate: type[Gate]) -> Plant:
    def tamper(worker: Worker) -> None:
        worker.desk_gate.__class__ = worker.ensono_gate.__class__ = gate

    return in_worker(tamper)


def _in_lanes(lanes: type[Lanes], *, trusting: bool = True) -> Plant:
    def tamper(worker: Worker) -> None:
        worker.lanes.__class__ = lanes
        if trusting:
            _trusting(worker)

    return in_worker(tamper)


def _in_deliveries(deliveries: type[Deliveries]) -> Plant:
    def tamper(worker: Worker) -> None:
        worker.lanes._parts.deliveries.__class__ = deliveries

    return in_worker(tamper)


def _always_fits(worker: Worker) -> None:
    worker.lanes._parts.times.__class__ = AlwaysFits


def _impatient(worker: Worker) -> None:
    worker.lanes._parts.deliveries._unsettled.__class__ = Impatient


def _sees_no_repeats(worker: Worker) -> None:
    worker.parts.ledger.messages.__class__ = _mixed(SeesNoRepeats, type(worker.parts.ledger.messages))


def _reads_anyway(worker: Worker) -> None:
    worker.gates.__class__ = ReadsAnyway


DEFECTS: Mapping[str, tuple[Plant, Collection[str]]] = {
    "deletes before it applies": (_in_deliveries(Hasty), {"P2"}),
    "does not look after a lost answer": (_in_deliveries(BlindDeliveries), {"P3"}),
    "does not wait until a lost write must have shown": (in_worker(_impatient), {"P3"}),
    "takes a lost answer for a refusal": (in_desk(TakesLostForRefused), {"P3"}),
    "writes notes without their mark": (in_desk(Markless), {"P3"}),
    "finds no counterpart on the desk": (in_desk(FindsNothing), {"P3"}),
    "takes what is sent twice for new": (in_worker(_sees_no_repeats), {"P1", "P3"}),
    "goes on with a lane after a failure": (_in_lanes(GoingOnLanes), {"P1"}),
    "takes the newest message of a ticket first": (_in_lanes(ReversedLanes), {"P1"}),
    "lets messages pass a dead letter": (_in_lanes(PassingLanes), {"P1", "P6"}),
    "works on a ticket twice at a time": (in_worker(_twice_at_a_time), {"P7", "P9"}),
    "takes an expired handle for a failure for ever": (in_worker(_gives_up_deleting), {"P7"}),
    "ignores the visibility window": (in_worker(_always_fits), {"P7"}),
    "never closes a gate": (_in_both_gates(NeverCloses), {"P5"}),
    "never opens a gate": (_in_both_gates(NeverOpens), {"P4", "P5"}),
    "reads while a gate is closed": (in_worker(_reads_anyway), {"P5"}),
}
"""What is planted, and the promises that it breaks: one of them at least must be reported."""
