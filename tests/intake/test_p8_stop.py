"""P8: told to stop, it reads no more, finishes what runs within the grace, and records as unknown what it has to cut off."""

from pathlib import Path

from envision_worker.simulators.faults import Fault, FaultKind
from envision_worker.simulators.manageengine.throttle import SENTENCE
from intake.queues import (
    calls,
    closed,
    deleted,
    now,
    on_desk,
    opened,
    reads,
    said,
    sent,
    state,
    ticket,
    unclean_ends,
    until,
)
from worker.stories import fitting, only_request, virtual
from worlds.simulated import World

WORDS = ("a.", "b.", "c.")
GRACE_S = 20.0


def unknown_effects(world: World) -> int:
    """How many effects have no outcome."""
    return int(world.store.execute("SELECT count(*) FROM effects WHERE outcome IS NULL").fetchone()[0])


@virtual
async def test_what_runs_is_finished_and_deleted_and_nothing_more_is_begun_or_read(tmp_path: Path) -> None:
    world = World(tmp_path, settings=fitting())
    number = ticket(world, WORDS)
    on_desk(world, FaultKind.SLOW, path="*/requests", seconds=15.0)
    await world.start()
    await until(world, lambda: calls(world, "POST", "/requests"), step_s=0.1)
    told = now()
    assert await world.stop()
    assert now() - told <= GRACE_S
    assert deleted(world) == sent(world, number)[:1]
    assert said(world, WORDS) == []
    assert reads(world, since=told) == []
    assert unknown_effects(world) == unclean_ends(world) == 0
    async with world.working():
        await world.quiet()
    assert said(world, WORDS) == list(WORDS)


@virtual
async def test_what_is_still_out_after_the_grace_is_cut_off_recorded_as_unknown_and_looked_for_later(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, settings=fitting())
    ticket(world, WORDS)
    on_desk(world, FaultKind.HANG_AFTER, path="*/requests", seconds=60.0)
    await world.start()
    await until(world, lambda: calls(world, "POST", "/requests"), step_s=0.1)
    told = now()
    assert not await world.stop()
    assert now() - told <= GRACE_S + 0.5
    assert deleted(world) == []
    assert unknown_effects(world) == 1
    assert unclean_ends(world) == 0
    async with world.working():
        await world.quiet()
    assert len(only_request(world).notes) == len(WORDS)
    assert [line["happened"] for line in world.events("outcome_found")] == [True]
    assert unknown_effects(world) == unclean_ends(world) == 0


@virtual
async def test_the_answer_of_a_read_in_flight_is_kept_but_not_worked_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, WORDS)
    world.ensono.faults.add(Fault(FaultKind.HANG_AFTER, method="GET", path="*/queue", seconds=10.0))
    await world.start()
    await until(world, lambda: reads(world), step_s=0.1)
    assert await world.stop()
    assert [state(world, each) for each in sent(world, number)] == ["waiting"] * 4
    assert world.requests() == []
    async with world.working():
        await world.quiet()
    assert said(world, WORDS) == list(WORDS)


@virtual
async def test_at_rest_it_stops_at_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.start()
    await world.clock.sleep(100)
    told = now()
    assert await world.stop()
    assert now() - told < 0.1


@virtual
async def test_a_stop_in_an_outage_leaves_the_gate_closed_for_the_next_start(tmp_path: Path) -> None:
    world = World(tmp_path, settings=fitting(queue={"poll_interval_s": 10.0}))
    await world.start()
    slow = ticket(world)
    await world.quiet()
    ticket(world)
    world.ensono.scenario.notes(slow, WORDS[0])
    on_desk(world, FaultKind.STATUS, path="*/requests", status=400, body=SENTENCE.encode(), times=None)
    on_desk(world, FaultKind.HANG_AFTER, path="*/notes", seconds=25.0)
    await until(world, lambda: closed(world), step_s=0.05)
    began = now()
    for _ in range(3):  # the first stop takes until the grace is over, and the gate is tried meanwhile
        await world.stop()
        await world.start()
        await world.clock.sleep(5)
    await world.stop()
    assert opened(world) == []
    assert reads(world, since=began) == []
