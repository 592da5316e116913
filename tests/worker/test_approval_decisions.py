"""Decisions on the desk: noticed, sent to Ensono once, and later ones not."""

import asyncio
import json
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from envision_worker.simulators.control import ObservedCall
from envision_worker.simulators.faults import Fault, FaultKind
from worlds.changes import CAB, MANAGER, SECOND, ChangeWorld, lived
from worlds.configuration import Edition
from worlds.virtual_time import world_time

EDITIONS = pytest.mark.parametrize("edition", ["on_premises", "cloud"])
GROUP = "noreply@client.com"
DECIDING = ("approve", "reject")


def approvals(**given: Any) -> dict[str, Any]:
    return {"approvals": given}


def sent(world: ChangeWorld) -> list[ObservedCall]:
    """Every approve and reject that reached Ensono, whatever was answered."""
    return [call for call in world.ensono.journal.calls if call.path.rpartition("/")[2] in DECIDING]


async def asked(world: ChangeWorld, *approvers: str) -> str:
    """A change for which these were asked; returns Ensono's number."""
    names = [(email.partition("@")[0], email) for email in approvers or (CAB,)]
    number = world.ensono.scenario.change_create(approvers=names)
    await world.settled()
    return number


# --- what goes back --------------------------------------------------------------------------------------------------


@EDITIONS
@pytest.mark.parametrize("verdict", DECIDING)
def test_a_decision_goes_back_with_approval_id_approver_number_and_one_comment(
    tmp_path: Path, edition: Edition, verdict: str
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world, GROUP)
        change, moment = world.change(), world_time()
        if verdict == "approve":
            world.desk.people.approve(change.number, comments="no capacity", approver=SECOND)
        else:
            world.desk.people.reject(change.number, "no capacity", approver=SECOND)
        await world.settled(lambda: bool(world.decisions(number)))
        (call,) = sent(world)
        assert call.path.endswith(f"/tickets/{number}/{verdict}")
        payload = json.loads(call.body)["payload"]
        (approval,) = world.ensono.tickets[number].approvals
        (comment,) = payload.pop("comments")
        assert payload == {
            "clientName": "testClient",
            "ticketType": "Change",
            "clientTicketNumber": world.number(change),
            "approver": GROUP,
            "approvalId": approval.approval_id,
        }
        assert list(comment) == ["body"]
        noticed = moment if edition == "on_premises" else call.at - 0.05
        (decision,) = world.decisions(number)
        past = "approved" if verdict == "approve" else "rejected"
        assert decision.comment == (
            f"Sam Second, Email: {SECOND}, Phone: +1 555 0111 {past} Change Request {world.number(change)} "
            f"via ManageEngine ServiceDesk Plus at {shown(noticed)}. Reason: no capacity"
        )

    settings = approvals(approvers={GROUP: [CAB, SECOND]}) | {"desk": {"time_zone": "America/Chicago"}}
    lived(tmp_path, story, edition=edition, settings=settings)


@EDITIONS
def test_half_an_emoji_in_an_approvers_comment_does_not_keep_the_decision_back(
    tmp_path: Path, edition: Edition
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world)
        world.desk.people.approve(world.change().number, comments="fine \ud83d", approver=CAB)
        await world.settled(lambda: bool(world.decisions(number)))
        (decision,) = world.decisions(number)
        assert "Reason: fine" in decision.comment

    lived(tmp_path, story, edition=edition)


def shown(moment: float) -> str:
    """A moment of these tests, in March 2026, as people in Chicago write it."""
    return datetime.fromtimestamp(int(moment), ZoneInfo("America/Chicago")).strftime("%Y-%m-%d %H:%M:%S CST")


@EDITIONS
def test_a_delegate_is_named_as_who_decided_for_the_approver_who_was_asked(tmp_path: Path, edition: Edition) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world)
        world.desk.people.delegate(world.change().number, MANAGER, approver=CAB)
        await world.approve(number)
        (decision,) = world.decisions(number)
        assert decision.approver == CAB
        assert decision.comment.startswith(f"Maria Manager, Email: {MANAGER}, Phone: +1 555 0112 approved")

    lived(tmp_path, story, edition=edition)


