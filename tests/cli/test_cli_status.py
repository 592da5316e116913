"""`status`: the keys of the contract for machines, and for people one screen that says what to do next."""

import contextlib
import io
import json
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cli.command_line import CHANGE, INCIDENT, START, WAITING
from envision_worker.cli.status import summary
from envision_worker.cli.status_screen import GATE_WORDS, Screen
from envision_worker.config.load import load
from envision_worker.control_socket import socket_path
from envision_worker.intake.reasons import Reason
from envision_worker.ledger.database import connect_read_only
from envision_worker.ledger.records import Backlog
from envision_worker.ledger.reports import Standing, standing
from process.real_worker import run

KEYS = [
    "daemon", "messages", "oldest_unapplied_seconds", "blocked_tickets", "dead_letters", "approvals_waiting", "desk_up", "ensono_up",
    "gate_open",
]  # fmt: skip


def test_the_json_has_the_keys_of_the_contract_and_null_for_what_only_a_daemon_knows(config: Path) -> None:
    ran = run("status", "--config", config, "--json")

    assert ran.code == 0
    assert ran.err == ""
    shown = ran.json
    assert list(shown) == KEYS
    assert shown["daemon"] == "stopped"
    assert shown["messages"] == {
        "waiting": 1, "retry_later": 1, "dead_letter": 1, "applied": 2, "out_of_scope": 1, "discarded": 0,
    }  # fmt: skip
    assert shown["oldest_unapplied_seconds"] > 0
    assert shown["blocked_tickets"] == [INCIDENT]
    assert (shown["dead_letters"], shown["approvals_waiting"]) == (1, 1)
    assert (shown["desk_up"], shown["ensono_up"], shown["gate_open"]) == (None, None, None)


def test_the_oldest_message_is_as_old_as_its_sent_timestamp_says(config: Path) -> None:
    db = connect_read_only(str(config.with_name("ledger.db")))
    shown = summary(standing(db), None, now=START + 100)
    db.close()

    assert shown["oldest_unapplied_seconds"] == 40.0


def test_a_running_daemon_adds_what_only_it_knows(config: Path) -> None:
    db = connect_read_only(str(config.with_name("ledger.db")))
    stands = standing(db)
    db.close()
    live = {"paused": False, "desk_up": False, "ensono_up": True, "gate_open": False}

    shown = summary(stands, live, now=START)
    paused = summary(stands, {**live, "paused": True}, now=START)

    assert shown["daemon"] == "running"
    assert (shown["desk_up"], shown["ensono_up"], shown["gate_open"]) == (False, True, False)
    assert paused["daemon"] == "paused"


def test_people_see_who_is_blocked_why_and_what_to_type(config: Path) -> None:
    ran = run("status", "--config", config)

    assert ran.code == 0
    lines = {line[:18].strip(): line[18:] for line in ran.out.splitlines() if line[17:18] == " "}
    assert ran.out.startswith(f"{config}, dev's queue, 20")
    assert lines["is it fine?"] == "NO: daemon, reading, dead letters, approvals waiting"
    assert lines["daemon"] == "STOPPED"
    assert lines["last read"] == "not known; the queue was never read empty yet"
    assert lines["messages"] == "1 waiting, 1 retry later, 1 dead letter, 2 applied, 1 out of scope"
    assert "up to 3 of 20 receives used" in lines["in the queue"]
    assert lines["dead letters"] == "1"
    assert lines["approvals waiting"].startswith("1, the oldest for ")
    assert f"\n{INCIDENT}\t" in ran.out
    assert "refused_by_desk: 4002 notes Invalid Input" in ran.out
    assert f"\n{WAITING}\t" in ran.out
    assert "desk_unreachable: create: no answer" in ran.out
    for command in (
        f"envision-worker run --config {config}",
        f"envision-worker dead-letters show {INCIDENT} --config {config}",
        f"envision-worker dead-letters retry {INCIDENT} --config {config}",
        f"envision-worker history {WAITING} --config {config}",
        f"envision-worker approvals list --config {config}",
    ):
        assert f"  {command}" in ran.out
    assert CHANGE not in ran.out
    assert "\x1b" not in ran.out
    assert "5ecret" not in ran.out
    assert len(ran.out.splitlines()) <= 30


NOTHING_WAITS = Backlog(
    unacknowledged=0,
    average_sent=None,
    oldest_sent=None,
    receive_count_max=0,
    dead_letters=0,
    blocked_tickets=0,
    approvals_waiting=0,
    approvals_oldest=None,
    oldest_unapplied=None,
)


