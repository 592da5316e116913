"""P5: the same while Ensono's tickets API is down, without which nothing can be finished; and while its queue is."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from envision_worker.simulators.faults import Fault, FaultKind
from intake.queues import POLL_S, closed, now, on_deletes, opened, reads, receives, said, sent, ticket, until
from worker.stories import virtual
from worlds.simulated import World

WORDS = ("a.", "b.", "c.", "d.")
A_MOMENT_S = 2.0


def on_tickets_api(
    world: World, kind: FaultKind = FaultKind.STATUS, *, path: str = "*/tickets/*", status: int = 503
) -> None:
    """From now on Ensono's tickets API does so."""
    world.ensono.faults.add(Fault(kind, path=path, status=status, times=None))


@virtual
async def test_while_the_tickets_api_is_down_the_queue_is_not_read(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, WORDS)
    on_tickets_api(world)
    async with world.working():
        await until(world, lambda: closed(world, "ensono"))
        began = now()
        await world.clock.sleep(3600)
        assert closed(world, "ensono") == ["probe_failed"]
        assert reads(world, since=began + A_MOMENT_S) == []
        world.ensono.faults.clear()
        mended = now()
        await until(world, lambda: opened(world, "ensono"))
        assert opened(world, "ensono")[0] - mended <= 2 * POLL_S
        await world.quiet()
    assert max(receives(world, each) for each in sent(world, number)) <= 3
    assert said(world, WORDS) == list(WORDS)
    assert len(world.requests()) == 1


@virtual
async def test_returnptn_that_fails_on_three_tickets_closes_it_though_probes_are_answered(tmp_path: Path) -> None:
    world = World(tmp_path)
    for word in WORDS:
        ticket(world, [word])
    on_tickets_api(world, path="*/returnptn", status=500)
    async with world.working():
        await until(world, lambda: closed(world, "ensono"))
        began = now()
        await world.clock.sleep(900)
        assert closed(world, "ensono") == ["writes_fail"]
        assert reads(world, since=began + A_MOMENT_S) == []
        world.ensono.faults.clear()
        await world.quiet()
    assert sorted(said(world, WORDS)) == list(WORDS)
    assert len(world.requests()) == len(WORDS)
    assert all(len(each.returned_numbers) == 1 for each in world.ensono.tickets.values())


@virtual
async def test_one_ticket_alone_whose_number_is_not_taken_costs_few_receives_and_stops_the_others_for_minutes_only(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, settings={"ensono": {"resend_after_s": 5}, "approvals": {"poll_interval_s": 3600}})
    number = ticket(world)
    on_tickets_api(world, path=f"*/{number}/returnptn")
    async with world.working():
        await until(world, lambda: closed(world, "ensono"))
        assert closed(world, "ensono") == ["number_not_taken"]
        await world.clock.sleep(250)
        assert max(receives(world, each) for each in sent(world, number)) <= 3
        other = ticket(world, ["b."])
        await world.clock.sleep(400)
        assert world.ensono.tickets[other].returned_numbers
        assert said(world, ["b."]) == ["b."]
        world.ensono.faults.clear()
        await world.quiet()
    assert len(world.ensono.tickets[number].returned_numbers) == 1
    assert len(world.requests()) == 2


@virtual
async def test_while_no_number_is_taken_the_tries_to_read_again_come_at_growing_intervals(tmp_path: Path) -> None:
    world = World(tmp_path, settings={"ensono": {"resend_after_s": 5}})
    number = ticket(world)
    on_tickets_api(world, path="*/returnptn")
    async with world.working():
        await world.clock.sleep(3600)
        assert max(receives(world, each) for each in sent(world, number)) <= 6
        world.ensono.faults.clear()
        mended = now()
        await until(world, lambda: [each for each in opened(world, "ensono") if each >= mended])
        assert opened(world, "ensono")[-1] - mended <= 2 * POLL_S
        await world.quiet()
    assert len(world.ensono.tickets[number].returned_numbers) == 1


@virtual
async def test_a_plain_500_for_one_ticket_is_its_own_trouble_and_the_others_flow(tmp_path: Path) -> None:
    world = World(tmp_path, settings={"ensono": {"resend_after_s": 5}})
    number = ticket(world)
    on_tickets_api(world, path=f"*/{number}/returnptn", status=500)
    async with world.working():
        await world.clock.sleep(200)
        other = ticket(world, ["b."])
        await world.clock.sleep(2 * POLL_S)
        assert said(world, ["b."]) == ["b."]
        assert world.ensono.tickets[other].returned_numbers
        assert closed(world, "ensono") == []
        world.ensono.faults.clear()
        await world.quiet()
    assert len(world.ensono.tickets[number].returned_numbers) == 1


@pytest.mark.parametrize(
    ("status", "said_so", "why"), [(429, "Too Many Requests", "throttled"), (403, "Forbidden", "key_refused")]
)
@virtual
async def test_a_throttle_and_a_refused_key_close_it_at_once(
    tmp_path: Path, status: int, said_so: str, why: str
) -> None:
    world = World(tmp_path)
    number = ticket(world, WORDS)
    body = json.dumps({"message": said_so}).encode()
    async with world.working():
        await until(world, lambda: reads(world), step_s=0.01)
        world.ensono.faults.add(Fault(FaultKind.STATUS, status=status, body=body, times=None))
        await until(world, lambda: closed(world, "ensono"))
        began = now()
        await world.clock.sleep(3600)
        assert closed(world, "ensono")[0] == why
        assert reads(world, since=began + A_MOMENT_S) == []
        world.ensono.faults.clear()
        await world.quiet()
    assert said(world, WORDS) == list(WORDS)
    assert max(receives(world, each) for each in sent(world, number)) <= 3


@virtual
async def test_while_nothing_can_be_deleted_the_queue_is_not_read(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, WORDS)
    world.ensono.faults.add(Fault(FaultKind.STATUS, method="DELETE", status=503, times=None, skip=1))
    async with world.working():
        await until(world, lambda: closed(world, "ensono"))
        await world.clock.sleep(3600)
        assert max(receives(world, each) for each in sent(world, number)) <= 2
        world.ensono.faults.clear()
        await world.quiet()
    assert said(world, WORDS) == list(WORDS)
    assert len(world.requests()) == 1


@virtual
async def test_one_handle_that_can_not_be_deleted_is_no_outage(tmp_path: Path) -> None:
    world = World(tmp_path)
    ticket(world)
    on_deletes(world, times=12)
    async with world.working():
        await world.clock.sleep(20)
        ticket(world, WORDS)
        await world.quiet()
    assert closed(world, "ensono") == []
    assert said(world, WORDS) == list(WORDS)


# --- the queue itself ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FaultKind.STATUS, FaultKind.REFUSE, FaultKind.HTML])
@virtual
async def test_while_the_queue_is_down_it_is_asked_less_and_less_often_and_that_is_said(
    tmp_path: Path, kind: FaultKind
) -> None:
    world = World(tmp_path)
    world.ensono.faults.add(Fault(kind, method="GET", path="*/queue", status=503, times=None))
    async with world.working():
        await world.clock.sleep(3600)
        asked = [call.at for call in world.ensono.journal.calls if call.path.endswith("/queue")]
        waits = [later - earlier for earlier, later in pairwise(asked)]
        assert waits[0] < 2 * POLL_S
        assert all(150 <= wait <= 310 for wait in waits[5:])
        assert len(set(waits[5:])) > 1  # with jitter
        assert world.events("queue_read_failed")
        ticket(world, WORDS)
        world.ensono.faults.clear()
        await world.quiet()
    assert said(world, WORDS) == list(WORDS)
