"""P3: two ledgers on one queue are not supported, and receive counts that grow faster than the worker's own reads are reported."""

from pathlib import Path

from envision_worker.simulators.faults import Fault, FaultKind
from intake.queues import desk_refuses, on_desk, receives, sent, state, ticket, until
from worker.stories import virtual
from worlds.simulated import World


@virtual
async def test_receive_counts_that_grow_without_our_reads_are_reported(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, ["a note"])
    on_desk(world, FaultKind.STATUS, path="*/notes", status=500)
    async with world.working():
        await until(world, lambda: state(world, sent(world, number)[1]) == "retry_later")
        [mine] = [each for each in world.ensono.queue.messages() if each.message_id == sent(world, number)[1]]
        mine.receives += 1  # somebody else read it in between
        assert not world.events("foreign_reader")
        await world.quiet()
    [told] = world.events("foreign_reader")
    assert told["message_id"] == mine.message_id
    assert told["seen"] == told["expected"] + 1


@virtual
async def test_a_new_message_that_somebody_else_received_before_us_is_reported(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.working():
        await world.clock.sleep(5)
        number = ticket(world)
        world.ensono.queue.receive()
        await until(world, lambda: receives(world, sent(world, number)[0]) == 2)
        await world.quiet()
    [told] = world.events("foreign_reader")
    assert (told["expected"], told["seen"]) == (1, 2)


@virtual
async def test_our_own_lost_reads_are_no_foreign_reader(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world)
    world.ensono.faults.add(Fault(FaultKind.LOSE_ANSWER, method="GET", path="*/queue", times=2))
    async with world.working():
        await world.quiet()
    assert receives(world, sent(world, number)[0]) == 3
    assert not world.events("foreign_reader")


@virtual
async def test_what_an_earlier_process_received_is_no_foreign_reader(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, ["a note"])
    desk_refuses(world)
    await world.start()
    await until(world, lambda: receives(world, sent(world, number)[1]) > 2)
    await world.kill()
    world.desk.faults.clear()
    async with world.working():
        await world.quiet()
    assert not world.events("foreign_reader")
