"""Changes (reference: changes)."""

from typing import Any

import pytest
from sdp_caller import Caller, Time, cloud, on_premises

WORKFLOW = {
    "Requested": ["In Review"],
    "In Review": ["Approved"],
    "Approved": ["In Progress"],
    "In Progress": ["Completed"],
}


def place(stage: str | None = None, status: str | None = None, **more: Any) -> dict[str, Any]:
    wanted = {"stage": stage and {"name": stage}, "status": status and {"name": status}}
    return {"change": {**{name: value for name, value in wanted.items() if value}, **more}}


def where(answer: Any) -> tuple[str, str]:
    change = answer.said["change"]
    return change["stage"]["name"], change["status"]["name"]


async def test_on_premises_a_change_needs_only_a_title(desk: Caller) -> None:
    answer = await desk.post("changes", {"change": {"title": "Patch"}})
    assert answer.status == 201
    assert where(answer) == ("Submission", "Requested")
    assert (await desk.post("changes", {"change": {}})).complaint["fields"] == ["title"]


async def test_in_the_cloud_it_needs_title_stage_and_status(cloud_desk: Caller) -> None:
    answer = await cloud_desk.post("changes", {"change": {"title": "Patch"}})
    assert answer.complaint == {"status_code": 4012, "type": "failed", "fields": ["stage", "status"]}


async def test_a_change_in_the_cloud_has_a_number_with_a_prefix(cloud_desk: Caller) -> None:
    change_id = await cloud_desk.change(change_type={"name": "Standard"})
    change = (await cloud_desk.get(f"changes/{change_id}")).said["change"]
    assert change["display_id"] == {"display_value": "CH-1", "value": "1"}
    assert set(change["status"]) >= {"id", "name", "internal_name", "stage"}
    assert set(change["change_type"]) == {"id", "name", "color", "pre_approved"}


async def test_every_documented_field_of_a_new_change_is_taken(desk: Caller) -> None:
    change_id = await desk.change(
        description="<div>why</div>",
        change_type={"name": "Emergency"},
        impact={"name": "High"},
        urgency={"name": "High"},
        priority={"name": "High"},
        risk={"name": "Low"},
        category={"name": "Software"},
        subcategory={"name": "MS Office"},
        group={"name": "Network"},
        template={"name": "General Template"},
        change_requester={"email_id": "requester@example.com"},
        change_owner={"email_id": "tech@example.com"},
        change_manager={"email_id": "change-manager@example.com"},
        scheduled_start_time={"value": "1788436800000"},
        scheduled_end_time={"value": "1788440400000"},
        reason_for_change={"name": "Business Requirement"},
        emergency=True,
        udf_fields={"udf_sline_501": "e-CHG0030001"},
    )
    change = (await desk.get(f"changes/{change_id}")).said["change"]
    assert change["scheduled_start_time"]["value"] == "1788436800000"
    assert change["udf_fields"] == {"udf_sline_501": "e-CHG0030001"}
    assert change["emergency"] is True
    assert change["approval_status"] is None


async def test_the_plans_are_fields_only_in_the_cloud(desk: Caller, cloud_desk: Caller) -> None:
    plan = {"roll_out_plan": {"roll_out_plan_description": "<p>how</p>"}}
    await cloud_desk.change(**plan)
    answer = await desk.post("changes", {"change": {"title": "Patch", **plan}})
    assert answer.complaint["message"] == "Extra key found in JSON"


async def test_an_end_before_the_start_is_a_time_mismatch(either: Caller) -> None:
    wanted = place(
        "Submission", "Requested", title="Patch", scheduled_start_time={"value": "2"}, scheduled_end_time={"value": "1"}
    )
    assert (await either.post("changes", wanted)).code == (400, 4016, "scheduled_end_time")


async def test_changes_are_listed_oldest_first_without_descriptions(either: Caller) -> None:
    first = await either.change(title="first", description="x")
    second = await either.change(title="second")
    rows = (await either.listed("changes")).said["changes"]
    assert [row["id"] for row in rows] == [first, second]
    assert not {"description", "udf_fields"} & set(rows[0])


