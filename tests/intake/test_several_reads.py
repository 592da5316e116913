"""Several reads are under way at once while there is a backlog; what is promised of one read holds for all of them (P1, P5, P7, P8)."""

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from envision_worker.app import Worker
from envision_worker.intake.lane import Live
from envision_worker.intake.reading import Reading
from envision_worker.intake.visibility import Window
from envision_worker.ledger.records import Kept
from envision_worker.simulators.ensono.queued import Deleted, Received
from envision_worker.simulators.faults import Fault, FaultKind
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId, ReceiptHandle
from intake.queues import (
    POLL_S,
    WINDOW_S,
    calls,
    deleted,
    desk_down,
    now,
    on_desk,
    reads,
    receives,
    said,
    sent,
    state,
    ticket,
    until,
)
from worker.stories import virtual
from worlds.simulated import World

MANY = {"worker": {"parallel_tickets": 64}, "desk": {"max_concurrency": 64}}
WAY_S = 0.5
"""How long a call is on its way, each way."""


def far(world: World) -> World:
    """The peers are far away."""
    world.latency_s = lambda: WAY_S
    return world


def backlog(world: World, tickets: int) -> list[str]:
    """So many tickets wait, one message each; returns the MessageIds."""
    return [sent(world, ticket(world))[0] for _ in range(tickets)]


def at_once(found: list[Received]) -> int:
    """The most reads that were under way at one moment: an answer is `WAY_S` on its way."""
    return max(sum(each.at <= other.at < each.at + WAY_S for other in found) for each in found)


def on_reads(world: World, kind: FaultKind, **more: float) -> None:
    """Something goes wrong with a read."""
    world.ensono.faults.add(Fault(kind, method="GET", path="*/queue", **more))  # type: ignore[arg-type]


# --- a backlog -------------------------------------------------------------------------------------------------------


@virtual
async def test_a_backlog_is_read_by_several_reads_at_once_and_each_message_once(tmp_path: Path) -> None:
    world = far(World(tmp_path, settings=MANY))
    messages = backlog(world, 60)
    async with world.working():
        await world.quiet()
    assert at_once(reads(world)) >= 3
    assert {receives(world, each) for each in messages} == {1}
    assert sorted(deleted(world)) == sorted(messages)


@virtual
async def test_with_a_slow_desk_no_more_is_read_than_can_be_begun_in_time(tmp_path: Path) -> None:
    world = World(tmp_path, settings={"worker": {"parallel_tickets": 10}, "desk": {"max_concurrency": 10}})
    world.desk.faults.add(Fault(FaultKind.SLOW, seconds=4.0, times=None))
    messages = backlog(world, 40)
    async with world.working():
        await world.quiet()
    assert {receives(world, each) for each in messages} == {1}


@virtual
async def test_a_slow_ticket_holds_up_no_other_even_where_that_has_more_than_one_read_brings(tmp_path: Path) -> None:
    world = World(tmp_path)
    slow = ticket(world)
    quick = ticket(world, [f"word{number}." for number in range(25)])
    on_desk(world, FaultKind.HANG_BEFORE, path="*/requests", seconds=25.0)
    async with world.working():
        await until(world, lambda: sorted(deleted(world)) == sorted(sent(world, quick)), step_s=0.1)
        assert sent(world, slow)[0] not in deleted(world)
        await world.quiet()
    assert sum(not each.message_ids for each in reads(world)) <= 8


@virtual
async def test_with_few_tickets_at_once_a_slow_one_holds_up_no_other_either(tmp_path: Path) -> None:
    world = World(tmp_path, settings={"worker": {"parallel_tickets": 4}})
    slow = ticket(world)
    on_desk(world, FaultKind.HANG_BEFORE, path="*/requests", seconds=25.0)
    others = backlog(world, 30)
    async with world.working():
        await until(world, lambda: sorted(deleted(world)) == sorted(others), step_s=0.1)
        assert sent(world, slow)[0] not in deleted(world)
        await world.quiet()


@virtual
async def test_the_end_of_a_backlog_is_no_storm_of_empty_reads(tmp_path: Path) -> None:
    world = World(tmp_path, settings=MANY)
    messages = backlog(world, 40)
    for number in range(40):
        on_desk(world, FaultKind.HANG_BEFORE, path="*/requests", seconds=0.1 * number)
    async with world.working():
        await until(world, lambda: len(deleted(world)) == len(messages))
        assert sum(not each.message_ids for each in reads(world)) <= 10


