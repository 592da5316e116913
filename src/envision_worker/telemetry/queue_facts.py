"""Facts about Ensono's queue: reads, receives, deletes."""

from typing import Literal

from envision_worker.telemetry.metrics import TICKET_TYPES, TRANSACTION_TYPES, known
from envision_worker.telemetry.telling import INFO, WARNING, Telling

ReadResult = Literal["full", "short", "empty", "error"]

_A_MINUTE = 60.0
_AN_HOUR = 3600.0


class QueueFacts(Telling):
    """Each method tells one fact: it writes the line and moves the metrics."""

    def queue_read(
        self, *, result: ReadResult, messages: int, redelivered: int, seconds: float, detail: str = ""
    ) -> None:
        """A GET /queue came back (`full`: ten messages) or failed."""
        self._metrics.reads.labels(result).inc()
        fields = {"messages": messages, "redelivered": redelivered, "seconds": round(seconds, 3), "detail": detail}
        if result == "error":
            self._tell_rationed(WARNING, "queue_read_failed", None, _A_MINUTE, seconds=round(seconds, 3), detail=detail)
            return
        self._log.debug("queue_read", result=result, **fields)

    def read_lost(self, detail: str) -> None:
        """A read's answer was lost: up to ten messages are hidden for the visibility time-out and have spent a receive."""
        self._metrics.reads_lost.inc()
        self._tell_rationed(WARNING, "read_lost", None, _A_MINUTE, detail=detail)

    def saving_read(self) -> None:
        """A read in a long outage: it only saves raw copies and attachment bytes, and spends a receive of each message."""
        self._metrics.saving_reads.inc()
        self._log.info("saving_read")

    def message_received(self, *, transaction_type: str, ticket_type: str, redelivered: bool) -> None:
        """A read brought a message; moves counters only."""
        labels = known(transaction_type, TRANSACTION_TYPES), known(ticket_type, TICKET_TYPES)
        self._metrics.received.labels(*labels).inc()
        if redelivered:
            self._metrics.redelivered.labels(*labels).inc()

    def message_acknowledged(self, message_id: str, ticket: str) -> None:
        """A receipt handle was deleted: Ensono won't send this message again."""
        self._metrics.acknowledged.labels("ok").inc()
        self._log.debug("message_acknowledged", message_id=message_id, ticket=ticket)

    def acknowledge_failed(self, *, message_id: str, ticket: str, detail: str, expired: bool) -> None:
        """A delete failed; where the handle had only expired, the redelivery is acknowledged and nothing is amiss."""
        self._metrics.acknowledged.labels("expired" if expired else "failed").inc()
        level = INFO if expired else WARNING
        self._log.log(level, "acknowledge_failed", message_id=message_id, ticket=ticket, expired=expired, detail=detail)

    def gap_found(self, message_id: str, ticket: str) -> None:
        """A message kept undone stopped coming while a later one came: it is in the failure queue or expired. Its copy goes first."""
        self._metrics.gaps.inc()
        self._log.warning("gap_found", message_id=message_id, ticket=ticket)

    def receives_running_out(self, *, message_id: str, ticket: str, left: int) -> None:
        """A message has few receives left before Ensono moves it to its failure queue."""
        self._log.warning("receives_running_out", message_id=message_id, ticket=ticket, left=left)

    def foreign_reader(self, *, message_id: str, ticket: str, expected: int, seen: int) -> None:
        """A receive count grew faster than our own reads: somebody else reads this queue."""
        self._metrics.foreign_reads.inc()
        self._tell_rationed(
            WARNING,
            "foreign_reader",
            None,
            _A_MINUTE,
            message_id=message_id,
            ticket=ticket,
            expected=expected,
            seen=seen,
        )

    def retention_warning(self, hours_left: float) -> None:
        """Messages that were never received may expire at Ensono in so many hours."""
        self._tell_rationed(WARNING, "retention_warning", None, _AN_HOUR, hours_left=round(hours_left, 1))