def test_a_decision_without_a_reason_goes_without_one(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world)
        await world.approve(number)
        assert world.decisions(number)[0].comment.endswith(" UTC.")

    lived(tmp_path, story)


# --- one decision counts ---------------------------------------------------------------------------------------------


@EDITIONS
@pytest.mark.parametrize("later_s", [1, 200])
def test_under_anyone_the_first_decision_counts_and_a_later_one_is_kept_and_not_sent(
    tmp_path: Path, edition: Edition, later_s: float
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world, CAB, SECOND, MANAGER)
        first, second, third = world.ensono.tickets[number].approvals
        people, change = world.desk.people, world.change().number
        people.reject(change, "not now", approver=CAB)
        await asyncio.sleep(later_s)
        people.approve(change, approver=SECOND, comments="why not")
        await world.polls(3)
        (decision,) = world.decisions(number)
        assert (decision.verb, decision.approval_id, decision.counted) == ("reject", first.approval_id, True)
        records = await world.records()
        assert records[second.approval_id].status == "superseded"
        assert records[second.approval_id].decided_by[1] == SECOND
        assert records[second.approval_id].comment == "approved: why not"
        assert (records[third.approval_id].status, records[third.approval_id].decided_by[1]) == ("superseded", "")

    lived(tmp_path, story, edition=edition)


def test_a_decision_that_comes_after_a_restart_is_kept_and_not_sent_either(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world, CAB, SECOND)
        await world.approve(number, approver=CAB)
        await world.stop()
        await world.start()
        world.desk.people.reject(world.change().number, "stop", approver=SECOND)
        await world.polls()
        assert len(sent(world)) == 1
        assert [line["by"] for line in world.events("decision_too_late")] == [SECOND]

    lived(tmp_path, story)


@EDITIONS
def test_under_everyone_nothing_goes_back_before_the_level_is_decided_and_then_the_final_approver(
    tmp_path: Path, edition: Edition
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world, CAB, SECOND)
        people, change = world.desk.people, world.change().number
        people.approve(change, approver=SECOND)
        await world.polls(3)
        assert world.decisions(number) == []
        await asyncio.sleep(5)
        people.approve(change, approver=CAB, comments="me too")
        await world.polls()
        (decision,) = world.decisions(number)
        final = CAB if edition == "on_premises" else decision.approver  # the cloud does not tell when somebody decided
        assert (decision.verb, decision.approver) == ("approve", final)
        assert not [record for record in (await world.records()).values() if record.status == "waiting"]

    lived(tmp_path, story, edition=edition, settings=approvals(rule="everyone"))


@EDITIONS
def test_under_everyone_the_first_rejection_decides(tmp_path: Path, edition: Edition) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world, CAB, SECOND, MANAGER)
        people, change = world.desk.people, world.change().number
        people.approve(change, approver=MANAGER)
        people.reject(change, "no", approver=SECOND)
        await world.polls()
        (decision,) = world.decisions(number)
        assert (decision.verb, decision.approver) == ("reject", SECOND)

    lived(tmp_path, story, edition=edition, settings=approvals(rule="everyone"))


@EDITIONS
@pytest.mark.parametrize("first", DECIDING)
def test_who_decides_twice_at_once_is_taken_at_the_last_word_and_after_that_at_none(
    tmp_path: Path, edition: Edition, first: Any
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world)
        world.desk.people.decide_twice(world.change().number, first=first, reason="I meant this")
        await world.polls()
        (decision,) = world.decisions(number)
        assert decision.verb != first
        approver = {"approver": CAB}
        world.desk.people.approve(world.change().number, **approver)
        world.desk.people.reject(world.change().number, "no, that", **approver)
        await world.polls(3)
        assert world.decisions(number) == [decision]
        assert len(sent(world)) == 1

    lived(tmp_path, story, edition=edition)


# --- noticed cheaply -------------------------------------------------------------------------------------------------


