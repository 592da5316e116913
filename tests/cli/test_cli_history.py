"""`history`: every receive, effect, answer and time, by ticket, partner ticket number or MessageId."""

from pathlib import Path
from typing import Any

import pytest

from cli.command_line import CHANGE, INCIDENT
from process.real_worker import run


def whats(story: dict[str, Any]) -> list[str]:
    return [line["what"] for line in story["timeline"]]


def test_a_ticket_has_its_whole_story_in_the_order_of_time(config: Path) -> None:
    [story] = run("history", INCIDENT, "--config", config, "--json").json

    assert story["ticket"] == INCIDENT
    assert [(link["kind"], link["number"], link["returned"]) for link in story["links"]] == [
        ("request", "71", "2026-09-21T14:13:24.000Z")
    ]
    assert [message["message_id"] for message in story["messages"]] == ["m-create", "m-notes", "m-update"]
    assert [each["receive_count"] for each in story["messages"][1]["receives"]] == [1, 2]
    assert story["effects"][0]["answer"] == {"id": "71", "number": "71"}
    times = [line["at"] for line in story["timeline"]]
    assert times == sorted(times)
    assert {"received Create", "desk: create request", "acknowledged", "desk: add note"} <= set(whats(story))


def test_the_answer_of_each_attempt_is_told_not_only_that_of_the_last(config: Path) -> None:
    [story] = run("history", "m-notes", "--config", config, "--json").json

    refused = [line["detail"] for line in story["timeline"] if line["what"] == "desk: add note"]
    assert len(refused) == 2
    assert "4001 notes Invalid Input" in refused[0]
    assert "4002 notes Invalid Input" in refused[1]
    assert [message["message_id"] for message in story["messages"]] == ["m-notes"]


def test_a_number_that_means_several_tickets_shows_them_all(config: Path) -> None:
    stories = run("history", "71", "--config", config, "--json").json

    assert [story["ticket"] for story in stories] == [CHANGE, INCIDENT]


def test_people_see_times_answers_and_where_each_message_stands(config: Path) -> None:
    ran = run("history", INCIDENT, "--config", config)

    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == f"{INCIDENT}: request 71, returned to Ensono 2026-09-21 14:13:24Z"
    assert "2026-09-21 14:13:23Z\tm-create\tdesk: create request\tdone, id 71, number 71" in lines
    assert "2026-09-21 14:13:26Z\tm-create\tacknowledged\treceipt handle deleted" in lines
    dead = next(line for line in lines if line.startswith("m-notes\tNotes"))
    assert dead.split("\t")[3:5] == ["2", "dead_letter"]
    assert "refused_by_desk: 4002 notes Invalid Input" in dead
    assert "?[removed]" in dead
    assert "5ecret" not in ran.out
    assert "\x1b" not in ran.out


def test_an_approval_is_part_of_its_changes_story(config: Path) -> None:
    ran = run("history", CHANGE, "--config", config)

    assert "approval requested\ta-1 of cab@example.com" in ran.out


@pytest.mark.parametrize("ref", ["e-CS0000000", "no-such-message", "72", "' OR 1=1 --", ""])
def test_what_is_unknown_is_said_so_with_66(config: Path, ref: str) -> None:
    ran = run("history", ref, "--config", config)

    assert ran.code == 66
    assert ran.out == ""
    assert "not known" in ran.err
