"""Which desk ticket stands for an Ensono ticket: found again, followed, or made anew (contract, section 6)."""

from pathlib import Path
from typing import Any

import pytest

from envision_worker.simulators.faults import Fault, FaultKind
from worker.stories import (
    EDITIONS,
    dead_letters,
    description,
    dies_at,
    fitting,
    named,
    note_words,
    number_on,
    only_request,
    returned,
    status,
    story,
    virtual,
)
from worlds.configuration import NUMBER_FIELD, Edition
from worlds.simulated import World

NUMBER = "e-CS0000077"


def at_ensono(world: World, client_number: str = "", **fields: str) -> str:
    """A ticket that Ensono has, and of which this ledger knows nothing; `client_number`: our number, as far as Ensono knows it."""
    shown = {"shortDescription": "Printer on fire", "description": "It burns", "status": "open", **fields}
    ticket = world.ensono.scenario.records.open("Incident", shown, number=NUMBER)
    ticket.client_ticket_number = client_number
    return NUMBER


def on_desk(world: World, number: str | None = None, *, title: str = "here before") -> str:
    """A request that is on the desk already, bearing this number of Ensono's; returns its id."""
    udfs = {NUMBER_FIELD[world.edition][0]: number} if number else None
    return world.desk.people.open_request(title, udf_fields=udfs)


def people_number(world: World, desk_id: str) -> str:
    return world.desk.ticket("request", desk_id).number


# --- found again ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_a_request_that_bears_the_number_is_the_counterpart(tmp_path: Path, edition: Edition) -> None:
    async with story(tmp_path, edition=edition) as world:
        desk_id = on_desk(world, at_ensono(world))
        on_desk(world, NUMBER + "0")
        world.ensono.scenario.notes(NUMBER, "hello")
        await world.quiet()
    assert len(world.requests()) == 2
    assert len(note_words(world.desk.ticket("request", desk_id))) == 1
    assert returned(world, NUMBER) == [people_number(world, desk_id)]


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_a_request_named_by_the_message_gets_the_number(tmp_path: Path, edition: Edition) -> None:
    async with story(tmp_path, edition=edition) as world:
        on_desk(world)
        desk_id = on_desk(world)
        at_ensono(world, people_number(world, desk_id))
        world.ensono.scenario.notes(NUMBER, "hello")
        await world.quiet()
    request = world.desk.ticket("request", desk_id)
    assert number_on(world, request) == NUMBER
    assert len(note_words(request)) == 1
    assert len(world.requests()) == 2
    assert returned(world, NUMBER) == []  # Ensono knows it


@pytest.mark.parametrize("named_number", ["bears another", "unknown", "no number at all", "999999999999999999999"])
@virtual
async def test_a_message_that_names_what_can_not_be_its_counterpart_makes_a_new_one(
    tmp_path: Path, named_number: str
) -> None:
    async with story(tmp_path) as world:
        other = on_desk(world, "e-CS0000001")
        at_ensono(world, {"bears another": other, "unknown": "4711"}.get(named_number, named_number))
        world.ensono.scenario.notes(NUMBER, "hello")
        await world.quiet()
    assert number_on(world, world.desk.ticket("request", other)) == "e-CS0000001"
    assert world.desk.ticket("request", other).notes == []
    new = world.requests()[-1]
    assert number_on(world, new) == NUMBER
    assert returned(world, NUMBER) == [new.number]


