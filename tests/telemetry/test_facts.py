from collections.abc import Callable
from typing import Any, Protocol

import pytest

from envision_worker.errors import KeyRefused, PeerError, Refused, Unreachable, Unsure
from envision_worker.outcome import Applied, DeadLetter, DeadLetterReason, LaterReason, Outcome, OutOfScope, RetryLater
from envision_worker.telemetry.facts import Facts
from envision_worker.telemetry.telling import KINDS_AT_MOST
from envision_worker.wire import Call

Sample = Callable[..., float | None]


class Clock(Protocol):
    seconds: float


class Lines(Protocol):
    written: list[dict[str, Any]]

    def of(self, event: str) -> list[dict[str, Any]]: ...


def handled(facts: Facts, outcome: Outcome, message_id: str = "m-1", age_seconds: float | None = 4.0) -> None:
    facts.message_handled(
        message_id=message_id,
        ticket="e-CS0001",
        partner_number="77",
        transaction_type="Create",
        ticket_type="Incident",
        receive_count=1,
        age_seconds=age_seconds,
        outcome=outcome,
        seconds=0.25,
        calls=3,
    )


def call(error: PeerError | None = None, operation: str = "create_request") -> Call:
    return Call("desk", operation, writes=True, error=error, seconds=0.1)


def raised() -> Exception:
    try:
        raise RuntimeError("nobody foresaw this")  # noqa: TRY301 - it must carry a traceback
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("outcome", "level", "label", "reason"),
    [
        (Applied(), "info", "applied", None),
        (Applied(already=True), "info", "already_applied", None),
        (OutOfScope(2), "info", "out_of_scope", "rule_2"),
        (RetryLater(LaterReason.DESK_UNREACHABLE, "no route"), "warning", "retry_later", "desk_unreachable"),
        (DeadLetter(DeadLetterReason.NO_COUNTERPART, "none"), "error", "dead_letter", "no_counterpart"),
    ],
)
def test_a_handling_is_one_line_and_one_count(
    facts: Facts, lines: Lines, sample: Sample, outcome: Outcome, level: str, label: str, reason: str | None
) -> None:
    handled(facts, outcome)
    [line] = lines.of("message_handled")
    assert (line["level"], line["outcome"], line["reason"]) == (level, label, reason)
    assert (line["message_id"], line["ticket"], line["partner_number"], line["calls"]) == ("m-1", "e-CS0001", "77", 3)
    labels = {"transaction_type": "Create", "ticket_type": "Incident", "outcome": label}
    assert sample("envision_messages_total", **labels) == 1
    assert sample("envision_message_handling_seconds_count", transaction_type="Create") == 1


def test_only_what_was_newly_applied_counts_as_an_age(facts: Facts, sample: Sample) -> None:
    handled(facts, Applied(), age_seconds=100.0)
    handled(facts, Applied(), age_seconds=-5.0)  # our clock is behind Ensono's
    handled(facts, Applied(), age_seconds=None)
    handled(facts, Applied(already=True), age_seconds=1.0)
    handled(facts, RetryLater(LaterReason.STOPPING, ""), age_seconds=1.0)
    assert sample("envision_message_age_seconds_count") == 2
    assert sample("envision_message_age_seconds_sum") == 100.0


def test_what_a_message_calls_itself_is_logged_but_is_no_label(facts: Facts, lines: Lines, sample: Sample) -> None:
    facts.message_received(transaction_type="e-CS0001", ticket_type="Wish", redelivered=False)
    labels = {"transaction_type": "unknown", "ticket_type": "unknown"}
    assert sample("envision_messages_received_total", **labels) == 1
    assert sample("envision_messages_redelivered_total", **labels) == 0
    assert lines.written == []


def test_a_message_that_keeps_failing_is_written_once_in_five_minutes(
    facts: Facts, lines: Lines, clock: Clock, sample: Sample
) -> None:
    refused = DeadLetter(DeadLetterReason.REFUSED_BY_DESK, "no")
    for _ in range(20):
        handled(facts, refused)
        clock.seconds += 30
    written = lines.of("message_handled")
    assert [line["held_back"] for line in written] == [0, 9]
    assert sample("envision_failures_total", outcome="dead_letter", reason="refused_by_desk") == 20
    assert sample("envision_log_lines_held_back_total") == 18


def test_another_message_or_another_reason_is_written_at_once(facts: Facts, lines: Lines) -> None:
    handled(facts, RetryLater(LaterReason.DESK_THROTTLED, ""), "m-1")
    handled(facts, RetryLater(LaterReason.DESK_UNREACHABLE, ""), "m-1")
    handled(facts, RetryLater(LaterReason.DESK_THROTTLED, ""), "m-2")
    handled(facts, Applied(), "m-1")
    assert len(lines.of("message_handled")) == 4


