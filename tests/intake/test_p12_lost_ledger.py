"""P12: with an empty ledger the worker finds on the desk what an earlier one did, and makes nothing a second time."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from envision_worker.simulators.ensono.scenario import Scenario
from envision_worker.simulators.faults import Fault, FaultKind
from envision_worker.simulators.manageengine.tickets import Ticket
from intake.queues import on_desk, said, sent, ticket, until, writes
from worker.stories import EDITIONS, fitting, only_request, verbs, virtual
from worlds.configuration import Edition
from worlds.process import Died
from worlds.simulated import World

WORDS = ("first.", "second.")


def a_life(world: World) -> str:
    """A ticket with everything that adds to the desk."""
    number = ticket(world, WORDS, shortDescription="once")
    world.ensono.scenario.attachment(number, "once.txt", b"once", "text/plain")
    world.ensono.scenario.ticket_resolve(number)
    return number


def assert_once(world: World, number: str) -> None:
    request = only_request(world)
    assert said(world, WORDS) == list(WORDS)
    assert [(file.name, file.content) for file in request.attachments] == [("once.txt", b"once")]
    assert set(world.ensono.tickets[number].returned_numbers) == {request.number}
    assert world.desk.setup.row("statuses", request.fields["status"]).name == "Resolved"


@pytest.mark.parametrize("step", range(4, 100, 6))
@virtual
async def test_a_worker_that_loses_its_ledger_at_any_step_makes_nothing_twice(tmp_path: Path, step: int) -> None:
    world = World(tmp_path, edition=EDITIONS[step % 4 // 2], settings=fitting())
    number = a_life(world)
    try:
        await world.start()
        world.life.dies_after = step
        await until(world, lambda: world.life.dead or not world.ensono.queue.messages())
    except Died:
        pass
    await world.kill()
    world.lose_ledger()
    async with world.working():
        await world.quiet()
    assert_once(world, number)


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_a_ticket_goes_on_after_the_ledger_was_lost_on_the_counterpart_that_it_had(
    tmp_path: Path, edition: Edition
) -> None:
    world = World(tmp_path, edition=edition, settings=fitting())
    async with world.working():
        number = ticket(world, WORDS[:1])
        await world.quiet()
    world.lose_ledger()
    async with world.working():
        world.ensono.scenario.notes(number, WORDS[1])
        await world.quiet()
    assert said(world, WORDS) == list(WORDS)
    assert verbs(world).count("create") == 1
    assert only_request(world).number == world.ensono.tickets[number].client_ticket_number


@pytest.mark.parametrize("behind_s", [0.0, 5 * 86400.0, -5 * 86400.0])
@pytest.mark.parametrize("path", ["*/requests", "*/notes", "*/upload"])
@virtual
async def test_a_write_whose_answer_and_whose_ledger_were_lost_is_found_on_the_desk(
    tmp_path: Path, path: str, behind_s: float
) -> None:
    world = World(tmp_path, settings=fitting())
    world.clock.skew_s = -behind_s
    number = a_life(world)
    on_desk(world, FaultKind.HANG_AFTER, method="P*", path=path, seconds=20.0)
    await world.start()
    await until(world, lambda: [call for call in writes(world) if call.path.endswith(path[1:])], step_s=0.05)
    await world.clock.sleep(1)  # it was carried out; the answer is on its way for twenty seconds
    await world.kill()
    world.lose_ledger()
    async with world.working():
        await world.quiet()
    assert_once(world, number)


def opened_again(scenario: Scenario) -> Iterator[object]:
    """Resolved and opened again; the policy makes another ticket of it."""
    number = scenario.incident_create(shortDescription="once")
    yield number
    yield scenario.ticket_resolve(number)
    yield scenario.ticket_reopen(number)


def redrafted(scenario: Scenario) -> Iterator[object]:
    """A change goes back to New, and is assessed again."""
    number = scenario.change_create()
    yield number
    yield scenario.change_redraft(number)
    yield scenario.change_state(number, "Assess")


def assessed_again(scenario: Scenario) -> Iterator[object]:
    """A change that was scheduled is assessed again, though no Redraft came."""
    number = scenario.change_create()
    yield number
    yield scenario.change_state(number, "Scheduled")
    yield scenario.change_state(number, "Assess")


ROUNDS = pytest.mark.parametrize("rounds", [opened_again, redrafted, assessed_again])


@ROUNDS
@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("answer", ["came", "is on its way"])
@virtual
async def test_what_led_to_another_ticket_does_not_lead_there_again_when_all_of_it_comes_once_more(
    tmp_path: Path, rounds: Callable[[Scenario], Iterator[object]], edition: Edition, answer: str
) -> None:
    world = World(tmp_path, edition=edition, settings=fitting(policy={"reopen": "new_ticket"}))
    for _ in rounds(world.ensono.scenario):
        await world.clock.sleep(1)
    says_it_is_deleted = json.dumps({"DeleteMessageResponse": {"ResponseMetadata": {"RequestId": "none"}}}).encode()
    world.ensono.faults.add(Fault(FaultKind.STATUS, "DELETE", status=200, body=says_it_is_deleted, times=None))
    await world.start()
    await until(world, lambda: verbs(world).count("create") == 1, step_s=0.05)
    if answer == "is on its way":
        on_desk(world, FaultKind.HANG_AFTER, path=f"*/{world.desk.journal[0].kind}s", seconds=20.0)
    await until(world, lambda: verbs(world).count("create") == 2, step_s=0.05)
    if answer == "came":
        await world.clock.sleep(20)
    await world.kill()
    stood = [state(each) for each in tickets(world)]
    world.lose_ledger()
    world.ensono.faults.clear()
    async with world.working():
        await world.quiet()
    assert verbs(world).count("create") == 2
    if answer == "came":
        assert [state(each) for each in tickets(world)] == stood


def tickets(world: World) -> list[Ticket]:
    """All that were made on the desk, oldest first."""
    return [world.desk.ticket(each.kind, each.ticket) for each in world.desk.journal if each.verb == "create"]


def state(of: Ticket) -> tuple[str, str]:
    return of.id, str(of.fields["status"])


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_a_comment_that_ensono_sends_again_is_known_on_the_ticket_that_was_opened_again_elsewhere(
    tmp_path: Path, edition: Edition
) -> None:
    world = World(tmp_path, edition=edition, settings=fitting(policy={"reopen": "new_ticket"}))
    async with world.working():
        number = ticket(world, WORDS[:1])
        (_, said_once) = sent(world, number)
        world.ensono.scenario.ticket_resolve(number)
        await world.quiet()
        world.ensono.scenario.ticket_reopen(number)
        await world.quiet()
        await world.clock.sleep(301)
    world.ensono.scenario.resend(said_once)
    world.lose_ledger()
    async with world.working():
        world.ensono.scenario.notes(number, WORDS[1])
        await world.quiet()
    assert said(world, WORDS) == list(WORDS)


@pytest.mark.parametrize("then", ["stays open", "is cancelled"])
@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_what_opened_a_ticket_again_elsewhere_is_known_when_ensono_sends_it_once_more(
    tmp_path: Path, edition: Edition, then: str
) -> None:
    world = World(tmp_path, edition=edition, settings=fitting(policy={"reopen": "new_ticket"}))
    async with world.working():
        number = ticket(world)
        world.ensono.scenario.ticket_resolve(number)
        await world.quiet()
        world.ensono.scenario.ticket_reopen(number)
        await world.quiet()
        opened = sent(world, number)[-1]
        if then == "is cancelled":
            world.ensono.scenario.ticket_cancel(number)
        await world.quiet()
        await world.clock.sleep(301)
    world.ensono.scenario.resend(opened)
    stood = [state(each) for each in tickets(world)]
    world.lose_ledger()
    async with world.working():
        await world.quiet()
    assert [state(each) for each in tickets(world)] == stood


@virtual
async def test_what_ensonos_user_wrote_into_a_description_makes_no_message_count_as_applied(tmp_path: Path) -> None:
    world = World(tmp_path, settings=fitting())
    line = "Continues 7 with what Ensono sent at 2031-01-01T00:00:00.000Z (ref ffffffffffffffff)"
    async with world.working():
        number = ticket(world, description=f"as you wrote: {line}")
        await world.quiet()
    world.lose_ledger()
    world.ensono.scenario.notes(number, WORDS[0])
    async with world.working():
        await world.quiet()
    assert said(world, WORDS) == [WORDS[0]]
