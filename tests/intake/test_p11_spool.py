"""P11: bytes are fetched for as long as their link lives and kept for as long as they may be wanted; a spool that fails costs only files."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from envision_worker.simulators.faults import Fault, FaultKind
from intake.queues import desk_down, desk_refuses, on_desk, reads, receives, sent, state, ticket, until
from worker.stories import fitting, only_request, story, virtual
from worlds.simulated import World

HOUR_S = 3600.0
NOBODY = 65534


def contents(world: World) -> list[bytes]:
    return [file.content for file in only_request(world).attachments]


def spooled(world: World) -> list[Path]:
    return sorted(world.config.attachments.spool_dir.glob("*"))


# --- while the link lives ----------------------------------------------------------------------------------------------


@virtual
async def test_a_download_that_failed_is_tried_again_while_its_message_waits_behind_a_dead_letter(
    tmp_path: Path,
) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        number = ticket(world, ["a note that the desk refuses"])
        desk_refuses(world, "*/notes")
        world.ensono.scenario.attachment(number, "dump.txt", b"important")
        world.unreachable.add("bucket")
        await until(world, lambda: len(world.ensono.queue.failure_queue) == 2)
        world.unreachable.clear()
        await until(world, lambda: spooled(world), within_s=600.0)
        await world.clock.sleep(3 * HOUR_S)
        world.desk.faults.clear()
        await until(world, lambda: only_request(world).attachments, within_s=12 * HOUR_S)
    assert contents(world) == [b"important"]
    assert len(only_request(world).notes) == 1


@virtual
async def test_a_restart_while_the_desk_is_down_goes_on_fetching(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        number = ticket(world)
        await world.quiet()
        desk_down(world)
        world.unreachable.add("bucket")
        world.ensono.scenario.attachment(number, "dump.txt", b"important")
        await until(world, lambda: world.events("attachment_not_fetched"))
        await world.kill()
        world.unreachable.clear()
        before = len(reads(world))
        await world.start()
        await until(world, lambda: spooled(world), within_s=60.0)
        assert len(reads(world)) == before
        await world.clock.sleep(3 * HOUR_S)
        world.desk.faults.clear()
        await world.quiet()
    assert contents(world) == [b"important"]
    assert only_request(world).notes == []


@virtual
async def test_while_the_place_of_the_files_is_down_it_is_called_now_and_then_and_no_more_once_the_link_is_dead(
    tmp_path: Path,
) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        number = ticket(world)
        await world.quiet()
        desk_down(world)
        world.ensono.faults.add(Fault(FaultKind.STATUS, path="/bucket/*", status=503, times=None))
        world.ensono.scenario.attachment(number, "dump.txt", b"important")
        await world.clock.sleep(2.2 * HOUR_S)
        tries = len(world.events("attachment_not_fetched"))
        assert 12 <= tries <= 30
        await world.clock.sleep(HOUR_S)
        assert len(world.events("attachment_not_fetched")) == tries


# --- a ledger that was lost --------------------------------------------------------------------------------------------


@virtual
async def test_a_start_on_an_empty_ledger_leaves_the_files_in_the_spool_for_messages_that_come_again(
    tmp_path: Path,
) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        number = ticket(world)
        await world.quiet()
        desk_down(world)
        world.ensono.scenario.attachment(number, "once.txt", b"once")
        await until(world, lambda: spooled(world))
        await world.kill()
        world.lose_ledger()
        await world.start()
        await world.clock.sleep(3 * HOUR_S)
        world.desk.faults.clear()
        await world.quiet()
    assert contents(world) == [b"once"]
    assert only_request(world).notes == []
    assert len(world.ensono.bucket.calls) == 1


@virtual
async def test_a_message_that_was_hidden_when_the_ledger_was_lost_finds_its_file_yet(tmp_path: Path) -> None:
    """The first reads on the new ledger find the queue drained: what the process before hid is not among what they bring."""
    async with story(tmp_path, settings=fitting(queue={"poll_interval_s": 1.0})) as world:
        number = ticket(world)
        await world.quiet()
        on_desk(world, FaultKind.HANG_BEFORE, method="*", path="*upload*", seconds=20.0)
        world.ensono.scenario.attachment(number, "once.txt", b"once")
        await until(world, lambda: spooled(world))
        await world.kill()
        world.lose_ledger()
        await world.start()
        await world.clock.sleep(20.0)
        assert [reads(world)[-1].message_ids, len(spooled(world))] == [(), 1]
        await world.quiet()
    assert contents(world) == [b"once"]
    assert len(world.ensono.bucket.calls) == 1


@virtual
async def test_what_no_message_wants_any_more_leaves_the_spool_once_everything_has_come_again(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        spool = world.config.attachments.spool_dir
        spool.mkdir(parents=True)
        (spool / "stranger").write_bytes(b"settled by a ledger that was lost")
        (spool / "half.part").write_bytes(b"not even whole")
        await world.clock.sleep(1.0)
        assert spooled(world) == [spool / "stranger"]
        await world.clock.sleep(300.0)
        assert spooled(world) == []


# --- a spool that fails --------------------------------------------------------------------------------------------------


@contextmanager
def unusable(spool: Path, how: str) -> Iterator[None]:
    """For a while the spool is no folder, or one of somebody else's."""
    spool.mkdir(parents=True, exist_ok=True)
    if how == "a file":
        spool.rmdir()
        spool.touch()
        yield
        spool.unlink()
        spool.mkdir()
        return
    user, mode = os.geteuid(), spool.stat().st_mode
    spool.chmod(0)
    if user == 0:  # root may look everywhere
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        spool.chmod(mode)


@pytest.mark.parametrize("how", ["a file", "somebody else's"])
@virtual
async def test_a_spool_that_can_not_be_used_any_more_costs_no_other_ticket_anything(tmp_path: Path, how: str) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        await world.clock.sleep(5.0)
        with unusable(world.config.attachments.spool_dir, how):
            with_file = ticket(world)
            world.ensono.scenario.attachment(with_file, "a.txt", b"a")
            others = [ticket(world) for _ in range(3)]
            await world.clock.sleep(200.0)
            assert [state(world, sent(world, other)[0]) for other in others] == ["applied"] * 3
            assert [receives(world, sent(world, other)[0]) for other in others] == [1] * 3
            assert state(world, sent(world, with_file)[1]) == "retry_later"
            told = world.events("attachment_not_fetched")[-1]
            assert told["reason"] == "spool_full"
            assert world.worker is not None
            assert (await world.inside(world.worker.gauges())).spool_bytes is None
        await world.quiet()
        [request] = [each for each in world.requests() if each.attachments]
    assert [file.content for file in request.attachments] == [b"a"]
