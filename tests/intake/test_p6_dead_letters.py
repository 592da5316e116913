"""P6: what can't be applied is kept, blocks its ticket in order, is tried again and again, and is an operator's to retry or discard."""

from itertools import pairwise
from pathlib import Path

from envision_worker.ledger.records import LedgerUnavailable
from envision_worker.operations import Operations
from envision_worker.report import Result
from envision_worker.simulators.faults import FaultKind
from intake.queues import (
    WINDOW_S,
    calls,
    deleted,
    desk_refuses,
    now,
    on_desk,
    reason,
    receives,
    said,
    sent,
    state,
    take_away,
    texts,
    ticket,
    unclean_ends,
    until,
    writes,
)
from worker.stories import fitting, status, virtual
from worlds.simulated import World

HOUR_S = 3600.0
SELDOM = {"queue": {"poll_interval_s": 300}, "approvals": {"poll_interval_s": 3600}}
"""For what lasts hours."""
WORDS = ("one.", "two.", "three.")


def attempts(world: World, message_id: str) -> int:
    """How often it was begun."""
    sql = "SELECT attempts FROM messages WHERE message_id = ?"
    return int(world.store.execute(sql, (message_id,)).fetchone()[0])


async def blocked(world: World) -> tuple[str, list[str]]:
    """A ticket whose first note the desk refuses; returns its number and the MessageIds of its notes."""
    number = ticket(world, WORDS)
    notes = sent(world, number)[1:]
    desk_refuses(world)
    await until(world, lambda: state(world, notes[0]) == "dead_letter", step_s=0.1)
    return number, notes


# --- it blocks its ticket --------------------------------------------------------------------------------------------


