"""What approvers say after the decision that counts: kept in the ledger, told in the story, and not sent."""

import asyncio
import json
from pathlib import Path
from typing import Any, Literal

import pytest

from envision_worker.ledger.reports import approval_as_json
from envision_worker.ledger.stories import stories, timeline
from envision_worker.operations import Operations
from envision_worker.simulators.faults import Fault, FaultKind
from worlds.changes import CAB, SECOND, ChangeWorld, lived
from worlds.configuration import Edition

EDITIONS = pytest.mark.parametrize("edition", ["on_premises", "cloud"])
GROUP = "noreply@client.com"
OF_A_GROUP = {"approvals": {"approvers": {GROUP: [CAB, SECOND]}}}
HOUR_S = 3600
DAY_S = 24 * HOUR_S


async def approved(world: ChangeWorld, *asked: str, by: str = CAB) -> str:
    """A change that one of these approved, and Ensono knows it."""
    names = [(email.partition("@")[0], email) for email in asked or (CAB,)]
    number = world.ensono.scenario.change_create(approvers=names)
    await world.settled()
    await world.approve(number, approver=by, comments="go")
    return number


def too_late(world: ChangeWorld, number: str) -> list[tuple[str, str]]:
    """What the story tells of decisions that came too late."""
    (story,) = stories(world.store, number)
    return [(what, detail) for _, _, what, detail in timeline(story) if "too late" in what]


def told(world: ChangeWorld) -> list[tuple[str, str, str]]:
    """The same as the log tells it: what was decided, by whom, and what counts."""
    return [(line["decision"], line["by"], line["counts"]) for line in world.events("decision_too_late")]


@EDITIONS
def test_an_approvers_change_of_mind_is_kept_and_told_once_and_not_sent(tmp_path: Path, edition: Edition) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await approved(world)
        await asyncio.sleep(200)
        world.desk.people.reject(world.change().number, "no, wait", approver=CAB)
        await world.polls(12)
        (record,) = (await world.records()).values()
        assert (record.status, record.comment) == ("approved", "go")
        assert too_late(world, number) == [
            ("rejected too late, not sent", f"{record.approval_id} by Carla Board: no, wait")
        ]
        (word,) = approval_as_json(record, None)["said_too_late"]
        assert (word["by"], word["decision"], word["comment"]) == ("Carla Board", "rejected", "no, wait")
        assert told(world) == [("rejected", CAB, "approved")]
        assert [each.verb for each in world.decisions(number)] == ["approve"]

    lived(tmp_path, story, edition=edition)


