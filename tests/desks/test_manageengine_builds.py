"""Builds on premises that differ where no document says how: the worker gets along without being told."""

from pathlib import Path
from typing import Any

import pytest
from desk_stages import manageengine_stage
from desk_world import NOT_FOUND, TOKEN, Script, change, cloud, desk, done, error_of, failed, listed, request

from envision_worker.desks.approval import ApprovalRule
from envision_worker.desks.desk import DeskRef, Fields, Life, LocalFile
from envision_worker.errors import Refused, RefusedFor
from envision_worker.vocabulary import DeskKind, DeskTicketId, TicketType

REQUEST = DeskRef(DeskKind.REQUEST, DeskTicketId("71"))
CHANGE = DeskRef(DeskKind.CHANGE, DeskTicketId("9"))
OPEN = done(change=change())
USERS = listed("users", {"id": "5", "name": "Carla Board", "email_id": "cab@example.com"})
MISMATCH = failed(4021, "data type mismatch", field="status")
EXTRA_KEY = failed(4001, "Extra key found in JSON", field="closure_code")
RULE = failed(4003, "Closure rule violated")


async def test_a_build_that_wants_the_newer_body_gets_it_and_from_then_on_at_once() -> None:
    async with manageengine_stage("on_premises") as stage:
        stage.simulator.switches.close_change_forms = frozenset({"object"})
        first, second = [(await stage.desk.create(TicketType.CHANGE, Fields(title=title))).ref for title in "ab"]
        await stage.desk.close_change(first, closure_code="success", comments="fine & done")
        before = len(stage.simulator.calls)
        await stage.desk.cancel_change(second, comment="no")
        assert len(stage.simulator.calls) == before + 1
        assert (await stage.desk.read(first)).life is Life.CLOSED
        assert (await stage.desk.read(second)).life is Life.CANCELLED


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([MISMATCH, OPEN, EXTRA_KEY], "data type mismatch"),
        ([MISMATCH, OPEN, RULE, OPEN], "Closure rule violated"),
        ([RULE, OPEN, OPEN], "Closure rule violated"),
    ],
)
async def test_a_change_that_may_not_be_closed_is_refused_for_what_matters(answers: list[Any], said: str) -> None:
    script = Script(*answers)
    error = await error_of(desk(script).close_change(CHANGE, closure_code="success", comments="x"))
    assert isinstance(error, Refused)
    assert said in error.detail
    assert len(script.sent) == len(answers)


async def test_a_change_that_has_ended_otherwise_is_not_ended_in_another_way() -> None:
    ended = done(change=change(status={"name": "Canceled"}))
    script = Script(MISMATCH, ended)
    error = await error_of(desk(script).close_change(CHANGE, closure_code=None, comments="x"))
    assert isinstance(error, Refused)
    assert script.calls == ["PUT changes/9/close_change", "GET changes/9"]


async def test_a_change_that_is_closed_without_having_moved_to_the_last_stage_is_closed() -> None:
    said = failed(4001, "Change is already closed")
    script = Script(said, done(change=change(stage={"name": "Review"}, status={"name": "Completed"})))
    await desk(script).close_change(CHANGE, closure_code=None, comments="x")
    assert script.calls == ["PUT changes/9/close_change", "GET changes/9"]


async def test_a_build_that_takes_no_comment_with_a_stage_is_asked_once_with_one() -> None:
    script = Script(failed(4001, "Extra key found in JSON", field="comment"), OPEN)
    opened = desk(script)
    for status in ("In Progress", "On Hold"):
        await opened.move_change(CHANGE, stage=None, status=status, comment="x")
    assert [sorted(each.input["change"]) for each in script.sent] == [["comment", "status"], ["status"], ["status"]]


async def test_any_other_refusal_of_a_step_is_no_reason_to_leave_the_comment_out() -> None:
    script = Script(failed(4001, "not allowed by workflow", field="status"))
    error = await error_of(desk(script).move_change(CHANGE, stage=None, status="On Hold", comment="x"))
    assert isinstance(error, Refused)
    assert len(script.sent) == 1


async def test_a_stage_without_an_id_is_named() -> None:
    staged = done(change=change(stage={"name": "Planning"}))
    script = Script(staged, USERS, done(approval_level={"id": "77"}))
    await desk(script).add_approval_level(CHANGE, name="x", rule=ApprovalRule.ANYONE, approvers=["cab@example.com"])
    assert script.sent[-1].input["approval_level"]["stage"] == {"name": "Planning"}


