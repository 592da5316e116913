"""Defects to be planted: each is a part of the worker replaced by one that does the same, but for one thing that it gets wrong.

The simulation must find every one of them; what it can't find here it could not find in the worker either.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from envision_worker.desks.desk import DeskRef, DeskTicket, Fields, LocalFile
from envision_worker.desks.manageengine.desk import ManageEngineDesk
from envision_worker.errors import Refused, Unsure
from envision_worker.handlers.effects import Answer, Effects, Look, Unsettled
from envision_worker.handlers.ticket_locks import TicketLocks
from envision_worker.handlers.work import Turn, Work
from envision_worker.intake.delivery import Deliveries
from envision_worker.intake.gate import Gate
from envision_worker.intake.gates import Gates
from envision_worker.intake.lane import Lane, Live
from envision_worker.intake.lanes import Lanes
from envision_worker.intake.reasons import Reason
from envision_worker.intake.visibility import HandlingTimes
from envision_worker.ledger.records import ApprovalRecord, ApprovalStatus, Effect, Kept, State
from envision_worker.ledger.sqlite import SqliteApprovals
from envision_worker.ledger.sqlite_messages import SqliteMessages
from envision_worker.outcome import Applied, Outcome
from envision_worker.relay.decisions import Decision, Decisions
from envision_worker.vocabulary import DeskTicketId, EnsonoTicketNumber, MessageId, TicketType

Tickets = Mapping[EnsonoTicketNumber, list[Kept]]


# --- lanes -----------------------------------------------------------------------------------------------------------


class TrustsItsList(SqliteMessages):
    """Does not look whether an earlier message of the ticket is still undone."""

    async def standing(self, message_id: MessageId) -> tuple[Kept, bool] | None:
        found = await super().standing(message_id)
        return (found[0], True) if found else None


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
        with suppress(KeyError):  # the other one ended first
            await super()._run(ticket, lane)


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
    def _work(self, *args: Any, **kwargs: Any) -> Work:
        work = super()._work(*args, **kwargs)
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


class SetsNoStatus(ManageEngineDesk):
    """Says that it has set a status, and has not."""

    async def set_status(self, ref: DeskRef, status: str, *, comment: str = "") -> None:
        return


# --- gates -----------------------------------------------------------------------------------------------------------


class NeverCloses(Gate):
    """Takes no notice of what goes wrong."""

    def suspect(self) -> None:
        return

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


# --- approvals -------------------------------------------------------------------------------------------------------


class OnceEach(Effects):
    """Names an effect by the approval that it is of, not by the change and round."""

    async def set(self, key: str, what: str, write: Callable[[], Awaitable[None]], *, peer: str = "desk") -> None:
        await super().set(f"{key} {self._message_id}", what, write, peer=peer)


class SendsEach(Decisions):
    """Sends what each approver decides, not what was decided first."""

    __slots__ = ()

    async def keep(self, mine: ApprovalRecord, decision: Decision) -> ApprovalRecord:
        decided = decision.on(mine)
        await self.ledger.approvals.save(decided)
        return decided

    def _effects(self, record: ApprovalRecord) -> Effects:
        effects = super()._effects(record)
        effects.__class__ = OnceEach
        return effects


class TellsAnotherTime(Decisions):
    """Says of a decision that it was made just now, so that it reads otherwise each time that it is sent."""

    __slots__ = ()

    async def send(self, record: ApprovalRecord, *, at_once: bool = False) -> None:
        await super().send(replace(record, decided=self._now()), at_once=at_once)


class ForgetsNothing(SqliteApprovals):
    """Does not keep that Ensono has withdrawn a decision that never reached it."""

    async def save(self, *records: ApprovalRecord) -> None:
        await super().save(*(each for each in records if each.status is not ApprovalStatus.WITHDRAWN))