@EDITIONS
def test_a_waiting_approval_costs_one_call_for_each_look_and_a_decided_one_ever_fewer(
    tmp_path: Path, edition: Edition
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world)
        world.add_level(world.change(), "of our own", world.desk.setup.users[next(iter(world.desk.setup.users))].id)
        await world.polls()
        before = len(world.desk.calls)
        await asyncio.sleep(600)
        looks = world.desk.calls[before:]
        assert len(looks) == 600 / 20
        assert {(call.method, call.path.rpartition("/")[2]) for call in looks} == {("GET", "approvals")}
        world.desk.people.approve(world.change().number, approver=CAB)
        await world.settled(lambda: bool(world.decisions(number)))
        before = len(world.desk.calls)
        await asyncio.sleep(640 + 20)
        times = [call.at for call in world.desk.calls[before:] if call.path.endswith("/approvals")]
        assert 4 <= len(times) <= len((20, 40, 80, 160, 320, 640))
        pauses = [later - earlier for earlier, later in pairwise(times)]
        assert pauses == sorted(pauses)

    lived(tmp_path, story, edition=edition, settings=approvals(poll_interval_s=20))


def test_a_hint_from_the_desk_wakes_the_look(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world)
        world.desk.people.approve(world.change().number)
        assert world.worker is not None
        world.worker.look_at_approvals()
        await asyncio.sleep(1)
        assert len(world.decisions(number)) == 1
        world.worker.look_at_approvals()
        await asyncio.sleep(1)
        assert len(world.decisions(number)) == 1

    lived(tmp_path, story, settings=approvals(poll_interval_s=3600))


def test_one_change_that_the_desk_does_not_show_holds_up_no_other(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        first = await asked(world)
        second = await asked(world)
        broken, fine = world.changes()
        world.desk.faults.add(Fault(FaultKind.STATUS, "GET", f"*/changes/{broken.id}/*", times=None))
        world.desk.people.approve(broken.number)
        world.desk.people.approve(fine.number)
        await world.settled(lambda: bool(world.decisions(second)))
        assert world.decisions(first) == []
        world.desk.faults.clear()
        await world.settled(lambda: bool(world.decisions(first)))

    lived(tmp_path, story)


# --- sent until it is confirmed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FaultKind.LOSE_ANSWER, FaultKind.STATUS_AFTER, FaultKind.TRUNCATED, FaultKind.EMPTY])
def test_a_decision_whose_answer_was_lost_is_sent_again_unchanged_after_the_guides_pause(
    tmp_path: Path, kind: FaultKind
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world)
        world.ensono.faults.add(Fault(kind, "PUT", "*/reject", status=502))
        world.desk.people.reject(world.change().number, "no")
        await world.settled(lambda: len(world.decisions(number)) == 2)
        lost, again = sent(world)
        assert 90 <= again.at - lost.at <= 90 + 60
        assert again.body == lost.body
        assert [each.counted for each in world.decisions(number)] == [True, False]
        await world.polls(4)
        assert len(sent(world)) == 2

    lived(tmp_path, story)


def test_a_decision_that_never_reached_ensono_is_sent_with_the_next_look(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world)
        world.unreachable.add("ensono")
        world.desk.people.approve(world.change().number)
        await world.polls(5)
        world.unreachable.clear()
        await world.settled(lambda: bool(world.decisions(number)))
        assert [each.counted for each in world.decisions(number)] == [True]

    lived(tmp_path, story)


def test_a_decision_that_ensono_refuses_is_said_loudly_and_sent_again_at_growing_intervals(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world)
        refusal = Fault(
            FaultKind.STATUS, "PUT", "*/approve", times=None, status=400, body=b'{"Response": "Approval not found"}'
        )
        world.ensono.faults.add(refusal)
        world.desk.people.approve(world.change().number)
        await asyncio.sleep(3 * 3600)
        assert all("Approval not found" in line["detail"] for line in world.events("decision_refused"))
        times = [call.at for call in sent(world)]
        pauses = [later - earlier for earlier, later in pairwise(times)]
        assert 5 <= len(times) <= 9
        assert pauses == sorted(pauses)
        world.ensono.faults.clear()
        await world.settled(lambda: bool(world.decisions(number)), within_s=4 * 3600)

    lived(tmp_path, story, settings={"queue": {"poll_interval_s": 300}})


# --- no longer wanted ------------------------------------------------------------------------------------------------


@EDITIONS
@pytest.mark.parametrize("end", ["redraft", "cancel", "close"])
def test_what_ensono_no_longer_wants_is_withdrawn_on_the_desk(tmp_path: Path, edition: Edition, end: str) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world, CAB, SECOND)
        scenario = world.ensono.scenario
        {"redraft": scenario.change_redraft, "cancel": scenario.change_cancel, "close": scenario.change_close}[end](
            number
        )
        await world.settled()
        assert world.levels(world.change()) == []
        records = (await world.records()).values()
        assert {record.status for record in records} == {"withdrawn"}
        assert all(number in record.comment for record in records)
        assert len(world.events("approval_withdrawn")) == 2
        assert (await world.worker_gauges()).approvals_waiting == 0
        await world.polls()
        assert sent(world) == []

    lived(tmp_path, story, edition=edition)


