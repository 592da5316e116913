"""P4: what was received is durable before anything is done with it; what Ensono then moves or drops can still be seen and done."""

from pathlib import Path

import pytest

from envision_worker.ledger.records import LedgerUnavailable
from envision_worker.operations import Operations
from envision_worker.simulators.faults import FaultKind
from envision_worker.simulators.http import Request, Response
from intake.queues import (
    deleted,
    desk_down,
    desk_refuses,
    on_desk,
    reads,
    reason,
    receives,
    said,
    sent,
    state,
    take_away,
    ticket,
    until,
    writes,
)
from worker.stories import fitting, only_request, virtual
from worlds.simulated import World
from worlds.virtual_time import START

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


@virtual
async def test_a_read_is_in_the_ledger_before_the_desk_hears_of_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, ["a note"])
    kept: list[str | None] = []
    serve = world.desk.application

    async def watched(request: Request) -> Response:
        if reads(world):
            kept.extend(state(world, message_id) for message_id in sent(world, number))
        return await serve(request)

    world.desk.application = watched  # type: ignore[method-assign]
    async with world.working():
        await until(world, lambda: said(world, ["a note"]))
    assert kept
    assert None not in kept


@virtual
async def test_all_that_a_read_brought_is_kept_also_what_waits_behind_a_failing_head(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, ["one", "two"])
    on_desk(world, FaultKind.STATUS, path="*/requests", status=500, times=None)
    async with world.working():
        await until(world, lambda: state(world, sent(world, number)[0]) == "retry_later")
        assert [state(world, message_id) for message_id in sent(world, number)[1:]] == ["waiting", "waiting"]


@pytest.mark.parametrize("step", range(1, 12))
@virtual
async def test_a_worker_killed_around_its_first_read_loses_nothing(tmp_path: Path, step: int) -> None:
    world = World(tmp_path)
    number = ticket(world, ["a note"])
    await world.start()
    world.life.dies_after = step
    await world.clock.sleep(2)
    await world.kill()
    assert deleted(world) == []
    async with world.working():
        await world.quiet()
    assert sorted(deleted(world)) == sorted(sent(world, number))
    assert len(only_request(world).notes) == 1


@virtual
async def test_a_read_that_can_not_be_kept_is_not_worked_on_and_ends_the_worker(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world)

    def full(when: str) -> None:
        if when == "before" and reads(world):
            raise LedgerUnavailable("database or disk is full")

    world.at_commit = full
    worker = await world.start()
    await until(world, worker.lost.done, within_s=60)
    await world.clock.sleep(100)
    assert receives(world, sent(world, number)[0]) == 1
    assert deleted(world) == []
    assert writes(world) == []
    assert world.events("ledger_failed")
    await world.kill()


