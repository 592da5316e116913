"""kill -9 at every step of a change's approvals: nothing is asked twice, nothing is lost, one decision counts in each round."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from worlds.changes import CAB, SECOND, ChangeWorld
from worlds.configuration import Edition
from worlds.virtual_time import in_virtual_time

SEEDS_A_TEST = 5


class Story:
    """A change that is approved by one of two, redrafted or not, assessed again and rejected, while the worker dies again and again."""

    def __init__(self, folder: Path, edition: Edition) -> None:
        self.world = ChangeWorld(folder, edition=edition, settings={"approvals": {"poll_interval_s": 20}})
        self.deaths = 0

    async def live(self, rng: Random) -> int:
        """Let it happen in lives of any length; returns how often the worker died."""
        world, scenario = self.world, self.world.ensono.scenario
        await world.start()
        undertaker = asyncio.create_task(self._bury(rng))
        number = scenario.change_create(approvers=[("Carla", CAB), ("Sam", SECOND)])
        await world.settled(lambda: len(world.mails()) == 2)
        world.desk.people.approve(world.change().number, approver=SECOND, comments="go")
        await world.settled(lambda: bool(world.decisions(number)))
        if rng.random() < 1 / 2:
            scenario.change_redraft(number)
        else:
            scenario.change_state(number, "Authorize")
        scenario.change_state(number, "Assess", approvers=[("Carla", CAB)])
        await world.settled(lambda: len(world.mails()) == 3)
        world.desk.people.reject(world.change().number, "stop", approver=CAB)
        await world.settled(lambda: any(each.verb == "reject" for each in world.decisions(number)))
        undertaker.cancel()
        world.life.dies_after = None
        await world.polls(8)
        await self.check(number)
        await world.stop()
        return self.deaths

    async def _bury(self, rng: Random) -> None:
        """Steps are commits, and calls on their way and back. Every second life is long enough to get ahead."""
        while True:
            self.world.life.dies_after = rng.randint(300, 450) if self.deaths % 2 else rng.randint(3, 200)
            await self.world.life.died.wait()
            self.deaths += 1
            await self.world.kill()
            await self.world.start()

    async def check(self, number: str) -> None:
        """What must be so, whenever the worker died."""
        world, ticket = self.world, self.world.ensono.tickets[number]
        old, new = world.changes()
        assert world.stands(old).endswith(" / Canceled")
        assert world.stands(new) == "CAB Evaluation / Rejected"
        assert ticket.client_ticket_number == world.number(new)
        assert len(old.levels) == len(new.levels) == 1
        assert [[world.email(each) for each in change.levels[0].approvals] for change in (old, new)] == [
            [CAB, SECOND],
            [CAB],
        ]
        assert world.mails() == [[CAB], [SECOND], [CAB]]
        for approval in ticket.approvals:
            noted = [note for change in (old, new) for note in change.notes if approval.approval_id in note.text]
            assert len(noted) == 1
        for round_, verb in ((1, "approve"), (2, "reject")):
            of_round = [each for each in ticket.decisions if each.round == round_]
            assert [each.counted for each in of_round] == [True] + [False] * (len(of_round) - 1)
            assert len({(each.verb, each.approval_id, each.comment) for each in of_round}) == 1
            assert of_round[0].verb == verb
        first, void, last = sorted((await world.records()).values(), key=lambda each: each.requested)
        if first.status == "withdrawn":  # it counted, but the redraft came before the worker could know that
            assert "approved here before" in first.comment or "approved here before" in void.comment
        assert {first.status, void.status} <= {"approved", "superseded", "withdrawn"}
        assert last.status == "rejected"
        assert world.events("dead_letter_kept") == []


@pytest.mark.parametrize("edition", ["on_premises", "cloud"])
@pytest.mark.parametrize("first", range(0, 4 * SEEDS_A_TEST, SEEDS_A_TEST))
def test_the_worker_may_die_at_any_step(tmp_path: Path, edition: Edition, first: int) -> None:
    deaths = []
    for seed in range(first, first + SEEDS_A_TEST):
        rng = Random(seed)
        deaths.append(in_virtual_time(Story(tmp_path, edition).live(rng)))
    assert min(deaths) > 0
