"""Approvals of changes (reference: approvals)."""

from typing import Any

import pytest
from sdp_caller import Caller, Time, on_premises

from envision_worker.simulators.manageengine.habits import Habit
from envision_worker.simulators.manageengine.people import Impossible

LEVELS = "changes/1/approval_levels"
MAIL = {"title": "Please decide", "description": "<div>$ApprovalLink</div>"}


async def user_id(desk: Caller, email: str) -> str:
    criterion = {"field": "email_id", "condition": "is", "value": email}
    [user] = (await desk.listed("users", search_criteria=criterion)).said["users"]
    found: str = user["id"]
    return found


async def level_body(desk: Caller, *emails: str, percent: str = "1", **more: Any) -> dict[str, Any]:
    approvals = [{"approver": {"id": await user_id(desk, email)}} for email in emails]
    level = {
        "name": "Ensono approval",
        "rule": {"type": "percent", "value": percent},
        "stage": {"name": "CAB Evaluation"},
    }
    return {"approval_level": {**level, "approvals": approvals, **more}}


async def level_on_premises(desk: Caller, *emails: str, percent: str = "1") -> Any:
    """A change in its approval stage with a level; the level."""
    await desk.change(stage={"name": "CAB Evaluation"}, status={"name": "Approval Pending"})
    return (await desk.post(LEVELS, await level_body(desk, *emails, percent=percent))).said["approval_level"]


async def notify(desk: Caller, level: Any) -> Any:
    ids = ",".join(each["id"] for each in level["approvals"])
    path = f"{LEVELS}/{level['id']}/approvals/send_notification"
    return await desk.write("PUT", path, {"approval": {"notification": MAIL}}, query=f"ids={ids}")


async def level_status(desk: Caller, level: Any) -> str:
    status: str = (await desk.get(f"{LEVELS}/{level['id']}")).said["approval_level"]["status"]["name"]
    return status


async def test_a_summary_tells_whether_there_are_levels(desk: Caller) -> None:
    await desk.change()
    assert (await desk.get(f"{LEVELS}/approval_summary")).said["approval_summary"] == {"has_approvals": False}
    await desk.post(LEVELS, await level_body(desk, "cab@example.com"))
    assert (await desk.get(f"{LEVELS}/approval_summary")).said["approval_summary"] == {"has_approvals": True}


async def test_listing_the_levels_of_a_change_without_any_is_an_internal_error_on_premises(desk: Caller) -> None:
    await desk.change()
    assert (await desk.get(LEVELS)).code == (500, 4004, None)
    desk.simulator.switches.levels_of_a_change_without = "empty"
    assert (await desk.get(LEVELS)).said["approval_levels"] == []


async def test_in_the_cloud_that_list_is_empty(cloud_desk: Caller) -> None:
    change_id = await cloud_desk.change()
    assert (await cloud_desk.get(f"changes/{change_id}/approval_levels")).said["approval_levels"] == []


async def test_there_is_no_flat_list_of_approvals(desk: Caller) -> None:
    await desk.change()
    assert (await desk.get("changes/1/approvals")).code == (404, 4007, None)


async def test_a_level_on_premises_is_added_with_its_approvers(desk: Caller) -> None:
    await desk.change()
    answer = await desk.post(LEVELS, await level_body(desk, "cab@example.com", "cab.second@example.com", percent="90"))
    assert answer.status == 201
    level = answer.said["approval_level"]
    assert set(level) >= {
        "id", "level", "name", "status", "comments", "action_taken_by", "action_taken_on", "created_by", "created_on",
        "rule", "stage", "approvals",
    }  # fmt: skip
    assert (level["level"], level["status"]["name"]) == ("1", "To Be Sent")
    assert level["rule"] == {"type": "percent", "value": "90"}
    approval = level["approvals"][0]
    assert set(approval) >= {"id", "approver", "sent_on", "sent_by", "comments", "action_taken_on", "status", "deleted"}
    assert approval["status"]["name"] == "To Be Sent"
    assert approval["approver"]["email_id"] == "cab@example.com"
    [row] = (await desk.listed(LEVELS, row_count=100)).said["approval_levels"]
    assert row["name"] == "Ensono approval"
    assert "approvals" not in row


async def test_a_level_on_premises_needs_name_stage_and_rule(desk: Caller) -> None:
    await desk.change()
    answer = await desk.post(LEVELS, {"approval_level": {}})
    assert answer.complaint["fields"] == ["name", "stage", "rule"]


