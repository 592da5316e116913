from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from desk_world import (
    NOT_FOUND,
    TOKEN,
    Answer,
    Script,
    change,
    cloud,
    desk,
    done,
    error_of,
    failed,
    listed,
    on_premises,
)

from envision_worker.desks.approval import ApprovalRule, ApprovalState
from envision_worker.desks.desk import DeskRef
from envision_worker.errors import Malformed, Refused, RefusedFor, Unreachable, Unsure
from envision_worker.vocabulary import DeskKind, DeskTicketId

CHANGE = DeskRef(DeskKind.CHANGE, DeskTicketId("9"))
STAGED = done(change=change(stage={"name": "Planning", "id": "4"}))
CLOUD_STAGED = done(change=change(stage={"name": "Planning", "id": "4"}, display_id={"display_value": "CH-9"}))
CARLA = {"id": "5", "name": "Carla Board", "email_id": "cab@example.com", "phone": "+1 555 0110", "mobile": None}
SAM = {"id": "6", "name": "Sam Second", "email_id": "sam@example.com", "phone": None, "mobile": "+1 555 0111"}
SUMMARY = done(approval_summary={"has_approvals": True})


def approval(identifier: str, status: str, **more: Any) -> dict[str, Any]:
    return {"id": identifier, "approver": CARLA, "status": {"name": status, "id": "1"}, **more}


async def approvals_of(*rows: dict[str, Any], settings: Any = None) -> Any:
    level = {"id": "77", "name": "Ensono e-CHG1", "status": {"name": "Pending Approval"}}
    script = Script(SUMMARY, listed("approval_levels", level), listed("approvals", *rows))
    return (await desk(script, settings).approvals(CHANGE))[0].approvals


async def test_the_summary_comes_first_because_a_list_of_none_is_an_internal_error() -> None:
    script = Script(done(approval_summary={"has_approvals": False}))
    assert not await desk(script).approvals(CHANGE)
    assert script.calls == ["GET changes/9/approval_levels/approval_summary"]


async def test_levels_are_read_with_their_approvals() -> None:
    level = {"id": 77, "name": "Ensono e-CHG1", "level": 1, "status": {"name": "Rejected", "id": "3"}}
    gone = {"id": "78", "deleted": True}
    script = Script(
        done(has_approvals="true"),
        listed("approval_levels", level, gone),
        listed("approvals", approval("1", "Rejected"), approval("2", "To Be Sent", deleted=True)),
    )
    (read,) = await desk(script).approvals(CHANGE)
    assert (read.id, read.name, read.state, len(read.approvals)) == ("77", "Ensono e-CHG1", ApprovalState.REJECTED, 1)
    assert script.calls[1:] == ["GET changes/9/approval_levels", "GET changes/9/approval_levels/77/approvals"]


@pytest.mark.parametrize(
    ("status", "state", "sent"),
    [
        ("To Be Sent", ApprovalState.WAITING, False),
        ("Pending Approval", ApprovalState.WAITING, True),
        ("pending clarification", ApprovalState.WAITING, True),
        ("Approved", ApprovalState.APPROVED, True),
        ("Rejected", ApprovalState.REJECTED, True),
        ("Denied", ApprovalState.REJECTED, True),
        ("Something new", ApprovalState.WAITING, True),
    ],
)
async def test_states_have_the_names_of_the_documents(status: str, state: ApprovalState, *, sent: bool) -> None:
    (read,) = await approvals_of(approval("1", status))
    assert (read.state, read.sent, read.approver) == (state, sent, "cab@example.com")


async def test_nobody_has_decided_what_waits() -> None:
    (read,) = await approvals_of(approval("1", "Pending Approval", comments="draft", action_taken_on={"value": "1"}))
    assert (read.decided_by_name, read.decided_by_email, read.comments, read.decided_at) == ("", "", "", None)


async def test_the_decision_tells_who_when_and_why() -> None:
    row = approval("1", "Approved", comments="go ahead", action_taken_on={"value": "1675873548000"})
    (read,) = await approvals_of(row)
    assert (read.decided_by_name, read.decided_by_email) == ("Carla Board", "cab@example.com")
    assert (read.decided_by_phone, read.comments) == ("+1 555 0110", "go ahead")
    assert read.decided_at == datetime(2023, 2, 8, 16, 25, 48, tzinfo=UTC)


async def test_on_premises_a_delegate_has_taken_the_action() -> None:
    (read,) = await approvals_of(approval("1", "Approved", action_by=SAM))
    assert (read.approver, read.decided_by_email, read.decided_by_phone) == (
        "cab@example.com",
        "sam@example.com",
        "+1 555 0111",
    )


