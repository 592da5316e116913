"""Approvals that wait while nobody can decide them on the desk any more, and what operators can do about any approval."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from envision_worker.operations import Operations
from envision_worker.relay.looking import NOT_ON_DESK
from envision_worker.report import Result
from envision_worker.simulators.faults import Fault, FaultKind
from worlds.changes import CAB, MANAGER, SECOND, ChangeWorld, lived
from worlds.configuration import Edition, configured

EDITIONS = pytest.mark.parametrize("edition", ["on_premises", "cloud"])


async def asked(world: ChangeWorld, *approvers: str) -> tuple[str, str]:
    """A change for which these were asked; returns Ensono's number and the first approvalId."""
    names = [(email.partition("@")[0], email) for email in approvers or (CAB,)]
    number = world.ensono.scenario.change_create(approvers=names)
    await world.settled()
    return number, world.ensono.tickets[number].approvals[0].approval_id


def operations(world: ChangeWorld) -> Operations:
    assert world.worker is not None
    return Operations(world.worker)


async def decide(world: ChangeWorld, approval_id: str, *, approve: bool, reason: str = "by telephone") -> Any:
    doing = operations(world).decide(approval_id, approve=approve, email="ops@example.com", reason=reason)
    return await world.inside(doing)


async def resend(world: ChangeWorld, approval_id: str) -> Any:
    return await world.inside(operations(world).resend(approval_id))


# --- gone from the desk ----------------------------------------------------------------------------------------------


@EDITIONS
@pytest.mark.parametrize("gone", ["level", "change"])
def test_an_approval_that_is_gone_from_the_desk_is_said_once_and_stays_in_the_list(
    tmp_path: Path, edition: Edition, gone: str
) -> None:
    async def story(world: ChangeWorld) -> None:
        _, approval_id = await asked(world)
        if gone == "level":
            world.remove_level(world.levels(world.change())[0])
        else:
            world.desk.people.delete("change", world.change().id)
        await world.polls(4)
        await world.stop()
        await world.start()
        await world.polls(4)
        assert [line["approval_id"] for line in world.events("approval_missing")] == [approval_id]
        record = (await world.records())[approval_id]
        assert (record.status, record.comment) == ("waiting", NOT_ON_DESK)
        assert (await world.worker_gauges()).approvals_waiting == 1

    lived(tmp_path, story, edition=edition)


