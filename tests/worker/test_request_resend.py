"""Ensono sends the same transaction again under another MessageId, as after a lost answer: nothing is done twice."""

from collections.abc import Callable
from pathlib import Path

import pytest

from envision_worker.simulators.ensono.announcements import Dialect
from worker.stories import fitting, outcomes, returned, story, virtual
from worlds.simulated import World

LATER_S = 400.0  # within five minutes the queue itself swallows it


def a_create(world: World, number: str) -> None:
    scenario = world.ensono.scenario
    scenario.announcer.create(scenario.records.tickets[number])


ACTS: dict[str, Callable[[World, str], object]] = {
    "Create": a_create,
    "Update": lambda world, number: world.ensono.scenario.ticket_update(number, priority="1", cis="srv-1"),
    "Update of the status": lambda world, number: world.ensono.scenario.ticket_pend(number),
    "Notes": lambda world, number: world.ensono.scenario.notes(number, "hello"),
    "Attachment": lambda world, number: world.ensono.scenario.attachment(number, "a.txt", b"a"),
    "Attachment that is gone": lambda world, number: world.ensono.scenario.attachment(
        number, "a.txt", b"a", link="https://nowhere.example.com/a.txt"
    ),
    "Closure, resolved": lambda world, number: world.ensono.scenario.ticket_resolve(number),
    "Closure, closed": lambda world, number: world.ensono.scenario.ticket_close(number, close_code="odd"),
    "Closure, cancelled": lambda world, number: world.ensono.scenario.ticket_cancel(number),
}


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize("act", ACTS)
@virtual
async def test_sent_again_it_is_already_applied(tmp_path: Path, act: str, dialect: Dialect) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        scenario = world.ensono.scenario
        scenario.announcer.dialect = dialect
        number = scenario.incident_create()
        await world.quiet()
        ACTS[act](world, number)
        await world.quiet()
        first = scenario.announcer.announced[-1].message_id
        await world.clock.sleep(LATER_S)
        before = list(world.desk.journal)
        again = scenario.resend(first)
        await world.quiet()
    assert again != first
    assert world.desk.journal == before
    assert outcomes(world, again)[-1] in {"already_applied", "applied"}
    assert set(returned(world, number)) == {"1"}


@virtual
async def test_the_first_message_of_a_ticket_sent_again_makes_no_second_request(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        scenario = world.ensono.scenario
        number = scenario.incident_create()
        await world.quiet()
        await world.clock.sleep(LATER_S)
        scenario.resend(scenario.announcer.announced[0].message_id)
        await world.quiet()
    assert len(world.requests()) == 1
    assert returned(world, number) == ["1", "1"]  # it shows that Ensono may not know it


@virtual
async def test_an_ensono_number_sent_again_changes_nothing(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        scenario = world.ensono.scenario
        world.desk.people.open_request("Made here")
        scenario.return_ensono_num("1")
        await world.quiet()
        await world.clock.sleep(LATER_S)
        before = list(world.desk.journal)
        again = scenario.resend(scenario.announcer.announced[0].message_id)
        await world.quiet()
    assert world.desk.journal == before
    assert outcomes(world, again) == ["already_applied"]


@virtual
async def test_the_same_change_made_twice_at_different_times_is_no_repetition(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        scenario = world.ensono.scenario
        number = scenario.incident_create()
        for priority in ("1", "4", "1"):
            await world.clock.sleep(5)
            scenario.ticket_update(number, priority=priority)
        await world.quiet()
    assert [effect.what["fields"] for effect in world.desk.journal if effect.verb == "update"] == [
        {"priority": "High"},
        {"priority": "Low"},
        {"priority": "High"},
    ]
