"""Every metric of the worker, on a registry of its own.

Names and labels are closed; `docs/metrics.md` lists them, and a test compares. No ticket number is ever a label.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from envision_worker.outcome import DeadLetterReason, LaterReason
from envision_worker.telemetry.gauges import Gauges, GaugeSnapshot, Instant, shown
from envision_worker.vocabulary import TicketType, TransactionType

UNKNOWN = "unknown"
TRANSACTION_TYPES = (*TransactionType, UNKNOWN)
TICKET_TYPES = (*TicketType, UNKNOWN)
READ_RESULTS = ("full", "short", "empty", "error")
OUTCOMES = ("applied", "already_applied", "out_of_scope", "retry_later", "dead_letter")
PEERS = ("ensono", "desk", "attachments", UNKNOWN)
CALL_RESULTS = ("ok", "refused", "throttled", "unreachable", "unsure", "malformed", UNKNOWN)
GATES = ("desk", "ensono", "operator")
MAPPED_KINDS = (
    *("status", "priority", "impact", "urgency", "group", "category"),
    *("closure_code", "change_type", "change_risk", "change_state", "approver", UNKNOWN),
)
APPROVAL_EVENTS = ("requested", "approved", "rejected", "reminded", "withdrawn", UNKNOWN)
OPERATIONS_AT_MOST = 100  # operations are constants of our own code; this only bounds the damage of a mistake

# Ensono's alarms look at half an hour and at an hour, and its messages live for four days.
_AGE_BUCKETS = (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 21600, 86400, 345600)
# The visibility window is 30 s: what takes longer is acknowledged on redelivery.
_HANDLING_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20, 25, 30, 60, 120)
_CALL_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_COMMIT_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric as `docs/metrics.md` lists it."""

    name: str
    type: str
    labels: tuple[str, ...]
    text: str


