"""A lost ledger: open approvals are found again by what stands on the desk (contract, P12)."""

import asyncio
import json
from pathlib import Path

import pytest

from envision_worker.simulators.faults import Fault, FaultKind
from worlds.changes import CAB, SECOND, ChangeWorld, lived
from worlds.configuration import Edition
from worlds.virtual_time import in_virtual_time

DEDUPLICATED_S = 301.0
"""What Ensono sends again before is swallowed by its queue."""
EDITIONS = pytest.mark.parametrize("edition", ["on_premises", "cloud"])
GROUP = "noreply@client.com"
MAPPED = {"approvals": {"approvers": {GROUP: [CAB, SECOND]}}}


async def asked(world: ChangeWorld, *approvers: str) -> str:
    names = [(email.partition("@")[0], email) for email in approvers or (CAB,)]
    number = world.ensono.scenario.change_create(approvers=names)
    await world.settled()
    return number


async def bereaved(world: ChangeWorld) -> None:
    """The worker's disk is lost; it starts again on an empty one."""
    await world.stop()
    world.lose_ledger()
    await world.start()


@EDITIONS
@pytest.mark.parametrize("when", ["decided before", "decided after"])
def test_a_decision_goes_back_though_the_ledger_was_lost_and_no_further_message_comes(
    tmp_path: Path, edition: Edition, when: str
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world, GROUP)
        await world.stop()
        if when == "decided before":
            world.desk.people.reject(world.change().number, "not in December", approver=SECOND)
        world.lose_ledger()
        await world.start()
        await world.polls()
        if when == "decided after":
            world.desk.people.reject(world.change().number, "not in December", approver=SECOND)
        await world.settled(lambda: bool(world.decisions(number)))
        await world.polls()
        (decision,) = world.decisions(number)
        (approval,) = world.ensono.tickets[number].approvals
        assert (decision.approval_id, decision.approver, decision.verb) == (approval.approval_id, GROUP, "reject")
        assert f"Change Request {world.numbers()[0]} " in decision.comment
        assert decision.comment.endswith("Reason: not in December")
        assert len(world.levels(world.change())) == 1
        assert len(world.mails()) == 1

    lived(tmp_path, story, edition=edition, settings=MAPPED)


@EDITIONS
def test_several_approvals_of_a_change_are_found_again_each_with_its_own_approver(
    tmp_path: Path, edition: Edition
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world, CAB, SECOND)
        before = await world.records()
        await bereaved(world)
        await world.polls()
        after = await world.records()
        assert {key: (each.approver, each.level_id) for key, each in after.items()} == {
            key: (each.approver, each.level_id) for key, each in before.items()
        }
        assert len(world.events("approval_restored")) == 2
        await world.approve(number, approver=SECOND)
        assert [each.approver for each in world.decisions(number)] == [SECOND]

    lived(tmp_path, story, edition=edition)


def test_a_process_that_ends_right_after_it_kept_them_leaves_the_rest_to_the_next(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world)
        await world.stop()
        world.lose_ledger()

        def dies_with_approvals_kept(when: str) -> None:
            if when == "after" and world.store.execute("SELECT 1 FROM approvals").fetchone():
                world.at_commit = lambda _: None
                world.life.die()

        world.at_commit = dies_with_approvals_kept
        await world.start()
        await world.life.died.wait()
        await world.kill()
        assert not world.store.execute("SELECT 1 FROM links").fetchone()
        await world.start()
        await world.polls()
        await world.approve(number)

    lived(tmp_path, story)


@EDITIONS
def test_a_request_that_comes_again_after_the_loss_asks_nobody_a_second_time(tmp_path: Path, edition: Edition) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create()
        await world.settled()
        world.ensono.faults.add(Fault(FaultKind.STATUS, "DELETE", "*", times=None))
        world.ensono.scenario.approval_request(number, approver_email=CAB)
        await world.polls()
        assert len(world.ensono.queue.messages()) == 1
        await world.stop()
        world.lose_ledger()
        world.ensono.faults.clear()
        before = list(world.desk.journal)
        await world.start()
        await world.settled()
        assert world.desk.journal == before
        await world.approve(number)

    lived(tmp_path, story, edition=edition)


