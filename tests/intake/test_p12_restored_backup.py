"""P12: a backup that takes the ledger's place knows nothing of what came about after it: that is found on the desk."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from envision_worker.operations import Operations
from envision_worker.report import Result
from envision_worker.simulators.faults import FaultKind
from intake.queues import calls, on_desk, said, sent, state, ticket, unclean_ends, until
from worker.stories import EDITIONS, fitting, only_request, verbs, virtual
from worlds.backups import Backups
from worlds.changes import CAB, SECOND, ChangeWorld
from worlds.configuration import Edition
from worlds.simulated import World

LONG_S = 4000.0
"""Longer than two clocks may be apart."""
SELDOM = {"poll_interval_s": 300.0}
"""For hours."""
WORDS = ("first.", "second.")


# --- what was not applied yet -----------------------------------------------------------------------------------------


async def closed_since(world: World, backups: Backups) -> str:
    """Two updates wait when the backup is made; then they are applied, and the ticket is closed."""
    number = ticket(world)
    await world.quiet()
    await world.clock.sleep(LONG_S)
    on_desk(world, FaultKind.STATUS, method="PUT", status=503, times=None)
    for title in ("monday", "tuesday"):
        world.ensono.scenario.ticket_update(number, shortDescription=title, status="open")
    await until(world, lambda: state(world, sent(world, number)[1]) == "retry_later")
    backups.make()
    world.desk.faults.clear()
    await world.quiet()
    world.ensono.scenario.ticket_close(number)
    await world.quiet()
    await world.clock.sleep(LONG_S)
    return number


@virtual
async def test_what_waited_in_the_copy_and_was_applied_since_is_listed_and_can_be_discarded(tmp_path: Path) -> None:
    world = World(tmp_path, settings=fitting(queue=SELDOM))
    backups = Backups(world, tmp_path)
    async with world.working():
        number = await closed_since(world, backups)
        stood = dict(only_request(world).fields)
        await backups.put_back(paused=True)
        assert world.worker is not None
        operations = Operations(world.worker)
        dead = await world.worker.parts.ledger.messages.dead_letters()
        assert [(each.message_id, each.reason) for each in dead] == [
            (each, "restored") for each in sent(world, number)[1:3]
        ]
        for _ in dead:
            report = await world.inside(operations.discard(number, "applied before the restore"))
            assert report.result is Result.DONE
        await world.inside(operations.resume())
        await world.clock.sleep(2 * LONG_S)
    assert only_request(world).fields == stood
    assert [state(world, each) for each in sent(world, number)[:3]] == ["applied", "discarded", "discarded"]


@virtual
async def test_what_waited_in_the_copy_and_nobody_discards_is_applied_from_it(tmp_path: Path) -> None:
    world = World(tmp_path, settings=fitting(queue=SELDOM))
    backups = Backups(world, tmp_path)
    async with world.working():
        number = await closed_since(world, backups)
        await backups.put_back()
        await world.clock.sleep(2 * LONG_S)
    assert [state(world, each) for each in sent(world, number)[:3]] == ["applied"] * 3
    assert only_request(world).fields["subject"] == "tuesday"


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_what_followed_a_create_that_was_on_its_way_when_the_backup_was_made_is_not_added_again(
    tmp_path: Path, edition: Edition
) -> None:
    world = World(tmp_path, edition=edition, settings=fitting(queue=SELDOM))
    backups = Backups(world, tmp_path)
    backups.make_once("SELECT 1 FROM effects WHERE key = 'create:1' AND outcome IS NULL")
    async with world.working():
        number = ticket(world, WORDS[:1])
        world.ensono.scenario.attachment(number, "once.txt", b"once", "text/plain")
        await world.quiet()
        await world.clock.sleep(LONG_S)
        await backups.put_back()
        world.ensono.scenario.notes(number, WORDS[1])
        await world.quiet()
        await world.clock.sleep(LONG_S)
    assert said(world, WORDS) == list(WORDS)
    assert [file.name for file in only_request(world).attachments] == ["once.txt"]
    assert unclean_ends(world) == 0
    assert set(world.ensono.tickets[number].returned_numbers) == {world.ensono.tickets[number].client_ticket_number}


# --- what stands for a ticket by now ----------------------------------------------------------------------------------


Replaced = Callable[[World, str], Awaitable[None]]


async def opened_again(world: World, number: str) -> None:
    """Resolved and opened again; the policy makes another ticket of it."""
    world.ensono.scenario.ticket_resolve(number)
    await world.quiet()
    world.ensono.scenario.ticket_reopen(number)


async def trashed(world: World, number: str) -> None:
    """Someone throws it away, and the next message makes another."""
    world.desk.people.trash("request", only_request(world).number)
    world.ensono.scenario.ticket_update(number, shortDescription="again")


async def redrafted(world: World, number: str) -> None:
    """A change goes back to New, and is assessed again."""
    world.ensono.scenario.change_redraft(number)
    await world.quiet()
    world.ensono.scenario.change_state(number, "Assess")


async def assessed_again(world: World, number: str) -> None:
    """A change that is scheduled is assessed again, though no Redraft came."""
    world.ensono.scenario.change_state(number, "Scheduled")
    await world.quiet()
    world.ensono.scenario.change_state(number, "Assess")


async def replaced_since(world: World, backups: Backups, replaced: Replaced) -> str:
    """A backup, after which another ticket takes the place of the one that it knows; it is put back."""
    scenario = world.ensono.scenario
    is_change = replaced in {redrafted, assessed_again}
    number = scenario.change_create() if is_change else scenario.incident_create()
    await world.quiet()
    await world.clock.sleep(LONG_S)
    backups.make()
    await replaced(world, number)
    await world.quiet()
    await world.clock.sleep(LONG_S)
    assert verbs(world).count("create") == 2
    await backups.put_back()
    return number


REPLACED = pytest.mark.parametrize("replaced", [opened_again, trashed, redrafted, assessed_again])


@REPLACED
@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_a_message_goes_to_the_ticket_that_took_its_place_after_the_backup_was_made(
    tmp_path: Path, edition: Edition, replaced: Replaced
) -> None:
    world = World(tmp_path, edition=edition, settings=fitting(policy={"reopen": "new_ticket"}, queue=SELDOM))
    backups = Backups(world, tmp_path)
    async with world.working():
        number = await replaced_since(world, backups, replaced)
        if replaced in {redrafted, assessed_again}:
            world.ensono.scenario.change_state(number, "Authorize", transaction_type="Update")
        else:
            world.ensono.scenario.ticket_update(number, status="workingprogress")
        for word in WORDS:
            world.ensono.scenario.notes(number, word)
            await world.quiet()
            await world.clock.sleep(LONG_S)
    tickets = [*world.requests(), *world.changes()]
    assert verbs(world).count("create") == 2
    assert [word for word in WORDS for note in tickets[-1].notes if word in note.text] == list(WORDS)
    assert len(set(world.ensono.tickets[number].returned_numbers)) == 2


@virtual
async def test_the_desk_is_asked_once_for_each_ticket_that_has_ended_and_not_for_one_that_is_open(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, settings=fitting(policy={"reopen": "comments"}, queue=SELDOM))
    backups = Backups(world, tmp_path)
    async with world.working():
        numbers = [ticket(world), ticket(world)]
        world.ensono.scenario.ticket_resolve(numbers[0])
        await world.quiet()
        await world.clock.sleep(LONG_S)
        backups.make()
        await backups.put_back()
        await world.clock.sleep(LONG_S)
        before = len(calls(world, "GET", "/requests"))
        searches: list[int] = []
        for number in [*numbers, *numbers]:
            world.ensono.scenario.notes(number, WORDS[0])
            await world.quiet()
            await world.clock.sleep(LONG_S)
            searches.append(len([each for each in calls(world, "GET", "/requests")[before:] if number in each.query]))
    assert searches == [1, 0, 1, 0]


@virtual
async def test_an_open_ticket_that_people_copied_stays_the_one(tmp_path: Path) -> None:
    world = World(tmp_path, settings=fitting(queue=SELDOM))
    backups = Backups(world, tmp_path)
    async with world.working():
        number = ticket(world, shortDescription="ours")
        await world.quiet()
        backups.make()
        await world.clock.sleep(LONG_S)
        ours = only_request(world)
        copied = world.desk.people.open_request("theirs", udf_fields=ours.fields["udf_fields"])
        await backups.put_back()
        world.ensono.scenario.notes(number, WORDS[0])
        await world.quiet()
    assert [WORDS[0] in note.text for note in ours.notes] == [True]
    assert world.desk.ticket("request", copied).notes == []


# --- approvals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("then", ["a note follows", "nothing follows"])
@pytest.mark.parametrize(("edition", "asked_on"), [("on_premises", "the same change"), ("cloud", "a new one")])
@virtual
async def test_an_approval_that_was_asked_for_after_the_backup_was_made_is_found_and_its_decision_sent(
    tmp_path: Path, edition: Edition, asked_on: str, then: str
) -> None:
    world = ChangeWorld(tmp_path, edition=edition, settings={"queue": SELDOM})
    backups = Backups(world, tmp_path)
    scenario = world.ensono.scenario
    async with world.working():
        number = scenario.change_create(approvers=[("Carla", CAB)] if asked_on == "a new one" else [])
        await world.settled()
        await world.clock.sleep(LONG_S)
        backups.make()
        if asked_on == "a new one":
            await redrafted(world, number)
        scenario.approval_request(number, approver_name="Second", approver_email=SECOND)
        await world.settled()
        await world.clock.sleep(LONG_S)
        await backups.put_back()
        if then == "a note follows":
            scenario.notes(number, WORDS[0])
            await world.settled()
        await world.polls()
        await world.approve(number, approver=SECOND)
        await world.polls()
        waiting = (await world.worker_gauges()).approvals_waiting
    assert [each.approver for each in world.decisions(number)][-1] == SECOND
    assert len(world.changes()) == (2 if asked_on == "a new one" else 1)
    assert waiting == 0
