"""What stands at the moment, as one frozen snapshot: the gauges of `/metrics`.

A value that nobody knows yet has no sample: a 0 in its place would be 1970 to an alarm, or a desk that is down.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, get_type_hints

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True)
class Shown:
    """Under which name a value of the snapshot is exposed, and what it means."""

    metric: str
    definition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """The state of the worker as the metrics show it; None where it is not known. Times are epoch seconds.

    "Those" are the messages received, not deleted, and not known to be gone from the queue. The definitions of the first
    block are the contract's.
    """

    unacknowledged: Annotated[
        int,
        Shown(
            "envision_queue_unacknowledged_messages",
            "Messages received, not deleted, and not known to be gone from the queue.",
        ),
    ]
    average_age_s: Annotated[
        float,
        Shown("envision_queue_average_age_seconds", "Average age of the unacknowledged messages since SentTimestamp."),
    ]
    oldest_age_s: Annotated[
        float,
        Shown("envision_queue_oldest_age_seconds", "Age of the oldest unacknowledged message since SentTimestamp."),
    ]
    receive_count_max: Annotated[
        int,
        Shown(
            "envision_message_receive_count_max",
            "Highest ApproximateReceiveCount among the unacknowledged messages.",
        ),
    ]
    dead_letters: Annotated[
        int, Shown("envision_dead_letters", "Dead letters, without the messages that only wait behind one.")
    ]
    blocked_tickets: Annotated[
        int, Shown("envision_blocked_tickets", "Tickets whose messages wait behind one that is kept undone.")
    ]
    approvals_waiting: Annotated[
        int, Shown("envision_approvals_waiting", "Approvals on the desk that nobody has decided yet.")
    ]
    desk_up: Annotated[bool | None, Shown("envision_desk_up", "1 where the desk answered last time, else 0.")]
    ensono_up: Annotated[bool | None, Shown("envision_ensono_up", "1 where Ensono answered last time, else 0.")]
    gate_open: Annotated[bool, Shown("envision_gate_open", "1 while the queue may be read for work, else 0.")]
    paused: Annotated[bool, Shown("envision_paused", "1 while an operator has stopped the reading, else 0.")]
    last_drained: Annotated[
        float | None,
        Shown(
            "envision_queue_last_drained_timestamp_seconds",
            "Start of the last read that came back short while nothing of ours was in flight or waiting for its visibility; "
            "survives restarts.",
        ),
    ]
    watermark: Annotated[
        float | None,
        Shown(
            "envision_queue_watermark_timestamp_seconds",
            "Everything sent before this has been received, as far as we can know; survives restarts.",
        ),
    ]

    receives_left_min: Annotated[
        int | None,
        Shown(
            "envision_message_receives_left_min",
            "Receives that the unacknowledged message nearest to Ensono's failure queue has left; absent where there is none.",
        ),
    ]
    approvals_oldest_age_s: Annotated[
        float, Shown("envision_approvals_oldest_age_seconds", "Age of the approval that has waited longest.")
    ]
    last_read: Annotated[
        float | None, Shown("envision_queue_last_read_timestamp_seconds", "Last GET /queue that was answered well.")
    ]
    last_success: Annotated[
        float | None, Shown("envision_last_success_timestamp_seconds", "Last message whose handling ended well.")
    ]
    ledger_bytes: Annotated[int, Shown("envision_ledger_bytes", "Size of the ledger on disk.")]
    spool_bytes: Annotated[
        int | None, Shown("envision_spool_bytes", "Attachment bytes kept until they are on the desk.")
    ]
    clock_skew_s: Annotated[
        float | None,
        Shown(
            "envision_clock_skew_seconds", "Our clock minus the Date of Ensono's last answer; ages mix the two clocks."
        ),
    ]
    spool_limit_bytes: Annotated[
        int | None, Shown("envision_spool_limit_bytes", "The most that attachments.max_spool_mb lets the spool hold.")
    ] = None
    disk_free_bytes: Annotated[
        int | None, Shown("envision_disk_free_bytes", "Free space where the ledger lies, as far as we may use it.")
    ] = None
    attachment_link_expires: Annotated[
        float | None,
        Shown(
            "envision_attachment_link_expiry_timestamp_seconds",
            "When the first signed link dies whose file is not fetched yet; absent where every file is.",
        ),
    ] = None


@cache
def shown() -> dict[str, Shown]:
    """How each field of the snapshot is exposed, by its name."""
    hints = get_type_hints(Gauges, include_extras=True)
    return {field: hint.__metadata__[0] for field, hint in hints.items()}


class GaugeSnapshot(Collector):
    """Exposes the snapshot that was set last."""

    def __init__(self) -> None:
        self.latest: Gauges | None = None

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The families without samples, asked for when the registry takes this collector in."""
        return (GaugeMetricFamily(each.metric, each.definition) for each in shown().values())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One family for each field, with a sample where its value is known."""
        for field, each in shown().items():
            family = GaugeMetricFamily(each.metric, each.definition)
            value = None if self.latest is None else getattr(self.latest, field)
            if value is not None:
                family.add_metric([], float(value))
            yield family


class Instant(Collector):
    """One moment as epoch seconds, without a sample until it came."""

    def __init__(self, metric: str, definition: str) -> None:
        self._metric = metric
        self._definition = definition
        self._epoch_s: float | None = None

    def set(self, epoch_s: float) -> None:
        """It came, or came again."""
        self._epoch_s = epoch_s

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The family without its sample."""
        yield GaugeMetricFamily(self._metric, self._definition)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The family, with its sample if there is one."""
        yield GaugeMetricFamily(self._metric, self._definition, value=self._epoch_s)
