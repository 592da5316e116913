"""P1: within a message group effects happen one transaction at a time, in the order of sending; groups run side by side."""

from pathlib import Path
from typing import Any

import pytest

from envision_worker.operations import Operations
from envision_worker.simulators.faults import FaultKind
from intake.queues import (
    desk_down,
    desk_refuses,
    on_deletes,
    on_desk,
    reads,
    receives,
    said,
    sent,
    since_start,
    state,
    ticket,
    until,
)
from worker.stories import EDITIONS, fitting, virtual
from worlds.configuration import Edition
from worlds.simulated import World

WORDS = tuple(f"word{number}." for number in range(6))


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_a_tickets_messages_take_effect_in_the_order_of_sending(tmp_path: Path, edition: Edition) -> None:
    world = World(tmp_path, edition=edition)
    ticket(world, WORDS)
    async with world.working():
        await world.quiet()
    assert said(world, WORDS) == list(WORDS)


@virtual
async def test_one_transaction_at_a_time(tmp_path: Path) -> None:
    world = World(tmp_path)
    ticket(world, WORDS)
    on_desk(world, FaultKind.SLOW, seconds=2.0, times=None)
    async with world.working():
        await world.quiet()
    assert most_at_once(world) == 1
    assert said(world, WORDS) == list(WORDS)


@virtual
async def test_what_was_sent_in_the_same_millisecond_is_ordered_by_its_sequence_as_a_number(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world)
    for word, sequence in (("second.", "100"), ("first.", "99")):  # as texts they would stand the other way round
        note = {"type": "comment", "id": word, "body": word, "commenter": "X", "commenterEmail": "x@example.com"}
        message = {
            "MessageId": word,
            "Body": {"ticketNumber": number, "ticketType": "Incident", "clientName": "testClient", "notes": note},
            "Attributes": {
                "MessageGroupId": number,
                "TransactionType": "Notes",
                "SentTimestamp": "1772431200000",
                "SequenceNumber": sequence,
                "ApproximateReceiveCount": "1",
            },
        }
        world.ensono.scenario.push(message, verbatim=True)
    async with world.working():
        await world.quiet()
    assert said(world, ("first.", "second.")) == ["first.", "second."]


@virtual
async def test_a_redelivery_out_of_order_is_put_in_order_with_what_is_kept(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, WORDS)
    on_desk(world, FaultKind.STATUS, path="*/notes", status=503)
    queue = world.ensono.queue
    async with world.working():
        await until(world, lambda: state(world, sent(world, number)[1]) == "retry_later")
        group = queue._groups[number]
        group.messages = type(group.messages)(reversed(group.messages.items()))  # the next deliveries come reversed
        await world.quiet()
    assert receives(world, sent(world, number)[-1]) > 1
    assert said(world, WORDS) == list(WORDS)


@virtual
async def test_a_message_that_fails_stops_its_group_for_that_read_and_no_other(tmp_path: Path) -> None:
    world = World(tmp_path)
    ticket(world, ("a1.", "a2."))
    ticket(world, ("b1.", "b2."))
    on_desk(world, FaultKind.STATUS, path="*/requests/1/notes", status=500)
    async with world.working():
        await until(world, lambda: said(world, ("b2.",)))
        await world.clock.sleep(5)
        assert len([read for read in reads(world) if read.message_ids]) == 1
        assert said(world, ("a1.", "a2.", "b1.", "b2.")) == ["b1.", "b2."]
        await world.quiet()
    assert said(world, ("a1.", "a2.")) == ["a1.", "a2."]


@pytest.mark.parametrize("why", ["the answer", "an expired handle"])
@virtual
async def test_a_delete_that_fails_stops_its_group_too(tmp_path: Path, why: str) -> None:
    world = World(tmp_path)
    number = ticket(world, WORDS)
    if why == "the answer":
        on_deletes(world, times=30)
    else:
        world.ensono.queue.visibility_s = 0.01
    async with world.working():
        await world.clock.sleep(25)
        assert len(world.requests()) == 1  # the create is applied, but its handle can't be deleted
        assert said(world, WORDS) == []
        world.ensono.queue.visibility_s = 30.0
        await world.quiet(within_s=7200)
    assert said(world, WORDS) == list(WORDS)
    assert receives(world, sent(world, number)[0]) > 1


def most_at_once(world: World) -> int:
    """How many messages were being handled at the same time, at most."""
    spans: list[tuple[float, float]] = [
        (line["at"] - line["seconds"], line["at"]) for line in world.events("message_handled") if line["calls"]
    ]
    at_once = [sum(began <= start < ended for began, ended in spans) for start, _ in spans]
    return max(at_once)


def slow_tickets(folder: Path, **worker: Any) -> World:
    """Six tickets, each of whose creates takes the desk five seconds."""
    world = World(folder, settings=fitting(worker=worker))
    for word in WORDS:
        ticket(world, (word,))
    on_desk(world, FaultKind.SLOW, path="*/requests", seconds=5.0, times=None)
    return world


@virtual
async def test_groups_run_side_by_side_but_no_more_than_configured(tmp_path: Path) -> None:
    world = slow_tickets(tmp_path, parallel_tickets=2)
    async with world.working():
        await world.quiet()
    assert most_at_once(world) == 2
    assert sorted(said(world, WORDS)) == list(WORDS)


@virtual
async def test_groups_do_not_wait_for_each_other(tmp_path: Path) -> None:
    world = slow_tickets(tmp_path)
    async with world.working():
        await until(world, lambda: len(said(world, WORDS)) == len(WORDS), step_s=0.1)
        assert since_start() < 10
    assert most_at_once(world) > 3


@virtual
async def test_a_ticket_whose_first_message_waits_goes_on_in_order_when_an_operator_retries_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, WORDS)
    desk_refuses(world)
    async with world.working() as worker:
        await until(world, lambda: state(world, sent(world, number)[1]) == "dead_letter")
        await world.clock.sleep(5)
        assert said(world, WORDS) == []
        world.desk.faults.clear()
        await world.inside(Operations(worker).retry(number))
        assert said(world, WORDS) == list(WORDS)
        await world.quiet()
    assert said(world, WORDS) == list(WORDS)


@virtual
async def test_the_order_holds_through_an_outage_in_the_middle_of_a_ticket(tmp_path: Path) -> None:
    world = World(tmp_path)
    ticket(world, WORDS)
    async with world.working():
        await until(world, lambda: len(said(world, WORDS)) == 2, step_s=0.01)
        desk_down(world)
        await world.clock.sleep(300)
        ticket(world, ("another.",))
        world.desk.faults.clear()
        await world.quiet()
    assert said(world, WORDS) == list(WORDS)
