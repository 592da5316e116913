"""Order: within a ticket as Ensono sent it, whatever order a read shows (P1)."""

import json
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from envision_worker.simulators.http import Request, Response, json_response
from worker.stories import deletes, fitting, note_words, story, virtual
from worlds.simulated import World


def shuffled(world: World, seed: int) -> None:
    """From the next life on the messages of every read come in any order."""
    real: Callable[[Request], Awaitable[Response]] = world.ensono.application
    dice = random.Random(seed)

    async def answer(request: Request) -> Response:
        response = await real(request)
        if request.method != "GET" or not request.raw_path.endswith("/queue"):
            return response
        body = json.loads(response.body)
        dice.shuffle(body["ReceiveMessageResponse"].get("ReceiveMessageResult", {}).get("messages") or [])
        return json_response(body)

    world.ensono.application = answer


@pytest.mark.parametrize("seed", range(5))
@virtual
async def test_ten_messages_of_three_tickets_shuffled_land_in_order(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path, settings=fitting())
    shuffled(world, seed)
    async with world.working():
        scenario = world.ensono.scenario
        first, second, third = (scenario.incident_create(shortDescription=f"Ticket {n}") for n in "123")
        scenario.notes(second, "2a")
        scenario.notes(first, "1a")
        scenario.notes(first, "1b")
        scenario.ticket_update(third, priority="1")
        scenario.notes(first, "1c")
        scenario.notes(second, "2b")
        scenario.ticket_update(third, priority="3")
        await world.quiet(within_s=10)
    by_title = {str(each.fields["subject"]): each for each in world.requests()}
    assert [words.splitlines()[1] for words in note_words(by_title["Ticket 1"])] == ["1a", "1b", "1c"]
    assert [words.splitlines()[1] for words in note_words(by_title["Ticket 2"])] == ["2a", "2b"]
    priority = by_title["Ticket 3"].fields["priority"]
    assert world.desk.setup.row("priorities", priority).name == "Medium"
    sent = [each.message_id for each in scenario.announcer.announced]
    of_ticket = {each.message_id: each.ticket for each in scenario.announcer.announced}
    gone = [str(entry.message_id) for entry in deletes(world)]
    for ticket in (first, second, third):
        assert [each for each in gone if of_ticket[each] == ticket] == [
            each for each in sent if of_ticket[each] == ticket
        ]


@virtual
async def test_equal_times_go_by_the_sequence_number_as_a_number(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        scenario = world.ensono.scenario
        number = scenario.incident_create()
        await world.quiet()
        for body, sequence in (("second", "10000000000000000000"), ("first", "9999999999999999999")):
            scenario.notes(number, body)
            message = world.ensono.queue.messages()[-1]
            message.content["Attributes"]["SequenceNumber"] = sequence
        await world.quiet()
    assert [words.splitlines()[1] for words in note_words(world.requests()[0])] == ["first", "second"]
