"""A ledger that was lost is told again of the open approvals, also of those changes of which no further message comes (P12)."""

from collections.abc import Iterable

from envision_worker.clock import Clock
from envision_worker.desks.desk import Desk, DeskRef, DeskTicket, Life
from envision_worker.errors import PeerError, Refused, RefusedFor
from envision_worker.handlers.approval_notes import restore_approvals
from envision_worker.handlers.approval_withdrawal import leave_earlier
from envision_worker.handlers.copied_links import holds, is_from_a_copy, replaces
from envision_worker.handlers.ticket_locks import TicketLocks
from envision_worker.ledger.ledger import Ledger
from envision_worker.ledger.records import Link
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import DeskKind, DeskTicketId, EnsonoTicketNumber, MessageId

RESTORED = "approvals_restored"
CHANGE_NUMBERS = "e-CHG"
"""How Ensono's numbers of changes begin (guide, Using the API - inbound to Ensono)."""
ENDED_WITHIN_S = 30 * 86400.0
"""Of the changes that have ended only those made so lately are looked at: the decision that ended one may not have been sent."""
_NO_CHANGES = frozenset({RefusedFor.NOT_FOUND, RefusedFor.CONFIGURATION})
FIRST_PAUSE_S = 60.0
LONGEST_PAUSE_S = 3600.0


class Restoring:
    """Once in the life of a ledger the desk is asked which changes bear a number of Ensono's, and what stands on them."""

    def __init__(
        self,
        desk: Desk,
        ledger: Ledger,
        tickets: TicketLocks,
        clock: Clock,
        facts: Facts,
        *,
        born: float,
        after_s: float,
    ) -> None:
        """`born`: when the ledger was made. `after_s`: how long after the start; what the queue holds may bring the same about for less."""
        self._desk = desk
        self._ledger = ledger
        self._tickets = tickets
        self._clock = clock
        self._facts = facts
        self._born = born
        self._done = False
        self._seen: set[DeskTicketId] = set()
        self._not_before = clock.monotonic() + after_s
        self._pause_s = FIRST_PAUSE_S

    async def go_on(self) -> None:
        """Do it, if it was not done in full before; a desk that fails is asked again later. Raises `LedgerUnavailable`."""
        if self._done or self._clock.monotonic() < self._not_before:
            return
        if await self._ledger.recall(RESTORED) is None:
            try:
                await self._go_through()
            except Refused as exc:  # no changes here, or none for this key: there is nothing to find
                self._facts.approvals_not_restored(exc.detail, has_changes=exc.why not in _NO_CHANGES)
            except PeerError:  # told where the call was made
                self._not_before = self._clock.monotonic() + self._pause_s
                self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
                return
            await self._ledger.remember(RESTORED, "yes")
        self._done = True

    async def _go_through(self) -> None:
        changes = await self._desk.bearing(DeskKind.CHANGE, CHANGE_NUMBERS)
        for change in _newest(changes):
            if change.ref.id not in self._seen and self._matters(change):
                async with self._tickets.holding(EnsonoTicketNumber(change.ensono_number)):
                    await self._restore(change)
                self._seen.add(change.ref.id)

    def _matters(self, change: DeskTicket) -> bool:
        if change.life is Life.OPEN:
            return True
        age_s = self._now() - change.created.timestamp() if change.created else 0.0
        return change.life is Life.CLOSED and age_s < ENDED_WITHIN_S

    async def _restore(self, change: DeskTicket) -> None:
        """The link comes last: without it nothing is sent, and this is done once more."""
        ticket = EnsonoTicketNumber(change.ensono_number)
        known = await self._ledger.links.current(ticket)
        if known is None or known.desk_id != change.ref.id:
            if known is not None and not await self._is_overtaken(known, change):
                return
            link = _link(ticket, change, known, self._now())
        else:
            link = known
        await restore_approvals(self._desk, self._ledger, self._facts, link, change.life, now=self._now())
        records = await self._ledger.approvals.of_ticket(ticket)
        if link is not known and any(each.desk_id == link.desk_id for each in records):
            await leave_earlier(self._ledger, self._facts, link, now=self._now())
            await self._ledger.links.save(link)

    async def _is_overtaken(self, link: Link, change: DeskTicket) -> bool:
        """Whether a copy of the ledger was put back that knows nothing yet of this change."""
        if not is_from_a_copy(link, self._born):
            return False
        try:
            linked = await self._desk.read(DeskRef(link.kind, link.desk_id))
        except Refused as exc:
            if exc.why is not RefusedFor.NOT_FOUND:
                raise
            return True
        return not holds(link, linked) and replaces(change, link, linked)

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _newest(changes: Iterable[DeskTicket]) -> Iterable[DeskTicket]:
    """Of several that bear one number the newest that is not cancelled, as everywhere."""
    newest: dict[str, DeskTicket] = {}
    for change in sorted(changes, key=lambda each: each.created.timestamp() if each.created else 0.0, reverse=True):
        if change.life is not Life.CANCELLED and not change.trashed:
            newest.setdefault(change.ensono_number, change)
    return newest.values()


def _link(ticket: EnsonoTicketNumber, change: DeskTicket, before: Link | None, now: float) -> Link:
    return Link(
        ticket=ticket,
        generation=before.generation + 1 if before else 1,
        kind=DeskKind.CHANGE,
        desk_id=change.ref.id,
        number=change.number,
        created=now,
        created_by=MessageId("restored"),
        adopted=True,
    )