async def test_a_level_on_premises_without_approver_is_refused(desk: Caller) -> None:
    await desk.change()
    answer = await desk.post(LEVELS, await level_body(desk))
    assert answer.complaint["message"] == "Approvers are unavailable"
    desk.simulator.switches.level_needs_approver = False
    assert (await desk.post(LEVELS, await level_body(desk))).status == 201


async def test_the_number_of_a_level_on_premises_is_read_only(desk: Caller) -> None:
    await desk.change()
    answer = await desk.post(LEVELS, await level_body(desk, "cab@example.com", level=1))
    assert answer.code == (400, 4014, "level")


@pytest.mark.parametrize(
    "rule",
    [
        {"type": "percent", "value": "0"},
        {"type": "percent", "value": "101"},
        {"type": "anyone", "value": "1"},
        {"name": "x"},
    ],
)
async def test_a_rule_on_premises_is_a_percentage(desk: Caller, rule: dict[str, str]) -> None:
    await desk.change()
    assert (await desk.post(LEVELS, await level_body(desk, "cab@example.com", rule=rule))).status == 400


async def test_new_builds_know_a_rule_by_condition(time: Time) -> None:
    desk = on_premises(time)
    rule = {"type": "condition", "value": "anyone_approves"}
    await desk.change()
    assert (await desk.get("approval_rules")).status == 404
    assert (await desk.post(LEVELS, await level_body(desk, "cab@example.com", rule=rule))).status == 400
    desk.simulator.switches.condition_rules = True
    assert (await desk.get("approval_rules")).said["approval_rules"][0]["type"] == "anyone_approves"
    answer = await desk.post(LEVELS, await level_body(desk, "cab@example.com", rule=rule))
    assert answer.said["approval_level"]["rule"] == rule


async def test_an_approver_on_premises_is_named_by_id(desk: Caller) -> None:
    await desk.change()
    by_email = await level_body(desk, approvals=[{"approver": {"email_id": "cab@example.com"}}])
    assert (await desk.post(LEVELS, by_email)).code == (400, 4001, "approver")
    desk.simulator.switches.approver_by_email = True
    assert (await desk.post(LEVELS, by_email)).status == 201


async def test_someone_without_permission_cannot_be_an_approver(desk: Caller) -> None:
    desk.simulator.setup.add_user("guest@example.com", approves=False)
    await desk.change()
    assert (await desk.post(LEVELS, await level_body(desk, "guest@example.com"))).code == (400, 4001, "approver")


async def test_a_level_has_ten_approvers_at_most(desk: Caller) -> None:
    emails = [f"approver{number}@example.com" for number in range(11)]
    for email in emails:
        desk.simulator.setup.add_user(email)
    await desk.change()
    assert (await desk.post(LEVELS, await level_body(desk, *emails))).status == 400
    level = (await desk.post(LEVELS, await level_body(desk, *emails[:10]))).said["approval_level"]
    body = {"approval": {"approver": {"id": await user_id(desk, emails[10])}}}
    assert (await desk.post(f"{LEVELS}/{level['id']}/approvals", body)).status == 400


async def test_two_levels_may_have_one_name_unless_the_build_minds(time: Time) -> None:
    desk = on_premises(time)
    await desk.change()
    for status in (201, 201):
        assert (await desk.post(LEVELS, await level_body(desk, "cab@example.com"))).status == status
    desk.simulator.switches.unique_level_names = True
    assert (await desk.post(LEVELS, await level_body(desk, "cab@example.com"))).code == (400, 4008, "name")


async def test_an_approver_is_added_and_removed(desk: Caller) -> None:
    level = await level_on_premises(desk, "cab@example.com")
    path = f"{LEVELS}/{level['id']}/approvals"
    body = {"approval": {"approver": {"id": await user_id(desk, "cab.second@example.com")}}}
    added = await desk.post(path, body)
    assert added.status == 201
    approval_id = added.said["approval"]["id"]
    assert len((await desk.listed(path)).said["approvals"]) == 2
    assert (await desk.get(f"{path}/{approval_id}")).said["approval"]["approver"][
        "email_id"
    ] == "cab.second@example.com"
    assert (await desk.delete(f"{path}/{approval_id}")).status == 200
    assert len((await desk.listed(path)).said["approvals"]) == 1
    verbs = [effect.verb for effect in desk.simulator.journal]
    assert verbs == ["create", "add_level", "add_approver", "remove_approver"]


