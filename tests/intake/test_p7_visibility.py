"""P7: the window counts from sending the read; nothing is begun that can't end in it, and what outlives it is finished all the same."""

from pathlib import Path

import pytest

from envision_worker.simulators.faults import Fault, FaultKind
from intake.queues import (
    WINDOW_S,
    calls,
    deleted,
    now,
    on_desk,
    reads,
    receives,
    said,
    sent,
    texts,
    ticket,
    until,
)
from worker.stories import fitting, only_request, virtual
from worlds.simulated import World

WORDS = tuple(f"word{number}." for number in range(6))


def slow_notes(world: World, seconds: float) -> None:
    """Each note takes the desk so long."""
    on_desk(world, FaultKind.SLOW, path="*/notes", seconds=seconds, times=None)


def left_at_each_note(world: World) -> list[tuple[float, bool]]:
    """For each note, as it was sent: how much of its window was left, and whether it was the first of its read."""
    left = []
    seen: set[float] = set()
    for call in calls(world, "POST", "/notes"):
        read = [entry.at for entry in reads(world) if entry.message_ids and entry.at <= call.at][-1]
        left.append((read + WINDOW_S - call.at, read not in seen))
        seen.add(read)
    return left


@virtual
async def test_what_can_not_be_expected_to_end_in_the_window_is_left_for_the_next_read(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world)
    async with world.working():
        await world.quiet()
        for word in WORDS:
            world.ensono.scenario.notes(number, word)
        slow_notes(world, 12.0)
        await world.quiet()
    assert said(world, WORDS) == list(WORDS)
    begun = left_at_each_note(world)
    assert all(left >= 12.0 for left, first in begun if not first)
    assert sum(not first for _, first in begun) >= 2  # more than one of a read, where it fits
    assert len(texts(world)) == len(WORDS)


@virtual
async def test_a_desk_slower_than_the_window_still_gets_one_message_through_with_each_read(tmp_path: Path) -> None:
    world = World(tmp_path, settings={"desk": {"request_timeout_s": 120}, "queue": {"poll_interval_s": 30}})
    number = ticket(world)
    async with world.working():
        await world.quiet()
        for word in WORDS[:3]:
            world.ensono.scenario.notes(number, word)
        slow_notes(world, 45.0)
        await world.quiet()
    assert said(world, WORDS) == list(WORDS[:3])
    assert len(calls(world, "POST", "/notes")) == 3
    assert sorted(deleted(world)) == sorted(sent(world, number))
    assert all(first for _, first in left_at_each_note(world)[1:])


@virtual
async def test_what_outlives_its_window_is_recorded_and_deleted_at_its_redelivery_without_being_done_again(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, settings=fitting(desk={"request_timeout_s": 120}))
    number = ticket(world)
    [create] = sent(world, number)
    on_desk(world, FaultKind.SLOW, path="*/requests", seconds=50.0)
    async with world.working():
        await world.quiet()
    assert receives(world, create) > 1
    assert deleted(world) == [create]
    assert len(calls(world, "POST", "/requests")) == 1
    assert len(world.ensono.tickets[number].returned_numbers) == 1


@virtual
async def test_the_window_counts_from_sending_the_read_not_from_its_answer(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world)
    async with world.working():
        await world.quiet()
        slow_notes(world, 8.0)
        world.ensono.scenario.notes(number, "measured.")
        await world.quiet()
        world.ensono.faults.add(Fault(FaultKind.HANG_AFTER, method="GET", path="*/queue", seconds=20.0))
        for word in WORDS[:2]:
            world.ensono.scenario.notes(number, word)
        await world.quiet()
    measured, first, second = calls(world, "POST", "/notes")
    slow_read = next(entry for entry in reads(world) if sent(world, number)[2] in entry.message_ids)
    assert 20 <= first.at - slow_read.at < WINDOW_S
    assert second.at > slow_read.at + WINDOW_S  # 8 s would have fitted into 30, not into the 10 that were left
    assert said(world, WORDS) == list(WORDS[:2])
    assert measured.at < slow_read.at


@virtual
async def test_a_message_that_comes_again_while_it_is_worked_on_is_not_begun_a_second_time(tmp_path: Path) -> None:
    world = World(tmp_path, settings={"desk": {"request_timeout_s": 300}})
    number = ticket(world)
    async with world.working():
        await world.quiet()
        world.ensono.scenario.notes(number, "slow.")
        slow_notes(world, 200.0)
        while not texts(world):
            world.ensono.scenario.incident_create()  # so that there is something to read for
            await world.clock.sleep(20)
        await world.quiet()
    [note] = sent(world, number)[1:]
    assert receives(world, note) > 1
    assert len(calls(world, "POST", "/notes")) == 1
    assert len(texts(world)) == 1


@virtual
async def test_the_next_process_does_not_begin_again_what_the_last_one_was_in_the_middle_of(tmp_path: Path) -> None:
    world = World(tmp_path, settings={"desk": {"request_timeout_s": 300, "settle_s": 120}})
    number = ticket(world)
    await world.start()
    await world.quiet()
    world.ensono.scenario.notes(number, "slow.")
    on_desk(world, FaultKind.HANG_BEFORE, path="*/notes", seconds=100.0)
    await until(world, lambda: calls(world, "POST", "/notes"))
    await world.kill()
    await world.start()
    await world.quiet()
    await world.stop()
    assert len(calls(world, "POST", "/notes")) == 1
    assert len(only_request(world).notes) == 1


@pytest.mark.parametrize("kind", [FaultKind.LOSE_ANSWER, FaultKind.TRUNCATED, FaultKind.HANG_AFTER])
@virtual
async def test_a_read_whose_answer_was_lost_is_counted_and_its_window_waited_out(
    tmp_path: Path, kind: FaultKind
) -> None:
    world = World(tmp_path, settings={"ensono": {"request_timeout_s": 5}, "queue": {"poll_interval_s": 1}})
    number = ticket(world, WORDS)
    world.ensono.faults.add(Fault(kind, method="GET", path="*/queue", seconds=60.0))
    async with world.working():
        await world.quiet()
    lost, after, *_ = reads(world)
    assert len(lost.message_ids) == 1 + len(WORDS)
    assert after.at - lost.at >= WINDOW_S - 0.1  # the worker's window begins with its sending, a moment earlier
    assert len(world.events("read_lost")) == 1
    assert not world.events("foreign_reader")
    assert max(receives(world, each) for each in sent(world, number)) == 2
    assert said(world, WORDS) == list(WORDS)


@virtual
async def test_an_expired_handle_costs_nothing_but_a_redelivery(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, WORDS)
    world.ensono.queue.visibility_s = 0.01  # handles have always expired when they come to be used
    began = now()
    async with world.working():
        await until(world, lambda: len(world.requests()) == 1)
        world.ensono.queue.visibility_s = WINDOW_S
        await world.quiet()
    assert world.events("acknowledge_failed")
    assert all(line["expired"] for line in world.events("acknowledge_failed"))
    assert said(world, WORDS) == list(WORDS)
    assert len(only_request(world).notes) == len(WORDS)
    assert now() - began < 600
    assert sorted(deleted(world)) == sorted(sent(world, number))