async def test_stage_and_status_are_set_side_by_side(either: Caller) -> None:
    change_id = await either.change()
    answer = await either.put(f"changes/{change_id}", place("Implementation", "In Progress", comment="go"))
    assert where(answer) == ("Implementation", "In Progress")
    assert either.simulator.journal[-1].what == {
        "before": "Submission / Requested",
        "after": "Implementation / In Progress",
        "comment": "go",
    }


async def test_in_the_cloud_a_new_status_needs_a_comment(cloud_desk: Caller) -> None:
    change_id = await cloud_desk.change()
    answer = await cloud_desk.put(f"changes/{change_id}", place("Implementation", "In Progress"))
    assert answer.complaint["fields"] == ["comment"]
    same = await cloud_desk.put(f"changes/{change_id}", place("Submission", "Requested", title="x"))
    assert same.status == 200


async def test_on_premises_a_comment_is_optional_or_refused(time: Time) -> None:
    desk = on_premises(time)
    await desk.change()
    assert (await desk.put("changes/1", place("Implementation", "In Progress"))).status == 200
    desk.simulator.switches.change_comment_accepted = False
    answer = await desk.put("changes/1", place("Review", "In Review", comment="x"))
    assert answer.code == (400, 4001, "comment")


async def test_a_status_must_belong_to_its_stage(either: Caller) -> None:
    change_id = await either.change()
    answer = await either.put(f"changes/{change_id}", place("Submission", "Completed", comment="x"))
    assert answer.code == (400, 4001, "status")
    answer = await either.put(f"changes/{change_id}", place(None, "In Progress", comment="x"))
    assert answer.code == (400, 4001, "status")


async def test_a_name_that_stands_in_several_stages_means_the_one_of_the_stage(desk: Caller) -> None:
    await desk.change()
    first = (await desk.put("changes/1", place("CAB Evaluation", "Approval Pending"))).said["change"]
    second = (await desk.put("changes/1", place("Planning", "Approval Pending"))).said["change"]
    assert first["status"]["name"] == second["status"]["name"]
    assert first["status"]["id"] != second["status"]["id"]


async def test_a_new_stage_without_a_status_begins_with_its_first_one(desk: Caller) -> None:
    await desk.change()
    assert where(await desk.put("changes/1", place("Planning"))) == ("Planning", "Planning In Progress")


async def test_a_workflow_refuses_the_straight_way_to_the_end(time: Time) -> None:
    desk = on_premises(time, workflow=WORKFLOW)
    await desk.change()
    answer = await desk.put("changes/1", place("Close", "Completed"))
    assert answer.code == (400, 4001, "status")
    for stage, status in (
        ("Submission", "In Review"),
        ("CAB Evaluation", "Approved"),
        ("Implementation", "In Progress"),
        ("Close", "Completed"),
    ):
        assert (await desk.put("changes/1", place(stage, status))).status == 200


async def test_a_workflow_also_guards_closing(time: Time) -> None:
    desk = on_premises(time, workflow=WORKFLOW)
    await desk.change()
    answer = await desk.put("changes/1/close_change", {"comment": "x", "status": "canceled"})
    assert answer.code == (400, 4001, "status")


@pytest.mark.parametrize(("status", "name"), [("completed", "Completed"), ("canceled", "Canceled")])
async def test_on_premises_a_change_is_closed_by_an_unwrapped_body(desk: Caller, status: str, name: str) -> None:
    await desk.change()
    answer = await desk.put("changes/1/close_change", {"comment": "This is it", "status": status})
    assert answer.status == 200
    assert where(answer) == ("Close", name)
    assert set(answer.said["change"]["close_details"]) == {"description", "id"}
    effect = desk.simulator.journal[-1]
    assert (effect.verb, effect.what["status"], effect.what["comment"]) == ("close", name, "This is it")