def screen(config: Path, **live: Any) -> dict[str, str]:
    """What the screen shows of a daemon that says this of itself, by label."""
    well = {
        "pid": 4711, "started": START, "late_s": 0.0, "paused": False, "working_on": 0, "last_read": START + 90, "gate_open": True,
        "desk_up": True, "desk_gate": None, "desk_gate_closed_s": 0.0, "ensono_up": True, "ensono_gate": None, "ensono_gate_closed_s": 0.0,
    }  # fmt: skip
    said = {**well, **live}
    stands = Standing(messages={"applied": 3}, backlog=NOTHING_WAITS, blocked=(), paused=False, drained=START + 90)
    shown = summary(stands, said, now=START + 100)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        Screen(load(config, {}), config, stands, said, shown, START + 100).show([], [])
    return {line[:18].strip(): line[18:] for line in out.getvalue().splitlines() if line[17:18] == " "}


def test_when_all_is_well_the_first_line_says_so(config: Path) -> None:
    lines = screen(config)
    assert lines["is it fine?"] == "yes"
    assert lines["reading"] == "yes; tickets in hand: 0"
    assert lines["last read"] == "10 s ago; the queue was last read empty 10 s ago"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("probe_failed", "it does not answer"),
        ("throttled", "it wants fewer calls"),
        ("key_refused", "it refuses our key"),
        ("writes_fail", "it answers, but the writes of several tickets failed"),
        ("number_not_taken", "it answers, but does not take a ticket's number"),
        ("configuration", "its address or the client's name is wrong"),
    ],
)
def test_in_an_outage_the_first_lines_say_who_and_why(config: Path, reason: str, words: str) -> None:
    lines = screen(config, desk_up=False, desk_gate=reason, desk_gate_closed_s=4000.0, gate_open=False)
    assert lines["is it fine?"] == "NO: desk, reading"
    assert lines["desk"] == f"NO: {words}"
    assert lines["reading"] == f"NO: the desk's gate is closed for 1 h 6 min ({reason})"
    assert {each.value for each in Reason} == set(GATE_WORDS)


def test_a_loop_that_hangs_is_said_first(config: Path) -> None:
    lines = screen(config, late_s=700.0)
    assert lines["is it fine?"] == "NO: daemon"
    assert "its loop HANGS, 11 min 40 s late" in lines["daemon"]


def test_a_daemon_that_does_not_answer_is_not_waited_for_and_counts_as_running(config: Path) -> None:
    """A daemon that hangs: its socket takes the connection, and nothing comes back."""
    path = socket_path(config.with_name("ledger.db"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen()
        before = time.monotonic()

        ran = run("status", "--config", config, "--json")

    assert time.monotonic() - before < 10
    assert ran.code == 0
    assert ran.json["daemon"] == "running"
    assert ran.json["gate_open"] is None
    assert "did not answer" in ran.err


def hang_up(listening: socket.socket) -> None:
    listening.accept()[0].close()


def test_a_daemon_that_ends_while_it_is_asked_is_no_error(config: Path) -> None:
    path = socket_path(config.with_name("ledger.db"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen()
        ending = threading.Thread(target=hang_up, args=(listening,))
        ending.start()

        ran = run("status", "--config", config)

        ending.join()
    assert ran.code == 0
    assert "DOES NOT ANSWER" in ran.out


def test_a_socket_that_a_killed_daemon_left_is_no_daemon(config: Path) -> None:
    path = socket_path(config.with_name("ledger.db"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(path))
    assert path.exists()

    assert run("status", "--config", config, "--json").json["daemon"] == "stopped"


def test_a_ledger_that_is_not_there_yet_is_said_so_with_69(config: Path) -> None:
    os.unlink(config.with_name("ledger.db"))  # noqa: PTH108

    ran = run("status", "--config", config)

    assert ran.code == 69
    assert "does not exist" in ran.err
    assert ran.out == ""


def test_what_stands_in_the_ledger_can_be_shown_as_json_whatever_it_is(config: Path) -> None:
    for arguments in (
        ("history", INCIDENT),
        ("history", "71"),
        ("dead-letters", "list"),
        ("dead-letters", "show", INCIDENT),
        ("approvals", "list"),
        ("approvals", "show", "a-2"),
    ):
        ran = run(*arguments, "--config", config, "--json")
        assert ran.code == 0, arguments
        assert json.loads(ran.out.encode("utf-8", "strict"))
        assert "5ecret" not in ran.out
        assert not {"\x1b", "\x9b", "\u202e", "\ud800"} & set(ran.out)