@virtual
async def test_a_damaged_row_ends_the_worker_and_costs_no_other_ticket_more_than_that_one_receive(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    number = ticket(world, ["first."])
    desk_refuses(world)
    worker = await world.start()
    damaged = sent(world, number)[1]
    await until(world, lambda: state(world, damaged) == "dead_letter")
    world.store.execute("UPDATE messages SET raw = zeroblob(40) WHERE message_id = ?", (damaged,))
    other = ticket(world, ["another."])
    await until(world, worker.lost.done, within_s=600)
    await world.clock.sleep(3600)
    assert max(receives(world, each) for each in sent(world, other)) <= 1
    [failed] = world.events("ledger_failed")
    assert "can't be read" in failed["detail"]
    assert not world.events("unforeseen")
    await world.kill()


async def undone(world: World) -> tuple[str, list[str]]:
    """A ticket whose notes the desk refuses, until Ensono has no receives left for them."""
    number = ticket(world, ["first.", "second."])
    world.ensono.queue.max_receives = 3
    desk_refuses(world)
    await until(world, lambda: len(world.ensono.queue.failure_queue) == 2)
    return number, sent(world, number)[1:]


RECEIVES = {"queue": {"max_receives": 3}}


@virtual
async def test_what_went_to_the_failure_queue_is_seen_here_and_goes_through_in_order_once_it_can(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, settings=RECEIVES)
    async with world.working() as worker:
        number, notes = await undone(world)
        assert [state(world, note) for note in notes] == ["dead_letter", "waiting"]
        dead = await world.inside(worker.parts.ledger.messages.dead_letters())
        assert [each.ticket for each in dead] == [number]
        world.desk.faults.clear()
        await until(world, lambda: [state(world, note) for note in notes] == ["applied", "applied"], within_s=7200)
    assert said(world, ["first.", "second."]) == ["first.", "second."]


@virtual
async def test_what_went_to_the_failure_queue_can_be_retried_and_discarded_by_an_operator(tmp_path: Path) -> None:
    world = World(tmp_path, settings=RECEIVES)
    async with world.working() as worker:
        number, notes = await undone(world)
        await world.inside(Operations(worker).discard(notes[0], "not wanted"))
        assert [state(world, note) for note in notes] == ["discarded", "dead_letter"]
        world.desk.faults.clear()
        await world.inside(Operations(worker).retry(number))
    assert [state(world, note) for note in notes] == ["discarded", "applied"]
    assert said(world, ["first.", "second."]) == ["second."]


@virtual
async def test_what_expired_at_ensono_undone_is_a_dead_letter_here_and_goes_through_once_it_can(tmp_path: Path) -> None:
    world = World(tmp_path, settings={"queue": {"poll_interval_s": 1800, "retention_s": 6 * HOUR_S}})
    world.ensono.queue.retention_s = 6 * HOUR_S
    number = ticket(world, ["a note"])
    on_desk(world, FaultKind.STATUS, path="*/requests", status=503, times=None)
    async with world.working():
        await until(world, lambda: receives(world, sent(world, number)[0]))
        await until(world, lambda: not world.ensono.queue.messages(), within_s=DAY_S, step_s=60)
        await until(world, lambda: state(world, sent(world, number)[0]) == "dead_letter", within_s=2 * HOUR_S)
        assert reason(world, sent(world, number)[0]) == "retention_used_up"
        assert [line["message_id"] for line in world.events("dead_letter_kept")] == sent(world, number)[:1]
        world.desk.faults.clear()
        await until(world, lambda: said(world, ["a note"]), within_s=DAY_S, step_s=60)
    assert len(only_request(world).notes) == 1


@virtual
async def test_of_what_was_never_received_it_warns_a_day_before_the_retention_ends(tmp_path: Path) -> None:
    world = World(tmp_path, settings={"queue": {"poll_interval_s": 600, "retention_s": 30 * HOUR_S}})
    async with world.working():
        await world.clock.sleep(10)
        desk_down(world)
        await until(world, lambda: world.events("retention_warning"), within_s=5 * DAY_S, step_s=600)
    [first, *_] = world.events("retention_warning")
    assert 6 * HOUR_S <= first["at"] - reads(world)[-1].at <= 6 * HOUR_S + 600
    assert 23.8 <= first["hours_left"] <= 24


@virtual
async def test_a_new_ledger_that_is_paused_warns_as_long_after_it_came_about(tmp_path: Path) -> None:
    world = World(tmp_path, settings={"queue": {"poll_interval_s": 600, "retention_s": 30 * HOUR_S}})
    worker = await world.start()
    await world.inside(worker.pause(paused=True))
    await until(world, lambda: world.events("retention_warning"), within_s=5 * DAY_S, step_s=600)
    await world.stop()
    [first, *_] = world.events("retention_warning")
    assert not reads(world)
    assert 6 * HOUR_S <= first["at"] - START <= 6 * HOUR_S + 1200


@pytest.mark.parametrize("later", [False, True])
@virtual
async def test_two_messages_of_different_tickets_under_one_message_id_are_both_applied(
    tmp_path: Path,
    later: bool,  # noqa: FBT001 - by name
) -> None:
    world = World(tmp_path)
    first = ticket(world, ["of the first."])
    async with world.working():
        if later:
            await world.quiet()
        ticket(world, ["of the second."])
        [*_, note] = world.ensono.queue.messages()
        note.content["MessageId"] = sent(world, first)[1]
        await world.quiet()
    assert sorted(said(world, ["of the first.", "of the second."])) == ["of the first.", "of the second."]
    assert len(deleted(world)) == 4
    assert sorted(len(request.notes) for request in world.requests()) == [1, 1]


@virtual
async def test_a_message_that_left_the_queue_unseen_comes_before_the_later_ones_of_its_ticket(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, ["first."])
    [_, first] = sent(world, number)
    on_desk(world, FaultKind.STATUS, path="*/notes", status=503)
    async with world.working():
        await until(world, lambda: state(world, first) == "retry_later")
        take_away(world, first)
        world.ensono.scenario.notes(number, "second.")
        await world.quiet()
    assert said(world, ["first.", "second."]) == ["first.", "second."]
    assert {line["message_id"] for line in world.events("gap_found")} == {first}


@virtual
async def test_what_waits_is_applied_though_its_counterpart_is_merged_into_one_that_began_later_for_another_ticket(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, settings=fitting(policy={"reopen": "new_ticket"}))
    async with world.working():
        number, other = ticket(world), ticket(world)
        await world.quiet()
        mine = world.requests()[0]
        desk_refuses(world, f"*/requests/{mine.id}/notes")
        world.ensono.scenario.notes(number, "first.")
        world.ensono.scenario.notes(number, "second.")
        await world.clock.sleep(45)
        world.ensono.scenario.ticket_resolve(other)
        await world.clock.sleep(45)
        world.ensono.scenario.ticket_reopen(other)
        await until(world, lambda: len(world.requests()) == 3)
        world.desk.people.merge(mine.id, world.requests()[2].id)
        world.desk.faults.clear()
        await world.quiet()
    assert said(world, ("first.", "second.")) == ["first.", "second."]
