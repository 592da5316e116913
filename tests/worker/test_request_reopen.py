"""Opened again at Ensono while the counterpart is resolved or closed: the three policies of the guide (Re-open)."""

import re
from pathlib import Path
from typing import Any

import pytest

from envision_worker.simulators.manageengine.tickets import Ticket
from worker.stories import (
    EDITIONS,
    dead_letters,
    dies_at,
    fitting,
    named,
    note_words,
    number_on,
    only_request,
    outcomes,
    returned,
    status,
    story,
    virtual,
)
from worlds.configuration import Edition
from worlds.simulated import World

ENDS = ("Resolved", "Closed")


def policy(reopen: str) -> dict[str, Any]:
    return fitting(policy={"reopen": reopen})


async def ended_request(world: World, ended: str) -> str:
    """An incident whose counterpart is resolved or closed; returns its number."""
    number = world.ensono.scenario.incident_create(shortDescription="Printer on fire")
    world.ensono.scenario.ticket_resolve(number)
    await world.quiet()
    if ended == "Closed":
        world.desk.people.close("request", world.requests()[0].id)
    return number


@pytest.mark.parametrize("ended", ENDS)
@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_reopen_sets_the_status(tmp_path: Path, edition: Edition, ended: str) -> None:
    async with story(tmp_path, edition=edition) as world:
        number = await ended_request(world, ended)
        world.ensono.scenario.ticket_reopen(number, "workingprogress")
        await world.quiet()
    request = only_request(world)
    assert status(world, request) == "In Progress"
    assert request.reopened is (ended == "Closed")
    assert returned(world, number) == [request.number]


@virtual
async def test_what_changed_with_the_reopening_is_set_after_it(tmp_path: Path) -> None:
    async with story(tmp_path, settings=policy("reopen")) as world:
        number = await ended_request(world, "Closed")
        world.desk.switches.closed_is_locked = True
        world.ensono.scenario.ticket_update(number, status="open", priority="1")
        await world.quiet()
    request = only_request(world)
    assert (status(world, request), named(world, request, "priority")) == ("Open", "High")


@virtual
async def test_a_desk_that_refuses_to_reopen_gets_a_note(tmp_path: Path) -> None:
    async with story(tmp_path, settings={"mapping": {"status": {"open": "No such status"}}}) as world:
        number = world.ensono.scenario.incident_create(status="pending")
        await world.quiet()
        world.desk.people.close("request", "1")
        message_id = world.ensono.scenario.ticket_reopen(number)
        await world.quiet()
    request = only_request(world)
    assert status(world, request) == "Closed"
    assert "Status: open\nNot accepted by the desk" in note_words(request)[0]
    assert outcomes(world, message_id) == ["applied"]


# --- a new ticket --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ended", ENDS)
@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_a_new_ticket_takes_over_number_and_link_and_its_own_is_returned(
    tmp_path: Path, edition: Edition, ended: str
) -> None:
    async with story(tmp_path, edition=edition, settings=policy("new_ticket")) as world:
        number = await ended_request(world, ended)
        world.ensono.scenario.ticket_update(number, status="open", priority="1")
        world.ensono.scenario.notes(number, "It burns again")
        await world.quiet()
    old, new = world.requests()
    assert (number_on(world, old), number_on(world, new)) == (None, number)
    assert (status(world, old), status(world, new)) == (ended, "Open")
    assert returned(world, number) == [old.number, new.number]
    assert f"It goes on as {new.number}." in note_words(old)[-1]
    assert (new.fields["subject"], named(world, new, "priority")) == ("Printer on fire", "High")
    assert ["It burns again" in words for words in note_words(new)] == [True]
    assert not any("It burns again" in words for words in note_words(old))


@virtual
async def test_the_new_number_is_returned_also_when_everything_comes_in_one_read(tmp_path: Path) -> None:
    async with story(tmp_path, settings=policy("new_ticket")) as world:
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.ticket_resolve(number)
        world.ensono.scenario.ticket_reopen(number)
        await world.quiet(within_s=10)
    assert returned(world, number) == ["1", "2"]


