"""The ten rows of the guide's "Normal change scenarios", and the other ways a change can go."""

from pathlib import Path
from typing import Literal

import pytest

from worlds.changes import CAB, CLOSURE_CODES, ChangeWorld, lived
from worlds.configuration import Edition

EDITIONS = pytest.mark.parametrize("edition", ["on_premises", "cloud"])
TOLD = pytest.mark.parametrize("told", ["Redraft", "Update"])
REASON = 'time conflict with "Q4"\nsee CHG-7 \\ ask Maria'


async def decided(world: ChangeWorld, verdict: Literal["approve", "reject"]) -> str:
    """A normal change that the client has approved or rejected, and Ensono knows it."""
    number = world.ensono.scenario.change_create(approvers=[("Carla Board", CAB)])
    await world.settled()
    if verdict == "approve":
        await world.approve(number, comments="go ahead")
    else:
        await world.reject(number, REASON)
    assert world.ensono.tickets[number].fields["approval"] == ("approved" if verdict == "approve" else "rejected")
    return number


def new_silently(world: ChangeWorld, number: str) -> None:
    """Ensono moved the change to New, and no message told it."""
    world.ensono.tickets[number].enter_state("New")


async def implemented(world: ChangeWorld, number: str) -> None:
    for state in ("Authorize", "Scheduled", "Implement", "Review"):
        world.ensono.scenario.change_state(number, state)
        await world.settled()


async def closes(world: ChangeWorld, code: str) -> None:
    """Client action: close client change, map close code."""
    number = await decided(world, "approve")
    await implemented(world, number)
    assert world.stands(world.change()) == "Review / In Review"
    world.ensono.scenario.change_close(number, close_code=code, close_notes="done on Sunday\nby Tim")
    await world.settled()
    (change,) = world.changes()
    assert world.stands(change) == "Close / Completed"
    assert "done on Sunday<br>by Tim" in world.notes(change)
    assert f"Close code: {code}" in world.notes(change)
    closing = next(each for each in reversed(world.desk.journal) if each.verb in {"close", "status"})
    assert f"Closure code: {CLOSURE_CODES[code]}. " in closing.what["comment"]


@EDITIONS
@pytest.mark.parametrize(
    "code",
    [
        pytest.param("Successful", id="implement_successful"),
        pytest.param("Successful with issues", id="implement_successful_with_issues"),
        pytest.param("Unsuccessful", id="implement_failure"),
    ],
)
def test_approve_then_implement_closes_the_client_change_with_the_mapped_close_code(
    tmp_path: Path, edition: Edition, code: str
) -> None:
    async def story(world: ChangeWorld) -> None:
        await closes(world, code)

    lived(tmp_path, story, edition=edition)


@EDITIONS
@TOLD
@pytest.mark.parametrize("action", ["reject_move_to_new", "move_to_new"])
def test_approve_then_move_to_new_cancels_the_client_change(
    tmp_path: Path, edition: Edition, told: str, action: str
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await decided(world, "approve")
        if action == "reject_move_to_new":  # by Ensono's own approvers, so after the client's
            world.ensono.scenario.change_state(number, "Authorize")
            await world.settled()
        world.ensono.scenario.change_state(number, "New", transaction_type=told)
        await world.settled()
        (change,) = world.changes()
        assert world.stands(change).endswith(" / Canceled")

    lived(tmp_path, story, edition=edition)


@EDITIONS
@pytest.mark.parametrize("told", ["Closure", "Update"])
def test_approve_then_cancelled_cancels_the_client_change(tmp_path: Path, edition: Edition, told: str) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await decided(world, "approve")
        world.ensono.scenario.change_cancel(number, transaction_type=told)
        await world.settled()
        (change,) = world.changes()
        assert world.stands(change).endswith(" / Canceled")

    lived(tmp_path, story, edition=edition)


async def assessed_again(world: ChangeWorld, number: str, told: str) -> None:
    if told in {"Redraft", "Update"}:
        world.ensono.scenario.change_state(number, "New", transaction_type=told)
        await world.settled()
    else:
        new_silently(world, number)
    by = "Create" if told != "nothing, then Update" else "Update"
    world.ensono.scenario.change_state(number, "Assess", approvers=[("Carla Board", CAB)], transaction_type=by)
    await world.settled()
    assert len(world.changes()) == 2
    new = world.change()
    assert world.stands(new) == "CAB Evaluation / Approval Pending"
    assert world.ensono.tickets[number].returned_numbers == world.numbers()
    assert (await world.link(number)).number == world.number(new)
    assert world.asked(new) == [CAB]
    await world.approve(number, comments="now it fits")
    last = world.decisions(number)[-1]
    assert last.counted
    assert last.approval_id == world.ensono.tickets[number].approvals[-1].approval_id
    assert len(world.decisions(number)) == 2


@EDITIONS
@pytest.mark.parametrize("told", ["Redraft", "Update", "nothing, then Update"])
def test_approve_then_moved_to_new_and_set_to_assess_again_cancels_the_previous_change_and_creates_a_new_one(
    tmp_path: Path, edition: Edition, told: str
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await decided(world, "approve")
        await assessed_again(world, number, told)
        assert world.stands(world.change(0)).endswith(" / Canceled")

    lived(tmp_path, story, edition=edition)


@EDITIONS
@pytest.mark.parametrize("told", ["Closure", "Update"])
def test_reject_then_cancelled_does_nothing(tmp_path: Path, edition: Edition, told: str) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await decided(world, "reject")
        before = list(world.desk.journal)
        world.ensono.scenario.change_cancel(number, transaction_type=told)
        await world.settled()
        assert world.stands(world.change()) == "CAB Evaluation / Rejected"
        assert world.desk.journal == before
        assert world.events("dead_letter_kept") == []

    lived(tmp_path, story, edition=edition)


@EDITIONS
@TOLD
def test_reject_then_move_to_new_cancels_the_client_change(tmp_path: Path, edition: Edition, told: str) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await decided(world, "reject")
        world.ensono.scenario.change_state(number, "New", transaction_type=told)
        await world.settled()
        (change,) = world.changes()
        assert world.stands(change).endswith(" / Canceled")

    lived(tmp_path, story, edition=edition)


@EDITIONS
@pytest.mark.parametrize("told", ["Redraft", "Update", "nothing, then Create", "nothing, then Update"])
def test_reject_then_moved_to_new_and_set_to_assess_again_creates_a_new_change(
    tmp_path: Path, edition: Edition, told: str
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await decided(world, "reject")
        await assessed_again(world, number, told)

    lived(tmp_path, story, edition=edition)


@EDITIONS
def test_the_reason_of_a_rejection_is_readable_at_ensono_word_for_word(tmp_path: Path, edition: Edition) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await decided(world, "reject")
        (decision,) = world.decisions(number)
        assert decision.verb == "reject"
        assert decision.comment.endswith(f"Reason: {REASON}")

    lived(tmp_path, story, edition=edition)


def test_a_comment_on_a_rejected_change_that_still_says_assess_opens_no_new_change(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = await decided(world, "reject")
        world.ensono.scenario.notes(number, "a pity")
        await world.settled()
        (change,) = world.changes()
        assert "a pity" in world.notes(change)

    lived(tmp_path, story)