async def test_nobody_can_decide_before_the_mail_was_sent(desk: Caller) -> None:
    level = await level_on_premises(desk, "ensono@example.com")
    path = f"{LEVELS}/{level['id']}/approvals/{level['approvals'][0]['id']}/_approve"
    answer = await desk.put(path, {"approval": {"comments": "fine"}})
    assert answer.status == 400
    assert answer.complaint["message"] == "Recommendation mail is not yet sent"
    with pytest.raises(Impossible):
        desk.simulator.people.approve("1")


async def test_a_sent_notification_makes_the_approval_pending(desk: Caller) -> None:
    level = await level_on_premises(desk, "cab@example.com")
    content = (await desk.get(f"{LEVELS}/{level['id']}/approvals/get_notification_content")).said["notification"]
    assert set(content) == {"title", "description"}
    answer = await notify(desk, level)
    assert answer.status == 200
    approval = (await desk.listed(f"{LEVELS}/{level['id']}/approvals")).said["approvals"][0]
    assert approval["status"]["name"] == "Pending Approval"
    assert approval["sent_on"]["value"] == "1700000000000"
    assert await level_status(desk, level) == "Pending Approval"
    assert desk.simulator.journal[-1].verb == "notify"
    assert desk.simulator.journal[-1].what["to"] == ["cab@example.com"]


async def test_a_reminder_is_a_second_mail(desk: Caller, time: Time) -> None:
    level = await level_on_premises(desk, "cab@example.com")
    await notify(desk, level)
    time.advance(60)
    await notify(desk, level)
    [approval] = desk.simulator.ticket("change", "1").levels[0].approvals
    assert len(approval.mails) == 2


async def test_a_notification_names_its_approvals_and_is_wrapped(desk: Caller) -> None:
    level = await level_on_premises(desk, "cab@example.com")
    path = f"{LEVELS}/{level['id']}/approvals/send_notification"
    assert (await desk.put(path, {"approval": {"notification": MAIL}})).complaint["fields"] == ["ids"]
    bare = await desk.write("PUT", path, {"notification": MAIL}, query="ids=1")
    assert bare.complaint["message"] == "Extra key found in JSON"
    unknown = await desk.write("PUT", path, {"approval": {"notification": MAIL}}, query="ids=99")
    assert unknown.status == 404


async def test_other_builds_send_notifications_under_another_path(time: Time) -> None:
    desk = on_premises(time, notification_path="_send_notification")
    level = await level_on_premises(desk, "cab@example.com")
    assert (await notify(desk, level)).status == 404
    path = f"{LEVELS}/{level['id']}/approvals/_send_notification"
    assert (await desk.write("PUT", path, {"approval": {"notification": MAIL}}, query="ids=1")).status == 200


async def test_an_approvers_decision_is_shown_with_who_when_and_why(desk: Caller, time: Time) -> None:
    level = await level_on_premises(desk, "cab@example.com")
    await notify(desk, level)
    time.advance(90)
    desk.simulator.people.reject("1", "Not on a Friday")
    [approval] = (await desk.listed(f"{LEVELS}/{level['id']}/approvals")).said["approvals"]
    assert approval["status"]["name"] == "Rejected"
    assert approval["comments"] == "Not on a Friday"
    assert approval["action_taken_on"]["value"] == "1700000090000"
    assert approval["action_by"]["email_id"] == "cab@example.com"
    assert approval["action_by"]["phone"] == "+1 555 0110"
    assert await level_status(desk, level) == "Rejected"


async def test_old_builds_do_not_tell_who_decided(time: Time) -> None:
    desk = on_premises(time, shows_action_by=False)
    level = await level_on_premises(desk, "cab@example.com")
    await notify(desk, level)
    desk.simulator.people.approve("1")
    [approval] = (await desk.listed(f"{LEVELS}/{level['id']}/approvals")).said["approvals"]
    assert "action_by" not in approval


async def test_the_product_may_call_a_rejection_denied(time: Time) -> None:
    desk = on_premises(time, rejected_name="Denied")
    level = await level_on_premises(desk, "cab@example.com")
    await notify(desk, level)
    desk.simulator.people.reject("1", "no")
    assert await level_status(desk, level) == "Denied"


async def test_a_delegate_decides_in_place_of_the_approver_on_premises(desk: Caller) -> None:
    level = await level_on_premises(desk, "cab@example.com")
    await notify(desk, level)
    desk.simulator.people.delegate("1", "cab.second@example.com")
    desk.simulator.people.approve("1")
    [approval] = (await desk.listed(f"{LEVELS}/{level['id']}/approvals")).said["approvals"]
    assert approval["approver"]["email_id"] == "cab@example.com"
    assert approval["action_by"]["email_id"] == "cab.second@example.com"