@virtual
async def test_among_several_the_newest_that_is_not_cancelled_counts(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        at_ensono(world)
        on_desk(world, NUMBER)
        second = on_desk(world, NUMBER)
        third = on_desk(world, NUMBER)
        world.desk.people.set_status("request", third, "Cancelled")
        world.ensono.scenario.notes(NUMBER, "hello")
        await world.quiet()
    assert [len(each.notes) for each in world.requests()] == [0, 1, 0]
    assert returned(world, NUMBER) == [second]


@virtual
async def test_where_all_are_cancelled_the_newest_counts(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        at_ensono(world)
        for desk_id in (on_desk(world, NUMBER), on_desk(world, NUMBER)):
            world.desk.people.set_status("request", desk_id, "Cancelled")
        world.ensono.scenario.notes(NUMBER, "hello")
        await world.quiet()
    assert [len(each.notes) for each in world.requests()] == [0, 1]


@pytest.mark.parametrize("switch", ["search_honoured", "fields_required_honoured"])
@virtual
async def test_a_search_that_the_desk_widens_is_not_believed(tmp_path: Path, switch: str) -> None:
    async with story(tmp_path) as world:
        world.desk.switches.turn({switch: False})
        on_desk(world, "e-CS0000001")
        on_desk(world)
        at_ensono(world)
        world.ensono.scenario.notes(NUMBER, "hello")
        await world.quiet()
    assert [len(each.notes) for each in world.requests()] == [0, 0, 1]


@virtual
async def test_a_closed_request_that_takes_no_fields_is_adopted_without_the_number(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        world.desk.switches.closed_is_locked = True
        desk_id = on_desk(world)
        at_ensono(world, desk_id)
        world.desk.people.close("request", desk_id)
        world.ensono.scenario.notes(NUMBER, "hello")
        await world.quiet()
        assert await dead_letters(world) == []
    assert "hello" in note_words(only_request(world))[0]


# --- followed ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("ledger_lost", [False, True])
@virtual
async def test_a_merged_counterpart_is_followed_to_its_parent_whose_number_is_returned(
    tmp_path: Path, edition: Edition, *, ledger_lost: bool
) -> None:
    async with story(tmp_path, edition=edition) as world:
        number = world.ensono.scenario.incident_create()
        await world.quiet()
        child, parent = world.requests()[0], world.desk.ticket("request", on_desk(world, title="the parent"))
        world.desk.people.merge(child.id, parent.id)
        if ledger_lost and edition == "on_premises":  # in the cloud a merged request can't be found by its number
            await world.kill()
            world.lose_ledger()
            await world.start()
        world.ensono.scenario.notes(number, "hello")
        world.ensono.scenario.ticket_pend(number)
        await world.quiet()
    assert len(world.requests()) == 2
    assert "hello" in note_words(parent)[0]
    assert status(world, parent) == "On Hold"
    assert number_on(world, parent) == number
    assert returned(world, number) == [child.number, parent.number]


@pytest.mark.parametrize("ledger_lost", [False, True])
@virtual
async def test_a_parent_that_bears_another_number_keeps_it_and_serves_both(
    tmp_path: Path, *, ledger_lost: bool
) -> None:
    async with story(tmp_path) as world:
        first, second = world.ensono.scenario.incident_create(), world.ensono.scenario.incident_create()
        await world.quiet()
        child, parent = world.requests()
        world.desk.people.merge(child.id, parent.id)
        if ledger_lost:
            await world.kill()
            world.lose_ledger()
            await world.start()
        world.ensono.scenario.notes(first, "about the first")
        world.ensono.scenario.notes(second, "about the second")
        await world.quiet()
    assert len(world.requests()) == 2
    assert number_on(world, parent) == second
    assert len(note_words(parent)) == 2
    assert returned(world, first) == [child.number, parent.number]


@virtual
async def test_a_parent_merged_again_is_followed_to_the_end(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create()
        await world.quiet()
        second, third = on_desk(world), on_desk(world)
        world.desk.people.merge("1", second)
        world.desk.people.merge(second, third)
        world.ensono.scenario.notes(number, "hello")
        await world.quiet()
    assert "hello" in note_words(world.desk.ticket("request", third))[0]
    assert returned(world, number) == ["1", third]


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("gone", ["trash", "delete"])
@virtual
async def test_for_a_counterpart_that_is_gone_a_new_one_is_made_and_its_number_returned(
    tmp_path: Path, edition: Edition, gone: str
) -> None:
    async with story(tmp_path, edition=edition) as world:
        number = world.ensono.scenario.incident_create(shortDescription="Printer on fire")
        await world.quiet()
        world.desk.switches.trash_is_listed = True
        getattr(world.desk.people, gone)("request", world.requests()[0].id)
        world.ensono.scenario.notes(number, "hello")
        await world.quiet()
    old, new = world.requests()
    assert (new.fields["subject"], number_on(world, new)) == ("Printer on fire", number)
    assert "hello" in note_words(new)[0]
    assert old.notes == []
    assert returned(world, number) == [old.number, new.number]


@virtual
async def test_what_was_made_and_deleted_before_its_link_was_kept_is_made_again(tmp_path: Path) -> None:
    died, step = True, 0
    while died:
        step += 3  # the storms of the simulation die at every one
        async with story(tmp_path) as world:
            number = world.ensono.scenario.incident_create()
            died = await dies_at(world, step)
            if died:
                for request in world.requests():
                    world.desk.people.delete("request", request.id)
                await world.start()
            await world.quiet()
            world.ensono.scenario.notes(number, "hello")
            await world.quiet()
        new = world.requests()[-1]
        assert not new.deleted, step
        assert len(new.notes) == 1, step
        assert returned(world, number)[-1] == new.number, step
    assert step > 10


# --- made by what comes first, completed by what comes later ----------------------------------------------------------


def without_title(world: World) -> None:
    """Take from the last message what says what the ticket is about."""
    body = world.ensono.queue.messages()[-1].content["Body"]
    for name in ("shortDescription", "description"):
        body.pop(name, None)


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_an_attachment_makes_a_ticket_that_a_later_message_completes(tmp_path: Path, edition: Edition) -> None:
    async with story(tmp_path, edition=edition, settings=fitting()) as world:
        at_ensono(world, group="Ensono Support", priority="1")
        world.ensono.scenario.attachment(NUMBER, "a.txt", b"a")
        await world.quiet()
        request = only_request(world)
        assert request.fields["subject"] == f"Ensono {NUMBER}"
        world.ensono.scenario.attachment(NUMBER, "b.txt", b"b")
        world.ensono.scenario.notes(NUMBER, "hello")
        world.ensono.scenario.ticket_update(NUMBER, shortDescription="Printer out")
        await world.quiet()
    assert [each.name for each in request.attachments] == ["a.txt", "b.txt"]
    assert request.fields["subject"] == "Printer out"
    assert description(request).startswith("It burns\n")
    assert [named(world, request, name) for name in ("priority", "group")] == ["High", "Network"]
    assert returned(world, NUMBER) == [request.number]


@virtual
async def test_completing_drops_and_tells_what_the_desk_refuses(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        at_ensono(world, group="Nobody knows")
        world.ensono.scenario.notes(NUMBER, "hello")
        without_title(world)
        world.ensono.scenario.notes(NUMBER, "hello again")
        await world.quiet()
    request = only_request(world)
    assert request.fields["subject"] == "Printer on fire"
    assert "Not accepted by the desk: Group: Nobody knows" in "\n".join(note_words(request))
    assert len(request.notes) == 3


@virtual
async def test_what_can_not_be_completed_any_more_gets_a_note(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        at_ensono(world)
        world.ensono.scenario.attachment(NUMBER, "a.txt", b"a")
        await world.quiet()
        world.desk.switches.closed_is_locked = True
        world.desk.people.close("request", "1")
        world.ensono.scenario.notes(NUMBER, "hello")
        await world.quiet()
        assert await dead_letters(world) == []
    told, comment = note_words(only_request(world))
    assert "Title: Printer on fire\nDescription:\nIt burns" in told
    assert "hello" in comment


@virtual
async def test_killed_anywhere_while_it_is_made_it_is_still_completed_later(tmp_path: Path) -> None:
    died, step = True, 0
    while died:
        step += 3  # the storms of the simulation die at every one
        async with story(tmp_path) as world:
            at_ensono(world)
            world.ensono.scenario.attachment(NUMBER, "a.txt", b"a")
            died = await dies_at(world, step)
            if died:
                await world.start()
            await world.quiet()
            world.ensono.scenario.notes(NUMBER, "hello")
            await world.quiet()
        assert only_request(world).fields["subject"] == "Printer on fire", step
        assert set(returned(world, NUMBER)) == {"1"}, step
    assert step > 10


@pytest.mark.parametrize("kind", ["Redraft", "Approval Request"])
@virtual
async def test_what_is_for_changes_only_is_a_dead_letter_and_makes_nothing(tmp_path: Path, kind: str) -> None:
    async with story(tmp_path) as world:
        at_ensono(world)
        world.ensono.scenario.notes(NUMBER, "hello")
        content: dict[str, Any] = world.ensono.queue.messages()[-1].content
        content["Attributes"]["TransactionType"] = kind
        content["Body"] |= {"approvalId": "a", "approverEmail": "cab@example.com"}
        await world.quiet()
        [kept] = await dead_letters(world)
    assert kept.reason == "not_for_this_ticket_type"
    assert world.requests() == []


@virtual
async def test_a_state_that_only_changes_have_keeps_no_incident_from_being_made(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        world.ensono.scenario.incident_create(state="New")
        await world.quiet()
    assert len(world.requests()) == 1


# --- out of scope --------------------------------------------------------------------------------------------------------


@virtual
async def test_a_ticket_with_a_counterpart_is_never_out_of_scope_also_where_only_the_desk_knows_it(
    tmp_path: Path,
) -> None:
    rules = {"scope": {"out_of_scope": [{"ticket_type": "incident"}]}}
    async with story(tmp_path, settings=rules) as world:
        other = world.ensono.scenario.records.open("Incident", {"shortDescription": "x"}, number="e-CS0000078")
        desk_id = on_desk(world, at_ensono(world))
        world.ensono.scenario.notes(NUMBER, "hello")
        world.ensono.scenario.notes(other.number, "none of ours")
        await world.quiet()
    assert len(note_words(world.desk.ticket("request", desk_id))) == 1
    assert len(world.requests()) == 1
    assert [line["ticket"] for line in world.events("message_handled") if line["outcome"] == "out_of_scope"] == [
        other.number
    ]


@virtual
async def test_a_ticket_that_is_trashed_between_two_effects_of_a_message_is_replaced_by_one_with_all_of_them(
    tmp_path: Path,
) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        number = world.ensono.scenario.incident_create()
        await world.quiet()
        old = world.requests()[0]
        world.desk.faults.add(Fault(FaultKind.STATUS, "PUT", f"*/requests/{old.id}", status=503))
        world.ensono.scenario.ticket_resolve(number, close_notes="the fan was replaced")
        while not old.resolution:
            await world.clock.sleep(0.01)
        await world.clock.sleep(2)
        world.desk.people.trash("request", old.id)
        await world.quiet()
    assert "the fan was replaced" in str(world.requests()[-1].resolution)


@pytest.mark.parametrize("made", ["first", "again"])
@virtual
async def test_what_was_merged_before_its_link_was_kept_is_followed_and_the_parent_bears_the_number(
    tmp_path: Path, made: str
) -> None:
    async with story(tmp_path, settings=fitting(policy={"reopen": "new_ticket"})) as world:
        number, faults = world.ensono.scenario.incident_create(), world.desk.faults
        if made == "again":
            world.ensono.scenario.ticket_resolve(number)
            await world.quiet()
            world.ensono.scenario.ticket_reopen(number)
        faults.add(Fault(FaultKind.LOSE_ANSWER, "POST", "*/requests"))
        while len(world.requests()) < (2 if made == "again" else 1):
            await world.clock.sleep(0.01)
        child = world.requests()[-1].id
        faults.add(Fault(FaultKind.STATUS, "GET", f"*/requests/{child}", times=None, status=503))
        while not world.events("outcome_found"):
            await world.clock.sleep(0.1)
        parent = on_desk(world)
        world.desk.people.merge(child, parent)
        faults.clear()
        world.ensono.scenario.notes(number, "still here")
        await world.quiet()
        assert await dead_letters(world) == []
    assert number_on(world, world.desk.ticket("request", parent)) == number
    assert returned(world, number)[-1] == people_number(world, parent)
    assert "still here" in note_words(world.desk.ticket("request", parent))[-1]