@virtual
async def test_a_refused_message_is_kept_and_its_tickets_later_ones_wait_behind_it_and_no_others(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    async with world.working():
        number, notes = await blocked(world)
        world.desk.faults.clear()
        desk_refuses(world, "*/requests/1/notes")
        ticket(world, ["another's."])
        await until(world, lambda: said(world, ["another's."]))
        await world.clock.sleep(300)
        assert [state(world, note) for note in notes] == ["dead_letter", "waiting", "waiting"]
        assert reason(world, notes[0]) == "refused_by_desk"
        assert said(world, WORDS) == []
        assert [attempts(world, note) for note in notes[1:]] == [0, 0]
        assert len(deleted(world)) == 3  # the creates, and the other ticket's note
    [told, *_] = world.events("dead_letter_kept")
    assert (told["message_id"], told["ticket"]) == (notes[0], number)


@virtual
async def test_those_behind_a_dead_letter_are_kept_whatever_ensono_does_with_its_own(tmp_path: Path) -> None:
    world = World(tmp_path, settings={"queue": {"max_receives": 2}})
    world.ensono.queue.max_receives = 2
    async with world.working():
        _, notes = await blocked(world)
        await until(world, lambda: len(world.ensono.queue.failure_queue) == len(notes))
        assert [state(world, note) for note in notes] == ["dead_letter", "waiting", "waiting"]
        await world.clock.sleep(600)
        world.desk.faults.clear()
        await until(world, lambda: said(world, WORDS) == list(WORDS), within_s=6 * HOUR_S, step_s=10)
    assert len(texts(world)) == len(WORDS)


@virtual
async def test_a_message_whose_last_receive_is_spent_undone_is_a_dead_letter(tmp_path: Path) -> None:
    world = World(tmp_path, settings={"queue": {"max_receives": 3}})
    world.ensono.queue.max_receives = 3
    number = ticket(world)
    [create] = sent(world, number)
    on_desk(world, FaultKind.STATUS, path="*/requests", status=500, times=None)
    async with world.working():
        await until(world, lambda: receives(world, create) == 3)
        await until(world, lambda: state(world, create) == "dead_letter", within_s=10)
        assert reason(world, create) == "receives_used_up"
        world.desk.faults.clear()
        await until(world, world.requests, within_s=HOUR_S)


# --- it is tried again -----------------------------------------------------------------------------------------------


@virtual
async def test_it_is_tried_on_each_redelivery_and_then_from_its_copy_at_growing_intervals(tmp_path: Path) -> None:
    world = World(tmp_path, settings=SELDOM)
    async with world.working():
        _, notes = await blocked(world)
        await until(world, lambda: world.ensono.queue.failure_queue, within_s=3 * HOUR_S)
        assert attempts(world, notes[0]) >= receives(world, notes[0]) == 20
        left = world.ensono.queue.failure_queue[0].left_at or 0.0
        await world.clock.sleep(36 * HOUR_S)
    tries = [call.at for call in calls(world, "POST", "/notes") if call.at > left]
    waits = [later - earlier for earlier, later in pairwise(tries) if later - earlier > 5]  # a refusal is tried twice
    assert waits[0] <= 1000
    assert all(later >= min(1.5 * earlier, 6 * HOUR_S) for earlier, later in pairwise(waits))
    assert all(6 * HOUR_S <= wait <= 6 * HOUR_S + 300 for wait in waits[-2:])


@virtual
async def test_one_that_left_the_queue_stays_a_dead_letter_while_the_desk_only_answers_it_with_500(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, settings={"queue": {"max_receives": 2}})
    world.ensono.queue.max_receives = 2
    async with world.working():
        _, notes = await blocked(world)
        await until(world, lambda: world.ensono.queue.failure_queue)
        world.desk.faults.clear()
        on_desk(world, FaultKind.STATUS, path="*/notes", status=500, times=None)
        began = now()
        await world.clock.sleep(4 * HOUR_S)
        assert state(world, notes[0]) == "dead_letter"
        assert reason(world, notes[0]) == "refused_by_desk"
    assert len(world.events("dead_letter_kept")) == 1
    tries = [call.at for call in calls(world, "POST", "/notes") if call.at > began]
    assert 5 <= len(tries) <= 10  # at growing intervals


@virtual
async def test_once_it_goes_through_those_behind_it_follow_and_what_is_still_in_the_queue_is_only_deleted(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    async with world.working():
        _, notes = await blocked(world)
        take_away(world, notes[0])  # the others stay in the queue
        await world.clock.sleep(200)
        assert said(world, WORDS) == []
        world.desk.faults.clear()
        await world.quiet(within_s=12 * HOUR_S)
        assert said(world, WORDS) == list(WORDS)
    assert set(deleted(world)) >= set(notes[1:])
    assert state(world, notes[0]) == "applied"


@virtual
async def test_a_dead_letter_outlives_the_process(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.start()
    number, notes = await blocked(world)
    await world.kill()
    world.desk.faults.clear()
    await world.start()
    await world.quiet()
    await world.stop()
    assert said(world, WORDS) == list(WORDS)
    assert [state(world, each) for each in sent(world, number)] == ["applied"] * (1 + len(notes))


# --- an operator's ---------------------------------------------------------------------------------------------------


@virtual
async def test_retry_runs_the_tickets_kept_messages_in_order_while_the_daemon_runs_and_it_then_deletes_them(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    async with world.working() as worker:
        number, notes = await blocked(world)
        failing = await world.inside(Operations(worker).retry(number))
        assert failing.result is Result.STILL_FAILING
        world.desk.faults.clear()
        done = await world.inside(Operations(worker).retry(number))
        assert done.result is Result.DONE
        assert said(world, WORDS) == list(WORDS)
        assert len(world.ensono.queue.messages()) == len(notes)
        await world.quiet()
    assert len(texts(world)) == len(WORDS)
    assert [line["how"] for line in world.events("dead_letter_resolved")] == ["applied"]


@virtual
async def test_discard_gives_it_up_and_lets_the_next_follow_and_its_reason_is_kept(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.working() as worker:
        _, notes = await blocked(world)
        world.desk.faults.clear()
        await world.inside(Operations(worker).discard(notes[0], "by telephone"))
        assert said(world, WORDS) == list(WORDS[1:])
        await world.quiet()
    assert [state(world, note) for note in notes] == ["discarded", "applied", "applied"]
    [(detail,)] = world.store.execute("SELECT detail FROM messages WHERE state = 'discarded'").fetchall()
    assert detail == "by telephone"


@virtual
async def test_what_is_no_dead_letter_can_be_neither_retried_nor_discarded(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.working() as worker:
        _, notes = await blocked(world)
        for ref in (notes[1], "e-CS0999999", ""):
            assert (await world.inside(Operations(worker).retry(ref))).result is Result.UNKNOWN
            assert (await world.inside(Operations(worker).discard(ref, "why not"))).result is Result.UNKNOWN
        assert [state(world, note) for note in notes] == ["dead_letter", "waiting", "waiting"]


# --- what ends the process -------------------------------------------------------------------------------------------


async def dies_with_it_in_hand(world: World, number: str) -> None:
    """One life that is killed while the desk works on the ticket's note."""
    note = sent(world, number)[-1]
    await world.start()
    before = attempts(world, note) if state(world, note) else 0
    await until(world, lambda: state(world, note) and attempts(world, note) > before, step_s=0.05)
    await world.kill()


@virtual
async def test_a_ledger_that_fails_again_and_again_is_not_the_fault_of_the_message_in_hand(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world)

    def full(when: str) -> None:
        if when == "before" and in_hand(world):
            raise LedgerUnavailable("database or disk is full")

    for _ in range(3):
        world.at_commit = full
        worker = await world.start()
        await until(world, worker.lost.done, within_s=600)
        await world.stop()
        assert in_hand(world) == 1
        world.at_commit = lambda _: None
        await world.clock.sleep(WINDOW_S)
    assert unclean_ends(world) == 0
    async with world.working():
        await world.quiet()
    assert state(world, sent(world, number)[0]) == "applied"
    assert len(world.requests()) == 1


def in_hand(world: World) -> int:
    """How many messages the ledger has in hand."""
    return int(world.store.execute("SELECT count(*) FROM messages WHERE in_hand = 1").fetchone()[0])


@virtual
async def test_a_message_in_hand_at_two_unclean_ends_is_tried_alone(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world)
    async with world.working():
        await world.quiet()
    world.ensono.scenario.notes(number, "heavy.")
    on_desk(world, FaultKind.SLOW, method="GET", path="*/requests/1", seconds=5.0, times=None)
    for _ in range(2):
        await dies_with_it_in_hand(world, number)
    await world.clock.sleep(60)  # so that one read brings it and the others
    others = [ticket(world, WORDS) for _ in range(3)]
    async with world.working():
        await world.quiet()
    *_, heavy = [line for line in world.events("message_handled") if line["message_id"] == sent(world, number)[1]]
    began, ended = heavy["at"] - heavy["seconds"], heavy["at"]
    meanwhile = [
        line["message_id"]
        for line in world.events("message_handled")
        if line is not heavy and line["calls"] and line["at"] - line["seconds"] < ended and line["at"] > began
    ]
    assert heavy["seconds"] > 4
    assert meanwhile == []
    assert len(texts(world)) == 1 + len(others) * len(WORDS)


@virtual
async def test_if_the_process_ends_again_it_is_kept_aside_until_an_operator_retries_it(tmp_path: Path) -> None:
    world = World(tmp_path, settings=SELDOM)
    number = ticket(world, ["deadly."])
    note = sent(world, number)[1]
    on_desk(world, FaultKind.HANG_BEFORE, path="*/notes", seconds=20.0, times=None)
    for _ in range(3):
        await dies_with_it_in_hand(world, number)
        await world.clock.sleep(60)
    async with world.working() as worker:
        await until(world, lambda: state(world, note) == "dead_letter")
        assert reason(world, note) == "process_ended"
        tried = attempts(world, note)
        wrote = len(writes(world))
        await world.clock.sleep(12 * HOUR_S)
        assert len(writes(world)) == wrote
        assert attempts(world, note) <= tried + 1
        world.desk.faults.clear()
        await world.inside(Operations(worker).retry(note))
        assert said(world, ["deadly."]) == ["deadly."]
    assert len(texts(world)) == 1


@virtual
async def test_after_a_create_that_was_carried_out_but_given_up_the_next_message_says_all_that_it_has_to_say(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, settings=fitting())
    number = ticket(world, shortDescription="first")
    world.ensono.scenario.ticket_update(number, shortDescription="second", status="workingprogress")
    create, update = sent(world, number)
    for message in world.ensono.queue.messages():
        message.receives = 19
    on_desk(world, FaultKind.LOSE_ANSWER, path="*/requests")
    async with world.working() as worker:
        await until(world, lambda: state(world, create) == "dead_letter")
        await world.inside(Operations(worker).discard(create, "made by hand"))
        await until(world, lambda: state(world, update) == "applied")
    (request,) = world.requests()
    assert request.fields["subject"] == "second"
    assert status(world, request) == "In Progress"
