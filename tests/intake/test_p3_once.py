"""P3: every effect that adds to the desk happens once; while an outcome is unknown the ticket waits, looks, and only then writes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from envision_worker.ensono.connect import IMPOSSIBLE_HANDLE
from envision_worker.operations import Operations
from envision_worker.simulators.faults import FaultKind
from intake.queues import calls, desk_refuses, on_desk, receives, said, sent, state, texts, ticket, until
from worker.stories import fitting, only_request, virtual
from worlds.process import Died
from worlds.simulated import World

DONE_OR_NOT = tuple(kind for kind in FaultKind if kind not in {FaultKind.SLOW, FaultKind.HANG_BEFORE})
ADDING = {"create": "*/requests", "note": "*/notes", "file": "*/upload"}


def a_short_life(world: World) -> str:
    """A ticket with everything that adds to the desk."""
    number = ticket(world, ["said once."], shortDescription="once")
    world.ensono.scenario.attachment(number, "once.txt", b"once", "text/plain")
    return number


def assert_once(world: World, number: str) -> None:
    request = only_request(world)
    assert [note.text.count("said once.") for note in request.notes] == [1]
    assert [file.name for file in request.attachments] == ["once.txt"]
    assert set(world.ensono.tickets[number].returned_numbers) == {request.id}


# --- lost answers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ADDING)
@pytest.mark.parametrize("kind", DONE_OR_NOT)
@virtual
async def test_a_write_that_went_wrong_in_any_way_is_on_the_desk_once(
    tmp_path: Path, kind: FaultKind, what: str
) -> None:
    world = World(tmp_path, settings=fitting())
    number = a_short_life(world)
    on_desk(world, kind, method="P*", path=ADDING[what], seconds=40.0)
    async with world.working():
        await world.quiet()
    assert any(call.fault == kind for call in world.desk.calls)
    assert_once(world, number)


@virtual
async def test_a_write_that_shows_only_after_its_time_out_is_waited_for_and_others_go_on(tmp_path: Path) -> None:
    world = World(tmp_path, settings={"desk": {"settle_s": 60, "request_timeout_s": 10}})
    ticket(world, ["late but once."])
    ticket(world, ["not held up."])
    on_desk(world, FaultKind.HANG_BEFORE, path="*/requests/1/notes", seconds=65.0)
    async with world.working():
        await world.quiet()
    assert said(world, ["late but once.", "not held up."]) == ["not held up.", "late but once."]


@virtual
async def test_a_write_that_never_happened_is_sent_again_only_after_the_time_to_settle(tmp_path: Path) -> None:
    world = World(tmp_path, settings={"desk": {"settle_s": 60}})
    ticket(world, ["once."])
    on_desk(world, FaultKind.STATUS, path="*/notes", status=500)
    async with world.working():
        await world.quiet()
    failed, written = calls(world, "POST", "/notes")
    assert written.at - failed.at >= 60
    looks = [call.at for call in calls(world, "GET", "/notes") if call.at > failed.at]
    assert looks
    assert failed.at + 60 <= looks[0] <= written.at


# --- kills, redeliveries, operators ----------------------------------------------------------------------------------


@pytest.mark.parametrize("step", range(2, 82, 4))
@virtual
async def test_a_worker_killed_at_any_step_leaves_one_ticket_one_note_and_one_file(tmp_path: Path, step: int) -> None:
    world = World(tmp_path, settings=fitting())
    number = a_short_life(world)
    try:
        await world.start()
        world.life.dies_after = step
        await until(world, lambda: world.life.dead or not world.ensono.queue.messages())
    except Died:
        pass
    await world.kill()
    async with world.working():
        await world.quiet()
    assert_once(world, number)


@virtual
async def test_a_worker_killed_again_and_again_while_it_looks_for_what_it_wrote_writes_it_once(tmp_path: Path) -> None:
    world = World(tmp_path, settings=fitting())
    number = a_short_life(world)
    on_desk(world, FaultKind.LOSE_ANSWER, path="*/notes")
    await world.start()
    await until(world, lambda: said(world, ["said once."]))
    for seconds in (1, 61, 62, 65):
        await world.kill()
        await world.start()
        await world.clock.sleep(seconds)
    await world.kill()
    async with world.working() as worker:
        await world.inside(Operations(worker).retry(number))  # so many unclean ends want an operator
        await world.quiet()
    assert_once(world, number)


@pytest.mark.parametrize("again", [2, 5])
@virtual
async def test_a_message_delivered_any_number_of_times_has_its_effects_once(tmp_path: Path, again: int) -> None:
    world = World(tmp_path)
    number = ticket(world, ["said once."])
    world.ensono.queue.delete = forgetful(again, world.ensono.queue.delete)  # type: ignore[assignment]
    async with world.working():
        await world.quiet()
    assert sum(receives(world, message_id) for message_id in sent(world, number)) == 2 + again
    assert len(only_request(world).notes) == 1
    assert len(world.ensono.tickets[number].returned_numbers) == 1


def forgetful(times: int, delete: Callable[[str], None]) -> Callable[[str], None]:
    """Deletes that are answered and do nothing, so many times; SQS allows that of old handles."""
    left = [times]

    def forgets(handle: str) -> None:
        left[0] -= handle != IMPOSSIBLE_HANDLE
        if handle == IMPOSSIBLE_HANDLE or left[0] < 0:
            delete(handle)

    return forgets


@virtual
async def test_an_operators_retry_while_the_daemon_runs_has_the_same_result(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, ["said once.", "and then this."])
    [_, note, _] = sent(world, number)
    desk_refuses(world)
    async with world.working() as worker:
        await until(world, lambda: state(world, note) == "dead_letter", step_s=0.1)
        world.desk.faults.clear()
        await world.inside(Operations(worker).retry(note))
        assert said(world, ["said once.", "and then this."]) == ["said once.", "and then this."]
        await world.quiet()
    assert len(texts(world)) == 2


@virtual
async def test_two_operators_and_a_redelivery_at_the_same_moment_apply_it_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, ["said once."])
    [_, note] = sent(world, number)
    desk_refuses(world)
    async with world.working() as worker:
        await until(world, lambda: state(world, note) == "dead_letter", step_s=0.1)
        world.desk.faults.clear()
        on_desk(world, FaultKind.SLOW, path="*/notes", seconds=40.0)  # the redelivery comes while the first retry runs
        first = world._task(Operations(worker).retry(note), "first")
        await world.clock.sleep(1)
        await world.inside(Operations(worker).retry(note))
        await first
        await world.quiet()
    assert receives(world, note) > 1
    assert len(texts(world)) == 1


# --- messages that are alike -----------------------------------------------------------------------------------------


def copied(world: World, message_id: str) -> None:
    """Put a message into the queue once more, MessageId and all."""
    [original] = [each for each in world.ensono.queue.messages() if each.message_id == message_id]
    world.ensono.scenario.push(original.content)


@virtual
async def test_messages_with_one_message_id_in_one_read_are_one_message(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, ["said once."])
    copied(world, sent(world, number)[1])
    async with world.working():
        await world.quiet()
    assert len(texts(world)) == 1


@virtual
async def test_a_message_that_comes_again_under_its_id_after_it_was_deleted_is_only_deleted(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, ["said once."])
    [original] = [each for each in world.ensono.queue.messages() if each.message_id == sent(world, number)[1]]
    async with world.working():
        await world.quiet()
        world.ensono.scenario.push(original.content)
        await world.quiet()
    assert receives(world, original.message_id) == 2
    assert len(texts(world)) == 1