def test_an_outage_of_three_days_does_not_fill_the_log(facts: Facts, lines: Lines, clock: Clock) -> None:
    facts.gate_closed(gate="desk", reason="desk_unreachable", detail="no route")
    for _ in range(3 * 24 * 120):
        facts.call_finished(call(Unreachable("desk", "probe", "no route"), "probe"))
        facts.gate_trial(gate="desk", message_id="m-1", ok=False, detail="no route")
        handled(facts, RetryLater(LaterReason.DESK_UNREACHABLE, "no route"))
        clock.seconds += 30
    assert len(lines.written) / (3 * 24 * 60) < 1.5, "lines a minute"


def test_failed_calls_are_written_once_a_minute_and_counted(
    facts: Facts, lines: Lines, clock: Clock, sample: Sample
) -> None:
    for _ in range(61):
        facts.call_finished(call(Unreachable("desk", "create_request", "no route")))
        clock.seconds += 1
    first, second = lines.of("call_failed")
    assert (first["held_back"], second["held_back"]) == (0, 59)
    assert (first["level"], first["detail"], first["status"]) == ("warning", "no route", None)
    facts.call_finished(call(Unsure("desk", "create_request", "cut off")))
    assert lines.of("call_failed")[-1]["result"] == "unsure"
    series = {"peer": "desk", "operation": "create_request", "result": "unreachable"}
    assert sample("envision_http_request_duration_seconds_count", **series) == 61


def test_the_memory_of_what_was_held_back_has_an_end(facts: Facts, lines: Lines) -> None:
    for number in range(KINDS_AT_MOST + 1):
        handled(facts, RetryLater(LaterReason.DESK_THROTTLED, ""), f"m-{number}")
    handled(facts, RetryLater(LaterReason.DESK_THROTTLED, ""), f"m-{KINDS_AT_MOST}")
    assert len(lines.of("message_handled")) == KINDS_AT_MOST + 1, "the last one is still remembered"
    handled(facts, RetryLater(LaterReason.DESK_THROTTLED, ""), "m-0")
    assert len(lines.of("message_handled")) == KINDS_AT_MOST + 2, "the first one is not"


def test_a_refused_key_shows_until_a_call_succeeds(facts: Facts, sample: Sample) -> None:
    facts.call_finished(call(KeyRefused("desk", "create_request", "401")))
    assert sample("envision_key_refused", peer="desk") == 1
    facts.call_finished(call(Unreachable("desk", "create_request", "no route")))
    assert sample("envision_key_refused", peer="desk") == 1, "no answer says nothing about the key"
    facts.call_finished(call())
    assert sample("envision_key_refused", peer="desk") == 0
    facts.call_finished(call(Refused("desk", "create_request", "no such category")))
    assert sample("envision_key_refused", peer="desk") == 0, "a refused field is no refused key"
    facts.key_refused("ensono", "403")
    assert sample("envision_key_refused", peer="ensono") == 1
    assert sample("envision_key_refused", peer="desk") == 0


def test_a_refused_key_is_said_loudly_but_once_in_a_while(facts: Facts, lines: Lines, clock: Clock) -> None:
    for _ in range(13):
        facts.key_refused("desk", "401")
        clock.seconds += 10
    assert [line["level"] for line in lines.of("key_refused")] == ["error"] * 3


def test_a_gate_shows_which_of_the_three_it_is(facts: Facts, sample: Sample) -> None:
    facts.gate_closed(gate="ensono", reason="ensono_unreachable", detail="")
    assert sample("envision_gate_closed", gate="ensono") == 1
    assert sample("envision_gate_closed", gate="desk") == 0
    facts.gate_opened("ensono", 12.0)
    assert sample("envision_gate_closed", gate="ensono") == 0
    assert sample("envision_gate_closings_total", gate="ensono") == 1


def test_a_bug_carries_its_traceback_and_one_place_does_not_flood(facts: Facts, lines: Lines, sample: Sample) -> None:
    for _ in range(50):
        facts.unforeseen(message_id=None, ticket=None, exc=raised())
    facts.unforeseen(message_id=None, ticket=None, exc=ValueError("without a traceback"))
    first, second = lines.of("unforeseen")
    assert isinstance(first["exc_info"], RuntimeError)
    assert second["error"] == "ValueError"
    assert sample("envision_unforeseen_errors_total") == 51


@pytest.mark.parametrize(
    ("decision", "event"),
    [
        ("approve", "approved"),
        ("Approved", "approved"),
        ("reject", "rejected"),
        ("rejected", "rejected"),
        ("?", "unknown"),
    ],
)
def test_a_decision_is_counted_however_it_is_put(facts: Facts, sample: Sample, decision: str, event: str) -> None:
    facts.approval_decided(ticket="e-CHG1", approval_id="a", decision=decision, by="x@example.com")
    assert sample("envision_approvals_total", event=event) == 1


@pytest.mark.parametrize(("counts", "level"), [("rejected", "info"), ("approved", "warning")])
def test_a_decision_that_came_too_late_is_a_warning_where_it_says_otherwise(
    facts: Facts, lines: Lines, counts: str, level: str
) -> None:
    facts.decision_too_late(ticket="e-CHG1", approval_id="a-1", decision="rejected", by="a@b.c", counts=counts)
    assert [line["level"] for line in lines.of("decision_too_late")] == [level]
