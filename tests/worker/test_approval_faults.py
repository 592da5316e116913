"""Each call that an approval and its decision need, gone wrong in each way: asked once, decided once, withdrawn."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from envision_worker.simulators.faults import Fault, FaultKind, Faults
from worlds.changes import CAB, SECOND, ChangeWorld, lived

TOO_LATE_S = 70.0
"""More than the worker waits for an answer (30 and 60 s), less than a write may take to show after that."""
FAILED = {"response_status": {"status_code": 4000, "status": "failed", "messages": [{"status_code": 4004}]}}
Ways = Mapping[str, tuple[FaultKind, int, bytes]]
NEVER: Ways = {
    "no connection": (FaultKind.REFUSE, 0, b""),
    "503": (FaultKind.STATUS, 503, b""),
    "200 with an error": (FaultKind.STATUS, 200, json.dumps(FAILED).encode()),
    "200 with a login page": (FaultKind.HTML, 0, b""),
}
"""Ways in which a call does not happen; of a read all that matters."""
WAYS: Ways = {
    **NEVER,
    "the answer is lost": (FaultKind.LOSE_ANSWER, 0, b""),
    "half of the answer comes": (FaultKind.TRUNCATED, 0, b""),
    "answered after the window": (FaultKind.HANG_AFTER, 0, b""),
    "it happens after the caller gave up": (FaultKind.HANG_BEFORE, 0, b""),
}
ON_PREMISES = {
    "whether there are levels": ("GET", "*/approval_summary"),
    "who has the address": ("GET", "*/users*"),
    "a level with its approver": ("POST", "*/approval_levels"),
    "one more approver": ("POST", "*/approvals"),
    "the mail": ("PUT", "*/send_notification"),
    "the note with the approvalId": ("POST", "*/notes"),
}
CLOUD = {
    "a level without approvers": ("POST", "*/approval_levels"),
    "its approvers": ("POST", "*/approvals"),
}


def go_wrong(faults: Faults, method: str, path: str) -> int:
    """Let such calls go wrong, the first in the first way and so on, whose call it may be; returns in how many."""
    ways = WAYS if method != "GET" else NEVER
    for kind, status, body in ways.values():
        faults.add(Fault(kind, method, path, seconds=TOO_LATE_S, status=status, body=body))
    return len(ways)


def have_gone_wrong(faults: Faults) -> bool:
    """Whether there was a call for each way."""
    return all(each._met for each in faults._entries)


def is_asked_once(world: ChangeWorld, number: str, approvers: Sequence[str]) -> None:
    ticket = world.ensono.tickets[number]
    (change,) = [each for each in world.changes() if world.number(each) == ticket.client_ticket_number]
    (level,) = world.levels(change)
    assert world.asked(change) == list(approvers)
    assert [len(each.mails) for each in level.approvals] == [1] * len(approvers)
    for approval in ticket.approvals:
        assert sum(approval.approval_id in note.text for note in change.notes) == 1


async def asks(world: ChangeWorld, place: tuple[str, str]) -> None:
    """One or two are asked for each of several changes, while this call goes wrong in all ways."""
    count = go_wrong(world.desk.faults, *place)
    asked = [("Carla", CAB), ("Sam", SECOND)][: 1 + place[1].endswith("/approvals")]
    numbers = [world.ensono.scenario.change_create(approvers=asked) for _ in range(count)]
    await world.settled(within_s=10_000)
    assert have_gone_wrong(world.desk.faults)
    assert len(world.changes()) == count
    for number in numbers:
        is_asked_once(world, number, [email for _, email in asked])
    assert world.events("dead_letter_kept") == []


@pytest.mark.parametrize("call", ON_PREMISES)
def test_approvers_are_asked_once_on_premises_whatever_goes_wrong_with(tmp_path: Path, call: str) -> None:
    async def story(world: ChangeWorld) -> None:
        await asks(world, ON_PREMISES[call])

    lived(tmp_path, story)


@pytest.mark.parametrize("call", CLOUD)
def test_approvers_are_asked_once_in_the_cloud_whatever_goes_wrong_with(tmp_path: Path, call: str) -> None:
    async def story(world: ChangeWorld) -> None:
        await asks(world, CLOUD[call])

    lived(tmp_path, story, edition="cloud")


DECIDING = {
    "whose telephone": ("desk", ("GET", "*/users*")),
    "the decision": ("ensono", ("PUT", "*/reject")),
}


@pytest.mark.parametrize("call", DECIDING)
def test_a_decision_counts_once_whatever_goes_wrong_with(tmp_path: Path, call: str) -> None:
    async def story(world: ChangeWorld) -> None:
        peer, place = DECIDING[call]
        simulator = world.desk if peer == "desk" else world.ensono
        numbers = [world.ensono.scenario.change_create(approvers=[("Carla", CAB)]) for _ in WAYS]
        await world.settled()
        go_wrong(simulator.faults, *place)
        for number, change in zip(numbers, world.changes(), strict=True):
            world.desk.people.reject(change.number, f"not {number}")
        await world.settled(lambda: all(map(world.decisions, numbers)), within_s=10_000)
        await world.polls(4)
        assert have_gone_wrong(simulator.faults)
        for number in numbers:
            sent = world.decisions(number)
            assert [each.counted for each in sent] == [True] + [False] * (len(sent) - 1)
            assert len({(each.verb, each.approval_id, each.comment) for each in sent}) == 1
        assert {
            each.comment.partition("Reason: not ")[2] for number in numbers for each in world.decisions(number)
        } == {each.fields["udf_fields"]["udf_char1"] for each in world.changes()}

    lived(tmp_path, story, edition="cloud")


def test_approvals_are_withdrawn_whatever_goes_wrong_with_it(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        numbers = [world.ensono.scenario.change_create(approvers=[("Carla", CAB)]) for _ in WAYS]
        await world.settled()
        go_wrong(world.desk.faults, "DELETE", "*/approval_levels/*")
        for number in numbers:
            world.ensono.scenario.change_redraft(number)
        await world.settled(within_s=10_000)
        assert have_gone_wrong(world.desk.faults)
        for change in world.changes():
            assert world.levels(change) == []
            assert world.stands(change).endswith(" / Canceled")
        assert world.events("dead_letter_kept") == []
        assert not [number for number in numbers if world.decisions(number)]

    lived(tmp_path, story)
