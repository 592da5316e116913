"""`dead-letters` and `approvals`: what is shown of them; what they do is told in test_cli_operating."""

from pathlib import Path

import pytest

from cli.command_line import CHANGE, INCIDENT, configuration
from process.real_worker import run


def test_dead_letters_are_listed_with_reason_and_what_waits_behind_them(config: Path) -> None:
    ran = run("dead-letters", "list", "--config", config)

    assert ran.code == 0
    [line] = ran.out.splitlines()
    sent, ticket, message_id, kind, behind, reason, detail = line.split("\t")
    assert (ticket, message_id, kind, behind, reason) == (INCIDENT, "m-notes", "Notes", "1", "refused_by_desk")
    assert sent == "2026-09-21 14:14:20Z"
    assert detail.startswith("4002 notes Invalid Input")
    assert "5ecret" not in detail


def test_the_list_for_machines_says_the_same(config: Path) -> None:
    [each] = run("dead-letters", "list", "--config", config, "--json").json

    assert each["message_id"] == "m-notes"
    assert each["waiting_behind"] == 1
    assert each["receive_count"] == 2
    assert each["next_attempt"] == "2026-09-21T14:18:20.000Z"


def test_the_list_of_one_ticket_and_of_one_without(config: Path) -> None:
    assert len(run("dead-letters", "list", INCIDENT, "--config", config).out.splitlines()) == 1
    assert run("dead-letters", "list", CHANGE, "--config", config).code == 66


@pytest.mark.parametrize("ref", [INCIDENT, "m-notes"])
def test_one_is_shown_with_its_body_by_message_or_by_ticket(config: Path, ref: str) -> None:
    shown = run("dead-letters", "show", ref, "--config", config, "--json").json

    assert shown["message_id"] == "m-notes"
    assert shown["message"]["Body"]["notes"]["body"] == "see https://bucket.s3.amazonaws.com/f?[removed]"
    text = run("dead-letters", "show", ref, "--config", config).out
    assert "Jürgen" in text
    assert "5ecret" not in text
    assert not {"\x1b", "\x9b", "\u202e"} & set(text)


@pytest.mark.parametrize("command", [["show"], ["retry"], ["discard", "--reason", "none"]])
@pytest.mark.parametrize("ref", ["m-update", "m-create", CHANGE, "unknown"])
def test_what_is_no_dead_letter_ends_with_66(config: Path, command: list[str], ref: str) -> None:
    ran = run("dead-letters", command[0], ref, *command[1:], "--config", config)

    assert ran.code == 66
    assert ran.out == ""
    assert ref in ran.err


def test_nothing_to_list_is_said_so(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    assert run("pause", "--config", config).code == 0

    for arguments in (("dead-letters", "list"), ("approvals", "list")):
        ran = run(*arguments, "--config", config)
        assert (ran.code, ran.out) == (0, "")
        assert ran.err.startswith("no ")
        assert run(*arguments, "--config", config, "--json").json == []


def test_approvals_are_listed_those_that_wait_first(config: Path) -> None:
    lines = [line.split("\t") for line in run("approvals", "list", "--config", config).out.splitlines()]

    assert [line[1:5] for line in lines] == [
        [CHANGE, "71", "a-1", "waiting"], ["e-CHG0030000", "-", "a-2", "rejected"],
    ]  # fmt: skip
    assert lines[0][5].startswith("cab@ensono.example: cab@example.com; waits for ")
    assert lines[1][5] == (
        "cab@ensono.example: Carla Board: Not in December.; Ensono has not confirmed it; "
        "too late, not sent: approved by Carla Board"
    )


@pytest.mark.parametrize("ref", ["a-2", "e-CHG0030000"])
def test_an_approval_is_shown_by_its_id_or_by_its_change(config: Path, ref: str) -> None:
    [shown] = run("approvals", "show", ref, "--config", config, "--json").json

    assert shown["status"] == "rejected"
    assert shown["decided_by"] == "Carla Board"
    assert shown["confirmed_by_ensono"] is None
    assert [each["comment"] for each in shown["said_too_late"]] == ["All right."]
    people = run("approvals", "show", ref, "--config", config).out
    assert "Not in December." in people
    assert "Carla Board approved All right.\n" in people


@pytest.mark.parametrize(
    "command", [["show"], ["resend"], ["decide", "approve", "--as", "a@example.com", "--reason", "x"]]
)
def test_an_unknown_approval_ends_with_66(config: Path, command: list[str]) -> None:
    ran = run("approvals", command[0], "a-99", *command[1:], "--config", config)

    assert ran.code == 66
    assert "a-99" in ran.err
