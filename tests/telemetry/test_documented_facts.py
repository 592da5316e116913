"""Every fact is told once here, so that the documentation can be compared with what is really written."""

import inspect
import re
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from envision_worker.ensono.links import FetchReason
from envision_worker.errors import PeerError, Unreachable
from envision_worker.intake.reasons import Reason
from envision_worker.outcome import Applied, DeadLetter, DeadLetterReason, LaterReason, Outcome, OutOfScope, RetryLater
from envision_worker.telemetry.facts import Facts
from envision_worker.telemetry.gauges import Gauges
from envision_worker.wire import Call

Sample = Callable[..., float | None]


class Lines(Protocol):
    written: list[dict[str, Any]]


ABOUT = {"message_id": "m-1", "ticket": "e-CS0001"}
APPROVAL = {"ticket": "e-CHG0001", "approval_id": "a-1"}
NOTHING_YET = Gauges(
    unacknowledged=0,
    average_age_s=0,
    oldest_age_s=0,
    receive_count_max=0,
    receives_left_min=None,
    dead_letters=0,
    blocked_tickets=0,
    approvals_waiting=0,
    approvals_oldest_age_s=0,
    desk_up=None,
    ensono_up=None,
    gate_open=False,
    paused=False,
    last_drained=None,
    watermark=None,
    last_read=None,
    last_success=None,
    ledger_bytes=0,
    spool_bytes=0,
    clock_skew_s=None,
)


HANDLED = {
    "message_id": "m-1",
    "ticket": "e-CS0001",
    "partner_number": "77",
    "transaction_type": "Create",
    "ticket_type": "Incident",
    "receive_count": 1,
    "age_seconds": 4.0,
    "seconds": 0.25,
    "calls": 3,
}


def handled(facts: Facts, outcome: Outcome) -> None:
    about: dict[str, Any] = HANDLED
    facts.message_handled(**about, outcome=outcome)


def call(error: PeerError | None = None) -> Call:
    return Call("desk", "create_request", writes=True, error=error, seconds=0.1)


Tell = Callable[[Facts], None]

TELL: dict[str, tuple[Tell, ...]] = {
    "daemon_started": (lambda f: f.daemon_started(version="1", environment="dev", desk="manageengine", listen="h:1"),),
    "daemon_stopping": (lambda f: f.daemon_stopping("SIGTERM"),),
    "daemon_stopped": (lambda f: f.daemon_stopped(clean=True), lambda f: f.daemon_stopped(clean=False)),
    "configuration_warning": (lambda f: f.configuration_warning("queue.poll_interval_s", "below 30"),),
    "queue_read": (
        lambda f: f.queue_read(result="full", messages=10, redelivered=1, seconds=0.2),
        lambda f: f.queue_read(result="error", messages=0, redelivered=0, seconds=60, detail="no answer"),
    ),
    "read_lost": (lambda f: f.read_lost("no answer within 60 s"),),
    "saving_read": (lambda f: f.saving_read(),),
    "message_received": (
        lambda f: f.message_received(transaction_type="Create", ticket_type="Change", redelivered=True),
    ),
    "message_handled": (
        lambda f: handled(f, Applied()),
        lambda f: handled(f, OutOfScope(0)),
        lambda f: handled(f, RetryLater(LaterReason.DESK_THROTTLED, "slow down")),
        lambda f: handled(f, DeadLetter(DeadLetterReason.REFUSED_BY_DESK, "no")),
    ),
    "message_acknowledged": (lambda f: f.message_acknowledged("m-1", "e-CS0001"),),
    "acknowledge_failed": (
        lambda f: f.acknowledge_failed(**ABOUT, detail="expired", expired=True),
        lambda f: f.acknowledge_failed(**ABOUT, detail="no answer", expired=False),
    ),
    "message_malformed": (lambda f: f.message_malformed(**ABOUT, field="Body", problem="no object"),),
    "value_unmapped": (lambda f: f.value_unmapped(ticket="e-CS0001", kind="status", value="pending-caller"),),
    "field_dropped": (lambda f: f.field_dropped(ticket="e-CS0001", fields=["category"], detail="no such category"),),
    "outcome_unknown": (lambda f: f.outcome_unknown(**ABOUT, effect="create", detail="no answer"),),
    "outcome_found": (lambda f: f.outcome_found(**ABOUT, effect="create", happened=True),),
    "dead_letter_kept": (lambda f: f.dead_letter_kept(**ABOUT, reason=DeadLetterReason.MALFORMED, detail="no title"),),
    "dead_letter_resolved": (lambda f: f.dead_letter_resolved(**ABOUT, how="discarded"),),
    "gap_found": (lambda f: f.gap_found("m-1", "e-CS0001"),),
    "receives_running_out": (lambda f: f.receives_running_out(**ABOUT, left=3),),
    "foreign_reader": (lambda f: f.foreign_reader(**ABOUT, expected=2, seen=5),),
    "retention_warning": (lambda f: f.retention_warning(23.5),),
    "gate_closed": (
        lambda f: f.gate_closed(gate="desk", reason="desk_unreachable", detail="refused"),
        lambda f: f.gate_closed(gate="operator", reason="paused", detail=""),
    ),
    "gate_opened": (lambda f: f.gate_opened("desk", 61.0),),
    "gate_trial": (
        lambda f: f.gate_trial(gate="desk", message_id=None, ok=False, detail="still down"),
        lambda f: f.gate_trial(gate="desk", message_id="m-1", ok=True, detail=""),
    ),
    "key_refused": (lambda f: f.key_refused("desk", "401"),),
    "attachment_fetched": (lambda f: f.attachment_fetched(**ABOUT, name="a.log", size=10, seconds=0.5),),
    "attachment_not_fetched": (
        lambda f: f.attachment_not_fetched(**ABOUT, name="a.log", reason="expired", for_good=True),
    ),
    "approval_requested": (lambda f: f.approval_requested(**APPROVAL, approver="cab@example.com"),),
    "approval_decided": (lambda f: f.approval_decided(**APPROVAL, decision="reject", by="cab@example.com"),),
    "approval_reminded": (lambda f: f.approval_reminded("e-CHG0001", "cab@example.com"),),
    "approval_withdrawn": (lambda f: f.approval_withdrawn(**APPROVAL, reason="redrafted"),),
    "approval_missing": (lambda f: f.approval_missing(**APPROVAL),),
    "approval_restored": (lambda f: f.approval_restored(**APPROVAL),),
    "approvals_not_restored": (
        lambda f: f.approvals_not_restored("not allowed", has_changes=True),
        lambda f: f.approvals_not_restored("no such module", has_changes=False),
    ),
    "decision_refused": (lambda f: f.decision_refused(**APPROVAL, detail="no such approval"),),
    "decision_too_late": (
        lambda f: f.decision_too_late(**APPROVAL, decision="rejected", by="cab@example.com", counts="rejected"),
        lambda f: f.decision_too_late(**APPROVAL, decision="rejected", by="cab@example.com", counts="approved"),
    ),
    "call_finished": (
        lambda f: f.call_finished(call()),
        lambda f: f.call_finished(call(Unreachable("desk", "create_request", "no route"))),
    ),
    "loop_ticked": (lambda f: f.loop_ticked(1_800_000_000.0),),
    "unforeseen": (lambda f: f.unforeseen(**ABOUT, exc=RuntimeError("x")),),
    "set_gauges": (lambda f: f.set_gauges(NOTHING_YET),),
    "ledger_failed": (lambda f: f.ledger_failed("database or disk is full"),),
    "ledger_checked": (
        lambda f: f.ledger_checked(0.4, complete=True),
        lambda f: f.ledger_checked(30.0, complete=False),
    ),
    "ledger_committed": (lambda f: f.ledger_committed(0.002, 7),),
}
OTHER_MODULES_EVENTS = {"library_said"}


