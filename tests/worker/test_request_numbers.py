"""Both numbers: ours returned to Ensono, once more where Ensono does not know it, and Ensono's linked to a ticket of the desk."""

from pathlib import Path

import pytest

from envision_worker.vocabulary import EnsonoTicketNumber
from worker.stories import (
    EDITIONS,
    dead_letters,
    note_words,
    number_on,
    only_request,
    outcomes,
    return_calls,
    returned,
    story,
    verbs,
    virtual,
)
from worlds.configuration import NUMBER_FIELD, Edition
from worlds.simulated import World

# --- returnptn -------------------------------------------------------------------------------------------------------


def forget(world: World, number: str) -> None:
    """Ensono does not know our number (any more)."""
    world.ensono.tickets[number].client_ticket_number = ""


@virtual
async def test_a_message_more_than_a_minute_later_that_shows_no_number_has_it_returned_again(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create()
        await world.quiet()
        forget(world, number)
        await world.clock.sleep(30)
        world.ensono.scenario.notes(number, "half a minute later")
        await world.quiet()
        assert returned(world, number) == ["1"]
        forget(world, number)
        await world.clock.sleep(60)
        world.ensono.scenario.notes(number, "later")
        await world.quiet()
    assert returned(world, number) == ["1", "1"]


@pytest.mark.parametrize("missing", ["attribute", "number"])
@virtual
async def test_either_sign_that_ensono_does_not_know_the_number_is_enough(tmp_path: Path, missing: str) -> None:
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create()
        await world.quiet()
        await world.clock.sleep(100)
        world.ensono.scenario.notes(number, "later")
        content = world.ensono.queue.messages()[-1].content
        if missing == "attribute":
            content["Attributes"]["ClientReferenceAvailable"] = "false"
        else:
            content["Body"]["clientTicketNumber"] = " "
        await world.quiet()
    assert returned(world, number) == ["1", "1"]


@virtual
async def test_several_such_messages_in_one_read_return_it_once(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create()
        await world.quiet()
        forget(world, number)
        await world.clock.sleep(100)
        for body in ("one", "two", "three"):
            world.ensono.scenario.notes(number, body)
        await world.quiet()
    assert returned(world, number) == ["1", "1"]


@virtual
async def test_where_ensono_knows_the_number_it_is_never_returned_again(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create()
        await world.quiet()
        await world.clock.sleep(1000)
        world.ensono.scenario.notes(number, "later")
        await world.quiet()
    assert returned(world, number) == ["1"]


@virtual
async def test_no_delete_before_ensono_has_confirmed_the_number(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        world.ensono.tickets_api.error_status = 400
        number = world.ensono.scenario.incident_create()
        del world.ensono.scenario.records.tickets[number]  # refused: a ticket of another company
        await world.clock.sleep(20)
        assert len(return_calls(world, number)) == 1
        assert len(world.ensono.queue.messages()) == 1
        assert len(world.requests()) == 1
        await world.quiet()
        [kept] = await dead_letters(world)
    assert (kept.ticket, kept.reason) == (number, "receives_used_up")
    assert len(world.requests()) == 1


# --- ReturnEnsonoNum -------------------------------------------------------------------------------------------------


def number_field(world: World, number: str) -> dict[str, str]:
    return {NUMBER_FIELD[world.edition][0]: number}


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_ensonos_number_is_put_on_the_named_request_and_linked(tmp_path: Path, edition: Edition) -> None:
    async with story(tmp_path, edition=edition) as world:
        desk_id = world.desk.people.open_request("Made here")
        request = world.desk.ticket("request", desk_id)
        number = world.ensono.scenario.return_ensono_num(request.number)
        world.ensono.scenario.notes(number, "hello")
        await world.quiet()
    assert number_on(world, only_request(world)) == number
    assert len(note_words(request)) == 1
    assert return_calls(world, number) == []


@virtual
async def test_a_number_that_stands_there_already_is_linked_without_a_write(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        world.desk.people.open_request("Made here", udf_fields=number_field(world, "e-CS0900001"))
        assert world.ensono.scenario.return_ensono_num("1") == "e-CS0900001"
        await world.quiet()
        assert world.worker is not None
        link = await world.inside(world.worker.parts.ledger.links.current(EnsonoTicketNumber("e-CS0900001")))
    assert verbs(world) == []
    assert link is not None
    assert (link.desk_id, link.number) == ("1", "1")


@virtual
async def test_the_same_number_told_twice_is_already_applied(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        world.desk.people.open_request("Made here")
        number = world.ensono.scenario.return_ensono_num("1")
        await world.quiet()
        announcer = world.ensono.scenario.announcer
        again = announcer.return_ensono_num(world.ensono.tickets[number])
        await world.quiet()
    assert verbs(world) == ["update"]
    assert outcomes(world, again) == ["already_applied"]


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("", "no_counterpart"),
        ("4711", "no_counterpart"),
        ("INC1235678", "no_counterpart"),
        ("trashed", "no_counterpart"),
        ("deleted", "no_counterpart"),
        ("bears another", "counterpart_taken"),
        ("linked to another", "counterpart_taken"),
    ],
)
@virtual
async def test_what_can_not_be_linked_is_a_dead_letter_and_creates_nothing(
    tmp_path: Path, named: str, reason: str
) -> None:
    async with story(tmp_path) as world:
        people, scenario = world.desk.people, world.ensono.scenario
        scenario.incident_create()
        await world.quiet()
        world.desk.ticket("request", "1").fields["udf_fields"] = (
            None  # people cleared the field; the ledger's link stands
        )
        there = {"linked to another": "1"}.get(named, named)
        if named == "bears another":
            there = people.open_request("x", udf_fields=number_field(world, "e-CS0000001"))
        if named in {"trashed", "deleted"}:
            there = people.open_request("x")
            (people.trash if named == "trashed" else people.delete)("request", there)
        before, count = list(world.desk.journal), len(world.requests())
        number = scenario.return_ensono_num(there)
        await world.clock.sleep(60)
        [kept] = await dead_letters(world)
    assert (kept.ticket, kept.reason) == (number, reason)
    assert kept.detail
    assert (world.desk.journal, len(world.requests())) == (before, count)


@pytest.mark.parametrize("how", ["link", "number field"])
@virtual
async def test_a_number_that_is_linked_elsewhere_is_a_dead_letter(tmp_path: Path, how: str) -> None:
    async with story(tmp_path) as world:
        scenario, people = world.ensono.scenario, world.desk.people
        if how == "link":
            number = scenario.incident_create(number="e-CS0000077")
            await world.quiet()
        else:
            number = "e-CS0000077"
            people.open_request("bears it", udf_fields=number_field(world, number))
            scenario.records.open("Incident", {}, number=number)
        other = people.open_request("named now")
        world.ensono.tickets[number].client_ticket_number = other
        scenario.announcer.return_ensono_num(world.ensono.tickets[number])
        await world.clock.sleep(60)
        [kept] = await dead_letters(world)
    assert (kept.ticket, kept.reason) == (number, "counterpart_taken")
    assert number_on(world, world.desk.ticket("request", other)) is None


@virtual
async def test_a_merged_request_is_linked_by_its_parent(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        child, parent = world.desk.people.open_request("child"), world.desk.people.open_request("parent")
        world.desk.people.merge(child, parent)
        number = world.ensono.scenario.return_ensono_num(child)
        await world.quiet()
    assert number_on(world, world.desk.ticket("request", parent)) == number


@virtual
async def test_told_again_after_a_merger_it_is_still_the_same_request(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        child, parent = world.desk.people.open_request("child"), world.desk.people.open_request("parent")
        number = world.ensono.scenario.return_ensono_num(child)
        await world.quiet()
        world.desk.people.merge(child, parent)
        world.ensono.scenario.announcer.return_ensono_num(world.ensono.tickets[number])
        await world.quiet()
        assert await dead_letters(world) == []
    assert number_on(world, world.desk.ticket("request", parent)) == number


@pytest.mark.parametrize("how", ["trash", "delete"])
@virtual
async def test_told_again_when_its_request_was_replaced_there_is_nothing_left_to_link(tmp_path: Path, how: str) -> None:
    async with story(tmp_path) as world:
        scenario, people = world.ensono.scenario, world.desk.people
        first = people.open_request("opened here")
        number = scenario.return_ensono_num(first)
        await world.quiet()
        getattr(people, how)("request", first)
        scenario.notes(number, "the request is gone")
        await world.quiet()
        [second] = [ticket.id for ticket in world.requests() if ticket.id != first]
        world.ensono.tickets[number].client_ticket_number = first
        again = scenario.announcer.return_ensono_num(world.ensono.tickets[number])
        await world.quiet()
        assert await dead_letters(world) == []
        assert outcomes(world, again) == ["already_applied"]
    assert number_on(world, world.desk.ticket("request", second)) == number
