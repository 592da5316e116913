"""P5: what an outage costs, however long it lasts, also across restarts; and an operator's pause, which works the same way."""

from pathlib import Path

from envision_worker.operations import Operations
from envision_worker.simulators.faults import FaultKind
from intake.queues import (
    calls,
    closed,
    desk_down,
    now,
    on_desk,
    reads,
    receives,
    said,
    sent,
    state,
    texts,
    ticket,
    until,
    writes,
)
from worker.stories import fitting, virtual
from worlds.simulated import World

A_MOMENT_S = 2.0
LONG_S = 3 * 3600.0
WORDS = ("a.", "b.", "c.", "d.")
SELDOM_S = 600.0
SELDOM = {"queue": {"poll_interval_s": SELDOM_S}, "approvals": {"poll_interval_s": 3600}}
"""For outages of hours and days."""


@virtual
async def test_no_message_loses_more_than_three_receives_to_an_outage_of_days(tmp_path: Path) -> None:
    world = World(tmp_path, settings=SELDOM)
    number = ticket(world, ["before."])
    async with world.working():
        await until(world, lambda: state(world, sent(world, number)[0]) == "applied", step_s=0.01)
        desk_down(world)
        for word in WORDS:
            world.ensono.scenario.notes(number, word)
            await world.clock.sleep(3600)
        await world.clock.sleep(1.5 * 86400)
        ended = now()
        in_it = {each: receives(world, each) for each in sent(world, number)}
        world.desk.faults.clear()
        await world.quiet()
    assert max(in_it.values()) <= 3
    assert reads(world, since=ended)[0].at - ended <= 2 * SELDOM_S
    assert world.ensono.queue.failure_queue == []
    assert said(world, WORDS) == list(WORDS)


@virtual
async def test_a_long_outage_is_worth_two_reads_that_save_copies_and_the_bytes_of_attachments(tmp_path: Path) -> None:
    world = World(tmp_path, settings=SELDOM)
    async with world.working():
        number = ticket(world)
        await world.quiet()
        desk_down(world)
        world.ensono.scenario.notes(number, "met it.")
        await until(world, lambda: closed(world))
        began = now()
        await world.clock.sleep(600)
        file = world.ensono.scenario.attachment(number, "saved.txt", b"saved", "text/plain")
        await until(world, lambda: state(world, file), within_s=LONG_S)
        assert now() - began < 7200 - 300  # before the link dies
        await world.clock.sleep(12 * 3600)
        assert len(world.events("saving_read")) == 2
        assert receives(world, file) <= 2
        assert [call.key_sent for call in world.ensono.bucket.calls] == [False]
        world.desk.faults.clear()
        await world.quiet()
    [request] = world.requests()
    assert [(each.name, each.content) for each in request.attachments] == [("saved.txt", b"saved")]
    assert len(world.ensono.bucket.calls) == 1


@virtual
async def test_a_short_outage_is_worth_none(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.working():
        ticket(world)
        await world.quiet()
        desk_down(world)
        ticket(world)
        await until(world, lambda: closed(world))
        began = now()
        await world.clock.sleep(3600)
        assert reads(world, since=began + A_MOMENT_S) == []


@virtual
async def test_with_nothing_in_the_queue_two_reads_are_made_all_the_same_however_often_the_worker_restarts(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, settings=SELDOM)
    desk_down(world)
    await world.start()
    for _ in range(3):
        await world.clock.sleep(LONG_S)
        await world.kill()
        await world.start()
    assert len(reads(world)) == len(world.events("saving_read")) == 2
    await world.kill()


# --- across restarts, and by hand ------------------------------------------------------------------------------------


@virtual
async def test_a_closed_gate_and_the_saving_reads_spent_survive_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path, settings=SELDOM)
    await world.start()
    number = ticket(world)
    await world.quiet()
    on_desk(
        world, FaultKind.STATUS, status=500, times=None
    )  # reads work: a probe at the start would find nothing amiss
    for word in WORDS:
        ticket(world, [word])
    await until(world, lambda: closed(world))
    world.ensono.scenario.notes(number, "behind it.")
    for _ in range(5):
        await world.clock.sleep(LONG_S / 3)
        await world.kill()
        await world.start()
    assert len(world.events("saving_read")) == 2
    most = max(receives(world, message.message_id) for message in world.ensono.queue.messages())
    assert most <= 3
    world.desk.faults.clear()
    await world.quiet()
    await world.stop()
    assert sorted(said(world, WORDS)) == list(WORDS)


@virtual
async def test_pause_keeps_the_queue_from_being_read_and_the_desk_from_being_written_to_also_after_a_restart(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    worker = await world.start()
    await world.clock.sleep(5)
    await world.inside(Operations(worker).pause())
    ticket(world, WORDS)
    began = now()
    await world.clock.sleep(LONG_S)
    await world.stop()
    worker = await world.start()
    await world.clock.sleep(LONG_S)
    assert reads(world, since=began) == []
    assert writes(world) == []
    await world.inside(Operations(worker).resume())
    resumed = now()
    await until(world, lambda: reads(world, since=began))
    assert now() - resumed < A_MOMENT_S
    await world.quiet()
    await world.stop()
    assert said(world, WORDS) == list(WORDS)


@virtual
async def test_what_is_under_way_when_an_operator_pauses_is_finished(tmp_path: Path) -> None:
    world = World(tmp_path, settings=fitting())
    number = ticket(world, WORDS)
    on_desk(world, FaultKind.SLOW, path="*/requests", seconds=5.0)
    async with world.working() as worker:
        await until(world, lambda: calls(world, "POST", "/requests"))
        await world.inside(Operations(worker).pause())
        await world.clock.sleep(60)
        assert state(world, sent(world, number)[0]) == "applied"
        assert texts(world) == []