def test_an_approval_of_a_trashed_change_is_missing_until_it_is_taken_out_again(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number, approval_id = await asked(world)
        world.desk.people.trash("change", world.change().id)
        await asyncio.sleep(700)
        assert len(world.events("approval_missing")) == 1
        assert world.mails() == [[CAB]]
        world.desk.people.restore("change", world.change().id)
        await world.polls()
        assert (await world.records())[approval_id].comment == ""
        await world.approve(number)
        assert world.decisions(number)[0].comment.endswith(" UTC.")

    lived(tmp_path, story, settings={"approvals": {"remind_after_s": 300}})


@EDITIONS
def test_resending_an_approval_whose_level_is_gone_asks_anew(tmp_path: Path, edition: Edition) -> None:
    async def story(world: ChangeWorld) -> None:
        number, approval_id = await asked(world, CAB, SECOND)
        world.remove_level(world.levels(world.change())[0])
        await world.polls()
        report = await resend(world, approval_id)
        assert report.result is Result.DONE
        assert world.asked(world.change()) == [CAB]
        assert world.mails()[-1] == [CAB]
        second = world.ensono.tickets[number].approvals[1].approval_id
        assert (await resend(world, second)).result is Result.DONE
        (level,) = world.levels(world.change())
        assert world.asked(world.change()) == [CAB, SECOND]
        assert world.notes(world.change()).count(f"(level {level.id})") == 2
        await world.approve(number, approver=SECOND)
        assert [each.approver for each in world.decisions(number)] == [SECOND]
        assert {record.status for record in (await world.records()).values()} == {"approved", "superseded"}

    lived(tmp_path, story, edition=edition)


def test_resending_an_approval_whose_change_is_gone_asks_on_the_one_that_came_after_it(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number, approval_id = await asked(world)
        world.desk.people.delete("change", world.change().id)
        report = await resend(world, approval_id)
        assert report.result is Result.STILL_FAILING
        world.ensono.scenario.notes(number, "any news?")
        await world.settled()
        assert (await resend(world, approval_id)).result is Result.DONE
        assert world.asked(world.changes()[1]) == [CAB]
        await world.approve(number)
        assert [each.approval_id for each in world.decisions(number)] == [approval_id]

    lived(tmp_path, story)


# --- what operators do -----------------------------------------------------------------------------------------------


@EDITIONS
def test_resending_a_waiting_approval_lets_the_desk_write_to_those_who_have_not_decided(
    tmp_path: Path, edition: Edition
) -> None:
    async def story(world: ChangeWorld) -> None:
        _, approval_id = await asked(world, CAB, SECOND)
        report = await resend(world, approval_id)
        assert report.result is Result.DONE
        assert world.mails() == [[CAB], [SECOND], [CAB, SECOND]]

    lived(tmp_path, story, edition=edition)


def test_resending_asks_those_who_are_configured_by_now_for_an_approver_who_left(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number, approval_id = await asked(world, CAB)
        await world.stop()
        world.config = configured(
            tmp_path, "on_premises", world.desk.credentials, {"approvals": {"approvers": {CAB: [SECOND]}}}
        )
        await world.start()
        assert (await resend(world, approval_id)).result is Result.DONE
        assert world.asked(world.change()) == [CAB, SECOND]
        assert len(world.levels(world.change())) == 1
        assert f"Asked here: {SECOND}" in world.notes(world.change())
        notes = len(world.change().notes)
        assert (await resend(world, approval_id)).result is Result.DONE
        assert len(world.change().notes) == notes
        await world.approve(number, approver=SECOND)
        assert [each.approver for each in world.decisions(number)] == [CAB]

    lived(tmp_path, story)


def test_resending_while_the_desk_is_down_says_so(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        _, approval_id = await asked(world)
        world.unreachable.add("desk")
        report = await resend(world, approval_id)
        assert report.result is Result.STILL_FAILING
        assert "refused" in report.lines[0]

    lived(tmp_path, story)


def test_resending_a_decision_that_ensono_refused_sends_it_at_once(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number, approval_id = await asked(world)
        world.ensono.faults.add(Fault(FaultKind.STATUS, "PUT", "*/approve", status=400, body=b'{"Response":"not now"}'))
        world.desk.people.approve(world.change().number)
        await world.settled(lambda: bool(world.events("decision_refused")))
        report = await resend(world, approval_id)
        assert report.result is Result.DONE
        assert len(world.decisions(number)) == 1
        assert (await resend(world, approval_id)).lines == (f"{approval_id}: approved; there is nothing to send",)

    lived(tmp_path, story)


@EDITIONS
@pytest.mark.parametrize("approve", ["approve", "reject"])
def test_an_approval_can_be_decided_from_the_command_line_and_the_ledger_tells_who_and_why(
    tmp_path: Path, edition: Edition, approve: str
) -> None:
    async def story(world: ChangeWorld) -> None:
        number, approval_id = await asked(world, CAB, SECOND)
        world.unreachable.add("desk")
        report = await decide(world, approval_id, approve=approve == "approve", reason="by telephone,\n03:10")
        assert report.result is Result.DONE
        (decision,) = world.decisions(number)
        assert (decision.verb, decision.approver, decision.approval_id) == (approve, CAB, approval_id)
        past = "approved" if approve == "approve" else "rejected"
        assert decision.comment.startswith(f"Email: ops@example.com {past} Change Request {world.numbers()[0]} via ")
        assert "via the command line of envision-worker at " in decision.comment
        assert decision.comment.endswith("Reason: by telephone,\n03:10")
        record = (await world.records())[approval_id]
        assert (record.decided_by[1], record.via) == ("ops@example.com", "the command line of envision-worker")
        world.unreachable.clear()
        world.desk.people.approve(world.change().number, approver=SECOND)
        await world.polls(4)
        assert len(world.decisions(number)) == 1

    lived(tmp_path, story, edition=edition)


def test_what_waits_for_no_decision_can_not_be_decided(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number, approval_id = await asked(world)
        assert (await decide(world, "no such approval", approve=True)).result is Result.UNKNOWN
        assert (await resend(world, "no such approval")).result is Result.UNKNOWN
        world.ensono.scenario.change_redraft(number)
        await world.settled()
        report = await decide(world, approval_id, approve=True)
        assert report.result is Result.UNKNOWN
        assert world.decisions(number) == []

    lived(tmp_path, story)


def test_a_decision_that_ensono_has_not_confirmed_is_kept_and_reported_as_such(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number, approval_id = await asked(world)
        world.unreachable.add("ensono")
        report = await decide(world, approval_id, approve=True)
        assert report.result is Result.STILL_FAILING
        world.unreachable.clear()
        await world.settled(lambda: bool(world.decisions(number)))

    lived(tmp_path, story)


def test_an_operator_and_an_approver_who_decide_at_the_same_moment_make_one_decision(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number, approval_id = await asked(world, MANAGER)
        world.desk.people.reject(world.change().number, "no")
        assert world.worker is not None
        world.worker.look_at_approvals()
        await decide(world, approval_id, approve=True)
        await world.polls()
        assert len(world.decisions(number)) == 1

    lived(tmp_path, story)
