import json
from pathlib import Path
from typing import Any

import pytest

from envision_worker.simulators.faults import Fault, FaultKind
from worlds.changes import CAB, CLOSURE_CODES, ChangeWorld, lived
from worlds.configuration import MAPPING, Edition

EDITIONS = pytest.mark.parametrize("edition", ["on_premises", "cloud"])


def states(**changes: Any) -> dict[str, Any]:
    """The mapping of states with some of its lines changed; None takes a line away."""
    lines = {**MAPPING["change_state"], **changes}
    return {"mapping": {"change_state": {state: steps for state, steps in lines.items() if steps is not None}}}


def flavoured(flavour: dict[str, Any]) -> dict[str, Any]:
    return {"desk": {"flavour": flavour}}


# --- the three types -------------------------------------------------------------------------------------------------


@EDITIONS
@pytest.mark.parametrize(
    ("change_type", "first", "place"),
    [("Standard", "Scheduled", "Implementation / Approved"), ("Emergency", "Authorize", "CAB Evaluation / Approved")],
)
def test_a_standard_change_comes_as_scheduled_and_an_emergency_change_as_authorize(
    tmp_path: Path, edition: Edition, change_type: str, first: str, place: str
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create(change_type=change_type)
        await world.settled()
        change = world.change()
        assert world.ensono.tickets[number].fields["state"] == first
        assert world.stands(change) == place
        assert world.ensono.tickets[number].returned_numbers == world.numbers()
        assert world.levels(change) == []
        for state in ("Scheduled", "Implement", "Review"):
            if state != first:
                world.ensono.scenario.change_state(number, state)
        world.ensono.scenario.change_close(number)
        await world.settled()
        assert len(world.changes()) == 1
        assert world.stands(change) == "Close / Completed"

    lived(tmp_path, story, edition=edition)


@EDITIONS
def test_planned_times_are_real_times_on_the_desk(tmp_path: Path, edition: Edition) -> None:
    async def story(world: ChangeWorld) -> None:
        start, end = "2026-03-08T01:00:00Z", "2026-03-08T04:30:00Z"
        world.ensono.scenario.change_create(startDate=start, endDate=end)
        await world.settled()
        fields = world.change().fields
        assert fields["scheduled_start_time"] == 1772931600000
        assert fields["scheduled_end_time"] == 1772931600000 + int(3.5 * 3600 * 1000)

    lived(tmp_path, story, edition=edition)


# --- again -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edition", "later", "by"),
    [
        ("on_premises", "Authorize", "Create"),
        ("on_premises", "Scheduled", "Update"),
        ("on_premises", "Review", "Update"),
        ("cloud", "Implement", "Create"),
    ],
)
def test_assess_after_a_later_state_without_a_redraft_cancels_the_old_change_and_creates_a_new_one(
    tmp_path: Path, edition: Edition, later: str, by: str
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create()
        world.ensono.scenario.change_state(number, later)
        await world.settled()
        world.ensono.scenario.change_state(number, "Assess", transaction_type=by)
        await world.settled()
        old, new = world.changes()
        assert world.stands(old).endswith(" / Canceled")
        assert world.stands(new) == "CAB Evaluation / Approval Pending"
        assert world.ensono.tickets[number].returned_numbers == world.numbers()

    lived(tmp_path, story, edition=edition)


def test_a_change_can_be_redrafted_and_assessed_again_and_again(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create(approvers=[("Carla", CAB)])
        for _ in range(3):
            world.ensono.scenario.change_redraft(number)
            world.ensono.scenario.change_state(number, "Assess", approvers=[("Carla", CAB)])
        await world.settled()
        await world.approve(number)
        assert [world.stands(change).endswith(" / Canceled") for change in world.changes()] == [True, True, True, False]
        assert world.ensono.tickets[number].returned_numbers == world.numbers()
        assert [(each.counted, each.round) for each in world.decisions(number)] == [(True, 4)]

    lived(tmp_path, story)


@pytest.mark.parametrize(
    ("state", "gone"),
    [("Assess", "Redraft"), ("Authorize", "cancelled at Ensono"), ("Scheduled", "cancelled on the desk")],
)
def test_after_a_cancelled_change_any_transaction_in_a_living_state_opens_a_new_one(
    tmp_path: Path, state: str, gone: str
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create()
        await world.settled()
        if gone == "Redraft":
            world.ensono.scenario.change_redraft(number)
        elif gone == "cancelled at Ensono":
            world.ensono.scenario.change_cancel(number)
        else:
            world.desk.people.set_status("change", world.change().number, "Canceled", stage="Close")
        world.ensono.tickets[number].enter_state(state)
        world.ensono.scenario.notes(number, "once more")
        await world.settled()
        _, new = world.changes()
        assert "once more" in world.notes(new)
        assert world.ensono.tickets[number].returned_numbers[-1] == world.number(new)

    lived(tmp_path, story)


@pytest.mark.parametrize("state", ["New", "Cancelled", "Implement", "Review"])
def test_after_a_cancelled_change_a_transaction_in_another_state_opens_none(tmp_path: Path, state: str) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create()
        world.ensono.scenario.change_redraft(number)
        await world.settled()
        world.ensono.tickets[number].enter_state(state)
        world.ensono.scenario.notes(number, "too late")
        await world.settled()
        (change,) = world.changes()
        assert "too late" in world.notes(change)

    lived(tmp_path, story)


def test_a_create_in_the_state_that_the_change_has_is_already_applied(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create()
        await world.settled()
        before = list(world.desk.journal)
        message_id = world.ensono.scenario.change_state(number, "Assess", transaction_type="Create")
        await world.settled()
        assert world.desk.journal == before
        (handled,) = [line for line in world.events("message_handled") if line["message_id"] == message_id]
        assert handled["outcome"] == "already_applied"

    lived(tmp_path, story)


def test_an_approved_change_is_not_made_again_by_a_create_in_its_state(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create(approvers=[("Carla", CAB)])
        await world.settled()
        await world.approve(number)
        world.ensono.scenario.change_state(number, "Assess", transaction_type="Create")
        await world.settled()
        assert len(world.changes()) == 1
        assert world.stands(world.change()) == "CAB Evaluation / Approved"

    lived(tmp_path, story)


def test_a_redraft_of_a_change_that_never_came_is_applied(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        world.ensono.scenario.push_samples(["change-redraft"])
        await world.settled()
        assert world.changes() == []
        assert [line["outcome"] for line in world.events("message_handled")] == ["applied"]

    lived(tmp_path, story)


# --- what the desk does not take -------------------------------------------------------------------------------------


@EDITIONS
def test_a_state_without_a_mapping_becomes_a_note_and_counts_as_applied(tmp_path: Path, edition: Edition) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create()
        world.ensono.scenario.change_state(number, "Scheduled")
        await world.settled()
        assert world.stands(world.change()) == "CAB Evaluation / Approval Pending"
        assert "State: Scheduled" in world.notes(world.change())
        assert [line["value"] for line in world.events("value_unmapped") if line["kind"] == "change_state"] == [
            "Scheduled"
        ]
        world.ensono.scenario.change_state(number, "Implement")
        await world.settled()
        assert world.stands(world.change()) == "Implementation / In Progress"

    lived(tmp_path, story, edition=edition, settings=states(Scheduled=None))


@EDITIONS
def test_a_state_that_the_workflow_refuses_becomes_a_note_and_counts_as_applied(
    tmp_path: Path, edition: Edition
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create()
        await world.settled()
        world.desk.switches.workflow = {"Approval Pending": frozenset({"Approved"})}
        world.ensono.scenario.change_state(number, "Implement")
        await world.settled()
        assert "Not accepted by the desk: Implementation / In Progress" in world.notes(world.change())
        assert world.events("dead_letter_kept") == []

    lived(tmp_path, story, edition=edition)


@EDITIONS
@pytest.mark.parametrize("end", ["close", "cancel", "redraft"])
def test_a_refused_close_or_cancel_is_a_dead_letter_until_the_desk_takes_it(
    tmp_path: Path, edition: Edition, end: str
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create()
        await world.settled()
        world.desk.switches.workflow = {"Approval Pending": frozenset({"Approved"})}
        scenario = world.ensono.scenario
        if end == "close":
            scenario.change_close(number)
        elif end == "cancel":
            scenario.change_cancel(number)
        else:
            scenario.change_redraft(number)
        scenario.notes(number, "behind it")
        await world.polls()
        assert [line["reason"] for line in world.events("dead_letter_kept")] == ["refused_by_desk"]
        assert "behind it" not in world.notes(world.change())
        world.desk.switches.workflow = {}
        await world.settled()
        assert world.stands(world.change()) == f"Close / {'Completed' if end == 'close' else 'Canceled'}"
        assert "behind it" in world.notes(world.change())

    lived(tmp_path, story, edition=edition)


# --- lists of steps --------------------------------------------------------------------------------------------------

STEPS = [
    {"stage": "Planning", "status": "Planning In Progress"},
    {"stage": "Planning", "status": "In Review"},
    {"stage": "CAB Evaluation", "status": "Approval Pending"},
]


def places(world: ChangeWorld) -> list[str]:
    """Where the change was put, one after the other, after it came into being."""
    return [effect.what["after"] for effect in world.effects("status")]


@EDITIONS
def test_a_change_comes_into_being_at_the_first_step_of_its_state_and_goes_through_the_others(
    tmp_path: Path, edition: Edition
) -> None:
    async def story(world: ChangeWorld) -> None:
        world.ensono.scenario.change_create()
        await world.settled()
        (created,) = world.effects("create")
        assert (created.what["fields"]["stage"], created.what["fields"]["status"]) == (
            "Planning",
            "Planning In Progress",
        )
        assert places(world) == ["Planning / In Review", "CAB Evaluation / Approval Pending"]

    lived(tmp_path, story, edition=edition, settings=states(Assess=STEPS))


def test_a_change_that_is_there_goes_through_all_the_steps_and_stops_where_the_workflow_does(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        world.desk.switches.workflow = {"Approved": frozenset({"In Progress"}), "In Progress": frozenset({"On Hold"})}
        number = world.ensono.scenario.change_create(change_type="Emergency")
        world.ensono.scenario.change_state(number, "Implement")
        await world.settled()
        assert places(world) == ["Implementation / In Progress", "Implementation / On Hold"]
        assert "Not accepted by the desk: Implementation / Completed" in world.notes(world.change())
        assert (await world.link(number)).state == "implement"

    steps = [
        {"stage": "Implementation", "status": "In Progress"},
        {"status": "On Hold"},
        {"stage": "Implementation", "status": "Completed"},
        {"stage": "Review", "status": "In Review"},
    ]
    lived(tmp_path, story, settings=states(Implement=steps))


@EDITIONS
@pytest.mark.parametrize("end", ["Closed", "Cancelled", "New"])
def test_the_steps_of_an_end_lead_up_to_it(tmp_path: Path, edition: Edition, end: str) -> None:
    last = {"stage": "Close", "status": "Completed" if end == "Closed" else "Canceled"}

    async def story(world: ChangeWorld) -> None:
        world.desk.switches.workflow = {
            "Approval Pending": frozenset({"Approved"}),
            "Approved": frozenset({"In Review"}),
            "In Review": frozenset({"Completed", "Canceled"}),
        }
        number = world.ensono.scenario.change_create()
        world.ensono.scenario.change_state(number, end, transaction_type="Closure" if end == "Closed" else "Update")
        await world.settled()
        assert world.stands(world.change()) == f"Close / {last['status']}"

    steps = [{"status": "Approved"}, {"stage": "Review", "status": "In Review"}, last]
    lived(tmp_path, story, edition=edition, settings=states(**{end: steps}))


def test_a_change_that_is_made_when_it_is_closed_keeps_code_and_notes(tmp_path: Path) -> None:
    async def story(world: ChangeWorld) -> None:
        world.ensono.scenario.push_samples(["change-closure"])
        await world.settled()
        (change,) = world.changes()
        assert world.stands(change) == "Close / Completed"
        assert "close notes text" in world.notes(change)
        assert "Close code: Successful Outside Change Window" in world.notes(change)
        assert len(world.effects("close")) == 1

    lived(tmp_path, story, settings=states(Closed={"stage": "Close", "status": "Completed"}))


def test_a_stage_that_the_workflow_refuses_to_a_new_change_goes_with_its_status_and_stands_in_the_description(
    tmp_path: Path,
) -> None:
    async def story(world: ChangeWorld) -> None:
        says = {"status_code": 4001, "type": "failed", "field": "status", "message": "not allowed by the workflow"}
        envelope = {"response_status": {"status_code": 4000, "status": "failed", "messages": [says]}}
        refusal = Fault(FaultKind.STATUS, "POST", "*/changes", times=2, status=400, body=json.dumps(envelope).encode())
        world.desk.faults.add(refusal)
        world.ensono.scenario.change_create()
        await world.settled()
        assert world.stands(world.change()) == "Submission / Requested"
        assert "Not accepted by the desk: Stage: CAB Evaluation" in world.change().fields["description"]
        assert world.events("dead_letter_kept") == []

    lived(tmp_path, story)


# --- closing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(CLOSURE_CODES))
def test_a_build_with_a_place_for_the_closure_code_gets_it_there(tmp_path: Path, code: str) -> None:
    async def story(world: ChangeWorld) -> None:
        world.desk.switches.close_change_forms = frozenset({"object"})
        number = world.ensono.scenario.change_create()
        world.ensono.scenario.change_close(number, close_code=code, close_notes="all fine")
        await world.settled()
        (closed,) = world.effects("close")
        assert closed.what["closure_code"] == CLOSURE_CODES[code]
        assert "all fine" in closed.what["details"]

    lived(tmp_path, story, settings=flavoured({"change_end": "action_with_details"}))


@pytest.mark.parametrize(
    ("code", "why"), [("Successful Outside Change Window", "no mapping"), ("Successful", "the desk has no such code")]
)
def test_a_closure_code_that_is_not_mapped_or_not_known_is_told_and_the_change_is_closed(
    tmp_path: Path, code: str, why: str
) -> None:
    async def story(world: ChangeWorld) -> None:
        world.desk.switches.close_change_forms = frozenset({"object"})
        number = world.ensono.scenario.change_create()
        await world.settled()
        world.desk.setup.remove("closure_codes", "success")
        world.ensono.scenario.change_close(number, close_code=code, close_notes="all fine")
        await world.settled()
        assert world.stands(world.change()) == "Close / Completed"
        assert f"Close code: {code}" in world.notes(world.change())
        assert ("Not accepted by the desk: closure code success" in world.notes(world.change())) == (
            why != "no mapping"
        )

    lived(tmp_path, story, settings=flavoured({"change_end": "action_with_details"}))


@EDITIONS
def test_the_close_notes_of_a_change_that_was_closed_on_the_desk_before_are_kept_there(
    tmp_path: Path, edition: Edition
) -> None:
    async def story(world: ChangeWorld) -> None:
        number = world.ensono.scenario.change_create()
        await world.settled()
        world.desk.people.close("change", world.change().number)
        world.ensono.scenario.change_close(number, close_notes="it was DNS")
        await world.settled()
        assert world.stands(world.change()) == "Close / Completed"
        assert "it was DNS" in world.notes(world.change())
        assert world.effects("close") == []

    lived(tmp_path, story, edition=edition)
