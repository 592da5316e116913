"""Receive counts: whether somebody else reads the queue, and which messages run out of receives."""

from collections.abc import Sequence

from envision_worker.ensono.delivery import Delivery
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import MessageId

_WARN_LEFT = 5


class ReceiveCounts:
    """Compares Ensono's counts with the reads that this process made."""

    def __init__(self, facts: Facts, *, max_receives: int, started_ms: int) -> None:
        self._facts = facts
        self._max_receives = max_receives
        self._started_ms = started_ms
        self._lost_reads = 0
        self._seen: dict[MessageId, tuple[int, int]] = {}

    def read_lost(self) -> None:
        """A read's answer was lost: each message may have spent a receive in it."""
        self._lost_reads += 1

    def forget(self, message_id: MessageId) -> None:
        """It is off the queue."""
        self._seen.pop(message_id, None)

    def came(self, deliveries: Sequence[Delivery], *, beside: int = 0) -> None:
        """A read brought these: counts that grew by more than our own reads, and few receives left, are told.

        Args:
            beside: how many other reads are under way: each may have brought the same, and its answer comes later.
        """
        for delivery in deliveries:
            expected = self._expected(delivery) + beside
            if delivery.receive_count > expected:
                self._facts.foreign_reader(
                    message_id=delivery.message_id,
                    ticket=delivery.ticket,
                    expected=expected,
                    seen=delivery.receive_count,
                )
            self._note(delivery)
            left = self._max_receives - delivery.receive_count
            if left <= _WARN_LEFT:
                self._facts.receives_running_out(message_id=delivery.message_id, ticket=delivery.ticket, left=left)

    def _note(self, delivery: Delivery) -> None:
        """The highest count stays: answers may come in another order than they were given."""
        before = self._seen.get(delivery.message_id, (0, 0))
        self._seen[delivery.message_id] = max(before, (delivery.receive_count, self._lost_reads))

    def _expected(self, delivery: Delivery) -> int:
        """The highest count that our own reads explain."""
        if delivery.message_id in self._seen:
            count, lost_then = self._seen[delivery.message_id]
            return count + 1 + self._lost_reads - lost_then
        if delivery.sent_ms >= self._started_ms:
            return 1 + self._lost_reads
        return delivery.receive_count  # an earlier process may have read it any number of times