class Metrics:
    """The counters and histograms that the facts move, and the snapshot of what stands.

    Args:
        version: of the program, for `envision_build_info`.
    """

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        self.definitions: list[Definition] = []
        self._operations: set[str] = set()
        self._gauges = GaugeSnapshot()
        self.registry.register(self._gauges)
        self.definitions += [Definition(each.metric, "gauge", (), each.definition) for each in shown().values()]
        ProcessCollector(registry=self.registry)
        self._define_queue()
        self._define_messages()
        self._define_peers()
        self._define_tickets()
        self._define_process(version)

    def _define_queue(self) -> None:
        self.reads = self._counter(
            "envision_queue_reads_total", "GET /queue calls, by what came back.", result=READ_RESULTS
        )
        self.reads_lost = self._counter(
            "envision_queue_reads_lost_total",
            "Reads whose answer was lost: up to ten messages are hidden for the visibility time-out and have spent a receive.",
        )
        self.saving_reads = self._counter(
            "envision_queue_saving_reads_total",
            "Reads made in a long outage only to save raw copies and attachment bytes.",
        )
        self.received = self._counter(
            "envision_messages_received_total",
            "Messages that reads brought, redelivered ones included.",
            transaction_type=TRANSACTION_TYPES,
            ticket_type=TICKET_TYPES,
        )
        self.redelivered = self._counter(
            "envision_messages_redelivered_total",
            "Messages that reads brought again.",
            transaction_type=TRANSACTION_TYPES,
            ticket_type=TICKET_TYPES,
        )
        self.acknowledged = self._counter(
            "envision_acknowledgements_total",
            "Deletes of a receipt handle; `expired` is harmless, the redelivery is acknowledged.",
            result=("ok", "expired", "failed"),
        )
        self.gaps = self._counter(
            "envision_gaps_total",
            "Messages kept undone that stopped coming while a later one of their ticket came; applied from the copy.",
        )
        self.foreign_reads = self._counter(
            "envision_foreign_reads_total", "Messages whose receive count grew faster than our own reads."
        )

    def _define_messages(self) -> None:
        self.messages = self._counter(
            "envision_messages_total",
            "Handlings, by what they came to; only waiting behind another message is no handling.",
            transaction_type=TRANSACTION_TYPES,
            ticket_type=TICKET_TYPES,
            outcome=OUTCOMES,
        )
        self.failures = self._counter(
            "envision_failures_total", "Handlings that did not get through, by reason.", outcome=(), reason=()
        )
        for outcome, reasons in (("retry_later", LaterReason), ("dead_letter", DeadLetterReason)):
            for reason in reasons:
                self.failures.labels(outcome, reason.value)
        self.age = self._histogram("envision_message_age_seconds", "From SentTimestamp to applied.", _AGE_BUCKETS)
        self.handling = self._histogram(
            "envision_message_handling_seconds",
            "From the start of a handling to its outcome.",
            _HANDLING_BUCKETS,
            transaction_type=TRANSACTION_TYPES,
        )
        self.malformed = self._counter(
            "envision_messages_malformed_total",
            "Messages that could not be read, or lacked what their transaction needs.",
        )
        self.unforeseen = self._counter(
            "envision_unforeseen_errors_total", "Exceptions that nobody foresaw; each is a bug of the worker."
        )

    def _define_peers(self) -> None:
        self.calls = self._histogram(
            "envision_http_request_duration_seconds",
            "Every outgoing call, from sending to the last byte of the answer.",
            _CALL_BUCKETS,
            peer=(),
            operation=(),
            result=(),
        )
        self.key_refused = self._gauge(
            "envision_key_refused", "1 since the peer refused our key, until it accepts a call again.", peer=PEERS
        )
        self.gate_closed = self._gauge(
            "envision_gate_closed", "1 while this gate keeps the queue from being read, else 0.", gate=GATES
        )
        self.gate_closings = self._counter("envision_gate_closings_total", "Times that a gate was closed.", gate=GATES)
        self.unknown_outcomes = self._counter(
            "envision_unknown_outcomes_total", "Writes whose answer was lost; the ticket waits, then we look."
        )
        self.found_outcomes = self._counter(
            "envision_found_outcomes_total",
            "What looking showed of writes whose answer was lost.",
            happened=("yes", "no"),
        )

    def _define_tickets(self) -> None:
        self.unmapped = self._counter(
            "envision_values_unmapped_total",
            "Values without a line in [mapping]: written on the ticket instead of sent.",
            kind=MAPPED_KINDS,
        )
        self.fields_dropped = self._counter(
            "envision_fields_dropped_total", "Optional fields that the desk refused and that stand in text instead."
        )
        self.dead_letters_kept = self._counter(
            "envision_dead_letters_kept_total", "Messages that became a dead letter.", reason=tuple(DeadLetterReason)
        )
        self.dead_letters_resolved = self._counter(
            "envision_dead_letters_resolved_total",
            "Dead letters that are none any more.",
            how=("applied", "discarded", "retried"),
        )
        self.attachments = self._counter(
            "envision_attachments_total",
            "Downloads of attachments; `given_up` leaves a note on the ticket.",
            result=("fetched", "failed", "given_up"),
        )
        self.attachment_bytes = self._counter("envision_attachment_bytes_total", "Bytes of attachments downloaded.")
        self.approvals = self._counter("envision_approvals_total", "What happened to approvals.", event=APPROVAL_EVENTS)

    def _define_process(self, version: str) -> None:
        self._gauge("envision_build_info", "1; the label tells the version.", version=(version,)).labels(version).set(1)
        self.started = self._instant("envision_start_timestamp_seconds", "When the daemon started.")
        self.loop_tick = self._instant(
            "envision_loop_last_tick_timestamp_seconds",
            "When the intake loop last turned: began a read or a rest.",
        )
        self.commits = self._histogram(
            "envision_ledger_commit_seconds", "Commits of the ledger, the wait for the disk included.", _COMMIT_BUCKETS
        )
        self.ledger_writes = self._counter("envision_ledger_writes_total", "Writes that the ledger's commits carried.")
        self.lines_held_back = self._counter(
            "envision_log_lines_held_back_total", "Log lines not written because their like had just been."
        )

    def set_gauges(self, gauges: Gauges) -> None:
        """Show this snapshot from now on."""
        self._gauges.latest = gauges

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """All metrics, in the format that an Accept header asks for, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(_WithoutCreated(self.registry)), content_type

    def operation_label(self, operation: str) -> str:
        """The operation, or `unknown` once there are more than any code of ours can name."""
        if operation not in self._operations and len(self._operations) >= OPERATIONS_AT_MOST:
            return UNKNOWN
        self._operations.add(operation)
        return operation

    def _counter(self, name: str, text: str, **labels: Iterable[str]) -> Counter:
        self.definitions.append(Definition(name, "counter", tuple(labels), text))
        counter = Counter(name, text, tuple(labels), registry=self.registry)
        for values in product(*labels.values()) if labels else ():
            counter.labels(*values)
        return counter

    def _gauge(self, name: str, text: str, **labels: Iterable[str]) -> Gauge:
        self.definitions.append(Definition(name, "gauge", tuple(labels), text))
        gauge = Gauge(name, text, tuple(labels), registry=self.registry)
        for values in product(*labels.values()):
            gauge.labels(*values)
        return gauge

    def _instant(self, name: str, text: str) -> Instant:
        self.definitions.append(Definition(name, "gauge", (), text))
        instant = Instant(name, text)
        self.registry.register(instant)
        return instant

    def _histogram(self, name: str, text: str, buckets: Iterable[float], **labels: Iterable[str]) -> Histogram:
        self.definitions.append(Definition(name, "histogram", tuple(labels), text))
        histogram = Histogram(name, text, tuple(labels), registry=self.registry, buckets=tuple(buckets))
        for values in product(*labels.values()) if labels else ():
            histogram.labels(*values)
        return histogram


class _WithoutCreated(Collector):
    """A registry without the `_created` series: one more for each counter, and nobody asks for it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


def known(value: str | None, among: Iterable[str]) -> str:
    """A label value out of a closed set; `unknown` for whatever else the world sends."""
    return value if value is not None and value in among else UNKNOWN