def test_a_decision_that_was_never_confirmed_is_not_sent_any_more_once_ensono_has_redrafted(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world)
        world.ensono.faults.add(
            Fault(FaultKind.STATUS, "PUT", "*/approve", times=None, status=400, body=b'{"Response":"x"}')
        )
        await asyncio.sleep(1)
        world.desk.people.approve(world.change().number, comments="fine")
        await world.polls()
        world.ensono.scenario.change_redraft(number)
        await world.settled()
        world.ensono.faults.clear()
        before = len(sent(world))
        await world.polls(6)
        assert len(sent(world)) == before
        (record,) = (await world.records()).values()
        assert record.status == "withdrawn"
        assert "approved here before" in record.comment
        assert "fine" in record.comment

    lived(tmp_path, story)


def test_a_decision_that_comes_after_the_redraft_is_not_sent(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world)
        world.desk.people.approve(world.change().number)
        world.ensono.scenario.change_redraft(number)
        await world.settled()
        await world.polls()
        assert sent(world) == []

    lived(tmp_path, story, settings=approvals(poll_interval_s=300))


def test_a_level_that_can_not_be_withdrawn_is_told_on_the_change(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world)
        forbidden = b'{"response_status":{"status_code":4000,"status":"failed","messages":[{"status_code":4002,"type":"failed"}]}}'
        world.desk.faults.add(Fault(FaultKind.STATUS, "DELETE", "*", times=None, status=403, body=forbidden))
        world.ensono.scenario.change_redraft(number)
        await world.settled()
        assert "could not be taken off the desk" in world.notes(world.change())
        assert world.stands(world.change()).endswith(" / Canceled")
        world.desk.people.approve(world.change().number)
        await world.polls()
        assert sent(world) == []

    lived(tmp_path, story)


# --- reminders -------------------------------------------------------------------------------------------------------


@EDITIONS
def test_who_has_not_decided_is_reminded_by_the_desk_again_and_again(tmp_path: Path, edition: Edition) -> None:
    async def story(world: ChangeWorld) -> None:
        await asked(world, CAB, SECOND)
        await asyncio.sleep(1)
        world.desk.people.approve(world.change().number, approver=CAB)
        await asyncio.sleep(2.5 * 600)
        assert world.mails() == [[CAB], [SECOND], [SECOND], [SECOND]]
        assert [line["approver"] for line in world.events("approval_reminded")] == [SECOND, SECOND]

    lived(tmp_path, story, edition=edition, settings=approvals(remind_after_s=600, rule="everyone"))


def test_a_reminder_whose_answer_was_lost_is_not_repeated_with_every_look(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        await asked(world)
        world.desk.faults.add(Fault(FaultKind.LOSE_ANSWER, "PUT", "*/send_notification", times=None))
        await asyncio.sleep(2.5 * 600)
        assert world.mails() == [[CAB], [CAB], [CAB]]

    lived(tmp_path, story, settings=approvals(remind_after_s=600))


def test_a_reminder_that_did_not_go_out_is_tried_again_with_the_next_look(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        await asked(world)
        await asyncio.sleep(500)
        world.unreachable.add("desk")
        await asyncio.sleep(400)
        world.unreachable.clear()
        await asyncio.sleep(200)
        assert world.mails() == [[CAB], [CAB]]

    lived(tmp_path, story, settings=approvals(remind_after_s=600))
