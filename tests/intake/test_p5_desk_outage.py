"""P5: while the desk can't take work the queue is not read for work; what closes its gate, and what opens it."""

from pathlib import Path

import pytest

from envision_worker.simulators.faults import Fault, FaultKind
from intake.queues import (
    POLL_S,
    calls,
    closed,
    desk_down,
    desk_refuses,
    now,
    on_desk,
    opened,
    reads,
    receives,
    said,
    sent,
    state,
    ticket,
    until,
    writes,
)
from worker.stories import fitting, virtual
from worlds.simulated import World

A_MOMENT_S = 2.0
LONG_S = 3 * 3600.0
WORDS = ("a.", "b.", "c.", "d.")
SELDOM_S = 300.0
SELDOM = {"queue": {"poll_interval_s": SELDOM_S}, "approvals": {"poll_interval_s": 3600}}
"""For outages of hours and days."""


def without_saving(world: World, *, since: float) -> int:
    """How many reads for work there were since then."""
    return len(reads(world, since=since)) - len([line for line in world.events("saving_read") if line["at"] >= since])


async def met_by_a_ticket(world: World) -> str:
    """A note meets the trouble that began just now, and behind it more are sent; returns their ticket's number."""
    number = next(iter(world.ensono.tickets))
    world.ensono.scenario.notes(number, WORDS[0])
    await until(world, lambda: closed(world))
    for word in WORDS[1:]:
        world.ensono.scenario.notes(number, word)
    return number


# --- what closes it --------------------------------------------------------------------------------------------------


@virtual
async def test_a_throttle_on_any_call_closes_it_at_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.working():
        ticket(world)
        await world.quiet()
        world.desk.throttle.block("*/notes")
        began = now()
        number = await met_by_a_ticket(world)
        await world.clock.sleep(600)
        assert closed(world) == ["throttled"]
        assert without_saving(world, since=began) <= 2  # one that met it, and perhaps an empty one before
        world.desk.throttle.lift()
        lifted = now()
        await world.quiet()
    assert opened(world)[0] - lifted <= 2 * POLL_S
    assert said(world, WORDS) == list(WORDS)
    assert max(receives(world, each) for each in sent(world, number)) <= 3


@virtual
async def test_a_refused_key_closes_it_and_is_tried_slowly_and_said_loudly(tmp_path: Path) -> None:
    world = World(tmp_path, settings={"desk": {"key_probe_interval_s": 120}})
    async with world.working():
        ticket(world)
        await world.quiet()
        world.desk.switches.key_revoked = True
        await met_by_a_ticket(world)
        began, before = now(), len(world.desk.calls)
        await world.clock.sleep(1200)
        assert closed(world) == ["key_refused"]
        assert len(world.desk.calls) - before <= 1200 / 120
        assert without_saving(world, since=began) == 0
        assert {line["level"] if "level" in line else line["peer"] for line in world.events("key_refused")} == {"desk"}
        world.desk.switches.key_revoked = False
        mended = now()
        await world.quiet()
    assert opened(world)[0] - mended <= 120 + A_MOMENT_S
    assert said(world, WORDS) == list(WORDS)


@pytest.mark.parametrize("kind", [FaultKind.STATUS, FaultKind.REFUSE, FaultKind.HTML, FaultKind.HANG_BEFORE])
@virtual
async def test_a_probe_that_fails_after_a_call_that_did_closes_it(tmp_path: Path, kind: FaultKind) -> None:
    world = World(tmp_path)
    async with world.working():
        ticket(world)
        await world.quiet()
        world.desk.faults.add(Fault(kind, status=503, seconds=100.0, times=None))
        number = await met_by_a_ticket(world)
        began = now()
        await world.clock.sleep(600)
        assert closed(world) == ["probe_failed"]
        assert without_saving(world, since=began + A_MOMENT_S) == 0
        world.desk.faults.clear()
        mended = now()
        await world.quiet()
    assert opened(world)[0] - mended <= 2 * POLL_S
    assert said(world, WORDS) == list(WORDS)
    assert max(receives(world, each) for each in sent(world, number)) <= 3


@virtual
async def test_writes_that_fail_on_three_tickets_in_a_row_close_it_though_the_probe_works(tmp_path: Path) -> None:
    world = World(tmp_path)
    for word in WORDS:
        ticket(world, [word])
    on_desk(world, FaultKind.STATUS, status=500, times=None)
    async with world.working():
        await until(world, lambda: closed(world))
        await world.clock.sleep(600)
        assert closed(world) == ["writes_fail"]
        assert opened(world) == []
        assert without_saving(world, since=0) <= 2
        world.desk.faults.clear()
        mended = now()
        await until(world, lambda: opened(world))
        assert opened(world)[0] - mended <= 2 * POLL_S
        await world.quiet()
    assert sorted(said(world, WORDS)) == list(WORDS)
    assert len(world.requests()) == len(WORDS)


@virtual
async def test_one_tickets_500_is_no_outage(tmp_path: Path) -> None:
    world = World(tmp_path)
    ticket(world, ["never."])
    on_desk(world, FaultKind.STATUS, path="*/requests/1/notes", status=500, times=None)
    async with world.working():
        for word in WORDS:
            ticket(world, [word])
            await world.clock.sleep(120)
        assert sorted(said(world, WORDS)) == list(WORDS)
        assert closed(world) == []


