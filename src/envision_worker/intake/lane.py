"""A lane: one ticket's messages, one after the other (contract, P1)."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from envision_worker.clock import Clock
from envision_worker.ensono.connect import EnvisionConnect
from envision_worker.errors import PeerError, Refused, RefusedFor
from envision_worker.handlers.work import Turn
from envision_worker.intake.crowd import Crowd
from envision_worker.intake.delivery import UNCLEAN_ENDS_ALONE, Deliveries
from envision_worker.intake.places import Places
from envision_worker.intake.visibility import HandlingTimes, Window
from envision_worker.ledger.ledger import Ledger
from envision_worker.ledger.records import Kept, State
from envision_worker.outcome import Applied, Outcome, OutOfScope
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import MessageId, ReceiptHandle

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
        places: for those that handle a message of a read.
        acknowledged: told of each message whose handle was deleted.
    """

    deliveries: Deliveries
    connect: EnvisionConnect
    ledger: Ledger
    clock: Clock
    facts: Facts
    times: HandlingTimes
    places: Places
    crowd: Crowd
    may_begin: MayBegin
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
        self.began: float | None = None
        """When its first message was begun, monotonic seconds."""
        self.outcomes: list[tuple[Kept, Outcome]] = []

    def take(self, items: Iterable[Kept], live: Mapping[MessageId, Live]) -> None:
        """A read's messages of this ticket. What runs right now only gets its newer handle: it is not begun a second time."""
        self._items = [item for item in items if item.message_id != self._current]
        for message_id, each in live.items():
            before = self._live.get(message_id)
            if before is None or before.window.sent_at <= each.window.sent_at:  # answers may overtake each other
                self._live[message_id] = each
        self._turn = Turn()

    @property
    def cleared(self) -> bool:
        """Whether everything that was delivered is deleted: then what the ticket has left can be read."""
        return not self._live

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
        return first and await self._carried_through(item)

    async def _carried_through(self, item: Kept) -> bool:
        """Whether it was handled, settled and acknowledged. It gives up its place while it is deleted: others work meanwhile."""
        async with self._place(), self._parts.crowd.place(alone=item.unclean_ends >= UNCLEAN_ENDS_ALONE):
            if not await self._may_begin(item):  # asked last: while it waited, a newer read may have brought it
                return False
            started = self._parts.clock.monotonic()
            self.began = started if self.began is None else self.began
            live = self._live.get(item.message_id)
            self._begun = live.window if live else None
            outcome = await self._parts.deliveries.handle(item, self._turn, live=item.message_id in self._live)
            self._begun = None
            self.outcomes.append((item, outcome))
        if not isinstance(outcome, Applied | OutOfScope):
            return False
        self._took(item, since=started)
        acknowledged = await self._acknowledge(item)
        self._took(item, since=started)
        return acknowledged

    def _took(self, item: Kept, *, since: float) -> None:
        """Told twice, before and after the delete: what begins meanwhile has to know already."""
        self._parts.times.took(item.transaction_type, self._parts.clock.monotonic() - since)

    def _place(self) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self._from_copies else self._parts.places.one(goes_on=bool(self._begun_in))

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
        if not any(other.message_id in self._live for other in self._items):
            return False
        if item.gone is None:
            await self._note_gap(item)
            return True
        return item.state is not State.DEAD_LETTER  # one that is known to be gone is tried again at times of its own

    async def _note_gap(self, item: Kept) -> None:
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

    # --- acknowledging -----------------------------------------------------------------------------------------------

    async def _acknowledge(self, item: Kept) -> bool:
        """Delete the handle, if there is one. Whatever goes wrong, the next delivery finds the message settled."""
        live = self._live.get(item.message_id)
        if live is None:
            return True
        if live.handle is None or not await self._delete(item, live.handle, live.window):
            return False
        self._live.pop(item.message_id, None)
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