async def test_in_the_cloud_the_delegate_is_the_approver_and_the_other_is_the_original_one() -> None:
    level = {"id": "77", "level": 1, "status": {"name": "Approved"}}
    row = {"id": "1", "approver": SAM, "original_approver": CARLA, "status": {"name": "Approved"}}
    script = Script(TOKEN, listed("approval_levels", level), listed("approvals", row))
    (read,) = await desk(script, cloud()).approvals(CHANGE)
    assert read.name == ""
    assert read.approvals[0].approver == "cab@example.com"
    assert read.approvals[0].decided_by_email == "sam@example.com"


async def test_a_request_is_not_asked_for_approvals() -> None:
    script = Script(done())
    assert not await desk(script).approvals(DeskRef(DeskKind.REQUEST, DeskTicketId("71")))
    assert script.sent == []


USERS_AS_TECHNICIANS = listed("technicians", {"id": 5, "email_id": "cab@example.com"})
USERS = listed("users", {"id": "5", "email_id": "CAB@example.com", "name": "Carla"}, {"id": "8", "email_id": None})


async def test_on_premises_a_level_is_made_with_approvers_by_id_in_the_present_stage() -> None:
    made = done(approval_level={"id": "77", "name": "x", "status": None, "approvals": [approval("1", "To Be Sent")]})
    script = Script(STAGED, USERS, made)
    level = await desk(script).add_approval_level(
        CHANGE, name="Ensono\ne-CHG1", rule=ApprovalRule.EVERYONE, approvers=["cab@example.com"]
    )
    assert script.calls == ["GET changes/9", "GET users", "POST changes/9/approval_levels"]
    assert script.sent[1].input["list_info"]["search_criteria"] == {
        "field": "email_id",
        "condition": "is",
        "value": "cab@example.com",
    }
    assert script.sent[-1].input == {
        "approval_level": {
            "name": "Ensono e-CHG1",
            "stage": {"id": "4"},
            "rule": {"type": "percent", "value": "100"},
            "approvals": [{"approver": {"id": "5"}}],
        }
    }
    assert (level.id, level.approvals[0].id, level.approvals[0].sent) == ("77", "1", False)


async def test_in_the_cloud_a_level_has_a_number_and_its_approvers_follow_one_by_one() -> None:
    script = Script(
        TOKEN,
        CLOUD_STAGED,
        listed("approval_levels", {"id": "70", "level": 1}),
        done(approval_level={"id": "77", "level": 2}),
        done(approval=approval("1", "To Be Sent")),
        done(approval=approval("2", "To Be Sent")),
    )
    level = await desk(script, cloud()).add_approval_level(
        CHANGE, name="x", rule=ApprovalRule.ANYONE, approvers=["cab@example.com", "sam@example.com"]
    )
    assert script.sent[3].input == {
        "approval_level": {"level": 2, "change_stage": {"id": "4"}, "rule": {"name": "Anyone to Approve"}}
    }
    assert script.calls[4] == "POST changes/9/approval_levels/77/approvals"
    assert script.sent[4].input == {"approval": {"approver": {"email_id": "cab@example.com"}}}
    assert [each.id for each in level.approvals] == ["1", "2"]


def cloud_level(*answers: Answer) -> Script:
    made = done(approval_level={"id": "77", "level": 1})
    return Script(TOKEN, CLOUD_STAGED, listed("approval_levels"), made, *answers)


async def add(script: Script) -> Exception | None:
    opened = desk(script, cloud())
    return await error_of(
        opened.add_approval_level(CHANGE, name="x", rule=ApprovalRule.ANYONE, approvers=["cab@example.com"])
    )


async def test_an_approver_who_is_refused_takes_the_level_with_him_so_that_nothing_happened() -> None:
    script = cloud_level(failed(4001, "Invalid Input", field="approver"), done())
    assert isinstance(await add(script), Refused)
    assert script.calls[-1] == "DELETE changes/9/approval_levels/77"


async def test_a_level_that_may_stand_without_approvers_is_unsure() -> None:
    assert isinstance(await add(cloud_level(httpx.ConnectError("gone"))), Unsure)
    assert isinstance(await add(cloud_level(failed(4001, "x", field="approver"), httpx.ConnectError("gone"))), Unsure)


async def test_a_level_that_was_never_sent_did_not_happen() -> None:
    script = Script(TOKEN, CLOUD_STAGED, listed("approval_levels"), httpx.ConnectError("gone"))
    assert type(await add(script)) is Unreachable


async def test_no_more_than_five_levels_can_be_made_in_the_cloud() -> None:
    script = Script(TOKEN, CLOUD_STAGED, listed("approval_levels", {"id": "70", "level": "5"}))
    error = await add(script)
    assert isinstance(error, Refused)
    assert "5 levels" in error.detail


async def test_a_change_without_a_stage_can_have_no_level() -> None:
    script = Script(done(change={"id": "9"}))
    error = await error_of(
        desk(script).add_approval_level(CHANGE, name="x", rule=ApprovalRule.ANYONE, approvers=["cab@example.com"])
    )
    assert isinstance(error, Malformed)
    assert script.calls == ["GET changes/9"]


