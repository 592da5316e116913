"""kill -9 in a loop while messages flow: every ticket, note and file on the desk once, in order, and the queue empty at the end."""

import asyncio
import random
from functools import partial

from envision_worker.simulators.ensono.queued import Deleted
from envision_worker.simulators.faults import Fault, FaultKind
from process.real_worker import Plant, until

TICKETS = 8
NOTES = 4
KILLS = 4


async def busy_people(plant: Plant, numbers: list[str], rng: random.Random) -> None:
    """Ensono's users, who know nothing of any process."""
    play = plant.ensono.scenario
    for each in range(NOTES):
        for number in numbers:
            play.notes(number, f"part{each}")
            await asyncio.sleep(rng.uniform(0, 0.06))
    for number in numbers:
        play.attachment(number, "evidence.txt", f"of {number}".encode(), "text/plain")
        play.ticket_resolve(number)


def has_grown_to(plant: Plant, effects: int) -> bool:
    return len(plant.desk.journal) >= effects or not plant.ensono.queue.messages()


async def release_what_was_kept_aside(plant: Plant) -> None:
    """A message in hand at three unclean ends waits for an operator (P6); here is one."""
    for (ticket,) in plant.asked("SELECT DISTINCT ticket FROM messages WHERE held = 1"):
        ran = await plant.command("dead-letters", "retry", ticket)
        assert ran.code == 0, ran


async def test_killed_again_and_again_while_messages_flow(plant: Plant) -> None:
    rng = random.Random(2)
    plant.desk.faults.add(Fault(FaultKind.SLOW, times=None, seconds=0.02))
    numbers = [plant.ensono.scenario.incident_create() for _ in range(TICKETS)]
    people = asyncio.create_task(busy_people(plant, numbers, rng))
    for _ in range(KILLS):
        effects = len(plant.desk.journal)
        program = await plant.run()
        await until(partial(has_grown_to, plant, effects + rng.randrange(1, 12)))
        await asyncio.sleep(rng.uniform(0, 0.05))
        await program.kill()
    await people
    await plant.run()

    async def through() -> None:
        while plant.ensono.queue.messages():
            await release_what_was_kept_aside(plant)
            await asyncio.sleep(0.1)

    await asyncio.wait_for(through(), 40)

    for number in numbers:
        [ticket] = plant.of(number)
        assert plant.parts(number) == list(range(NOTES))
        assert [file.content for file in ticket.attachments] == [f"of {number}".encode()]
        assert plant.ensono.tickets[number].client_ticket_number == ticket.number
        assert plant.desk.setup.row("statuses", ticket.fields["status"]).name == "Resolved"
    assert plant.ensono.queue.failure_queue == []
    deletes = [
        each.message_id
        for each in plant.ensono.queue.journal
        if isinstance(each, Deleted) and each.outcome == "deleted"
    ]
    assert len(deletes) == len(set(deletes)) == TICKETS * (NOTES + 3)
    counts = (await plant.command("status", "--json")).json["messages"]
    assert counts["applied"] == TICKETS * (NOTES + 3)
    assert sum(counts.values()) == counts["applied"]
