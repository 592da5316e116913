"""Lanes: one for each ticket, side by side, each strictly in order (contract, P1)."""

import asyncio
import math
import statistics
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from envision_worker.clock import Clock
from envision_worker.ensono.connect import EnvisionConnect
from envision_worker.handlers.ticket_locks import TicketLocks
from envision_worker.intake.cadence import FULL_READ
from envision_worker.intake.crowd import Crowd
from envision_worker.intake.delivery import Deliveries
from envision_worker.intake.lane import Lane, LaneParts, Live
from envision_worker.intake.places import Places
from envision_worker.intake.visibility import HandlingTimes
from envision_worker.ledger.ledger import Ledger
from envision_worker.ledger.records import Kept, LedgerUnavailable
from envision_worker.outcome import Outcome
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId

_REMEMBERED = 32
"""So many lanes tell how long one takes."""


class OnEnd(Protocol):
    """Told of each lane's end."""

    def __call__(self, *, cleared: bool) -> None:
        """`cleared`: all that it held is deleted."""
        ...


class Lanes:
    """All lanes. A ticket has at most one that works, whoever wants something done for it."""

    def __init__(
        self,
        deliveries: Deliveries,
        connect: EnvisionConnect,
        ledger: Ledger,
        clock: Clock,
        facts: Facts,
        *,
        side_by_side: int,
        gates_open: Callable[[], Awaitable[bool]],
        ledger_lost: Callable[[LedgerUnavailable], None],
        tickets: TicketLocks,
    ) -> None:
        self.tickets = tickets
        self._clock = clock
        self._facts = facts
        self._ledger = ledger
        self._gates_open = gates_open
        self._ledger_lost = ledger_lost
        self.side_by_side = side_by_side
        self._reading: dict[EnsonoTicketNumber, tuple[Lane, asyncio.Task[None]]] = {}
        self._hidden_until: dict[MessageId, float] = {}
        self._stopping = False
        self._took: deque[float] = deque(maxlen=_REMEMBERED)
        self.last_success: float | None = None
        self.on_acknowledged: Callable[[MessageId], None] = lambda _: None  # told of each message that is off the queue
        self.on_end: OnEnd = _nobody_listens
        self._parts = LaneParts(
            deliveries=deliveries,
            connect=connect,
            ledger=ledger,
            clock=clock,
            facts=facts,
            times=HandlingTimes(),
            places=Places(side_by_side),
            crowd=Crowd(),
            may_begin=self._may_begin,
            acknowledged=self._unhide,
        )

    # --- what a read brought -----------------------------------------------------------------------------------------

    def offer(self, tickets: Mapping[EnsonoTicketNumber, list[Kept]], live: Mapping[MessageId, Live]) -> None:
        """Work through what a read brought; a ticket whose lane still runs gets the newer handles."""
        self.hide(live)
        for ticket, items in tickets.items():
            of_ticket = {item.message_id: live[item.message_id] for item in items if item.message_id in live}
            if ticket in self._reading:
                self._reading[ticket][0].take(items, of_ticket)
                continue
            lane = Lane(self._parts, from_copies=False)
            lane.take(items, of_ticket)
            self._reading[ticket] = lane, asyncio.create_task(self._run(ticket, lane), name=f"lane {ticket}")

    async def _run(self, ticket: EnsonoTicketNumber, lane: Lane) -> None:
        """The lane's edge: nothing that goes wrong in one lane reaches another."""
        try:
            async with self.tickets.holding(ticket):
                await lane.run()
        except LedgerUnavailable as exc:
            self._ledger_lost(exc)
        except Exception as exc:  # noqa: BLE001 - see above
            self._facts.unforeseen(message_id=None, ticket=ticket, exc=exc)
        finally:
            del self._reading[ticket]
            if lane.began is not None:
                self._took.append(self._clock.monotonic() - lane.began)
            self.on_end(cleared=lane.cleared)

    async def _may_begin(self, *, unasked: bool) -> bool:
        return not self._stopping and (unasked or (await self._gates_open() and not self._stopping))

    def _unhide(self, message_id: MessageId) -> None:
        self._hidden_until.pop(message_id, None)
        self.last_success = self._clock.now().timestamp()
        self.on_acknowledged(message_id)

    # --- what the reader wants to know -------------------------------------------------------------------------------

    @property
    def running(self) -> int:
        """How many lanes of reads run or wait for a place."""
        return len(self._reading)

    def would_wait_s(self, reads: int) -> float:
        """How long the last ticket of so many more reads would have to wait for its place, if lanes take as long as they did of late.

        No more wait than work at once, or than one read brings: what is read too early is lost to its window where the desk
        becomes slow.
        """
        if not self._reading and reads == 1:
            return 0.0
        waiting = self.running + reads * FULL_READ - self.side_by_side
        if waiting <= 0:
            return 0.0
        if waiting > max(self.side_by_side, FULL_READ) or not self._took:
            return math.inf
        return waiting / self.side_by_side * statistics.fmean(self._took)

    def nothing_hidden(self) -> bool:
        """Whether nothing of ours is in flight or waits for its visibility to pass."""
        now = self._clock.monotonic()
        for message_id in [each for each, until in self._hidden_until.items() if until <= now]:
            del self._hidden_until[message_id]
        return not self._hidden_until and not self._reading

    def overdue(self) -> bool:
        """Whether a handling outlives its window: its peer is slow, or silent."""
        return any(lane.overdue(self._clock) for lane, _ in self._reading.values())

    def hide(self, live: Mapping[MessageId, Live]) -> None:
        """These were read: they stay hidden until they are deleted or their window has passed, as late as it may have begun."""
        now = self._clock.monotonic()
        self._hidden_until.update((message_id, now + each.window.seconds) for message_id, each in live.items())

    # --- from copies -------------------------------------------------------------------------------------------------

    async def try_copy(self, kept: Kept) -> Outcome | None:
        """The gate's trial: this message alone, from its copy; None where its ticket is being worked on, or it is not first."""
        if self.tickets.held(kept.ticket):
            return None
        async with self.tickets.holding(kept.ticket):
            undone = await self._ledger.messages.undone(kept.ticket)
            if not undone or undone[0].message_id != kept.message_id:
                return None
            lane = Lane(self._parts, from_copies=True, unasked=True)
            lane.take(undone[:1], {})
            await lane.run()
            return lane.outcomes[0][1] if lane.outcomes else None

    async def run_copies(self, ticket: EnsonoTicketNumber, *, forced: bool = False) -> list[tuple[Kept, Outcome]]:
        """All that a ticket has undone, in order, from the copies: once a dead letter goes through, those behind it follow.

        Args:
            forced: an operator wants it, whatever the gates say.
        """
        async with self.tickets.holding(ticket):
            lane = Lane(self._parts, from_copies=True, unasked=forced)
            lane.take(await self._ledger.messages.undone(ticket), {})
            await lane.run()
            return lane.outcomes

    # --- stopping ----------------------------------------------------------------------------------------------------

    @property
    def stopping(self) -> bool:
        """Whether nothing is begun any more."""
        return self._stopping

    def begin_no_more(self) -> None:
        """What runs is finished; nothing else is begun, whoever asks."""
        self._stopping = True

    async def stop(self, grace_s: float) -> bool:
        """Let what runs end; cut off what is out after the grace. Returns whether all ended by themselves."""
        self.begin_no_more()
        tasks = [task for _, task in self._reading.values()]
        if not tasks:
            return True
        _, late = await asyncio.wait(tasks, timeout=grace_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return not late


def _nobody_listens(*, cleared: bool) -> None:
    """Until somebody does."""
