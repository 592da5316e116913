"""kill -9 in a loop while approvals are asked for and decided: one level and one decision for each change and round, word for word."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from functools import partial

from envision_worker.simulators.faults import Fault, FaultKind
from envision_worker.simulators.manageengine.habits import Habit
from envision_worker.simulators.manageengine.people import Impossible
from process.real_worker import Plant, until

CAB, SECOND = "cab@example.com", "cab.second@example.com"
ASKED = [("Carla", CAB), ("Sam", SECOND)]
REASON = 'not in "December";\n ask Tim \\ Tom'
UNDONE = """SELECT 1 FROM approvals
            WHERE status = 'waiting' OR (status IN ('approved', 'rejected') AND sent IS NULL)"""
CHANGES = 4
KILLS = 3


def decided(plant: Plant) -> int:
    """How many decisions have reached Ensono."""
    return sum(len(ticket.decisions) for ticket in plant.ensono.tickets.values())


def has_decision(plant: Plant, number: str) -> bool:
    return bool(plant.ensono.tickets[number].decisions)


async def busy_ensono(plant: Plant, numbers: list[str]) -> None:
    """Who was asked second decides too late, the other way round; then every other change is drafted anew and assessed again."""
    play, people = plant.ensono.scenario, plant.desk.people
    for place, number in enumerate(numbers):
        await until(partial(has_decision, plant, number), within_s=40)
        with contextlib.suppress(Impossible):  # decided before anybody else was asked
            people.reject(plant.of(number)[-1].id, "too late", approver=SECOND)
        if place % 2:
            play.change_redraft(number)
            play.change_state(number, "Assess", approvers=ASKED)


def has_come_to(plant: Plant, numbers: list[str], effects: int, decisions: int) -> bool:
    """Whether so much has happened on the desk and at Ensono, or all that will."""
    return (len(plant.desk.journal) >= effects and decided(plant) >= decisions) or is_over(plant, numbers)


async def kill_at(plant: Plant, moment: Callable[[], bool], delay_s: float) -> None:
    """Start it, and kill it a little after something has come about."""
    program = await plant.run()
    await until(moment, programs=plant.programs)
    await asyncio.sleep(delay_s)
    await program.kill()


async def released(plant: Plant) -> None:
    """Wait for the end; what was in hand at three unclean ends waits for an operator (P6), and here is one."""
    while plant.ensono.queue.messages():
        for (ticket,) in plant.asked("SELECT DISTINCT ticket FROM messages WHERE held = 1"):
            assert (await plant.command("dead-letters", "retry", ticket)).code == 0
        await asyncio.sleep(0.1)


def is_over(plant: Plant, numbers: list[str]) -> bool:
    """Whether every round of every change is decided."""
    tickets = [plant.ensono.tickets[number] for number in numbers]
    return all({each.round for each in ticket.decisions} == set(range(1, ticket.round + 1)) for ticket in tickets)


def check(plant: Plant, number: str, verdict: str) -> None:
    """What must be so, whenever it was killed."""
    ticket = plant.ensono.tickets[number]
    changes = [each for each in plant.changes() if each.number in ticket.returned_numbers]
    assert len(changes) == ticket.round
    for change, round_ in zip(changes, range(1, ticket.round + 1), strict=True):
        of_round = [each for each in ticket.decisions if each.round == round_]
        assert [each.counted for each in of_round] == [True] + [False] * (len(of_round) - 1)
        assert len({(each.verb, each.approval_id, each.approver, each.comment) for each in of_round}) == 1
        assert of_round[0].verb == verdict
        assert of_round[0].comment.endswith(f"Reason: {REASON}")
        [level] = change.levels
        assert len({each.approver for each in level.approvals}) == len(level.approvals)
        assert [len(each.mails) for each in level.approvals] == [1] * len(level.approvals)
        asked = {plant.desk.setup.users[each.approver].email for each in level.approvals}
        for approval in (each for each in ticket.approvals if each.round == round_):
            noted = sum(approval.approval_id in note.text for note in change.notes)
            assert noted == 1 or (noted == 0 and approval.approver_email not in asked)


async def test_approvals_survive_being_killed_again_and_again(plant: Plant) -> None:
    rng = random.Random(7)
    plant.configure(approvals={"poll_interval_s": 0.1})
    plant.desk.faults.add(Fault(FaultKind.SLOW, times=None, seconds=0.01))
    for verb in ("approve", "reject"):  # answered long after it counted, and by then the worker is dead
        plant.ensono.faults.add(Fault(FaultKind.HANG_AFTER, "PUT", f"*/{verb}", times=2, seconds=1.0))
    plant.desk.expect(
        Habit(verdict, title=f"{verdict} *", comments=REASON, after_s=0.1) for verdict in ("approve", "reject")
    )
    titles = [("approve", "reject")[place // 2 % 2] for place in range(CHANGES)]
    numbers = [plant.ensono.scenario.change_create(approvers=ASKED, shortDescription=f"{title} me") for title in titles]
    ensono = asyncio.create_task(busy_ensono(plant, numbers))
    for kill in range(KILLS):
        effects, decisions = len(plant.desk.journal), decided(plant)
        if kill % 2:
            await kill_at(plant, partial(has_come_to, plant, numbers, effects, decisions + 1), 0.0)
        else:
            effects += rng.randrange(1, 25)
            await kill_at(plant, partial(has_come_to, plant, numbers, effects, decisions), rng.uniform(0, 0.02))
    await plant.run()
    await asyncio.wait_for(ensono, 40)
    await asyncio.wait_for(released(plant), 40)
    await until(lambda: is_over(plant, numbers), within_s=40, programs=plant.programs)
    await until(lambda: not plant.asked(UNDONE), programs=plant.programs)

    for number, title in zip(numbers, titles, strict=True):
        check(plant, number, title)
    assert (await plant.command("status", "--json")).json["approvals_waiting"] == 0