async def test_an_approver_whom_no_list_of_users_has_is_refused_before_any_write() -> None:
    script = Script(STAGED, listed("users"), listed("requesters"), NOT_FOUND)
    error = await error_of(
        desk(script).add_approval_level(CHANGE, name="x", rule=ApprovalRule.ANYONE, approvers=["x@example.com"])
    )
    assert isinstance(error, Refused)
    assert (error.why, error.fields) == (RefusedFor.FIELDS, ("approvers",))
    assert all(each.method == "GET" for each in script.sent)


async def test_rules_and_names_can_be_those_of_another_build() -> None:
    flavour = {"approval_rule_anyone": {"type": "any"}, "approver_key": "email_id", "approval_level_named": False}
    script = Script(STAGED, done(approval_level={"id": "77"}))
    await desk(script, on_premises(flavour=flavour)).add_approval_level(
        CHANGE, name="x", rule=ApprovalRule.ANYONE, approvers=["cab@example.com"]
    )
    assert script.sent[-1].input["approval_level"] == {
        "rule": {"type": "any"},
        "stage": {"id": "4"},
        "approvals": [{"approver": {"email_id": "cab@example.com"}}],
    }


async def test_an_approver_is_added_to_a_level() -> None:
    script = Script(NOT_FOUND, listed("requesters"), USERS_AS_TECHNICIANS, done(approval=approval("3", "To Be Sent")))
    made = await desk(script).add_approver(CHANGE, "77", "cab@example.com")
    assert script.calls[-1] == "POST changes/9/approval_levels/77/approvals"
    assert script.sent[-1].input == {"approval": {"approver": {"id": "5"}}}
    assert (made.id, made.sent) == ("3", False)


async def test_a_level_that_is_gone_is_not_taken_for_a_change_that_is_gone() -> None:
    script = Script(USERS, NOT_FOUND, STAGED)
    error = await error_of(desk(script).add_approver(CHANGE, "77", "cab@example.com"))
    assert isinstance(error, Refused)
    assert error.why is RefusedFor.OTHER


async def test_the_mail_goes_to_those_who_have_not_decided_with_the_desks_own_content() -> None:
    mail = {"title": "Approval required", "description": "<div>$ApprovalLink</div>"}
    rows = [approval("1", "Approved"), approval("2", "To Be Sent"), approval("3", "Pending Approval")]
    script = Script(listed("approvals", *rows), done(notification=mail), done())
    await desk(script).notify_approvers(CHANGE, "77")
    prefix = "changes/9/approval_levels/77/approvals"
    assert script.calls == [
        f"GET {prefix}",
        f"GET {prefix}/get_notification_content",
        f"PUT {prefix}/send_notification",
    ]
    assert script.sent[-1].query == {"ids": "2,3"}
    assert script.sent[-1].input == {"approval": {"notification": mail}}


async def test_the_mail_is_wrapped_as_the_build_wants_it() -> None:
    rows = listed("approvals", approval("2", "To Be Sent"))
    script = Script(TOKEN, rows, done(notification={"title": "x"}), done())
    await desk(script, cloud()).notify_approvers(CHANGE, "77")
    assert script.sent[-1].input == {"notification": {"title": "x"}}
    script = Script(rows, done())
    settings = on_premises(flavour={"notify_content": "none", "notify_path": "_send_notification"})
    await desk(script, settings).notify_approvers(CHANGE, "77")
    assert script.sent[-1].call.endswith("/_send_notification")
    assert script.sent[-1].body == b""


async def test_nobody_is_mailed_when_all_have_decided() -> None:
    script = Script(listed("approvals", approval("1", "Approved")))
    await desk(script).notify_approvers(CHANGE, "77")
    assert len(script.sent) == 1


async def test_a_level_is_withdrawn_and_one_that_is_gone_is_a_success() -> None:
    script = Script(done(), NOT_FOUND)
    await desk(script).remove_approval_level(CHANGE, "77")
    await desk(script).remove_approval_level(CHANGE, "77")
    assert script.calls == ["DELETE changes/9/approval_levels/77"] * 2
    assert script.sent[0].body == b""


async def test_a_user_is_known_by_address_whatever_its_case() -> None:
    assert await desk(Script(USERS)).knows_user("cab@Example.com")
    unknown = Script(USERS, listed("requesters"), NOT_FOUND)
    assert not await desk(unknown).knows_user("nobody@example.com")


async def test_a_desk_without_any_list_of_users_is_set_up_wrongly() -> None:
    error = await error_of(desk(Script(NOT_FOUND)).knows_user("cab@example.com"))
    assert isinstance(error, Refused)
    assert error.why is RefusedFor.CONFIGURATION