async def test_an_approver_may_decide_twice(desk: Caller) -> None:
    level = await level_on_premises(desk, "cab@example.com")
    await notify(desk, level)
    desk.simulator.people.decide_twice("1", comments="yes", reason="no, wait")
    [approval] = (await desk.listed(f"{LEVELS}/{level['id']}/approvals")).said["approvals"]
    assert (approval["status"]["name"], approval["comments"]) == ("Rejected", "no, wait")
    assert await level_status(desk, level) == "Approved"
    outcomes = [effect.what["outcome"] for effect in desk.simulator.journal if effect.verb == "decide"]
    assert outcomes == ["Approved", "Rejected"]


@pytest.mark.parametrize(
    ("percent", "decisions", "outcome"),
    [
        ("1", ["approve"], "Approved"),
        ("1", ["reject"], "Pending Approval"),
        ("1", ["reject", "approve"], "Approved"),
        ("1", ["reject", "reject"], "Rejected"),
        ("100", ["approve"], "Pending Approval"),
        ("100", ["approve", "approve"], "Approved"),
        ("100", ["reject"], "Rejected"),
        ("50", ["approve"], "Approved"),
        ("75", ["approve"], "Pending Approval"),
    ],
)
async def test_a_level_is_decided_by_the_share_of_those_who_were_asked(
    desk: Caller, percent: str, decisions: list[str], outcome: str
) -> None:
    approvers = ["cab@example.com", "cab.second@example.com"]
    level = await level_on_premises(desk, *approvers, percent=percent)
    await notify(desk, level)
    for email, decision in zip(approvers, decisions, strict=False):
        if decision == "approve":
            desk.simulator.people.approve("1", approver=email)
        else:
            desk.simulator.people.reject("1", "no", approver=email)
    assert await level_status(desk, level) == outcome


async def test_an_approver_who_was_not_asked_does_not_count(desk: Caller) -> None:
    level = await level_on_premises(desk, "cab@example.com", "cab.second@example.com", percent="100")
    await notify(desk, {**level, "approvals": level["approvals"][:1]})
    desk.simulator.people.approve("1")
    assert await level_status(desk, level) == "Approved"


async def test_who_has_decided_is_not_asked_again(desk: Caller) -> None:
    level = await level_on_premises(desk, "cab@example.com")
    await notify(desk, level)
    desk.simulator.people.approve("1")
    assert (await notify(desk, level)).code == (400, 4001, "ids")
    assert [effect.verb for effect in desk.simulator.journal].count("notify") == 1


async def test_the_key_decides_only_for_its_owner(time: Time) -> None:
    desk = on_premises(time)
    level = await level_on_premises(desk, "cab@example.com", "ensono@example.com")
    await notify(desk, level)
    path = f"{LEVELS}/{level['id']}/approvals"
    other, own = (each["id"] for each in level["approvals"])
    assert (await desk.put(f"{path}/{other}/_reject", {"approval": {"comments": "no"}})).code == (403, 4002, None)
    assert (await desk.put(f"{path}/{own}/_reject", {"approval": {"comments": "no"}})).status == 200
    desk.simulator.switches.key_may_decide = True
    assert (await desk.put(f"{path}/{other}/_approve", {"approval": {"comments": "yes"}})).status == 200
    assert await level_status(desk, level) == "Approved"


async def test_an_approved_level_takes_no_decision_and_no_approver_through_the_api(desk: Caller) -> None:
    level = await level_on_premises(desk, "ensono@example.com")
    await notify(desk, level)
    path = f"{LEVELS}/{level['id']}/approvals"
    await desk.put(f"{path}/1/_approve", {"approval": {"comments": "yes"}})
    assert (await desk.put(f"{path}/1/_reject", {"approval": {"comments": "no"}})).status == 403
    body = {"approval": {"approver": {"id": await user_id(desk, "cab@example.com")}}}
    assert (await desk.post(path, body)).status == 403


async def test_comments_of_a_decision_hold_250_characters_on_one_line(desk: Caller) -> None:
    level = await level_on_premises(desk, "ensono@example.com")
    await notify(desk, level)
    path = f"{LEVELS}/{level['id']}/approvals/1/_approve"
    for comments in ("x" * 251, "two\nlines"):
        assert (await desk.put(path, {"approval": {"comments": comments}})).code == (400, 4001, "comments")


