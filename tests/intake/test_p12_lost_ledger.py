"""P12: with an empty ledger the worker finds on the desk what an earlier one did, and makes nothing a second time."""

from pathlib import Path

import pytest

from envision_worker.simulators.faults import FaultKind
from intake.queues import on_desk, said, ticket, until, writes
from worker.stories import EDITIONS, fitting, only_request, verbs, virtual
from worlds.configuration import Edition
from worlds.process import Died
from worlds.simulated import World

WORDS = ("first.", "second.")


def a_life(world: World) -> str:
    """A ticket with everything that adds to the desk."""
    number = ticket(world, WORDS, shortDescription="once")
    world.ensono.scenario.attachment(number, "once.txt", b"once", "text/plain")
    world.ensono.scenario.ticket_resolve(number)
    return number


def assert_once(world: World, number: str) -> None:
    request = only_request(world)
    assert said(world, WORDS) == list(WORDS)
    assert [(file.name, file.content) for file in request.attachments] == [("once.txt", b"once")]
    assert set(world.ensono.tickets[number].returned_numbers) == {request.number}
    assert world.desk.setup.row("statuses", request.fields["status"]).name == "Resolved"


@pytest.mark.parametrize("step", range(4, 100, 6))
@virtual
async def test_a_worker_that_loses_its_ledger_at_any_step_makes_nothing_twice(tmp_path: Path, step: int) -> None:
    world = World(tmp_path, edition=EDITIONS[step % 4 // 2], settings=fitting())
    number = a_life(world)
    try:
        await world.start()
        world.life.dies_after = step
        await until(world, lambda: world.life.dead or not world.ensono.queue.messages())
    except Died:
        pass
    await world.kill()
    world.lose_ledger()
    async with world.working():
        await world.quiet()
    assert_once(world, number)


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_a_ticket_goes_on_after_the_ledger_was_lost_on_the_counterpart_that_it_had(
    tmp_path: Path, edition: Edition
) -> None:
    world = World(tmp_path, edition=edition, settings=fitting())
    async with world.working():
        number = ticket(world, WORDS[:1])
        await world.quiet()
    world.lose_ledger()
    async with world.working():
        world.ensono.scenario.notes(number, WORDS[1])
        await world.quiet()
    assert said(world, WORDS) == list(WORDS)
    assert verbs(world).count("create") == 1
    assert only_request(world).number == world.ensono.tickets[number].client_ticket_number


@pytest.mark.parametrize("behind_s", [0.0, 5 * 86400.0, -5 * 86400.0])
@pytest.mark.parametrize("path", ["*/requests", "*/notes", "*/upload"])
@virtual
async def test_a_write_whose_answer_and_whose_ledger_were_lost_is_found_on_the_desk(
    tmp_path: Path, path: str, behind_s: float
) -> None:
    world = World(tmp_path, settings=fitting())
    world.clock.skew_s = -behind_s
    number = a_life(world)
    on_desk(world, FaultKind.HANG_AFTER, method="P*", path=path, seconds=20.0)
    await world.start()
    await until(world, lambda: [call for call in writes(world) if call.path.endswith(path[1:])], step_s=0.05)
    await world.clock.sleep(1)  # it was carried out; the answer is on its way for twenty seconds
    await world.kill()
    world.lose_ledger()
    async with world.working():
        await world.quiet()
    assert_once(world, number)