@EDITIONS
def test_what_stands_without_its_note_because_everything_was_lost_in_between_is_not_asked_twice(
    tmp_path: Path, edition: Edition
) -> None:
    async def story(world: ChangeWorld) -> None:
        world.desk.faults.add(Fault(FaultKind.STATUS, "POST", "*/notes", times=None, status=500))
        number = world.ensono.scenario.change_create(approvers=[("Carla", CAB)])
        await asyncio.sleep(10)
        assert world.asked(world.change()) == [CAB]
        assert not world.change().notes
        await world.stop()
        world.lose_ledger()
        world.desk.faults.clear()
        world.desk.people.approve(world.change().number)
        await world.start()
        await world.settled(lambda: bool(world.decisions(number)))
        assert world.asked(world.change()) == [CAB]
        assert len(world.change().notes) == 1

    lived(tmp_path, story, edition=edition)


def test_a_redraft_that_comes_first_after_the_loss_withdraws_the_approval(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world)
        await world.stop()
        world.lose_ledger()
        world.ensono.scenario.change_redraft(number)
        world.desk.faults.add(
            Fault(FaultKind.STATUS, "GET", "*/changes", times=1, status=500)
        )  # the sweep comes too late
        await world.start()
        await world.settled()
        assert world.levels(world.change()) == []
        assert world.stands(world.change()).endswith(" / Canceled")

    lived(tmp_path, story)


