"""The status decides, not the type: resolved, closed, cancelled (contract, section 6)."""

from pathlib import Path
from typing import Any

import pytest

from envision_worker.simulators.manageengine.tickets import Ticket
from worker.stories import (
    EDITIONS,
    dead_letters,
    fitting,
    note_words,
    only_request,
    outcomes,
    status,
    story,
    verbs,
    virtual,
    words,
)
from worlds.configuration import Edition
from worlds.simulated import World

CODES: dict[str, Any] = {
    "mapping": {"closure_code": {"resolved*": "success", "unresolved": "Failed", "odd": "No such code"}}
}


async def with_request(world: World) -> str:
    number = world.ensono.scenario.incident_create()
    await world.quiet()
    return number


def resolution(request: Ticket) -> str | None:
    return words(request.resolution[0]) if request.resolution else None


def closure(world: World, request: Ticket) -> dict[str, Any]:
    """What the desk was told at the closing, the code by its name."""
    info = dict(request.fields["closure_info"])
    if "closure_code" in info:
        info["closure_code"] = world.desk.setup.row("closure_codes", info["closure_code"]).name
    return info


# --- resolved ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("by_update", [False, True])
@virtual
async def test_resolved_is_resolution_with_the_close_code_and_status_whatever_the_type(
    tmp_path: Path, edition: Edition, *, by_update: bool
) -> None:
    async with story(tmp_path, edition=edition, settings=fitting()) as world:
        number = await with_request(world)
        if by_update:
            facts = {"closeNotes": "Toner\nreplaced", "closeCode": "resolved*"}
            world.ensono.scenario.ticket_update(number, status="resolved", **facts)
        else:
            world.ensono.scenario.ticket_resolve(number, close_notes="Toner\nreplaced")
        await world.quiet()
    request = only_request(world)
    assert status(world, request) == "Resolved"
    assert resolution(request) == "Toner\nreplaced\nClose code: resolved*\n"
    assert verbs(world) == ["create", "resolve", "status"]


