"""What may be said of the queue while several reads are under way."""

import asyncio
import random
from pathlib import Path

import pytest

from envision_worker.intake.watermarks import UnderWay, Watermarks
from envision_worker.ledger.database import InlineDatabase, connect
from envision_worker.ledger.sqlite import SqliteLedger
from envision_worker.simulators.faults import Fault, FaultKind
from intake.queues import POLL_S, WINDOW_S, reads, sent, state, ticket, until
from worker.stories import virtual
from worlds.simulated import World
from worlds.virtual_time import START

NOW = 1000.0


class Marks:
    """Watermarks with a ledger of their own."""

    def __init__(self) -> None:
        self.marks = Watermarks()
        self._ledger = SqliteLedger(":memory:", InlineDatabase(connect(":memory:")))

    def sends(self, at: float, *, nothing_hidden: bool = True, all_seen: bool = True) -> UnderWay:
        return self.marks.begin(at, nothing_hidden=nothing_hidden, all_seen=all_seen)

    def brings(self, read: UnderWay, oldest: float | None, *, full: bool, now: float = NOW) -> None:
        asyncio.run(self.marks.came(self._ledger, read, now=now, full=full, oldest_sent=oldest))

    def recalled(self) -> Watermarks:
        return asyncio.run(Watermarks.recalled(self._ledger))


def test_a_short_read_alone_with_nothing_hidden_drains_the_queue() -> None:
    told = Marks()
    told.brings(told.sends(50.0), None, full=False)
    assert (told.marks.drained, told.marks.watermark) == (50.0, 50.0)
    recalled = told.recalled()
    assert (recalled.drained, recalled.watermark) == (50.0, 50.0)


def test_a_short_read_while_something_is_hidden_does_not() -> None:
    told = Marks()
    told.brings(told.sends(50.0, nothing_hidden=False), 40.0, full=False)
    assert (told.marks.drained, told.marks.watermark) == (None, None)


@pytest.mark.parametrize("answered_first", [0, 1])
def test_a_short_read_with_another_under_way_at_any_time_does_not(answered_first: int) -> None:
    told = Marks()
    both = [told.sends(50.0), told.sends(50.1)]
    told.brings(both.pop(answered_first), None, full=False)
    told.brings(both[0], None, full=False)
    assert told.marks.drained is None


def test_a_full_read_alone_reaches_as_far_as_the_oldest_that_it_brought() -> None:
    told = Marks()
    told.brings(told.sends(50.0), 20.0, full=True)
    assert told.marks.watermark == 20.0


def test_what_an_older_read_may_still_bring_is_waited_for() -> None:
    told = Marks()
    first, second = told.sends(50.0), told.sends(50.1)
    told.brings(second, 30.0, full=True)
    assert told.marks.watermark is None
    told.brings(first, 20.0, full=True)
    assert told.marks.watermark == 20.0


def test_what_a_newer_read_brought_meanwhile_counts_too() -> None:
    told = Marks()
    first, second = told.sends(50.0), told.sends(50.1)
    told.brings(second, 10.0, full=False)
    told.brings(first, 20.0, full=True)
    assert told.marks.watermark == 10.0


def test_nothing_is_claimed_beside_a_read_whose_answer_was_lost() -> None:
    told = Marks()
    first, second = told.sends(50.0), told.sends(50.1)
    told.brings(second, 30.0, full=True)
    told.marks.failed(first, now=NOW, lost=True)
    assert told.marks.watermark is None


def test_nothing_is_claimed_while_what_a_lost_read_took_may_be_hidden() -> None:
    told = Marks()
    told.brings(told.sends(50.0, all_seen=False), 20.0, full=True)
    assert told.marks.watermark is None


def test_a_read_that_was_not_carried_out_stands_in_nobodys_way() -> None:
    told = Marks()
    first, second = told.sends(50.0), told.sends(50.1)
    told.brings(second, 30.0, full=True)
    told.marks.failed(first, now=NOW, lost=False)
    assert told.marks.watermark == 30.0


def test_a_mark_does_not_go_back_unless_it_lies_in_the_future() -> None:
    told = Marks()
    told.brings(told.sends(5000.0), None, full=False, now=5000.0)  # the clock was wrong
    told.brings(told.sends(NOW - 1), 900.0, full=True)
    assert told.marks.watermark == 900.0
    told.brings(told.sends(NOW), 800.0, full=True)
    assert told.marks.watermark == 900.0


# --- in a world --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
def test_nothing_that_was_sent_before_the_watermark_is_unknown_whatever_happens_to_reads(
    seed: int, tmp_path: Path
) -> None:
    @virtual
    async def story() -> None:
        rng = random.Random(seed)
        world = World(tmp_path, settings={"worker": {"parallel_tickets": 64}})
        world.latency_s = lambda: rng.uniform(0.0, 1.0)
        kinds = [FaultKind.LOSE_ANSWER, FaultKind.HANG_AFTER, FaultKind.HANG_BEFORE, FaultKind.STATUS]
        for skip in range(2, 24, 3):
            kind = rng.choice(kinds)
            world.ensono.faults.add(
                Fault(kind, method="GET", path="*/queue", skip=skip, seconds=rng.uniform(1.0, 20.0), status=503)
            )
        numbers = []
        for _ in range(70):
            numbers.append(ticket(world))
            await world.clock.sleep(0.1)
        async with world.working() as worker:
            while unknown := [each for each in world.ensono.queue.messages() if state(world, each.message_id) is None]:
                mark = worker.watermarks.watermark
                assert mark is None or mark <= min(each.sent_at for each in unknown)
                drained = worker.watermarks.drained
                assert drained is None or drained <= max(each.sent_at for each in unknown)
                await world.clock.sleep(0.4)
            await world.quiet()
            world.ensono.faults.clear()
            await until(world, lambda: worker.watermarks.drained, step_s=10)
        assert all(state(world, sent(world, number)[0]) == "applied" for number in numbers)

    story()


@virtual
async def test_what_the_last_process_may_have_hidden_counts_as_hidden(tmp_path: Path) -> None:
    world = World(tmp_path)
    ticket(world)
    await world.start()
    await until(world, lambda: reads(world), step_s=0.01)
    await world.kill()  # before its answer came
    async with world.working() as worker:
        await until(world, lambda: len(reads(world)) == 2, step_s=0.1)
        await world.clock.sleep(5)
        assert worker.watermarks.drained is None
        await world.quiet()
        await until(world, lambda: worker.watermarks.drained, within_s=2 * POLL_S)
        assert worker.watermarks.drained is not None
        assert worker.watermarks.drained >= START + WINDOW_S


@virtual
async def test_a_new_ledger_knows_at_its_first_read_that_nothing_of_ours_is_hidden(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.working() as worker:
        await until(world, lambda: reads(world), step_s=0.1)
        await world.clock.sleep(1)
        assert worker.watermarks.drained is not None
        assert worker.watermarks.drained == worker.watermarks.watermark
        assert START <= worker.watermarks.drained < START + 1