async def test_a_level_that_was_never_sent_is_gone_once_removed(desk: Caller) -> None:
    level = await level_on_premises(desk, "cab@example.com")
    assert (await desk.delete(f"{LEVELS}/{level['id']}")).status == 200
    assert (await desk.get(f"{LEVELS}/{level['id']}")).status == 404
    assert (await desk.delete(f"{LEVELS}/{level['id']}")).status == 404
    assert desk.simulator.journal[-1].verb == "remove_level"


async def test_a_removed_level_whose_mail_had_gone_out_stays_listed_as_deleted(desk: Caller) -> None:
    level = await level_on_premises(desk, "cab@example.com")
    await notify(desk, level)
    await desk.delete(f"{LEVELS}/{level['id']}")
    [row] = (await desk.listed(LEVELS)).said["approval_levels"]
    assert row["deleted"] is True
    [approval] = (await desk.listed(f"{LEVELS}/{level['id']}/approvals")).said["approvals"]
    assert (approval["deleted"], approval["status"]["name"]) == (True, "Pending Approval")
    assert (await desk.get(f"{LEVELS}/approval_summary")).said["approval_summary"]["has_approvals"] is False
    with pytest.raises(Impossible):
        desk.simulator.people.approve("1")
    desk.simulator.switches.removed_approvals_listed = False
    assert (await desk.get(LEVELS)).status == 500


async def test_levels_are_found_by_their_stage(desk: Caller) -> None:
    level = await level_on_premises(desk, "cab@example.com")
    criterion = {"field": "stage.id", "value": level["stage"]["id"], "condition": "is"}
    assert len((await desk.listed(LEVELS, search_criteria=criterion)).said["approval_levels"]) == 1
    other = {**criterion, "value": "1"}
    assert (await desk.listed(LEVELS, search_criteria=other)).said["approval_levels"] == []


async def test_the_outcome_may_move_the_change(time: Time) -> None:
    for moves, status in ((False, "Approval Pending"), (True, "Approved")):
        desk = on_premises(time, approval_moves_change=moves)
        level = await level_on_premises(desk, "cab@example.com")
        await notify(desk, level)
        desk.simulator.people.approve("1")
        assert (await desk.get("changes/1")).said["change"]["status"]["name"] == status


async def test_approvals_in_the_cloud_from_level_to_decision(cloud_desk: Caller) -> None:
    change_id = await cloud_desk.change(stage={"name": "CAB Evaluation"}, status={"name": "Approval Pending"})
    path = f"changes/{change_id}/approval_levels"
    body = {"level": 1, "change_stage": {"name": "CAB Evaluation"}, "rule": {"name": "Anyone to Approve"}}
    level = (await cloud_desk.post(path, {"approval_level": body})).said["approval_level"]
    assert set(level) == {
        "id", "level", "change_stage", "rule", "status", "created_time", "associated_entity", "change",
    }  # fmt: skip
    approvals = f"{path}/{level['id']}/approvals"
    added = await cloud_desk.post(approvals, {"approval": {"approver": {"email_id": "cab@example.com"}}})
    approval = added.said["approval"]
    assert set(approval) == {
        "id", "approver", "original_approver", "xpath", "comments", "status", "approval_level", "created_time",
    }  # fmt: skip
    assert set(approval["approver"]) == {"email_id", "name", "id"}
    query = f"ids={approval['id']}"
    sent = await cloud_desk.write("PUT", f"{approvals}/send_notification", {"notification": MAIL}, query=query)
    assert sent.status == 200
    cloud_desk.simulator.people.delegate(change_id, "cab.second@example.com")
    cloud_desk.simulator.people.reject("1", "no")
    [decided] = (await cloud_desk.listed(approvals)).said["approvals"]
    assert decided["approver"]["email_id"] == "cab.second@example.com"
    assert decided["original_approver"]["email_id"] == "cab@example.com"
    assert (decided["status"]["name"], decided["comments"]) == ("Rejected", "no")
    assert (await cloud_desk.delete(f"{path}/{level['id']}")).status == 200
    assert (await cloud_desk.listed(path)).said["approval_levels"] == []


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"level": None}, 4012, None),
        ({"change_stage": None}, 4012, None),
        ({"rule": None}, 4012, None),
        ({"rule": {"name": "Everybody"}}, 4001, "rule"),
        ({"rule": {"name": "% to approve"}}, 4021, "rule"),
        ({"name": "x"}, 4001, "name"),
        ({"approvals": []}, 4001, "approvals"),
        ({"status": {"name": "Approved"}}, 4014, "status"),
    ],
)
async def test_a_level_in_the_cloud_is_taken_exactly(
    cloud_desk: Caller, changed: dict[str, Any], code: int, field: str | None
) -> None:
    change_id = await cloud_desk.change()
    body = {"level": 1, "change_stage": {"name": "CAB Evaluation"}, "rule": {"name": "Anyone to Approve"}, **changed}
    answer = await cloud_desk.post(f"changes/{change_id}/approval_levels", {"approval_level": body})
    assert answer.code == (400, code, field)