def test_an_approver_who_goes_to_and_fro_is_told_each_time_also_across_restarts(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await approved(world)
        people, change = world.desk.people, world.change().number
        for verdict in ("reject", "approve", "reject"):
            await world.kill()
            if verdict == "reject":
                people.reject(change, "no", approver=CAB)
            else:
                people.approve(change, comments="yes", approver=CAB)
            await world.start()
            await world.polls()
        await world.stop()
        await world.start()
        await world.polls(12)
        assert [decision for decision, _, _ in told(world)] == ["rejected", "approved", "rejected"]
        assert len(too_late(world, number)) == 3
        assert len(world.decisions(number)) == 1

    lived(tmp_path, story)


@EDITIONS
def test_a_later_decision_by_another_one_of_the_group_that_was_asked_is_told(tmp_path: Path, edition: Edition) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await approved(world, GROUP, by=SECOND)
        world.desk.people.reject(world.change().number, "not me", approver=CAB)
        await world.polls(3)
        ((what, detail),) = too_late(world, number)
        assert what == "rejected too late, not sent"
        assert detail.endswith(" by Carla Board: not me")
        assert [each.verb for each in world.decisions(number)] == ["approve"]

    lived(tmp_path, story, edition=edition, settings=OF_A_GROUP)


@EDITIONS
def test_under_everyone_those_who_made_the_outcome_are_not_too_late_and_who_changes_it_is(
    tmp_path: Path, edition: Edition
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create(approvers=[("Carla", CAB), ("Sam", SECOND)])
        await world.settled()
        people, change = world.desk.people, world.change().number
        people.approve(change, approver=SECOND)
        await asyncio.sleep(5)
        await world.approve(number, approver=CAB)
        await world.polls(3)
        assert told(world) == []
        people.reject(change, "after all not", approver=SECOND)
        await world.polls(6)
        assert told(world) == [("rejected", SECOND, "approved")]
        assert len(too_late(world, number)) == 1

    lived(tmp_path, story, edition=edition, settings={"approvals": {"rule": "everyone"}})


@EDITIONS
@pytest.mark.parametrize("first", ["approve", "reject"])
def test_under_everyone_the_level_counts_though_its_decider_changed_his_mind_at_once(
    tmp_path: Path, edition: Edition, first: Literal["approve", "reject"]
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create(approvers=[("Carla", CAB)])
        await world.settled()
        people = world.desk.people
        people.decide_twice(world.change().number, first=first, comments="as asked", reason="I meant this")
        await world.polls(3)
        (decision,) = world.decisions(number)
        assert decision.verb == first
        assert "Carla Board" in decision.comment
        assert "I meant this" not in decision.comment

    lived(tmp_path, story, edition=edition, settings={"approvals": {"rule": "everyone"}})


def test_a_decision_on_the_desk_after_one_from_the_command_line_is_told(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create(approvers=[("Carla", CAB)])
        await world.settled()
        (approval_id,) = await world.records()
        assert world.worker is not None
        await Operations(world.worker).decide(approval_id, approve=True, email=CAB, reason="by telephone")
        world.desk.people.approve(world.change().number, comments="as I said", approver=CAB)
        await world.polls(3)
        assert too_late(world, number) == [("approved too late, not sent", f"{approval_id} by Carla Board: as I said")]
        assert told(world) == [("approved", CAB, "approved")]
        assert len(world.decisions(number)) == 1

    lived(tmp_path, story)


def looks(world: ChangeWorld) -> int:
    """How often the approvals of a level were asked for."""
    return sum(call.method == "GET" and call.path.endswith("/approvals") for call in world.desk.calls)


async def looks_after(world: ChangeWorld, *, away_s: float, for_s: float) -> int:
    """How often the desk is looked at when the worker was away, and then runs for so long."""
    await world.stop()
    await asyncio.sleep(away_s)
    before = looks(world)
    await world.start()
    await asyncio.sleep(for_s)
    return looks(world) - before


def test_a_decided_round_is_watched_for_a_week_and_no_longer_than_it_lasts(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        await approved(world)
        assert await looks_after(world, away_s=6 * DAY_S, for_s=9 * HOUR_S) == 3  # at once, and every four hours
        assert await looks_after(world, away_s=DAY_S, for_s=9 * HOUR_S) == 0
        redrafted = await approved(world, SECOND, by=SECOND)
        world.ensono.scenario.change_redraft(redrafted)
        world.ensono.scenario.change_state(redrafted, "Assess")
        await world.settled()
        assert await looks_after(world, away_s=0, for_s=HOUR_S) == 0

    rarely: dict[str, Any] = {"queue": {"poll_interval_s": 900}, "approvals": {"poll_interval_s": 900}}
    lived(tmp_path, story, settings=rarely)


def test_many_that_are_due_at_once_are_looked_at_a_few_at_a_time(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        for _ in range(7):
            await approved(world)
        await world.stop()
        before = looks(world)
        await world.start()
        await asyncio.sleep(30)
        assert looks(world) - before == 5
        await asyncio.sleep(60)
        assert looks(world) - before == 7

    lived(tmp_path, story)


def test_a_desk_that_fails_at_the_look_costs_nothing_but_the_look(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await approved(world)
        world.unreachable.add("desk")
        await asyncio.sleep(300)
        world.unreachable.clear()
        world.desk.people.reject(world.change().number, "no", approver=CAB)
        await asyncio.sleep(1200)
        assert json.dumps(too_late(world, number)).count("rejected too late") == 1

    lived(tmp_path, story)


@EDITIONS
def test_under_everyone_who_decides_while_the_level_is_read_is_named_for_the_outcome(
    tmp_path: Path, edition: Edition
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create(approvers=[("Carla", CAB), ("Sam", SECOND)])
        await world.settled()
        await world.polls(2)  # the first one looks for what a lost ledger knew
        people, change = world.desk.people, world.change().number
        world.desk.faults.add(Fault(FaultKind.HANG_BEFORE, method="GET", path="*/approval_levels", seconds=5))
        people.approve(change, approver=CAB)
        while not any(call.path.endswith("/approval_levels") and call.status is None for call in world.desk.calls):
            await asyncio.sleep(0.5)
        people.reject(change, "no", approver=SECOND)
        await world.polls(3)
        (decision,) = world.decisions(number)
        assert (decision.verb, decision.approver) == ("reject", SECOND)
        assert "Reason: no" in decision.comment

    lived(tmp_path, story, edition=edition, settings={"approvals": {"rule": "everyone"}})