@virtual
async def test_a_closure_that_says_resolved_only_in_the_body_resolves(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        number = await with_request(world)
        world.ensono.scenario.ticket_resolve(number, close_notes="done")
        body = world.ensono.queue.messages()[-1].content["Body"]
        body["closureCategory"] = "Hardware"
        del body["changed"]
        await world.quiet()
    assert status(world, only_request(world)) == "Resolved"
    assert resolution(only_request(world)) == "done\nClose code: resolved*\nClosure category: Hardware\n"


@virtual
async def test_a_closure_without_status_is_a_dead_letter_that_names_the_field(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        number = await with_request(world)
        message_id = world.ensono.scenario.ticket_resolve(number)
        body = world.ensono.queue.messages()[-1].content["Body"]
        del body["changed"], body["status"]
        await world.quiet()
    [line] = world.events("message_malformed")[:1]
    assert (line["message_id"], line["ticket"], line["field"]) == (message_id, number, "Body.status")
    assert status(world, only_request(world)) == "Open"


@virtual
async def test_resolving_what_is_closed_here_is_told_and_leaves_it_closed(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        number = await with_request(world)
        world.desk.people.close("request", "1")
        world.ensono.scenario.ticket_resolve(number, close_notes="Toner replaced")
        await world.quiet()
    request = only_request(world)
    assert status(world, request) == "Closed"
    assert "Resolved by Ensono\nToner replaced\nClose code: resolved*" in note_words(request)[0]


@virtual
async def test_what_else_changed_with_a_resolution_is_applied_too(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        number = await with_request(world)
        world.ensono.scenario.ticket_update(number, status="resolved", closeNotes="ok", priority="1", cis="p-7")
        await world.quiet()
    request = only_request(world)
    assert verbs(world) == ["create", "update", "note", "resolve", "status"]
    assert "CIs: p-7" in note_words(request)[0]
    assert "ok" not in note_words(request)[0]


# --- closed --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("resolved_before", [False, True])
@virtual
async def test_closed_is_close_with_the_mapped_code(tmp_path: Path, edition: Edition, *, resolved_before: bool) -> None:
    async with story(tmp_path, edition=edition, settings=CODES) as world:
        number = await with_request(world)
        if resolved_before:
            world.ensono.scenario.ticket_resolve(number, close_notes="Toner replaced")
        world.ensono.scenario.ticket_close(number, close_notes="No complaint")
        await world.quiet()
    request = only_request(world)
    assert status(world, request) == "Closed"
    assert closure(world, request)["closure_code"] == "success"
    assert closure(world, request)["closure_comments"] == "No complaint"
    assert (resolution(request) or "").startswith("Toner replaced" if resolved_before else "No complaint")


@virtual
async def test_closed_where_closing_rules_want_a_resolution(tmp_path: Path) -> None:
    async with story(tmp_path, settings=CODES) as world:
        world.desk.switches.closing_needs = frozenset({"resolution"})
        number = await with_request(world)
        world.ensono.scenario.ticket_close(number)
        await world.quiet()
    assert status(world, only_request(world)) == "Closed"


@virtual
async def test_an_unmapped_closure_code_is_told_logged_and_not_sent(tmp_path: Path) -> None:
    async with story(tmp_path, settings=CODES) as world:
        number = await with_request(world)
        world.ensono.scenario.ticket_close(number, close_code="whatever", close_notes="done")
        await world.quiet()
    request = only_request(world)
    assert status(world, request) == "Closed"
    assert "closure_code" not in closure(world, request)
    assert "done\nClose code: whatever" in note_words(request)[0]
    [line] = [each for each in world.events("value_unmapped") if each["kind"] == "closure_code"]
    assert (line["ticket"], line["value"]) == (number, "whatever")


@virtual
async def test_a_closure_code_that_the_desk_refuses_is_told_and_the_request_closed_without(tmp_path: Path) -> None:
    async with story(tmp_path, settings=CODES) as world:
        number = await with_request(world)
        message_id = world.ensono.scenario.ticket_close(number, close_code="odd", close_notes="done")
        await world.quiet()
    request = only_request(world)
    assert status(world, request) == "Closed"
    assert "closure_code" not in closure(world, request)
    assert "Not accepted by the desk: closure code No such code" in note_words(request)[0]
    assert outcomes(world, message_id) == ["applied"]


@pytest.mark.parametrize("ended", ["Closed", "Cancelled"])
@virtual
async def test_what_ensono_says_at_the_closing_is_told_where_people_closed_before(tmp_path: Path, ended: str) -> None:
    async with story(tmp_path, settings=CODES) as world:
        number = await with_request(world)
        world.desk.people.set_status("request", "1", ended)
        world.ensono.scenario.ticket_close(number, close_notes="Toner replaced")
        await world.quiet()
        assert await dead_letters(world) == []
    request = only_request(world)
    assert status(world, request) == ended
    assert "Toner replaced\nClose code: resolved*" in note_words(request)[0]


@virtual
async def test_long_close_notes_of_a_resolved_ticket_are_told_whole(tmp_path: Path) -> None:
    notes = "line one\n" + "word " * 100 + "end"
    async with story(tmp_path, settings=CODES) as world:
        number = await with_request(world)
        world.ensono.scenario.ticket_resolve(number, close_notes="ok")
        world.ensono.scenario.ticket_close(number, close_notes=notes)
        await world.quiet()
    request = only_request(world)
    assert status(world, request) == "Closed"
    assert notes in note_words(request)[0]


@virtual
async def test_a_close_that_the_desk_refuses_for_good_is_a_dead_letter(tmp_path: Path) -> None:
    async with story(tmp_path, settings=CODES) as world:
        world.desk.switches.closing_needs = frozenset({"technician"})
        number = await with_request(world)
        message_id = world.ensono.scenario.ticket_close(number)
        await world.quiet()
        [kept] = await dead_letters(world)
    assert (kept.message_id, kept.ticket) == (message_id, number)
    assert "Closure rules are violated" in kept.detail


# --- cancelled -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("by_update", [False, True])
@virtual
async def test_cancelled_is_status_and_note_whatever_the_type(
    tmp_path: Path, edition: Edition, *, by_update: bool
) -> None:
    async with story(tmp_path, edition=edition) as world:
        number = await with_request(world)
        if by_update:
            world.ensono.scenario.ticket_update(number, status="Cancelled ", closeNotes="not needed")
        else:
            world.ensono.scenario.ticket_cancel(number)
        await world.quiet()
    request = only_request(world)
    assert status(world, request) == "Cancelled"
    assert "Cancelled by Ensono\nnot needed" in note_words(request)[0]
    assert verbs(world) == ["create", "status", "note"]


@virtual
async def test_cancelling_what_is_closed_here_is_only_told(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        number = await with_request(world)
        world.desk.people.close("request", "1")
        world.ensono.scenario.ticket_cancel(number)
        await world.quiet()
    assert status(world, only_request(world)) == "Closed"
    assert "Cancelled by Ensono" in note_words(only_request(world))[0]


@virtual
async def test_the_names_of_the_mapping_are_those_of_the_desk(tmp_path: Path) -> None:
    names = {"status": {"resolved": "Done", "cancelled": "Withdrawn"}}
    async with story(tmp_path, settings={"mapping": names}) as world:
        world.desk.setup.rename("statuses", "Resolved", "Done")
        world.desk.setup.rename("statuses", "Cancelled", "Withdrawn")
        first, second = world.ensono.scenario.incident_create(), world.ensono.scenario.incident_create()
        world.ensono.scenario.ticket_resolve(first)
        world.ensono.scenario.ticket_cancel(second)
        await world.quiet()
    assert [status(world, request) for request in world.requests()] == ["Done", "Withdrawn"]
