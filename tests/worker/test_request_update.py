"""Update: only the fields in `changed`, mapped; what the desk has no field for, or refuses, becomes a note."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from worker.stories import (
    EDITIONS,
    dead_letters,
    description,
    fitting,
    named,
    note_words,
    only_request,
    outcomes,
    return_calls,
    returned,
    status,
    story,
    verbs,
    virtual,
)
from worlds.configuration import Edition
from worlds.simulated import World


def update(world: World, number: str, changed: Any = ..., **fields: str) -> str:
    """An Update as it stands here: `fields` are the ticket's in the body, `changed` what changed; ...: nothing is said of that."""
    announcer = world.ensono.scenario.announcer
    ticket = world.ensono.scenario.records.tickets[number]
    ticket.fields |= fields
    message_id = announcer.update(ticket, {})
    body = world.ensono.queue.messages()[-1].content["Body"]
    if changed is ...:
        del body["changed"]
    else:
        body["changed"] = changed
    return message_id


async def with_request(world: World, **fields: str) -> str:
    """An incident that is on the desk already; returns its number."""
    number = world.ensono.scenario.incident_create(**fields)
    await world.quiet()
    return number


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_only_what_changed_is_applied_whatever_else_the_message_says(tmp_path: Path, edition: Edition) -> None:
    async with story(tmp_path, edition=edition, settings=fitting()) as world:
        number = await with_request(world)
        before = list(world.desk.journal)
        update(
            world, number, {"priority": "1"}, shortDescription="other", group="Other", category="x", status="resolved"
        )
        await world.quiet()
        [effect] = world.desk.journal[len(before) :]
    assert (effect.verb, effect.what) == ("update", {"fields": {"priority": "High"}})


@pytest.mark.parametrize("changed", [..., None, "", {}, [], {"updatedOn": "2026-03-02T06:00:00Z"}, {"status": ""}])
@virtual
async def test_a_message_that_says_of_no_change_changes_nothing(tmp_path: Path, changed: Any) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        number = await with_request(world)
        before = list(world.desk.journal)
        message_id = update(world, number, changed, priority="1", shortDescription="other")
        await world.quiet()
    assert world.desk.journal == before
    assert outcomes(world, message_id) == ["applied"]