@virtual
async def test_a_closed_ticket_that_takes_no_fields_keeps_the_number_and_the_newer_one_counts(tmp_path: Path) -> None:
    async with story(tmp_path, settings=policy("new_ticket")) as world:
        world.desk.switches.closed_is_locked = True
        number = await ended_request(world, "Closed")
        world.ensono.scenario.ticket_reopen(number)
        await world.quiet()
        assert await dead_letters(world) == []
        await world.kill()
        world.lose_ledger()
        await world.start()
        world.ensono.scenario.notes(number, "still here")
        await world.quiet()
    old, new = world.requests()
    assert number_on(world, new) == number
    assert "still here" in note_words(new)[0]
    assert f"It goes on as {new.number}." in note_words(old)[-1]


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_the_new_ticket_tells_with_what_it_began_and_still_does_when_ensono_describes_it_anew(
    tmp_path: Path, edition: Edition
) -> None:
    async with story(tmp_path, edition=edition, settings=policy("new_ticket")) as world:
        number = await ended_request(world, "Resolved")
        world.ensono.scenario.ticket_reopen(number)
        await world.quiet()
        old, new = world.requests()
        assert "Continues" not in old.fields["description"]
        began = beginning(new)
        world.ensono.scenario.ticket_update(number, description="Smoke as well")
        await world.quiet()
    assert "Smoke as well" in new.fields["description"]
    assert beginning(new) == began
    assert began.startswith(f"Continues {old.number} with")


def beginning(ticket: Ticket) -> str:
    (line,) = re.findall(r"Continues \S+ with what Ensono sent at \S+ \(ref \w+\)", str(ticket.fields["description"]))
    return str(line)


@virtual
async def test_each_reopening_makes_one_more_ticket(tmp_path: Path) -> None:
    async with story(tmp_path, settings=policy("new_ticket")) as world:
        number = await ended_request(world, "Resolved")
        for _ in range(2):
            world.ensono.scenario.ticket_reopen(number)
            world.ensono.scenario.ticket_resolve(number)
            await world.quiet()
    assert [number_on(world, each) for each in world.requests()] == [None, None, number]
    assert returned(world, number) == ["1", "2", "3"]


@pytest.mark.parametrize("first", [1, 2, 3])
@virtual
async def test_killed_anywhere_the_number_moves_to_one_new_ticket(tmp_path: Path, first: int) -> None:
    died, step = True, first
    while died:
        async with story(tmp_path, settings=policy("new_ticket")) as world:
            number = await ended_request(world, "Resolved")
            world.ensono.scenario.ticket_reopen(number)
            died = await dies_at(world, step)
            if died:
                await world.start()
            await world.quiet()
        old, new = world.requests()
        assert (number_on(world, old), number_on(world, new)) == (None, number), step
        assert returned(world, number)[-1] == new.number, step
        assert len(note_words(old)) == 1, step
        step += 6
    assert step > 30


# --- comments -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ended", ENDS)
@virtual
async def test_comments_turns_the_reopening_and_all_later_updates_into_notes(tmp_path: Path, ended: str) -> None:
    async with story(tmp_path, settings=policy("comments")) as world:
        scenario = world.ensono.scenario
        number = await ended_request(world, ended)
        scenario.ticket_reopen(number, "workingprogress")
        scenario.ticket_update(number, priority="1", shortDescription="Worse", description="It burns again")
        scenario.notes(number, "a comment")
        await world.quiet()
        scenario.ticket_update(number, status="pending", statusNextAction="pending-vendor")
        await world.quiet()
    request = only_request(world)
    assert (status(world, request), request.fields["subject"]) == (ended, "Printer on fire")
    assert named(world, request, "priority") == "Low"
    assert [words.strip().split("\n")[1] for words in note_words(request)] == [
        "Status: workingprogress",
        "Priority: 1",
        "a comment",
        "Status: pending",
    ]
    assert "Title: Worse\nDescription:\nIt burns again\n" in note_words(request)[1]


@virtual
async def test_a_closure_after_comments_still_closes(tmp_path: Path) -> None:
    async with story(tmp_path, settings=policy("comments")) as world:
        number = await ended_request(world, "Resolved")
        world.ensono.scenario.ticket_reopen(number)
        world.ensono.scenario.ticket_resolve(number, close_notes="fixed for good")
        world.ensono.scenario.ticket_close(number)
        await world.quiet()
    request = only_request(world)
    assert status(world, request) == "Closed"
    assert request.resolution is not None
    assert "fixed for good" in request.resolution[0]


@virtual
async def test_updates_of_an_open_counterpart_are_no_comments(tmp_path: Path) -> None:
    async with story(tmp_path, settings=policy("comments")) as world:
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.ticket_pend(number)
        world.ensono.scenario.ticket_reopen(number)
        await world.quiet()
    assert status(world, only_request(world)) == "Open"


@virtual
async def test_a_note_reaches_the_ticket_into_which_the_one_that_it_continues_was_merged(tmp_path: Path) -> None:
    async with story(tmp_path, settings=policy("new_ticket")) as world:
        number = await ended_request(world, "Resolved")
        world.ensono.scenario.ticket_reopen(number)
        await world.quiet()
        old, new = world.requests()
        world.desk.people.merge(old.id, new.id)
        world.ensono.scenario.notes(number, "still here")
        await world.quiet(within_s=60)
    assert "still here" in note_words(new)[-1]
