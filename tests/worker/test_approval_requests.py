"""Approval Request: the right people are asked on the desk, once, and what was asked stands there."""

import json
from pathlib import Path
from typing import Any

import pytest

from envision_worker.simulators.faults import Fault, FaultKind
from worlds.changes import CAB, MANAGER, SECOND, ChangeWorld, lived
from worlds.configuration import Edition

EDITIONS = pytest.mark.parametrize("edition", ["on_premises", "cloud"])
GROUP = "noreply@client.com"


def approvals(**given: Any) -> dict[str, Any]:
    return {"approvals": given}


@EDITIONS
def test_the_approver_is_found_by_address_asked_once_and_the_approval_id_stands_on_the_change(
    tmp_path: Path, edition: Edition
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create(approvers=[("Carla Board", "CAB@example.com")])
        await world.settled()
        (change,) = world.changes()
        (asked,) = world.ensono.tickets[number].approvals
        assert world.asked(change) == [CAB]
        assert world.mails() == [[CAB]]
        assert f"Ensono approval {asked.approval_id} for CAB@example.com" in world.notes(change)
        record = (await world.records())[asked.approval_id]
        assert (record.status, record.desk_approvers, record.round) == ("waiting", ("CAB@example.com",), 1)
        assert (await world.worker_gauges()).approvals_waiting == 1

    lived(tmp_path, story, edition=edition)


@EDITIONS
def test_an_address_stands_for_several_approvers_as_configured(tmp_path: Path, edition: Edition) -> None:
    async def story(world: ChangeWorld) -> None:
        world.ensono.scenario.change_create(approvers=[("The board", "NoReply@Client.com ")])
        await world.settled()
        assert world.asked(world.change()) == [CAB, SECOND]
        assert world.mails() == [[CAB, SECOND]]
        assert f"Asked here: {CAB}, {SECOND}" in world.notes(world.change())

    lived(tmp_path, story, edition=edition, settings=approvals(approvers={GROUP: [CAB, SECOND]}))


@EDITIONS
@pytest.mark.parametrize("rule", ["anyone", "everyone"])
def test_several_requests_for_a_change_become_one_level_with_the_configured_rule(
    tmp_path: Path, edition: Edition, rule: str
) -> None:
    async def story(world: ChangeWorld) -> None:
        world.ensono.scenario.change_create(approvers=[("Carla", CAB), ("Sam", SECOND), ("Maria", MANAGER)])
        await world.settled()
        (level,) = world.levels(world.change())
        assert world.asked(world.change()) == [CAB, SECOND, MANAGER]
        assert world.mails() == [[CAB], [SECOND], [MANAGER]]
        if edition == "cloud":
            assert level.rule == rule
        else:
            assert level.percent == {"anyone": 1, "everyone": 100}[rule]

    lived(tmp_path, story, edition=edition, settings=approvals(rule=rule))


@EDITIONS
def test_a_change_whose_create_has_not_arrived_is_made_first_and_completed_by_its_create(
    tmp_path: Path, edition: Edition
) -> None:
    async def story(world: ChangeWorld) -> None:
        world.ensono.scenario.push_samples(["change-approval-request"])
        await world.settled()
        (change,) = world.changes()
        assert change.fields["title"] == "Ensono e-CHG0032103"
        assert world.asked(change) == [CAB]
        assert world.stands(change) == "CAB Evaluation / Approval Pending"
        assert world.ensono.tickets["e-CHG0032103"].returned_numbers == world.numbers()
        world.ensono.scenario.push_samples(["change-create"])
        await world.settled()
        assert len(world.changes()) == 1
        assert change.fields["title"] == "test"

    lived(tmp_path, story, edition=edition, settings=approvals(approvers={GROUP: [CAB]}))


@pytest.mark.parametrize("gone", ["deleted", "trashed"])
def test_a_change_that_is_gone_from_the_desk_is_made_anew_for_its_approval(tmp_path: Path, gone: str) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create()
        await world.settled()
        people = world.desk.people
        (people.delete if gone == "deleted" else people.trash)("change", world.change().id)
        world.ensono.scenario.approval_request(number, approver_email=CAB)
        await world.settled()
        assert world.asked(world.changes()[1]) == [CAB]
        assert world.ensono.tickets[number].returned_numbers == world.numbers()

    lived(tmp_path, story)


@pytest.mark.parametrize("known", [(), (CAB,)])
@EDITIONS
def test_for_an_approver_whom_the_desk_does_not_know_the_fallback_is_asked_and_the_change_says_so(
    tmp_path: Path, edition: Edition, known: tuple[str, ...]
) -> None:
    async def story(world: ChangeWorld) -> None:
        world.ensono.scenario.change_create(approvers=[("Nobody", GROUP)])
        await world.settled()
        assert world.asked(world.change()) == list(known or [MANAGER])
        assert "Not asked: stranger@client.com: not known here" in world.notes(world.change())

    given = approvals(fallback_approver={"email_id": MANAGER}, approvers={GROUP: ["stranger@client.com", *known]})
    lived(tmp_path, story, edition=edition, settings=given)


@EDITIONS
def test_an_approver_who_may_not_decide_is_replaced_by_the_fallback_and_costs_the_others_nothing(
    tmp_path: Path, edition: Edition
) -> None:
    async def story(world: ChangeWorld) -> None:
        world.desk.setup.add_user("intern@example.com", approves=False)
        world.ensono.scenario.change_create(approvers=[("Intern", "intern@example.com")])
        world.ensono.scenario.change_create(approvers=[("The board", GROUP)])
        await world.settled()
        first, second = world.changes()
        assert world.asked(first) == [MANAGER]
        assert "Not asked: intern@example.com: " in world.notes(first)
        assert world.asked(second) == [CAB]
        assert len(world.levels(first)) == len(world.levels(second)) == 1

    given = approvals(fallback_approver={"email_id": MANAGER}, approvers={GROUP: ["intern@example.com", CAB]})
    lived(tmp_path, story, edition=edition, settings=given)


@pytest.mark.parametrize("fallback", ["none", "unknown, too"])
@EDITIONS
def test_without_anybody_to_ask_the_request_is_a_dead_letter_that_says_what_to_configure(
    tmp_path: Path, edition: Edition, fallback: str
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create(approvers=[("Nobody", "stranger@client.com")])
        world.ensono.scenario.notes(number, "behind it")
        await world.polls()
        (kept,) = world.events("dead_letter_kept")
        assert kept["reason"] == "refused_by_desk"
        assert "[approvals.approvers]" in kept["detail"]
        assert "approvals.fallback_approver" in kept["detail"]
        assert "stranger@client.com: not known here" in kept["detail"]
        assert world.levels(world.change()) == []
        world.desk.setup.add_user("stranger@client.com")
        await world.settled()
        assert world.asked(world.change()) == ["stranger@client.com"]
        assert "behind it" in world.notes(world.change())

    given = {} if fallback == "none" else approvals(fallback_approver={"email_id": "nobody@client.com"})
    lived(tmp_path, story, edition=edition, settings=given)


def test_nobody_is_asked_for_a_change_that_is_cancelled_meanwhile(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create()
        world.ensono.scenario.change_redraft(number)
        world.ensono.scenario.approval_request(number, approver_email=CAB)
        await world.settled()
        assert world.levels(world.change()) == []
        assert world.events("dead_letter_kept") == []

    lived(tmp_path, story)


def test_the_same_request_under_another_message_id_asks_nobody_again(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        world.ensono.scenario.change_create(approvers=[("Carla", CAB)])
        asked = world.ensono.scenario.announcer.announced[-1].message_id
        await world.settled()
        before = list(world.desk.journal)
        await world.polls(6)
        assert world.ensono.scenario.resend(asked) != asked
        await world.settled()
        assert world.desk.journal == before

    lived(tmp_path, story)


def test_a_request_with_the_approval_id_of_another_change_is_a_dead_letter_that_says_so(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        first = world.ensono.scenario.change_create(approvers=[("Carla", CAB)])
        second = world.ensono.scenario.change_create()
        await world.settled()
        approval = world.ensono.tickets[first].approvals[0]
        world.ensono.scenario.announcer.approval_request(world.ensono.tickets[second], approval)
        await world.polls()
        (kept,) = world.events("dead_letter_kept")
        assert kept["ticket"] == second
        assert kept["detail"] == f"Body.approvalId is that of an approval of {first}"
        assert world.asked(world.changes()[1]) == []

    lived(tmp_path, story)


def test_a_request_that_comes_after_the_decision_asks_nobody_and_says_so_on_the_change(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create(approvers=[("Carla", CAB)])
        await world.settled()
        await world.approve(number)
        late = world.ensono.scenario.approval_request(number, approver_name="Sam", approver_email=SECOND)
        await world.settled()
        assert world.asked(world.change()) == [CAB]
        assert "this change was approved by Carla Board" in world.notes(world.change())
        assert (await world.records())[late].status == "superseded"
        await world.polls()
        assert len(world.decisions(number)) == 1

    lived(tmp_path, story)


@EDITIONS
def test_a_request_that_comes_between_the_decision_and_the_look_at_it_is_void_and_no_dead_letter(
    tmp_path: Path, edition: Edition
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create(approvers=[("Carla", CAB)])
        await world.settled()
        world.desk.people.approve(world.change().number)
        late = world.ensono.scenario.approval_request(number, approver_email=SECOND)
        await world.settled(lambda: bool(world.decisions(number)))
        assert world.events("dead_letter_kept") == []
        assert world.asked(world.change()) == [CAB]
        assert (await world.records())[late].status == "superseded"
        assert [each.approver for each in world.decisions(number)] == [CAB]

    lived(tmp_path, story, edition=edition, settings={"queue": {"poll_interval_s": 5}})


@EDITIONS
def test_where_the_decision_is_faster_than_the_note_of_its_request_the_note_follows(
    tmp_path: Path, edition: Edition
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create()
        await world.settled()
        world.desk.faults.add(Fault(FaultKind.REFUSE, method="POST", path="*/notes", times=1))
        approval_id = world.ensono.scenario.approval_request(number, approver_name="Carla", approver_email=CAB)
        while not world.mails():
            await world.clock.sleep(0.5)
        world.desk.people.approve(world.change().number)
        await world.settled(lambda: bool(world.decisions(number)))
        assert world.notes(world.change()).count(f"Ensono approval {approval_id} for {CAB}") == 1
        assert world.mails() == [[CAB]]
        assert (await world.records())[approval_id].status == "approved"

    lived(tmp_path, story, edition=edition)


@EDITIONS
def test_a_level_that_someone_took_off_the_desk_is_made_again_for_the_next_request(
    tmp_path: Path, edition: Edition
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create(approvers=[("Carla", CAB)])
        await world.settled()
        world.remove_level(world.levels(world.change())[0])
        world.ensono.scenario.approval_request(number, approver_email=SECOND)
        await world.settled()
        assert [level.id for level in world.levels(world.change())] == [world.change().levels[1].id]
        assert world.asked(world.change()) == [SECOND]
        await world.approve(number)
        assert [each.approver for each in world.decisions(number)] == [SECOND]

    lived(tmp_path, story, edition=edition)


def test_a_level_with_the_desks_own_name_for_levels_is_none_of_ours(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create()
        await world.settled()
        change, cab = world.change(), world.desk.setup.user_by_email(CAB)
        assert cab is not None
        world.add_level(change, "Ensono approval", cab.id)
        world.ensono.scenario.approval_request(number, approver_email=CAB)
        await world.settled()
        assert len(world.levels(change)) == 2

    lived(tmp_path, story)


@pytest.mark.parametrize("when", ["after the decision went out", "as it was taken"])
def test_a_request_that_comes_too_late_for_a_change_that_takes_no_notes_any_more_is_applied(
    tmp_path: Path, when: str
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create(approvers=[("Carla", CAB)])
        await world.settled()
        if when == "as it was taken":
            world.desk.people.reject(world.change().number, "not in December")
        else:
            await world.reject(number, "not in December")
        refusal = {
            "status_code": 4000,
            "status": "failed",
            "messages": [{"status_code": 4001, "message": "It is closed"}],
        }
        body = json.dumps({"response_status": refusal}).encode()
        world.desk.faults.add(Fault(FaultKind.STATUS, "POST", "*/notes", times=None, status=400, body=body))
        world.ensono.scenario.approval_request(number, approver_email=SECOND)
        await world.settled()
        assert world.events("dead_letter_kept") == []
        assert [each["fields"] for each in world.events("field_dropped")][-1] == ["note"]
        assert world.asked(world.change()) == [CAB]

    lived(tmp_path, story)
