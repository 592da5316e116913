"""P2: a handle is deleted only once the ledger holds, durably, that nothing is left to do for its message."""

from pathlib import Path

import pytest

from envision_worker.operations import Operations
from envision_worker.simulators.ensono.queue import FifoQueue
from envision_worker.simulators.ensono.queued import Received
from envision_worker.simulators.faults import FaultKind
from intake.queues import deleted, on_deletes, on_desk, receives, sent, state, texts, ticket, until
from worker.stories import virtual
from worlds.simulated import World

SETTLED = {"applied", "out_of_scope", "discarded"}


def watched(world: World) -> list[str | None]:
    """How each message stood in the ledger at the moment when it was deleted; what is not committed there is not seen."""
    stood: list[str | None] = []

    class Watched(FifoQueue):
        def delete(self, handle: str) -> None:
            super().delete(handle)
            last = self.journal[-1]
            if not isinstance(last, Received) and last.message_id is not None:
                stood.append(state(world, last.message_id))

    world.ensono.queue.__class__ = Watched
    return stood


@virtual
async def test_every_message_was_settled_when_it_was_deleted(tmp_path: Path) -> None:
    world = World(tmp_path, settings={"scope": {"out_of_scope": [{"ticket_type": "Request"}]}})
    stood = watched(world)
    ticket(world, ["a note"])
    foreign = world.ensono.scenario.request_create()
    async with world.working():
        await world.quiet()
    assert sorted(map(str, stood)) == ["applied", "applied", "out_of_scope"]
    assert state(world, sent(world, foreign)[0]) == "out_of_scope"


@virtual
async def test_what_could_not_be_applied_is_not_deleted(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world)
    on_desk(world, FaultKind.STATUS, path="*/requests", status=503, times=None)
    async with world.working():
        await world.clock.sleep(600)
    assert receives(world, sent(world, number)[0]) > 1
    assert deleted(world) == []


@virtual
async def test_what_an_operator_discarded_is_deleted_when_it_comes_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    stood = watched(world)
    poison = {"Body": "garbage", "Attributes": {"MessageGroupId": "e-CS0000009", "TransactionType": "Notes"}}
    message_id = world.ensono.scenario.push(poison)
    async with world.working() as worker:
        await until(world, lambda: state(world, message_id) == "dead_letter")
        await world.clock.sleep(5)
        assert deleted(world) == []
        await world.inside(Operations(worker).discard(message_id, "nobody can use it"))
        await world.quiet()
    assert stood == ["discarded"]


@virtual
async def test_what_was_applied_under_another_message_id_is_deleted_without_being_applied_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world)
    note = world.ensono.scenario.notes(number, "said once.")
    async with world.working():
        await world.quiet()
        await world.clock.sleep(301)
        again = world.ensono.scenario.resend(note)
        await world.quiet()
    assert again != note
    assert state(world, again) == "applied"
    assert sum("said once." in text for text in texts(world)) == 1


@virtual
async def test_a_message_whose_delete_failed_is_deleted_at_a_later_delivery_and_not_applied_again(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    number = ticket(world)
    on_deletes(world, times=40)
    async with world.working():
        await world.quiet(within_s=7200)
    [create] = sent(world, number)
    assert receives(world, create) > 1
    assert deleted(world) == [create]
    assert len(world.requests()) == 1


@pytest.mark.parametrize("step", range(2, 42, 4))
@virtual
async def test_a_worker_killed_at_any_step_deletes_nothing_that_it_has_not_settled(tmp_path: Path, step: int) -> None:
    world = World(tmp_path)
    stood = watched(world)
    ticket(world, ["a note"])
    on_desk(world, FaultKind.LOSE_ANSWER, path="*/notes")
    await world.start()
    world.life.dies_after = step
    await world.clock.sleep(60)
    await world.kill()
    async with world.working():
        await world.quiet()
    assert set(stood) <= SETTLED
    assert len(deleted(world)) == 2
