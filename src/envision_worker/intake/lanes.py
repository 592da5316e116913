"""Lanes: one for each ticket, side by side, each strictly in order (contract, P1)."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from envision_worker.clock import Clock
from envision_worker.ensono.connect import EnvisionConnect
from envision_worker.errors import PeerError, Refused, RefusedFor
from envision_worker.handlers.ticket_locks import TicketLocks
from envision_worker.handlers.work import Turn
from envision_worker.intake.crowd import Crowd
from envision_worker.intake.delivery import UNCLEAN_ENDS_ALONE, Deliveries
from envision_worker.intake.visibility import HandlingTimes, Window
from envision_worker.ledger.ledger import Ledger
from envision_worker.ledger.records import Kept, LedgerUnavailable, State
from envision_worker.outcome import Applied, Outcome, OutOfScope
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId, ReceiptHandle

NEARLY_OVER_S = 2.0
"""A read sent so long before the end of a window may reach the queue after it."""


@dataclass(frozen=True, slots=True)
class Live:
    """A delivery whose handle may still be good."""

    handle: ReceiptHandle | None = field(repr=False)
    window: Window


class MayBegin(Protocol):
    """Whether another message may be begun now: not while stopping, nor while a gate is closed."""

    async def __call__(self, *, unasked: bool) -> bool:
        """`unasked`: whatever the gates say."""
        ...


@dataclass(frozen=True, slots=True)
class LaneParts:
    """What every lane works with.

    Attributes:
        acknowledged: told of each message whose handle was deleted.
    """

    deliveries: Deliveries
    connect: EnvisionConnect
    ledger: Ledger
    clock: Clock
    facts: Facts
    times: HandlingTimes
    crowd: Crowd
    may_begin: "MayBegin"
    acknowledged: Callable[[MessageId], None]


class Lane:
    """One ticket's messages, one after the other; it ends at the first that is not settled or not acknowledged."""

    def __init__(self, parts: LaneParts, *, from_copies: bool, unasked: bool = False) -> None:
        """`from_copies`: apply without a live handle. `unasked`: don't ask whether a message may be begun (the gate's trial)."""
        self._parts = parts
        self._from_copies = from_copies
        self._unasked = unasked
        self._items: list[Kept] = []
        self._live: dict[MessageId, Live] = {}
        self._begun_in: set[Window] = set()
        self._turn = Turn()
        self._current: MessageId | None = None
        self._begun: Window | None = None
        self.outcomes: list[tuple[Kept, Outcome]] = []

    def take(self, items: Iterable[Kept], live: Mapping[MessageId, Live]) -> None:
        """A read's messages of this ticket. What runs right now only gets its newer handle: it is not begun a second time."""
        self._items = [item for item in items if item.message_id != self._current]
        self._live.update(live)
        self._turn = Turn()

    def overdue(self, clock: Clock) -> bool:
        """Whether what is being handled outlives its window: the next read would bring it, and those behind it, again."""
        return self._begun is not None and self._begun.left(clock) < NEARLY_OVER_S

    async def run(self) -> None:
        """Go through the messages in order."""
        while self._items:
            item = self._items.pop(0)
            self._current = item.message_id
            if not await self._step(item):
                return

    async def _step(self, known: Kept) -> bool:
        """Handle and acknowledge one message; False ends the lane."""
        now = await self._parts.ledger.messages.standing(known.message_id)
        if now is None:  # settled and pruned since it was read
            return True
        item, first = now  # somebody else may have had the ticket since
        if item.state.settled:
            await self._parts.deliveries.tell_settled(item)
            return await self._acknowledge(item)
        if not first or not await self._may_begin(item):
            return False
        started = self._parts.clock.monotonic()
        live = self._live.get(item.message_id)
        self._begun = live.window if live else None
        outcome = await self._handle(item)
        self._begun = None
        self.outcomes.append((item, outcome))
        if not isinstance(outcome, Applied | OutOfScope):
            return False
        acknowledged = await self._acknowledge(item)
        self._parts.times.took(item.transaction_type, self._parts.clock.monotonic() - started)
        return acknowledged

    async def _handle(self, item: Kept) -> Outcome:
        async with self._parts.crowd.place(alone=item.unclean_ends >= UNCLEAN_ENDS_ALONE):
            return await self._parts.deliveries.handle(item, self._turn, live=item.message_id in self._live)

    # --- what may be begun -------------------------------------------------------------------------------------------

    async def _may_begin(self, item: Kept) -> bool:
        if item.held:
            return False
        if item.message_id not in self._live and not self._from_copies and not await self._is_gap(item):
            return False
        if not await self._parts.may_begin(unasked=self._unasked):
            return False
        live = self._live.get(item.message_id)
        return live is None or self._fits(item, live.window)

    def _fits(self, item: Kept, window: Window) -> bool:
        """Never begin what can't end in the window, but for the first of a read: a slow desk must still get through."""
        if window not in self._begun_in:
            self._begun_in.add(window)
            return True
        return self._parts.times.fits(item.transaction_type, window.left(self._parts.clock))

    async def _is_gap(self, item: Kept) -> bool:
        """Undone, not delivered, while a later one of its ticket is: it has left the queue, so its copy comes first."""
        if item.state is State.DEAD_LETTER or not any(other.message_id in self._live for other in self._items):
            return False
        now = self._parts.clock.now().timestamp()
        messages = self._parts.ledger.messages
        await messages.gone([item.message_id], at=now)
        await messages.note_event(
            at=now,
            ticket=item.ticket,
            message_id=item.message_id,
            what="left the queue",
            detail="applied from its copy",
        )
        self._parts.facts.gap_found(item.message_id, item.ticket)
        return True

    # --- acknowledging -----------------------------------------------------------------------------------------------

    async def _acknowledge(self, item: Kept) -> bool:
        """Delete the handle, if there is one. Whatever goes wrong, the next delivery finds the message settled."""
        live = self._live.get(item.message_id)
        if live is None:
            return True
        if live.handle is None or not await self._delete(item, live.handle, live.window):
            return False
        await self._parts.ledger.messages.acknowledged(item.message_id, at=self._parts.clock.now().timestamp())
        self._parts.facts.message_acknowledged(item.message_id, item.ticket)
        self._parts.acknowledged(item.message_id)
        return True

    async def _delete(self, item: Kept, handle: ReceiptHandle, window: Window) -> bool:
        try:
            await self._parts.connect.delete(handle, within_s=window.left(self._parts.clock))
        except PeerError as exc:
            expired = isinstance(exc, Refused) and exc.why is RefusedFor.HANDLE_EXPIRED
            self._parts.facts.acknowledge_failed(
                message_id=item.message_id, ticket=item.ticket, detail=exc.detail, expired=expired
            )
            return False
        return window.left(self._parts.clock) > 0  # a 200 after the window proves nothing: a newer delivery may hold it


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
        self._slots = asyncio.Semaphore(side_by_side)
        self._reading: dict[EnsonoTicketNumber, tuple[Lane, asyncio.Task[None]]] = {}
        self._hidden: dict[MessageId, Window] = {}
        self._stopping = False
        self._changed = asyncio.Event()
        self.last_success: float | None = None
        self.on_acknowledged: Callable[[MessageId], None] = lambda _: None  # told of each message that is off the queue
        self._parts = LaneParts(
            deliveries, connect, ledger, clock, facts, HandlingTimes(), Crowd(), self._may_begin, self._unhide
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
            async with self._slots, self.tickets.holding(ticket):
                await lane.run()
        except LedgerUnavailable as exc:
            self._ledger_lost(exc)
        except Exception as exc:  # noqa: BLE001 - see above
            self._facts.unforeseen(message_id=None, ticket=ticket, exc=exc)
        finally:
            del self._reading[ticket]
            self._changed.set()

    async def _may_begin(self, *, unasked: bool) -> bool:
        return not self._stopping and (unasked or (await self._gates_open() and not self._stopping))

    def _unhide(self, message_id: MessageId) -> None:
        self._hidden.pop(message_id, None)
        self.last_success = self._clock.now().timestamp()
        self.on_acknowledged(message_id)

    # --- what the reader wants to know -------------------------------------------------------------------------------

    @property
    def running(self) -> int:
        """How many lanes of reads run or wait for a place."""
        return len(self._reading)

    def room(self) -> int:
        """How many more tickets could be begun at once."""
        return max(self.side_by_side - self.running, 0)

    def nothing_hidden(self) -> bool:
        """Whether nothing of ours is in flight or waits for its visibility to pass."""
        passed = [message_id for message_id, window in self._hidden.items() if window.left(self._clock) <= 0]
        for message_id in passed:
            del self._hidden[message_id]
        return not self._hidden and not self._reading

    def overdue(self) -> bool:
        """Whether a handling outlives its window: its peer is slow, or silent."""
        return any(lane.overdue(self._clock) for lane, _ in self._reading.values())

    def hide(self, live: Mapping[MessageId, Live]) -> None:
        """These were read: they stay hidden until they are deleted or their window has passed."""
        self._hidden.update((message_id, each.window) for message_id, each in live.items())

    async def changed(self) -> None:
        """Wait until a lane ends."""
        self._changed.clear()
        await self._changed.wait()

    async def idle(self) -> None:
        """Wait until no lane of a read is left."""
        while self._reading:
            await self.changed()

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