@virtual
async def test_two_tickets_that_fail_by_turns_with_others_that_go_through_are_no_outage(tmp_path: Path) -> None:
    world = World(tmp_path)
    stuck = [ticket(world), ticket(world)]
    for each in "12":
        on_desk(world, FaultKind.STATUS, path=f"*/requests/{each}/notes", status=500, times=None)
    async with world.working():
        await world.quiet()
        for number in stuck:
            world.ensono.scenario.notes(number, "never.")
        for word in WORDS:
            ticket(world, [word])
            await world.clock.sleep(120)
        assert sorted(said(world, WORDS)) == list(WORDS)
        assert closed(world) == []


@virtual
async def test_where_the_desk_hangs_its_return_is_noticed_before_a_call_has_timed_out(tmp_path: Path) -> None:
    poll_s = 2.0
    world = World(tmp_path, settings={"queue": {"poll_interval_s": poll_s}, "desk": {"request_timeout_s": 30}})
    async with world.working():
        ticket(world)
        await world.quiet()
        on_desk(world, FaultKind.HANG_BEFORE, method="*", times=None, seconds=3600.0)
        await met_by_a_ticket(world)
        await world.clock.sleep(100)
        world.desk.faults.clear()
        mended = now()
        await until(world, lambda: opened(world))
        assert opened(world)[0] - mended <= 2 * poll_s
        await world.quiet()
        assert world.worker is not None
        assert world.worker is not None
        assert world.worker.answering()["desk"]
    assert sorted(said(world, WORDS)) == list(WORDS)


@virtual
async def test_a_desk_whose_probe_takes_longer_than_a_poll_is_up_all_the_same(tmp_path: Path) -> None:
    world = World(tmp_path, settings={"queue": {"poll_interval_s": 1}})
    on_desk(world, FaultKind.SLOW, method="*", times=None, seconds=3.0)
    async with world.working():
        ticket(world, WORDS)
        await until(world, lambda: len(said(world, WORDS)) == len(WORDS))
        assert closed(world) == []


@virtual
async def test_a_desk_that_is_down_at_the_start_costs_no_receive(tmp_path: Path) -> None:
    world = World(tmp_path)
    ticket(world, WORDS)
    desk_down(world)
    async with world.working():
        await world.clock.sleep(3600)
        assert reads(world) == []
        world.desk.faults.clear()
        await world.quiet()
    assert said(world, WORDS) == list(WORDS)


# --- what opens it ---------------------------------------------------------------------------------------------------


@virtual
async def test_a_trial_of_one_kept_message_from_its_copy_opens_it(tmp_path: Path) -> None:
    world = World(tmp_path, settings=fitting())
    for word in WORDS:
        ticket(world, [word])
    on_desk(world, FaultKind.STATUS, status=500, times=None)
    async with world.working():
        await until(world, lambda: closed(world))
        await world.clock.sleep(300)
        tried = len(writes(world))
        await world.clock.sleep(10 * POLL_S)
        assert len(writes(world)) - tried <= 10  # one kept message at each trial
        world.desk.faults.clear()
        began = now()
        await until(world, lambda: opened(world), step_s=0.01)
        assert len(world.requests()) == 1
        assert reads(world, since=began) == []
        await world.quiet()
    passed = [line for line in world.events("gate_trial") if line["ok"]]
    assert passed[0]["message_id"] in {sent(world, number)[0] for number in world.ensono.tickets}
    assert sorted(said(world, WORDS)) == list(WORDS)


@virtual
async def test_a_message_that_fails_by_itself_does_not_keep_it_closed_for_ever(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, ["never."])
    async with world.working():
        await until(world, lambda: state(world, sent(world, number)[0]) == "applied", step_s=0.01)
        on_desk(world, FaultKind.STATUS, path="*/requests/1/notes", status=500, times=None)
        await until(world, lambda: state(world, sent(world, number)[1]) == "retry_later")
        world.desk.throttle.block("*", now() + 300)
        await until(world, lambda: closed(world))
        for word in WORDS:  # not received, so nothing but the failing one is there to be tried
            ticket(world, [word])
        await until(world, lambda: len(said(world, WORDS)) == len(WORDS), within_s=900)


@virtual
async def test_with_nothing_kept_a_cheap_read_opens_it_and_nothing_is_written(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.desk.throttle.block("*")
    async with world.working():
        await until(world, lambda: closed(world))
        ticket(world)
        await world.clock.sleep(300)
        assert reads(world) == []
        assert writes(world) == []
        world.desk.throttle.lift()
        lifted = now()
        await until(world, lambda: opened(world), step_s=0.01)
        assert opened(world)[0] - lifted <= 2 * POLL_S
        assert writes(world) == []
        await world.quiet()
    assert {line["message_id"] for line in world.events("gate_trial")} == {None}


@virtual
async def test_dead_letters_are_not_tried_while_it_is_closed(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, ["never."])
    desk_refuses(world)
    async with world.working():
        await until(world, lambda: state(world, sent(world, number)[1]) == "dead_letter")
        world.desk.faults.clear()
        desk_down(world)
        ticket(world)
        await until(world, lambda: closed(world))
        before = len(calls(world, "POST", "/notes"))
        await world.clock.sleep(1800)
    assert len(calls(world, "POST", "/notes")) == before