def test_every_fact_is_told_in_these_tests() -> None:
    methods = {name for name, _ in inspect.getmembers(Facts, inspect.isfunction) if not name.startswith("_")}
    assert set(TELL) == methods


def test_the_documented_events_are_those_that_are_written(facts: Facts, lines: Lines) -> None:
    for tell in chain.from_iterable(TELL.values()):
        tell(facts)
    written: dict[str, tuple[set[str], set[str]]] = {}
    for line in lines.written:
        levels, fields = written.setdefault(line["event"], (set(), set(line) - {"event", "level"}))
        levels.add(line["level"])
        assert set(line) - {"event", "level"} == fields, "an event always has the same fields"
    assert documented_events() == written


def test_every_reason_is_explained() -> None:
    text = (Path(__file__).parents[2] / "docs/logs.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| (\w+) \| (retry_later|dead_letter) \|", text, re.MULTILINE))
    later = {(reason.value, "retry_later") for reason in LaterReason}
    assert explained == later | {(reason.value, "dead_letter") for reason in DeadLetterReason}


def test_every_reason_to_close_a_gate_is_explained() -> None:
    text = (Path(__file__).parents[2] / "docs/logs.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| (\w+) \| (desk, ensono|ensono|operator) \|", text, re.MULTILINE))
    alone = {Reason.NUMBER_NOT_TAKEN: "ensono"}
    gates = {(reason.value, alone.get(reason, "desk, ensono")) for reason in Reason}
    assert explained == gates | {("paused", "operator")}


def test_every_reason_to_give_a_file_up_is_explained() -> None:
    text = (Path(__file__).parents[2] / "docs/logs.md").read_text(encoding="utf-8")
    explained = dict(re.findall(r"^\| (\w+) \| (yes|no) \|", text, re.MULTILINE))
    for_good = {reason.value for reason in FetchReason} | {"refused_by_desk"}
    assert explained == dict.fromkeys(for_good, "yes") | {"unreachable": "no", "spool_full": "no"}


def documented_events() -> dict[str, tuple[set[str], set[str]]]:
    text = (Path(__file__).parents[2] / "docs/logs.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    events = {}
    for event, levels, fields, _ in rows:
        names = {"exc_info" if name == "exception" else name for name in re.findall(r"`(\w+)`", fields)}
        events[event.strip("`")] = (set(levels.split(", ")), names)
    return {event: found for event, found in events.items() if event not in OTHER_MODULES_EVENTS}


def test_facts_move_what_their_names_say(facts: Facts, sample: Sample) -> None:
    for name in ("queue_read", "read_lost", "attachment_fetched", "attachment_not_fetched", "ledger_committed"):
        for tell in TELL[name]:
            tell(facts)
    facts.value_unmapped(ticket="e-CS1", kind="colour", value="red")
    assert sample("envision_queue_reads_total", result="full") == 1
    assert sample("envision_queue_reads_total", result="error") == 1
    assert sample("envision_queue_reads_lost_total") == 1
    assert sample("envision_attachment_bytes_total") == 10
    assert sample("envision_attachments_total", result="given_up") == 1
    assert sample("envision_values_unmapped_total", kind="unknown") == 1
    assert sample("envision_ledger_writes_total") == 7


def test_the_start_and_the_last_tick_are_epoch_seconds(facts: Facts, sample: Sample) -> None:
    TELL["daemon_started"][0](facts)
    facts.loop_ticked(1_800_000_000.5)
    assert sample("envision_start_timestamp_seconds") == 1_795_143_600.0
    assert sample("envision_loop_last_tick_timestamp_seconds") == 1_800_000_000.5