@virtual
async def test_what_is_sent_while_its_ticket_is_worked_on_is_read_as_soon_as_that_is_done(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world)
    on_desk(world, FaultKind.HANG_BEFORE, path="*/requests", seconds=3.0)
    async with world.working():
        await until(world, lambda: reads(world), step_s=0.1)
        await world.clock.sleep(1)
        world.ensono.scenario.notes(number, "meanwhile.")
        began = now()
        await until(world, lambda: said(world, ["meanwhile."]), step_s=0.1)
        assert now() - began < 5


# --- quiet -----------------------------------------------------------------------------------------------------------


@virtual
async def test_when_quiet_there_is_one_read_in_a_poll_interval(tmp_path: Path) -> None:
    world = World(tmp_path, settings=MANY)
    backlog(world, 40)
    async with world.working():
        await world.quiet()
        await world.clock.sleep(POLL_S)
        began = now()
        await world.clock.sleep(20 * POLL_S)
        at = [each.at for each in reads(world, since=began)]
    assert len(at) == pytest.approx(20, abs=1)
    assert {round(later - earlier, 1) for earlier, later in pairwise(at)} == {POLL_S}


@virtual
async def test_a_message_that_failed_brings_about_no_read_before_the_poll_interval(tmp_path: Path) -> None:
    world = World(tmp_path)
    ticket(world)
    on_desk(world, FaultKind.STATUS, path="*/requests", status=500)
    async with world.working():
        await world.clock.sleep(POLL_S - 1)
        assert len(reads(world)) == 1
        await world.quiet()


# --- what goes wrong with reads --------------------------------------------------------------------------------------


@virtual
async def test_after_a_lost_answer_nothing_is_read_until_its_window_has_passed_and_the_others_deliver(
    tmp_path: Path,
) -> None:
    world = far(World(tmp_path, settings=MANY))
    messages = backlog(world, 60)
    on_reads(world, FaultKind.LOSE_ANSWER, skip=4)
    async with world.working():
        await until(world, lambda: world.events("read_lost"), step_s=0.1)
        lost = reads(world)[4]
        known = now()
        beside = [each for each in reads(world) if lost.at < each.at + WAY_S and each.at < known]
        await world.clock.sleep(lost.at + WINDOW_S - now() - WAY_S)
        assert not reads(world, since=known + WAY_S)
        assert all(state(world, each) == "applied" for read in beside if read is not lost for each in read.message_ids)
        await world.quiet()
    assert {receives(world, each) for each in messages} == {1, 2}
    assert sum(receives(world, each) == 2 for each in messages) == len(lost.message_ids)


@virtual
async def test_reads_that_fail_together_count_as_one_failure(tmp_path: Path) -> None:
    world = far(World(tmp_path, settings=MANY))
    backlog(world, 70)
    async with world.working():
        await until(world, lambda: at_once(reads(world) or [Received(0.0, (), (), ())]) >= 3, step_s=0.1)
        world.ensono.faults.add(Fault(FaultKind.STATUS, method="GET", path="*/queue", status=503, times=3))
        began = now()
        await until(world, lambda: [each for each in reads(world) if each.at > began + 3], step_s=0.1)
        assert now() - began < POLL_S + WINDOW_S + 3
        await world.quiet()


@virtual
async def test_beside_a_read_whose_answer_is_late_nothing_new_is_read(tmp_path: Path) -> None:
    world = World(tmp_path, settings=MANY)
    messages = backlog(world, 60)
    on_reads(world, FaultKind.HANG_AFTER, seconds=28.0, skip=3)
    async with world.working():
        await until(world, lambda: len(reads(world)) > 4, step_s=0.1)
        late = reads(world)[3]
        await until(world, lambda: now() > late.at + 28, step_s=0.1)
        assert not [each for each in reads(world) if late.at + WINDOW_S / 2 + 0.5 < each.at < late.at + 28]
        await world.quiet()
    assert {receives(world, each) for each in messages} <= {1, 2}
    assert sorted(deleted(world)) == sorted(messages)


@virtual
async def test_receives_that_our_own_reads_spend_are_no_foreign_reader(tmp_path: Path) -> None:
    world = far(World(tmp_path, settings=MANY))
    backlog(world, 60)
    on_reads(world, FaultKind.HANG_BEFORE, seconds=14.0, skip=3)
    on_reads(world, FaultKind.HANG_AFTER, seconds=14.0, skip=5)
    async with world.working():
        await world.quiet()
    assert not world.events("foreign_reader")