def test_what_is_cancelled_completed_or_none_of_ensonos_is_left_alone(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        redrafted = await asked(world)
        world.ensono.scenario.change_redraft(redrafted)
        done = await asked(world)
        await world.approve(done)
        world.ensono.scenario.change_close(done)
        await world.settled()
        world.desk.people.open_change("our own", stage="CAB Evaluation", status="Approval Pending")
        await bereaved(world)
        await world.polls(3)
        assert await world.records() == {}
        assert len(world.decisions(done)) == 1

    lived(tmp_path, story)


@EDITIONS
def test_only_a_new_ledger_asks_the_desk_for_what_stands_there(tmp_path: Path, edition: Edition) -> None:
    def lists(world: ChangeWorld) -> int:
        return len([call for call in world.desk.calls if call.method == "GET" and call.path.endswith("/changes")])

    async def story(world: ChangeWorld) -> None:
        await asyncio.sleep(300)
        assert lists(world) == 1
        await world.stop()
        await world.start()
        await asyncio.sleep(300)
        assert lists(world) == 1

    lived(tmp_path, story, edition=edition)


def test_a_desk_that_is_down_at_the_start_is_asked_once_it_is_back(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world)
        await world.stop()
        world.lose_ledger()
        world.unreachable.add("desk")
        await world.start()
        await asyncio.sleep(900)
        world.unreachable.clear()
        world.desk.people.approve(world.change().number)
        await world.settled(lambda: bool(world.decisions(number)), within_s=4000)

    lived(tmp_path, story)


def _failed(code: int, said: str) -> bytes:
    messages = [{"status_code": code, "type": "failed", "message": said}]
    return json.dumps({"response_status": {"status_code": 4000, "status": "failed", "messages": messages}}).encode()


NO_CHANGES: dict[str, tuple[Edition, int, bytes]] = {
    "the key may not": ("on_premises", 403, _failed(4002, "User does not have this permission")),
    "no such module": ("on_premises", 404, _failed(4007, "Invalid URL")),
    "not in the licence": ("on_premises", 400, _failed(7001, "Not allowed by licence")),
    "not in the key's scope": ("cloud", 401, _failed(4000, "Invalid OAuth scope")),
}


@pytest.mark.parametrize("why", NO_CHANGES)
def test_a_desk_that_does_not_list_changes_is_asked_once_and_nothing_else_suffers(tmp_path: Path, why: str) -> None:
    edition, status, body = NO_CHANGES[why]

    def lists(world: ChangeWorld) -> int:
        return sum(call.path.endswith("/changes") for call in world.desk.calls)

    async def story(world: ChangeWorld) -> None:
        await asyncio.sleep(300)
        await world.stop()
        await world.start()
        await asyncio.sleep(300)
        assert lists(world) == 1
        assert len(world.events("approvals_not_restored")) == 1
        assert world.events("gate_closed") == world.events("key_refused") == world.events("message_handled") == []
        number = world.ensono.scenario.incident_create()
        await world.settled()
        assert world.ensono.tickets[number].client_ticket_number

    world = ChangeWorld(tmp_path, edition=edition)
    world.desk.faults.add(Fault(FaultKind.STATUS, "GET", "*/changes", times=None, status=status, body=body))

    async def main() -> None:
        async with world.working():
            await story(world)

    in_virtual_time(main())


@pytest.mark.parametrize("switch", ["fields_required_honoured", "search_honoured"])
def test_a_desk_whose_lists_do_not_do_as_asked_gives_them_back_all_the_same(tmp_path: Path, switch: str) -> None:
    async def story(world: ChangeWorld) -> None:
        for count in range(5):
            world.desk.people.open_change(f"our own {count}")
        number = await asked(world)
        setattr(world.desk.switches, switch, False)
        await bereaved(world)
        world.desk.people.approve(world.change().number)
        await world.settled(lambda: bool(world.decisions(number)))

    lived(tmp_path, story)


def test_the_round_after_a_loss_is_a_new_one_as_ever(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world)
        await bereaved(world)
        await world.polls()
        world.ensono.scenario.change_redraft(number)
        world.ensono.scenario.change_state(number, "Assess", approvers=[("Sam", SECOND)])
        await world.settled()
        old, new = world.changes()
        assert world.levels(old) == []
        assert world.asked(new) == [SECOND]
        await world.approve(number)
        assert [each.counted for each in world.decisions(number)] == [True]

    lived(tmp_path, story)


@EDITIONS
@pytest.mark.parametrize("first", ["the redraft", "what is sent again", "the next round", "the next after an end"])
@pytest.mark.parametrize("what", ["approval", "comment"])
def test_what_is_sent_again_after_its_round_is_not_taken_for_another_though_the_ledger_was_lost(
    tmp_path: Path, edition: Edition, first: str, what: str
) -> None:
    async def story(world: ChangeWorld) -> None:
        scenario = world.ensono.scenario
        number = await asked(world)
        said = scenario.notes(number, "once") if what == "comment" else message_of(world, "Approval Request")
        await world.settled()
        if first == "the next after an end":
            world.desk.people.approve(world.change().number)
            await world.polls()
        end = scenario.change_close if first == "the next after an end" else scenario.change_redraft
        ended = end(number)
        await world.settled()
        if first.startswith("the next"):
            scenario.change_state(number, "Assess", approvers=[("Sam", SECOND)])
            await world.settled()
        await asyncio.sleep(DEDUPLICATED_S)
        await world.stop()
        if first == "the redraft":
            scenario.resend(ended)
        assert scenario.resend(said) != said
        world.lose_ledger()
        before = list(world.desk.journal)
        await world.start()
        await world.settled()
        assert [effect for effect in world.desk.journal[len(before) :] if effect.by == "api"] == []

    lived(tmp_path, story, edition=edition)


def message_of(world: ChangeWorld, transaction_type: str) -> str:
    """The MessageId of the last message of this type."""
    sent = world.ensono.scenario.announcer.announced
    return [each.message_id for each in sent if each.transaction_type == transaction_type][-1]


@EDITIONS
@pytest.mark.parametrize("when", ["after the decision went out", "as it was taken"])
def test_a_request_that_came_too_late_is_known_too_when_it_is_sent_again_after_the_loss(
    tmp_path: Path, edition: Edition, when: str
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await asked(world)
        if when == "as it was taken":
            world.desk.people.reject(world.change().number, "not in December")
        else:
            await world.reject(number, "not in December")
        world.ensono.scenario.approval_request(number, approver_email=SECOND)
        late = message_of(world, "Approval Request")
        await world.settled()
        world.ensono.scenario.change_redraft(number)
        await world.settled()
        await asyncio.sleep(DEDUPLICATED_S)
        await world.stop()
        world.ensono.scenario.resend(late)
        world.lose_ledger()
        await world.start()
        await world.settled()
        assert len(world.changes()) == 1

    lived(tmp_path, story, edition=edition)
