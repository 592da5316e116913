import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from envision_worker.outcome import DeadLetterReason, LaterReason
from envision_worker.telemetry.gauges import Gauges
from envision_worker.telemetry.metrics import OPERATIONS_AT_MOST, UNKNOWN, Definition, Metrics, known

CONTRACT = {
    "envision_build_info": ("gauge", ("version",)),
    "envision_queue_reads_total": ("counter", ("result",)),
    "envision_messages_total": ("counter", ("transaction_type", "ticket_type", "outcome")),
    "envision_message_age_seconds": ("histogram", ()),
    "envision_message_handling_seconds": ("histogram", ("transaction_type",)),
    "envision_queue_last_drained_timestamp_seconds": ("gauge", ()),
    "envision_queue_watermark_timestamp_seconds": ("gauge", ()),
    "envision_queue_unacknowledged_messages": ("gauge", ()),
    "envision_queue_average_age_seconds": ("gauge", ()),
    "envision_queue_oldest_age_seconds": ("gauge", ()),
    "envision_message_receive_count_max": ("gauge", ()),
    "envision_dead_letters": ("gauge", ()),
    "envision_blocked_tickets": ("gauge", ()),
    "envision_approvals_waiting": ("gauge", ()),
    "envision_desk_up": ("gauge", ()),
    "envision_ensono_up": ("gauge", ()),
    "envision_gate_open": ("gauge", ()),
    "envision_paused": ("gauge", ()),
    "envision_http_request_duration_seconds": ("histogram", ("peer", "operation", "result")),
}

SNAPSHOT = Gauges(
    unacknowledged=3,
    average_age_s=12.5,
    oldest_age_s=30.0,
    receive_count_max=4,
    receives_left_min=16,
    dead_letters=1,
    blocked_tickets=1,
    approvals_waiting=2,
    approvals_oldest_age_s=90.0,
    desk_up=True,
    ensono_up=False,
    gate_open=True,
    paused=False,
    last_drained=1_800_000_000.0,
    watermark=None,
    last_read=1_800_000_010.0,
    last_success=None,
    ledger_bytes=4096,
    spool_bytes=0,
    clock_skew_s=-0.5,
)


def exposed(metrics: Metrics) -> dict[str, str]:
    """The name and type of each exposed family, counters with their `_total`."""
    text = metrics.exposition("")[0].decode()
    families = text_string_to_metric_families(text)
    return {f.name + ("_total" if f.type == "counter" else ""): f.type for f in families}


def test_every_metric_of_the_contract_exists_with_its_type_and_labels(metrics: Metrics) -> None:
    defined = {each.name: (each.type, each.labels) for each in metrics.definitions}
    assert {name: defined.get(name) for name in CONTRACT} == CONTRACT


def test_what_is_exposed_is_what_is_defined_plus_the_process_metrics(metrics: Metrics) -> None:
    families = exposed(metrics)
    ours = {name: kind for name, kind in families.items() if not name.startswith("process_")}
    assert ours == {each.name: each.type for each in metrics.definitions}


def test_the_documented_table_lists_every_metric_as_it_is(metrics: Metrics) -> None:
    table = (Path(__file__).parents[2] / "docs/metrics.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines() if "| `" in line[:3]
    ]
    documented = [
        Definition(name.strip("`"), kind, tuple(re.findall(r"`(\w+)`", labels)), text)
        for name, kind, labels, text in rows
    ]
    process = [
        Definition(f.name + ("_total" if f.type == "counter" else ""), f.type, (), f.documentation)
        for f in metrics.registry.collect()
        if f.name.startswith("process_")
    ]
    ours = [each for each in documented if not each.name.startswith("process_")]
    assert sorted(ours, key=lambda d: d.name) == sorted(metrics.definitions, key=lambda d: d.name)
    assert {d.name for d in process} <= {d.name for d in documented}


def test_no_label_could_hold_a_ticket(metrics: Metrics) -> None:
    labels = {label for each in metrics.definitions for label in each.labels}
    assert not labels & {"ticket", "message_id", "ptn", "number", "group"}


def test_counters_start_at_zero_for_every_label_value(metrics: Metrics, sample: Callable[..., float | None]) -> None:
    labels = {"transaction_type": "Approval Request", "ticket_type": "Change", "outcome": "dead_letter"}
    assert sample("envision_messages_total", **labels) == 0
    assert sample("envision_messages_total", **{**labels, "transaction_type": "unknown", "ticket_type": "unknown"}) == 0
    for reason in LaterReason:
        assert sample("envision_failures_total", outcome="retry_later", reason=reason.value) == 0
    for dead in DeadLetterReason:
        assert sample("envision_failures_total", outcome="dead_letter", reason=dead.value) == 0
    assert sample("envision_message_handling_seconds_count", transaction_type="Create") == 0


def test_a_gauge_that_nobody_knows_has_no_sample(metrics: Metrics, sample: Callable[..., float | None]) -> None:
    assert sample("envision_desk_up") is None
    assert sample("envision_loop_last_tick_timestamp_seconds") is None
    metrics.set_gauges(SNAPSHOT)
    assert sample("envision_queue_watermark_timestamp_seconds") is None
    assert sample("envision_queue_last_drained_timestamp_seconds") == 1_800_000_000.0


def test_the_latest_snapshot_is_shown(metrics: Metrics, sample: Callable[..., float | None]) -> None:
    metrics.set_gauges(SNAPSHOT)
    metrics.set_gauges(replace(SNAPSHOT, unacknowledged=0, desk_up=False))
    assert sample("envision_queue_unacknowledged_messages") == 0
    assert (sample("envision_desk_up"), sample("envision_ensono_up"), sample("envision_gate_open")) == (0, 0, 1)
    assert sample("envision_clock_skew_seconds") == -0.5


def test_the_buckets_hold_the_limits_that_alarms_and_windows_set(
    metrics: Metrics, sample: Callable[..., float | None]
) -> None:
    for limit in ("1800.0", "3600.0", "345600.0"):
        assert sample("envision_message_age_seconds_bucket", le=limit) == 0
    assert sample("envision_message_handling_seconds_bucket", transaction_type="Notes", le="30.0") == 0


@pytest.mark.parametrize("accept", ["", "text/plain;version=0.0.4", "application/openmetrics-text;version=1.0.0"])
def test_the_exposition_is_in_the_format_asked_for_and_without_creation_times(metrics: Metrics, accept: str) -> None:
    body, content_type = metrics.exposition(accept)
    assert content_type.startswith(accept.partition(";")[0] or "text/plain")
    assert b"_created" not in body
    assert body.endswith(b"# EOF\n") == accept.startswith("application/openmetrics")


def test_two_registries_know_nothing_of_each_other() -> None:
    one, other = Metrics("1"), Metrics("2")
    one.reads_lost.inc()
    assert other.registry.get_sample_value("envision_queue_reads_lost_total") == 0


def test_only_so_many_operations_become_labels(metrics: Metrics) -> None:
    labels = {metrics.operation_label(f"operation_{n}") for n in range(OPERATIONS_AT_MOST + 50)}
    assert len(labels) == OPERATIONS_AT_MOST + 1
    assert metrics.operation_label("operation_3") == "operation_3"


def test_what_the_guide_does_not_name_becomes_unknown() -> None:
    assert known("Incident", ("Incident", UNKNOWN)) == "Incident"
    assert known("e-CS0001", ("Incident", UNKNOWN)) == UNKNOWN
    assert known(None, ("Incident", UNKNOWN)) == UNKNOWN
