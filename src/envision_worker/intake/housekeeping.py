"""What has to be done now and then: dead letters tried again, messages that left the queue noticed, old ones forgotten."""

from collections.abc import Callable
from dataclasses import dataclass

from envision_worker.clock import Clock
from envision_worker.ensono.settings import QueueSettings
from envision_worker.intake.delivery import LAST_RETRY_S
from envision_worker.intake.files import SpooledFiles
from envision_worker.intake.lanes import Lanes
from envision_worker.intake.watermarks import Watermarks
from envision_worker.ledger.ledger import Ledger
from envision_worker.ledger.records import Kept, State
from envision_worker.outcome import DeadLetterReason
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import TransactionType

WARN_BEFORE_S = 24 * 3600.0
PRUNE_AT_ONCE = 200
UNSEEN_S = 3600.0
ENOUGH_DRAINS = 3
"""So many reads that brought all that was there, the last of them so long after a message came last, and it is gone."""
_DUE_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """One round does everything that is due.

    Attributes:
        may_work: whether messages may be begun now.
        keep_applied_s: how long settled messages are kept, in seconds; never shorter than Ensono's retention.
    """

    ledger: Ledger
    lanes: Lanes
    files: SpooledFiles
    watermarks: Watermarks
    clock: Clock
    facts: Facts
    queue: QueueSettings
    may_work: Callable[[], bool]
    keep_applied_s: float

    async def round(self) -> None:
        """Do what is due. Raises `LedgerUnavailable`."""
        now = self.clock.now().timestamp()
        await self._notice_gone(now)
        if self.may_work():
            await self._retry_dead_letters(now)
        await self.tidy_spool()
        await self._fetch_on()
        await self._prune(now)
        self._warn_of_retention(now)

    async def tidy_spool(self) -> None:
        """Remove bytes that belong to no message any more: out of scope, discarded, or settled when the process ended."""
        undone = await self.ledger.messages.unsettled(TransactionType.ATTACHMENT)
        self.files.keep_only(undone, strangers=not self._all_came())

    def _all_came(self) -> bool:
        """Whether everything has been received that was in the queue, or hidden by a read before, when this ledger was made."""
        born, came = self.watermarks.born, self.watermarks.watermark
        if born is None or came is None:
            return False
        return came >= born + 2 * self.queue.visibility_timeout_s

    async def _fetch_on(self) -> None:
        """While their messages wait, links die."""
        undone = await self.ledger.messages.unsettled(TransactionType.ATTACHMENT)
        recalled = [await self.ledger.messages.get(message_id) for message_id in self.files.never_seen(undone)]
        self.files.go_on(kept for kept in recalled if kept)

    async def _notice_gone(self, now: float) -> None:
        """Messages that can't come again: Ensono has moved them to its failure queue, or deleted them."""
        used_up = await self.ledger.messages.used_up(
            max_receives=self.queue.max_receives,
            received_before=now - 2 * self.queue.visibility_timeout_s,
            sent_before=now - self.queue.retention_s,
            unseen_since=self._unseen_since(),
        )
        await self.ledger.messages.gone([kept.message_id for kept in used_up], at=now)
        for kept in await self.ledger.messages.orphans(limit=_DUE_AT_ONCE):
            await self._keep_as_dead_letter(kept, now)

    def _unseen_since(self) -> float:
        """What was in the queue and not hidden came with each read that drained it; 0 where too few did. A receive count can't tell.

        The answer to the read that spent a message's last receive may have been lost.
        """
        drained = self.watermarks.drained
        return drained - UNSEEN_S if drained is not None and self.watermarks.drains >= ENOUGH_DRAINS else 0.0

    async def _keep_as_dead_letter(self, kept: Kept, now: float) -> None:
        """The first of its ticket becomes a dead letter, due at once; what waits behind it goes on waiting."""
        async with self.lanes.tickets.holding(kept.ticket):
            standing = await self.ledger.messages.standing(kept.message_id)
            if standing is None or standing[0].state.settled or standing[0].gone is None or not standing[1]:
                return  # it came again, or went through, since
            first = standing[0]
            expired = first.sent_ms / 1000 < now - self.queue.retention_s
            used_up = DeadLetterReason.RETENTION_USED_UP if expired else DeadLetterReason.RECEIVES_USED_UP
            new = first.state is not State.DEAD_LETTER
            reason = used_up.value if new else first.reason
            detail = f"no longer in Ensono's queue; last: {first.detail}" if new and first.detail else first.detail
            await self.ledger.messages.settle(
                first.message_id, State.DEAD_LETTER, at=now, reason=reason, detail=detail, next_attempt=now
            )
        if new:
            self.facts.dead_letter_kept(
                message_id=kept.message_id, ticket=kept.ticket, reason=used_up, detail="no longer in Ensono's queue"
            )

    async def _retry_dead_letters(self, now: float) -> None:
        for kept in await self.ledger.messages.due(now, latest=now + LAST_RETRY_S, limit=_DUE_AT_ONCE):
            if not self.may_work():
                return
            if not self.lanes.tickets.held(kept.ticket):
                await self.lanes.run_copies(kept.ticket)

    async def _prune(self, now: float) -> None:
        """In small pieces, so that the lanes never wait long for the ledger."""
        keep_s = max(self.keep_applied_s, self.queue.retention_s)
        while await self.ledger.prune(settled_before=now - keep_s, limit=PRUNE_AT_ONCE) == PRUNE_AT_ONCE:
            await self.clock.sleep(0)

    def _warn_of_retention(self, now: float) -> None:
        """Of what was never received nothing is known but since when (contract, P4); a ledger that never read, since it is there."""
        marks = self.watermarks
        since = marks.born if marks.watermark is None else marks.watermark
        if since is None:
            return
        left_s = since + self.queue.retention_s - now
        if left_s < WARN_BEFORE_S:
            self.facts.retention_warning(left_s / 3600)
