"""The wall clock is set while the worker runs: nothing is lost, done twice or out of order (P1, P3, P4), and nothing stands still."""

from pathlib import Path

import pytest

from envision_worker.operations import Operations
from envision_worker.simulators.faults import FaultKind
from intake.queues import closed, desk_down, desk_refuses, on_deletes, on_desk, reads, said, sent, state, ticket, until
from worker.stories import only_request, virtual
from worlds.simulated import World

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
YEARS_S = 12 * 365 * DAY_S
JUMPS = [-400 * DAY_S, -HOUR_S, HOUR_S, 5 * DAY_S, YEARS_S]
WORDS = ("a.", "b.", "c.")


@pytest.mark.parametrize("jump", JUMPS)
@virtual
async def test_in_the_middle_of_a_ticket_it_changes_nothing(tmp_path: Path, jump: float) -> None:
    world = World(tmp_path)
    number = ticket(world, WORDS)
    on_desk(world, FaultKind.STATUS, path="*/notes", status=500)
    async with world.working():
        await until(world, lambda: state(world, sent(world, number)[1]) == "retry_later", step_s=0.01)
        world.clock.skew_s = jump
        await world.quiet(within_s=1200)
        world.ensono.scenario.notes(number, "and on.")
        await world.quiet(within_s=120)
    assert said(world, [*WORDS, "and on."]) == [*WORDS, "and on."]


@pytest.mark.parametrize("jump", [-400 * DAY_S, YEARS_S])
@virtual
async def test_there_and_back_between_a_message_and_its_redelivery_it_is_not_applied_again(
    tmp_path: Path, jump: float
) -> None:
    world = World(tmp_path)
    async with world.working():
        number = ticket(world)
        await world.quiet()
        note = world.ensono.scenario.notes(number, WORDS[0])
        on_deletes(world, times=60)
        await until(world, lambda: state(world, note) == "applied")
        world.clock.skew_s = jump
        await world.clock.sleep(70)
        world.clock.skew_s = 0.0
        assert world.ensono.queue.messages()
        await world.quiet()
    assert len(only_request(world).notes) == 1


@pytest.mark.parametrize("jump", [-400 * DAY_S, YEARS_S])
@virtual
async def test_a_closed_gate_opens_in_time(tmp_path: Path, jump: float) -> None:
    world = World(tmp_path)
    async with world.working():
        await world.clock.sleep(5)
        desk_down(world)
        ticket(world, WORDS)
        await until(world, lambda: closed(world))
        world.clock.skew_s = jump
        await world.clock.sleep(120)
        world.desk.faults.clear()
        await world.quiet(within_s=180)
    assert said(world, WORDS) == list(WORDS)


@pytest.mark.parametrize("jump", [-HOUR_S, 5 * DAY_S, YEARS_S])
@virtual
async def test_a_dead_letter_is_tried_again_though_the_clock_was_wrong_when_it_became_one(
    tmp_path: Path, jump: float
) -> None:
    world = World(tmp_path, settings={"queue": {"max_receives": 2, "poll_interval_s": 60}})
    world.ensono.queue.max_receives = 2
    number = ticket(world, WORDS[:1])
    desk_refuses(world)
    world.clock.skew_s = jump
    async with world.working():
        await until(world, lambda: world.ensono.queue.failure_queue)
        await world.clock.sleep(HOUR_S)
        world.clock.skew_s = 0.0
        world.desk.faults.clear()
        await until(world, lambda: said(world, WORDS), within_s=7 * HOUR_S, step_s=60)
    assert state(world, sent(world, number)[1]) == "applied"


@virtual
async def test_the_marks_of_the_queue_move_on_after_a_jump_there_and_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.working() as worker:
        await world.clock.sleep(100)
        world.clock.skew_s = YEARS_S
        await world.clock.sleep(100)
        world.clock.skew_s = 0.0
        await world.clock.sleep(100)
        last = reads(world)[-1].at
        gauges = await world.inside(worker.gauges())
    assert gauges.last_drained == pytest.approx(last, abs=1)
    assert gauges.watermark == pytest.approx(last, abs=1)


@virtual
async def test_an_operators_pause_and_retry_do_not_depend_on_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, WORDS)
    desk_refuses(world)
    async with world.working() as worker:
        await until(world, lambda: state(world, sent(world, number)[1]) == "dead_letter")
        world.clock.skew_s = -YEARS_S
        world.desk.faults.clear()
        await world.inside(Operations(worker).retry(number))
    assert said(world, WORDS) == list(WORDS)


@virtual
async def test_what_came_first_while_the_clock_was_behind_is_looked_for_also_once_it_is_right(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, ["once."])
    on_desk(world, FaultKind.HANG_AFTER, path="*/notes", seconds=20.0)
    await world.start()
    await until(world, lambda: said(world, ["once."]), step_s=0.05)
    await world.kill()
    world.lose_ledger()
    world.clock.skew_s = -5 * DAY_S
    on_desk(world, FaultKind.STATUS, method="GET", path="*/notes", status=500)
    await world.start()
    await until(world, lambda: state(world, sent(world, number)[1]) == "retry_later")
    world.clock.skew_s = 0.0
    await world.quiet()
    await world.kill()
    assert said(world, ["once."]) == ["once."]