async def test_a_build_without_a_summary_of_approvals_lists_the_levels_at_once() -> None:
    level = {"id": "77", "name": "Ensono approval", "status": {"name": "Pending Approval"}}
    script = Script(NOT_FOUND, OPEN, listed("approval_levels", level), listed("approvals"))
    assert [each.id for each in await desk(script).approvals(CHANGE)] == ["77"]


async def test_an_approver_who_is_shown_by_id_only_is_looked_up_once() -> None:
    shown = {"id": "2", "approver": {"id": 5}, "status": {"name": "Approved"}}
    script = Script(listed("approvals", shown), USERS, listed("approvals", shown))
    opened = desk(script)
    for _ in range(2):
        (approval,) = await opened.approvals_of_level(CHANGE, "77")
        assert (approval.approver, approval.decided_by_name) == ("cab@example.com", "Carla Board")
    assert [each.partition("/")[0] for each in script.calls] == ["GET changes", "GET users", "GET changes"]


async def test_where_nobody_knows_the_approver_the_approval_is_read_all_the_same() -> None:
    shown = {"id": "2", "approver": {"id": 5}, "status": {"name": "Approved"}}
    script = Script(listed("approvals", shown), NOT_FOUND)
    (approval,) = await desk(script).approvals_of_level(CHANGE, "77")
    assert approval.approver == ""


async def test_where_the_mails_content_can_not_be_had_the_desk_uses_its_own_words() -> None:
    waiting = {"id": "2", "approver": {"email_id": "cab@example.com"}, "status": {"name": "To Be Sent"}}
    script = Script(listed("approvals", waiting), NOT_FOUND, OPEN, done())
    await desk(script).notify_approvers(CHANGE, "77")
    assert script.calls[-1] == "PUT changes/9/approval_levels/77/approvals/send_notification"
    assert (script.sent[-1].query, script.sent[-1].body) == ({"ids": "2"}, b"")


async def test_where_files_of_changes_have_no_list_the_change_shows_them() -> None:
    shown = done(change=change(attachments=[{"id": "3", "name": "a.txt", "size": {"value": "7"}}]))
    script = Script(NOT_FOUND, shown)
    (stub,) = await desk(script).files(CHANGE)
    assert (stub.id, stub.name, stub.size) == ("3", "a.txt", 7)
    hidden = Script(NOT_FOUND, OPEN)
    error = await error_of(desk(hidden).files(CHANGE))
    assert isinstance(error, Refused)
    assert error.why is RefusedFor.CONFIGURATION


@pytest.mark.parametrize(
    ("kind", "key", "said"),
    [
        (DeskKind.REQUEST, "request_note", failed(4001, "Extra key found in JSON")),
        (DeskKind.CHANGE, "change_note", failed(4001, "Extra key found in JSON", field="note")),
    ],
)
async def test_a_build_that_wraps_notes_in_another_key_is_asked_once_with_the_usual_one(
    kind: DeskKind, key: str, said: Any
) -> None:
    script = Script(said, done(**{key: {"id": "5"}}))
    opened = desk(script)
    ref = DeskRef(kind, DeskTicketId("9"))
    assert [await opened.add_note(ref, text, public=True) for text in "ab"] == ["5", "5"]
    assert [list(each.input) for each in script.sent] == [["note"], [key], [key]]


async def test_a_note_that_is_refused_for_what_it_says_is_not_sent_again_under_another_key() -> None:
    script = Script(failed(4001, "Extra key found in JSON", field="show_to_requester"))
    assert isinstance(await error_of(desk(script).add_note(CHANGE, "x", public=True)), Refused)
    assert len(script.sent) == 1


async def test_in_the_cloud_the_other_address_to_close_by_is_tried_where_the_first_is_none() -> None:
    open_request = done(request=request())
    script = Script(TOKEN, NOT_FOUND, open_request, done(), done())
    opened = desk(script, cloud())
    for _ in range(2):
        await opened.close(REQUEST, status="Closed", closure_code=None, comments="x")
    assert script.calls[1:] == ["PUT requests/71/_close", "GET requests/71", *["PUT requests/71/close"] * 2]


async def test_in_the_cloud_the_other_address_to_upload_to_is_tried_where_the_first_is_none(tmp_path: Path) -> None:
    path = tmp_path / "spooled"
    path.write_bytes(b"x")
    script = Script(TOKEN, NOT_FOUND, done(request=request()), done(files=[{"file_id": "3"}]))
    opened = desk(script, cloud())
    for _ in range(2):
        assert await opened.attach(REQUEST, LocalFile(path, "a.txt", "text/plain", 1)) == "3"
    assert script.calls[1:] == ["POST requests/71/_uploads", "GET requests/71", *["POST requests/71/uploads"] * 2]