@virtual
async def test_an_answer_that_was_overtaken_neither_replaces_a_newer_handle_nor_begins_its_message_again(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    number = EnsonoTicketNumber(ticket(world))
    [create] = sent(world, number)
    on_desk(world, FaultKind.HANG_BEFORE, path="*/requests", seconds=5.0)
    async with world.working() as worker:
        await until(world, lambda: calls(world, "POST", "/requests"), step_s=0.1)
        kept = await world.inside(_kept(worker, create))
        stale = Live(ReceiptHandle("overtaken"), Window(world.clock.monotonic() - 40, WINDOW_S))
        worker.lanes.offer({number: [kept]}, {MessageId(create): stale})
        await world.quiet()
    assert receives(world, create) == 1
    assert [each.outcome for each in world.ensono.queue.journal if isinstance(each, Deleted)][-1] == "deleted"
    assert len(world.requests()) == 1


async def _kept(worker: Worker, message_id: str) -> Kept:
    found = await worker.parts.ledger.messages.get(MessageId(message_id))
    assert found is not None
    return found


@virtual
async def test_a_bug_in_one_read_is_told_and_costs_the_others_nothing(tmp_path: Path) -> None:
    class Stumbling(Reading):
        stumbled = False

        def _tell(self, *args: Any) -> None:
            if len(reads(world)) >= 4 and not Stumbling.stumbled:
                Stumbling.stumbled = True
                raise ArithmeticError("a bug")
            super()._tell(*args)

    def stumbles(worker: Worker) -> None:
        worker.consumer._reading.__class__ = Stumbling

    world = far(World(tmp_path, settings=MANY))
    world.tamper = stumbles
    messages = backlog(world, 60)
    async with world.working():
        await world.quiet()
    assert len(world.events("unforeseen")) == 1
    assert {receives(world, each) for each in messages} == {1}


# --- gates and the end -----------------------------------------------------------------------------------------------


@virtual
async def test_a_gate_that_closes_while_reads_are_under_way_lets_them_deliver_and_no_other_go_out(
    tmp_path: Path,
) -> None:
    world = far(World(tmp_path, settings=MANY))
    messages = backlog(world, 70)
    async with world.working():
        await until(world, lambda: len(reads(world)) >= 5, step_s=0.1)
        desk_down(world)
        await until(world, lambda: world.events("gate_closed"), step_s=0.1)
        closed_at = now()
        await world.clock.sleep(10 * POLL_S)
        assert not reads(world, since=closed_at + WAY_S + 0.1)
        received = {each for read in reads(world) for each in read.message_ids}
        assert all(state(world, each) for each in received)
        world.desk.faults.clear()
        await world.quiet()
    assert max(receives(world, each) for each in messages) <= 3


@virtual
async def test_a_stop_makes_no_further_read_and_keeps_what_those_under_way_bring(tmp_path: Path) -> None:
    world = far(World(tmp_path, settings=MANY))
    messages = backlog(world, 70)
    await world.start()
    await until(world, lambda: at_once(reads(world) or [Received(0.0, (), (), ())]) >= 3, step_s=0.05)
    stopped_at = now()
    assert await world.stop()
    assert now() - stopped_at < 10
    assert not reads(world, since=stopped_at + WAY_S + 0.01)
    received = {each for read in reads(world) for each in read.message_ids}
    assert all(state(world, each) for each in received)
    async with world.working():
        await world.quiet()
    assert sorted(deleted(world)) == sorted(messages)
    assert max(receives(world, each) for each in messages) <= 2


# --- work that overlaps ----------------------------------------------------------------------------------------------


@virtual
async def test_while_a_message_is_deleted_another_ticket_has_its_place(tmp_path: Path) -> None:
    world = World(tmp_path, settings={"worker": {"parallel_tickets": 1}})
    first, second = sent(world, ticket(world))[0], sent(world, ticket(world))[0]
    world.ensono.faults.add(Fault(FaultKind.HANG_BEFORE, method="DELETE", path="*/queue/AQ*", seconds=5.0))
    async with world.working():
        await until(world, lambda: len(deleted(world)) == 2, step_s=0.1)
    assert deleted(world) == [second, first]


@virtual
async def test_the_desks_limit_is_always_filled_and_never_exceeded(tmp_path: Path) -> None:
    at_desk: list[int] = [0]
    seen: list[int] = []

    async def held(seconds: float) -> None:
        at_desk[0] += 1
        seen.append(at_desk[0])
        await asyncio.sleep(seconds)
        at_desk[0] -= 1

    world = World(tmp_path, settings={"desk": {"max_concurrency": 4}}, sleep=held)
    world.desk.faults.add(Fault(FaultKind.SLOW, seconds=0.5, times=None))
    backlog(world, 40)
    async with world.working():
        await until(world, lambda: len(deleted(world)) >= 5, step_s=0.1)
        began, calls_before = now(), len(world.desk.calls)
        await until(world, lambda: len(deleted(world)) >= 30, step_s=0.1)
        used = (len(world.desk.calls) - calls_before) * 0.5 / (now() - began)
        await world.quiet()
    assert max(seen) == 4
    assert used > 3.6
