"""Create: a request, Ensono's number in its field, and its own number sent back."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from envision_worker.simulators.ensono.announcements import Dialect
from worker.stories import (
    EDITIONS,
    deletes,
    description,
    fitting,
    named,
    number_on,
    only_request,
    outcomes,
    requester,
    return_calls,
    returned,
    status,
    story,
    verbs,
    virtual,
)
from worlds.configuration import Edition


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_the_number_goes_back_with_the_guides_body_before_the_delete(tmp_path: Path, edition: Edition) -> None:
    async with story(tmp_path, edition=edition) as world:
        number = world.ensono.scenario.request_create()
        await world.quiet()
    request = only_request(world)
    [call] = return_calls(world, number)
    assert call.method == "PUT"
    assert call.headers["x-api-key"] == "matches"
    assert json.loads(call.body) == {
        "payload": {"clientName": "testClient", "ticketType": "Request", "clientTicketNumber": request.number}
    }
    [deleted] = deletes(world)
    assert call.at < deleted.at
    assert number_on(world, request) == number


@virtual
async def test_a_delete_carries_the_exact_handle_encoded_once(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        world.ensono.scenario.incident_create()
        await world.quiet()
    [deleted] = deletes(world)
    paths = [call.path for call in world.ensono.journal.calls if call.method == "DELETE"]
    assert {"/", "+", "="} <= set(deleted.handle)
    assert paths.count(f"/testclient57/dev/queue/{quote(deleted.handle, safe='')}") == 1


@virtual
async def test_in_the_cloud_the_number_sent_back_is_the_one_that_people_see(tmp_path: Path) -> None:
    async with story(tmp_path, edition="cloud") as world:
        world.desk.people.open_request("An older one")
        number = world.ensono.scenario.incident_create()
        await world.quiet()
    request = world.requests()[-1]
    assert returned(world, number) == [request.number] == ["2"]
    assert request.id != request.number


@virtual
async def test_what_has_a_name_on_the_desk_is_set(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        world.ensono.scenario.incident_create(shortDescription="Printer on fire", priority="2", status="pending")
        await world.quiet()
    request = only_request(world)
    assert request.fields["subject"] == "Printer on fire"
    assert {name: named(world, request, name) for name in ("priority", "group", "category", "status")} == {
        "priority": "High",
        "group": "Network",
        "category": "Managed Services",
        "status": "On Hold",
    }
    assert "Remarks" not in description(request)


@pytest.mark.parametrize(
    ("source", "sent"),
    [("priority", {"priority": "Low"}), ("impact_urgency", {"impact": "Low", "urgency": "Normal"})],
)
@virtual
async def test_either_the_priority_is_sent_or_what_it_is_computed_from(
    tmp_path: Path, source: str, sent: dict[str, str]
) -> None:
    levels = {"impact": {"3": "Low"}, "urgency": {"3": "Normal"}}
    async with story(tmp_path, settings=fitting(mapping=levels, desk={"priority_from": source})) as world:
        world.ensono.scenario.incident_create()
        await world.quiet()
    request = only_request(world)
    set_there = {name: named(world, request, name) for name in ("priority", "impact", "urgency")}
    assert {name: value for name, value in set_there.items() if value} == sent
    assert "Priority: 4\nImpact: 3\nUrgency: 3" in description(request)


@virtual
async def test_what_has_no_field_on_the_desk_is_readable_with_its_zone(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting(desk={"time_zone": "America/Chicago"})) as world:
        world.ensono.scenario.request_create(
            cis="srv-1,srv-2",
            statusNextAction="pending-vendor",
            offHoldDate="2026-07-03T06:00:00Z",
            openedTime="2026-03-02T06:00:00Z",
        )
        await world.quiet()
    told = description(only_request(world))
    assert "CIs: srv-1,srv-2\n" in told
    assert "Next action: pending-vendor\nOff hold: 2026-07-03 01:00:00 CDT\n" in told
    assert "Opened: 2026-03-02 00:00:00 CST" in told
    assert "Ensono group: CS - 1st Line\n" in told
    assert "Origin: Web\n" in told


@virtual
async def test_a_status_is_looked_up_by_the_next_action_first_in_any_case(tmp_path: Path) -> None:
    statuses = {"status": {" Pending-Caller ": "Assigned"}}
    async with story(tmp_path, settings={"mapping": statuses}) as world:
        world.ensono.scenario.incident_create(status="pending", statusNextAction="PENDING-caller ")
        world.ensono.scenario.incident_create(status="Pending", statusNextAction="pending-vendor")
        await world.quiet()
    assert [status(world, request) for request in world.requests()] == ["Assigned", "On Hold"]


@virtual
async def test_a_value_without_mapping_is_written_on_the_ticket_and_logged(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        number = world.ensono.scenario.incident_create(priority="17", status="awaiting parts")
        await world.quiet()
    request = only_request(world)
    assert named(world, request, "priority") is None
    assert status(world, request) == "Open"
    assert "Status: awaiting parts\nPriority: 17\n" in description(request)
    assert "No mapping for Priority: 17" in description(request)
    told = [(line["ticket"], line["kind"], line["value"]) for line in world.events("value_unmapped")]
    assert (number, "priority", "17") in told


@pytest.mark.parametrize("dialect", list(Dialect))
@virtual
async def test_either_side_of_the_guides_contradictions_is_understood(tmp_path: Path, dialect: Dialect) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        scenario = world.ensono.scenario
        scenario.announcer.dialect = dialect
        world.ensono.queue_api.nested_messages = dialect is Dialect.TABLES
        number = scenario.incident_create()
        scenario.ticket_pend(number)
        scenario.notes(number, "hello")
        scenario.attachment(number, "a.txt", b"a")
        scenario.ticket_resolve(number)
        await world.quiet()
    request = only_request(world)
    assert [each.name for each in request.attachments] == ["a.txt"]
    assert status(world, request) == "Resolved"
    assert len(deletes(world)) == 5


@pytest.mark.parametrize(
    ("wanted", "there"), [("resolved", "Resolved"), ("closed", "Closed"), ("cancelled", "Cancelled")]
)
@virtual
async def test_a_ticket_that_has_ended_already_is_created_and_ended(tmp_path: Path, wanted: str, there: str) -> None:
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create(status=wanted)
        await world.quiet()
    request = only_request(world)
    assert status(world, request) == there
    assert returned(world, number) == [request.number]


@virtual
async def test_a_second_create_changes_nothing(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        scenario = world.ensono.scenario
        number = scenario.incident_create()
        await world.quiet()
        before = list(world.desk.journal)
        again = scenario.announcer.create(scenario.records.tickets[number])
        await world.quiet()
    assert world.desk.journal == before
    assert outcomes(world, again) == ["already_applied"]


# --- what the desk's template demands, and what it refuses ------------------------------------------------------------


def create_settings(**fields: Any) -> dict[str, Any]:
    return {"desk": {"create": {"incident": fields}}}


@virtual
async def test_configured_fields_fill_what_the_template_demands(tmp_path: Path) -> None:
    settings = create_settings(mode={"name": "E-Mail"}, udf_fields={"udf_pick_303": "Ensono"})
    async with story(tmp_path, settings=settings) as world:
        world.desk.switches.template_mandatory = frozenset({"mode"})
        number = world.ensono.scenario.incident_create()
        await world.quiet()
    request = only_request(world)
    assert world.desk.setup.row("modes", request.fields["mode"]).name == "E-Mail"
    assert request.fields["udf_fields"] == {"udf_pick_303": "Ensono", "udf_sline_301": number}


@virtual
async def test_the_messages_own_value_comes_before_a_configured_one(tmp_path: Path) -> None:
    configured = create_settings(category={"name": "General"}, priority={"name": "Critical"})
    async with story(tmp_path, settings={**fitting(), **configured}) as world:
        world.ensono.scenario.incident_create()
        world.ensono.scenario.incident_create(category="", priority="")
        world.ensono.scenario.request_create(category="", priority="")
        await world.quiet()
    in_order = sorted(world.requests(), key=lambda each: str(each.fields["udf_fields"]["udf_sline_301"]))
    chosen = [[named(world, each, name) for name in ("category", "priority")] for each in in_order]
    assert chosen == [["Managed Services", "Low"], ["General", "Critical"], [None, None]]


@virtual
async def test_a_refused_value_gives_way_to_the_configured_one(tmp_path: Path) -> None:
    async with story(tmp_path, settings=create_settings(category={"name": "General"})) as world:
        world.desk.switches.template_mandatory = frozenset({"category"})
        world.ensono.scenario.incident_create(category="Nobody knows")
        await world.quiet()
    request = only_request(world)
    assert named(world, request, "category") == "General"
    assert "Not accepted by the desk: Category: Nobody knows" in description(request)


@virtual
async def test_a_refused_configured_field_is_dropped_and_told(tmp_path: Path) -> None:
    settings = create_settings(mode={"name": "Pigeon"}, udf_fields={"udf_pick_303": "Ensono", "udf_sline_9": "x"})
    async with story(tmp_path, settings=settings) as world:
        number = world.ensono.scenario.incident_create()
        await world.quiet()
    request = only_request(world)
    assert request.fields["udf_fields"] == {"udf_pick_303": "Ensono", "udf_sline_301": number}
    assert "Not accepted by the desk: mode: Pigeon" in description(request)
    assert "Not accepted by the desk: udf_fields.udf_sline_9: x" in description(request)


@pytest.mark.parametrize("names", [True, False])
@pytest.mark.parametrize("everything", [True, False])
@virtual
async def test_refused_optional_fields_are_dropped_and_stand_in_the_description(
    tmp_path: Path, *, names: bool, everything: bool
) -> None:
    async with story(tmp_path) as world:
        world.desk.switches.errors_name_fields = names
        world.desk.switches.all_faults_reported = everything
        number = world.ensono.scenario.incident_create(shortDescription="Printer on fire", group="Nobody knows")
        await world.quiet()
    request = only_request(world)
    assert request.fields["subject"] == "Printer on fire"
    assert number_on(world, request) == number
    assert "Not accepted by the desk: Group: Nobody knows" in description(request)
    assert named(world, request, "priority") == ("Low" if names else None)
    dropped = {field for line in world.events("field_dropped") for field in line["fields"]}
    assert dropped == ({"group", "category"} if names else {"group", "category", "priority", "status"})


@virtual
async def test_configured_fields_outlive_a_refusal_that_names_none(tmp_path: Path) -> None:
    async with story(tmp_path, settings=create_settings(mode={"name": "E-Mail"})) as world:
        world.desk.switches.errors_name_fields = False
        world.desk.switches.template_mandatory = frozenset({"mode"})
        world.ensono.scenario.incident_create(group="Nobody knows")
        await world.quiet()
    assert "mode" in only_request(world).fields


@pytest.mark.parametrize("names", [True, False])
@virtual
async def test_a_requester_whom_the_desk_refuses_gives_way_to_the_default_one(tmp_path: Path, *, names: bool) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        world.desk.switches.errors_name_fields = names
        world.ensono.scenario.incident_create(contactEmail="requester@example.com")
        world.ensono.scenario.incident_create(contactEmail="stranger@example.com", contactName="A Stranger")
        await world.quiet()
    known, unknown = world.requests()
    assert requester(world, known) == "requester@example.com"
    assert requester(world, unknown) == "ensono@example.com"
    assert "Contact: A Stranger\nContact e-mail: stranger@example.com\n" in description(unknown)
    assert "Not accepted by the desk: Requester: stranger@example.com" in description(unknown)


@virtual
async def test_without_what_is_never_dropped_a_create_is_a_dead_letter(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        world.desk.switches.template_mandatory = frozenset({"impact"})
        world.desk.setup.remove_udf("request", "udf_sline_301")
        refused = [world.ensono.scenario.incident_create(), world.ensono.scenario.request_create()]
        await world.quiet()
    assert world.requests() == []
    assert {line["ticket"] for line in world.events("dead_letter_kept")} == set(refused)
    assert {line["reason"] for line in world.events("dead_letter_kept")} == {"refused_by_desk"}


@virtual
async def test_a_desk_without_rare_characters_gets_them_written_out(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        world.desk.switches.four_byte_characters = False
        scenario = world.ensono.scenario
        number = scenario.incident_create(shortDescription="Printer 🔥", description="Smoke 🚒")
        scenario.notes(number, "Thanks 👍")
        scenario.ticket_resolve(number, close_notes="Done ✅ 🎉")
        await world.quiet()
    request = only_request(world)
    assert request.fields["subject"] == "Printer [fire]"
    assert "Smoke 🚒" in description(request)
    assert "Thanks &#128077;" in request.notes[0].text
    assert request.resolution is not None
    assert "Done ✅ &#127881;" in request.resolution[0]
    assert verbs(world) == ["create", "note", "resolve", "status"]