@virtual
async def test_a_message_that_says_of_no_change_still_brings_a_ticket_that_is_missing(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        world.ensono.scenario.records.open("Incident", {"shortDescription": "Printer on fire"}, number="e-CS1")
        update(world, "e-CS1")
        await world.quiet()
    assert only_request(world).fields["subject"] == "Printer on fire"
    assert returned(world, "e-CS1") == ["1"]


@virtual
async def test_title_and_description_are_replaced(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        number = await with_request(world)
        world.ensono.scenario.ticket_update(
            number, shortDescription="Printer out", description="The fire is out", cis="p-1"
        )
        await world.quiet()
    request = only_request(world)
    assert request.fields["subject"] == "Printer out"
    assert description(request).startswith("The fire is out\n")
    assert "CIs: p-1\n" in description(request)
    assert verbs(world) == ["create", "update", "note"]
    assert "\nCIs: p-1\n" in note_words(request)[0]


@virtual
async def test_what_the_desk_has_no_field_for_becomes_one_private_note(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting(desk={"time_zone": "Europe/Berlin"})) as world:
        number = await with_request(world)
        changed = {"cis": "srv-9", "offHoldDate": "2026-03-05T11:00:00Z", "ensonoGroup": "2nd Line", "impact": "1"}
        world.ensono.scenario.ticket_update(number, **changed, priority="2")
        await world.quiet()
    request = only_request(world)
    [told] = note_words(request)
    assert told.split("\n")[2:6] == [
        "Off hold: 2026-03-05 12:00:00 CET",
        "Impact: 1",
        "Ensono group: 2nd Line",
        "CIs: srv-9",
    ]
    assert request.notes[0].flags["show_to_requester"] is False
    assert named(world, request, "priority") == "High"


@virtual
async def test_a_changed_value_without_mapping_is_told_and_logged_and_costs_nothing_else(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        number = await with_request(world)
        world.ensono.scenario.ticket_update(number, priority="17", status="awaiting parts", shortDescription="New")
        await world.quiet()
    request = only_request(world)
    told = "\n".join(note_words(request))
    assert "Status: awaiting parts" in told
    assert "Priority: 17" in told
    assert (request.fields["subject"], status(world, request), named(world, request, "priority")) == (
        "New",
        "Open",
        "Low",
    )
    assert {(line["kind"], line["value"]) for line in world.events("value_unmapped")} >= {
        ("priority", "17"),
        ("status", "awaiting parts"),
    }


@pytest.mark.parametrize("names", [True, False])
@virtual
async def test_what_the_desk_refuses_is_dropped_and_told_and_the_rest_is_set(tmp_path: Path, *, names: bool) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        number = await with_request(world)
        world.desk.switches.errors_name_fields = names
        world.ensono.scenario.ticket_update(number, group="Nobody knows", shortDescription="New", priority="1")
        await world.quiet()
    request = only_request(world)
    assert request.fields["subject"] == "New"
    assert named(world, request, "group") == "Network"
    assert named(world, request, "priority") == ("High" if names else "Low")
    assert "Not accepted by the desk: Group: Nobody knows" in note_words(request)[0]
    assert ("Not accepted by the desk: Priority: High" in note_words(request)[0]) is not names


@virtual
async def test_a_status_that_the_desk_refuses_is_told(tmp_path: Path) -> None:
    async with story(tmp_path, settings={"mapping": {"status": {"pending": "No such status"}}}) as world:
        number = await with_request(world)
        world.ensono.scenario.ticket_pend(number)
        await world.quiet()
    request = only_request(world)
    assert status(world, request) == "Open"
    assert 'Status: pending\nNot accepted by the desk: status "No such status"' in note_words(request)[0]
    assert "Next action: pending-caller" in note_words(request)[1]


@virtual
async def test_a_next_action_alone_moves_a_ticket_whose_desk_has_a_status_for_it(tmp_path: Path) -> None:
    async with story(tmp_path, settings={"mapping": {"status": {"pending-vendor": "Assigned"}}}) as world:
        number = await with_request(world)
        world.ensono.scenario.ticket_pend(number)
        world.ensono.scenario.ticket_update(number, statusNextAction="pending-vendor")
        await world.quiet()
        assert status(world, only_request(world)) == "Assigned"
        world.ensono.scenario.ticket_update(number, statusNextAction="pending-change")
        await world.quiet()
    assert status(world, only_request(world)) == "Assigned"
    assert [words.splitlines()[2] for words in note_words(only_request(world))] == [
        "Next action: pending-caller",
        "Next action: pending-vendor",
        "Next action: pending-change",
    ]


@pytest.mark.parametrize("ended", ["Closed", "Cancelled"])
@virtual
async def test_what_a_closed_counterpart_refuses_becomes_a_note(tmp_path: Path, ended: str) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        number = await with_request(world)
        world.desk.switches.closed_is_locked = True
        world.desk.people.set_status("request", "1", ended)
        message_id = world.ensono.scenario.ticket_update(
            number, shortDescription="Later", description="Late <words>\nof two lines", priority="1"
        )
        await world.quiet()
        assert await dead_letters(world) == []
    request = only_request(world)
    assert request.fields["subject"] == "test"
    [told] = note_words(request)
    assert "Priority: 1\nTitle: Later\nDescription:\nLate <words>\nof two lines\n" in told
    assert outcomes(world, message_id) == ["applied"]


@virtual
async def test_a_closed_counterpart_that_takes_fields_gets_them(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        number = await with_request(world)
        world.desk.people.close("request", "1")
        world.ensono.scenario.ticket_update(number, priority="1")
        await world.quiet()
    assert (named(world, only_request(world), "priority"), status(world, only_request(world))) == ("High", "Closed")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"priority": "1"}, "Open"),
        ({"status": "pending"}, "On Hold"),
        ({"status": "resolved", "closeNotes": "x"}, "Resolved"),
    ],
)
@virtual
async def test_an_update_that_makes_the_ticket_says_everything_once(
    tmp_path: Path, changed: Mapping[str, str], expected: str
) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        fields = {"shortDescription": "Printer on fire", "description": "It burns", "status": "open", "cis": "p-1"}
        world.ensono.scenario.records.open("Request", fields, number="e-CS1")
        world.ensono.scenario.ticket_update("e-CS1", **changed)
        await world.quiet()
    request = only_request(world)
    assert status(world, request) == expected
    assert verbs(world) == (["create", "resolve", "status"] if expected == "Resolved" else ["create"])
    assert len(return_calls(world, "e-CS1")) == 1