async def test_the_number_of_a_level_in_the_cloud_is_unique_in_its_stage(cloud_desk: Caller) -> None:
    change_id = await cloud_desk.change()
    path = f"changes/{change_id}/approval_levels"
    body = {"level": 1, "change_stage": {"name": "CAB Evaluation"}, "rule": {"name": "Everyone to approve"}}
    await cloud_desk.post(path, {"approval_level": body})
    assert (await cloud_desk.post(path, {"approval_level": body})).code == (400, 4008, "level")
    assert (await cloud_desk.post(path, {"approval_level": {**body, "level": 2}})).status == 201


@pytest.mark.parametrize(
    ("rule", "decisions", "outcome"),
    [
        ({"name": "Anyone to Approve"}, ["reject"], "Pending Approval"),
        ({"name": "Anyone to Approve"}, ["approve"], "Approved"),
        ({"name": "Everyone to approve"}, ["reject"], "Rejected"),
        ({"name": "First response action"}, ["reject"], "Rejected"),
        ({"name": "First response action"}, ["approve"], "Approved"),
        ({"name": "% to approve", "value": "50"}, ["approve"], "Approved"),
    ],
)
async def test_the_four_rules_of_the_cloud(
    cloud_desk: Caller, rule: dict[str, str], decisions: list[str], outcome: str
) -> None:
    change_id = await cloud_desk.change()
    path = f"changes/{change_id}/approval_levels"
    body = {"level": 1, "change_stage": {"name": "CAB Evaluation"}, "rule": rule}
    level = (await cloud_desk.post(path, {"approval_level": body})).said["approval_level"]
    ids = []
    for email in ("cab@example.com", "cab.second@example.com"):
        added = await cloud_desk.post(
            f"{path}/{level['id']}/approvals", {"approval": {"approver": {"email_id": email}}}
        )
        ids.append(added.said["approval"]["id"])
    send = f"{path}/{level['id']}/approvals/send_notification"
    await cloud_desk.write("PUT", send, {"notification": MAIL}, query=f"ids={','.join(ids)}")
    for decision in decisions:
        act = cloud_desk.simulator.people
        act.approve(change_id) if decision == "approve" else act.reject(change_id, "no")
    [shown] = (await cloud_desk.listed(path)).said["approval_levels"]
    assert shown["status"]["name"] == outcome


async def test_approvers_decide_of_themselves_after_a_while(desk: Caller, time: Time) -> None:
    level = await level_on_premises(desk, "cab@example.com", "cab.second@example.com", percent="100")
    desk.simulator.expect(
        [
            Habit("reject", after_s=60, approver="cab.second@*", comments="never"),
            Habit("approve", after_s=30, comments="fine", delegate_to="change-manager@example.com"),
        ]
    )
    await notify(desk, level)
    time.advance(29)
    assert await level_status(desk, level) == "Pending Approval"
    time.advance(1)
    approvals = (await desk.listed(f"{LEVELS}/{level['id']}/approvals")).said["approvals"]
    assert [each["status"]["name"] for each in approvals] == ["Approved", "Pending Approval"]
    assert approvals[0]["action_by"]["email_id"] == "change-manager@example.com"
    time.advance(30)
    assert await level_status(desk, level) == "Rejected"


async def test_an_approver_with_the_habit_to_change_mind_decides_twice(desk: Caller) -> None:
    level = await level_on_premises(desk, "cab@example.com")
    desk.simulator.expect([Habit("reject", comments="no", changes_mind=True)])
    await notify(desk, level)
    assert await level_status(desk, level) == "Rejected"
    outcomes = [effect.what["outcome"] for effect in desk.simulator.journal if effect.verb == "decide"]
    assert outcomes == ["Rejected", "Approved"]