@pytest.mark.parametrize(
    "body",
    [
        {"change": {"comment": "x", "status": "completed"}},
        {"comment": "x", "status": "Completed"},
        {"comment": "x", "status": "closed"},
        {"status": "completed"},
        {"comment": "x"},
        {"comment": "x", "status": {"name": "Completed"}},
        {"comment": "x", "status": "completed", "closure_code": {"name": "success"}},
    ],
)
async def test_the_documented_body_is_taken_exactly(desk: Caller, body: dict[str, Any]) -> None:
    await desk.change()
    assert (await desk.put("changes/1/close_change", body)).status == 400
    assert [effect.verb for effect in desk.simulator.journal] == ["create"]


async def test_new_builds_want_another_body(time: Time) -> None:
    desk = on_premises(time, close_change_forms=["object"])
    await desk.change()
    assert (await desk.put("changes/1/close_change", {"comment": "x", "status": "completed"})).status == 400
    body = {
        "status": {"name": "Completed"},
        "comment": "x",
        "close_details": {"description": "notes"},
        "closure_code": {"name": "Closed - Completed"},
    }
    assert (await desk.put("changes/1/close_change", {**body, "closure_code": {"name": "no"}})).code == (
        400, 4001, "closure_code",
    )  # fmt: skip
    assert where(await desk.put("changes/1/close_change", body)) == ("Close", "Completed")
    assert desk.simulator.journal[-1].what == {
        "status": "Completed", "comment": "x", "details": "notes", "closure_code": "Closed - Completed",
    }  # fmt: skip


async def test_closing_a_closed_change_is_refused(desk: Caller) -> None:
    await desk.change()
    body = {"comment": "x", "status": "completed"}
    await desk.put("changes/1/close_change", body)
    answer = await desk.put("changes/1/close_change", body)
    assert answer.complaint == {"status_code": 4001, "type": "failed", "message": "Change is already closed"}
    desk.simulator.switches.reclose_change_refused = False
    assert (await desk.put("changes/1/close_change", body)).status == 200


async def test_in_the_cloud_a_change_is_closed_by_its_stage(cloud_desk: Caller) -> None:
    change_id = await cloud_desk.change()
    assert (
        await cloud_desk.put(f"changes/{change_id}/close_change", {"comment": "x", "status": "completed"})
    ).status == 404
    answer = await cloud_desk.put(f"changes/{change_id}", place("Close", "Completed", comment="x"))
    assert where(answer) == ("Close", "Completed")
    assert answer.said["change"]["completed_time"] is not None


async def test_a_change_is_updated_in_part_and_null_clears(either: Caller) -> None:
    change_id = await either.change(priority={"name": "High"}, description="x")
    answer = await either.put(f"changes/{change_id}", {"change": {"priority": None, "title": "New"}})
    change = answer.said["change"]
    assert (change["priority"], change["title"], change["description"]) == (None, "New", "x")
    assert (await either.put(f"changes/{change_id}", {"change": {"title": None}})).complaint["fields"] == ["title"]


async def test_a_template_may_want_or_lack_fields(time: Time) -> None:
    desk = await cloud(time, change_template_mandatory=["risk"], not_on_change_template=["urgency"])
    wanted = place("Submission", "Requested", title="Patch", risk={"name": "Low"})
    assert (await desk.post("changes", place("Submission", "Requested", title="x"))).complaint["fields"] == ["risk"]
    assert (await desk.post("changes", wanted)).status == 201
    wanted["change"]["urgency"] = {"name": "High"}
    assert (await desk.post("changes", wanted)).code == (400, 4001, "urgency")


async def test_a_trashed_change_is_restored_without_a_body(desk: Caller) -> None:
    await desk.change()
    assert (await desk.delete("changes/1/move_to_trash")).status == 200
    assert (await desk.get("changes/1")).said["change"]["is_trashed"] is True
    refused = await desk.put("changes/1/restore_from_trash", {})
    assert refused.complaint["message"] == "Extra parameter(s) not allowed"
    assert (await desk.send("PUT", "changes/1/restore_from_trash")).status == 200
    assert (await desk.send("PUT", "changes/1/restore_from_trash")).complaint["message"] == "Not in trash"
