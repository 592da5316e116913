"""What goes out, held against the documented shapes."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from desk_world import (
    FORM,
    KEY,
    NOT_FOUND,
    ROOT,
    TOKEN,
    Answer,
    HandClock,
    Script,
    change,
    cloud,
    desk,
    done,
    error_of,
    failed,
    listed,
    on_premises,
    request,
)

from envision_worker.desks.desk import DeskRef, Fields, LocalFile
from envision_worker.errors import Malformed, Refused, RefusedFor, Unreachable, Unsure
from envision_worker.vocabulary import DeskKind, DeskTicketId, PartnerTicketNumber, TicketType

REQUEST = DeskRef(DeskKind.REQUEST, DeskTicketId("71"))
CHANGE = DeskRef(DeskKind.CHANGE, DeskTicketId("9"))
CLOSED = {"name": "Closed", "id": "5"}


def in_cloud(*answers: Answer) -> Script:
    """A script whose first answer is a token."""
    return Script(TOKEN, *answers)


async def test_every_call_carries_key_and_accept_and_a_write_is_a_form() -> None:
    script = Script(done(request=request()))
    await desk(script).update(REQUEST, Fields(priority="High"))
    sent = script.sent[0]
    assert sent.url == f"{ROOT}/requests/71"
    assert sent.headers["authtoken"] == KEY
    assert sent.headers["Accept"] == "application/vnd.manageengine.sdp.v3+json"
    assert sent.headers["Content-Type"] == FORM
    assert set(sent.form) == {"input_data"}
    assert sent.query == {}


async def test_several_portals_on_premises_are_told_apart_by_a_header() -> None:
    script = Script(listed("requests"))
    await desk(script, on_premises(flavour={"portal_id": "3", "key_header": "TECHNICIAN_KEY"})).probe()
    assert script.sent[0].headers["PORTALID"] == "3"
    assert script.sent[0].headers["TECHNICIAN_KEY"] == KEY


async def test_a_create_sends_names_lookups_and_the_number_and_lets_the_message_win() -> None:
    script = Script(done(request=request()))
    wanted = Fields(
        title="Disk\nfull",
        description="<p>it is</p>",
        requester={"email_id": "ensono@example.com"},
        ensono_number="e-CS0100200",
        status="Open",
        priority="High",
        impact="Affects Group",
        urgency="Urgent",
        group="Network",
        category="Software",
        extra={
            "category": {"name": "Managed Services"},
            "subcategory": {"name": "Backup"},
            "udf_fields": {"udf_pick_303": "EMEA"},
        },
    )
    made = await desk(script).create(TicketType.INCIDENT, wanted)
    assert script.calls == ["POST requests"]
    assert script.sent[0].input == {
        "request": {
            "subject": "Disk full",
            "description": "<p>it is</p>",
            "requester": {"email_id": "ensono@example.com"},
            "status": {"name": "Open"},
            "priority": {"name": "High"},
            "impact": {"name": "Affects Group"},
            "urgency": {"name": "Urgent"},
            "group": {"name": "Network"},
            "category": {"name": "Software"},
            "subcategory": {"name": "Backup"},
            "udf_fields": {"udf_pick_303": "EMEA", "udf_sline_301": "e-CS0100200"},
        }
    }
    assert (made.number, made.ensono_number, made.title) == ("71", "e-CS0100200", "Disk full")


async def test_a_change_is_created_with_its_own_names_and_epoch_milliseconds() -> None:
    script = Script(done(change=change()))
    wanted = Fields(
        title="Patch day",
        requester={"email_id": "ensono@example.com"},
        ensono_number="e-CHG0032103",
        stage="Submission",
        status="Requested",
        change_type="Standard",
        change_risk="High",
        start=datetime(2023, 2, 8, 16, 25, 48, tzinfo=UTC),
        end=datetime(2023, 2, 8, 16, 25, 52, tzinfo=UTC),
    )
    await desk(script).create(TicketType.CHANGE, wanted)
    assert script.calls == ["POST changes"]
    assert script.sent[0].input == {
        "change": {
            "title": "Patch day",
            "change_requester": {"email_id": "ensono@example.com"},
            "stage": {"name": "Submission"},
            "status": {"name": "Requested"},
            "change_type": {"name": "Standard"},
            "risk": {"name": "High"},
            "scheduled_start_time": {"value": "1675873548000"},
            "scheduled_end_time": {"value": "1675873552000"},
            "udf_fields": {"udf_sline_501": "e-CHG0032103"},
        }
    }


async def test_the_cloud_gets_the_stage_and_status_that_a_new_change_must_have() -> None:
    script = in_cloud(done(change={"id": "12", "display_id": {"display_value": "CH-9", "value": "9"}}))
    made = await desk(script, cloud()).create(TicketType.CHANGE, Fields(title="x"))
    assert script.sent[1].input["change"] == {
        "title": "x",
        "stage": {"name": "Submission"},
        "status": {"name": "Requested"},
    }
    assert made.number == "CH-9"


async def test_a_stage_of_ours_is_not_mixed_with_a_status_made_up_for_it() -> None:
    script = in_cloud(done(change={"id": "12", "display_id": {"display_value": "CH-9"}}))
    await desk(script, cloud()).create(TicketType.CHANGE, Fields(title="x", stage="Planning"))
    assert script.sent[1].input["change"] == {"title": "x", "stage": {"name": "Planning"}}


async def test_a_subject_is_cut_to_250_characters_and_keeps_those_of_four_bytes() -> None:
    script = Script(done(request=request()))
    await desk(script).update(REQUEST, Fields(title="🔥" * 300))
    sent = script.sent[0].input["request"]["subject"]
    assert sent == "🔥" * 249 + "…"
    assert "%F0%9F%94%A5" in script.sent[0].body.decode()


async def test_characters_that_no_database_takes_are_left_out() -> None:
    script = Script(done(request=request()))
    await desk(script).update(REQUEST, Fields(title="a\x00b", description="one\x00\x1b\n\ttwo\ud800"))
    assert script.sent[0].input["request"] == {"subject": "ab", "description": "one\n\ttwo?"}


async def test_an_empty_ensono_number_clears_the_field() -> None:
    script = Script(done(request=request()))
    await desk(script).update(REQUEST, Fields(ensono_number=""))
    assert script.sent[0].input == {"request": {"udf_fields": {"udf_sline_301": None}}}


async def test_an_update_of_nothing_calls_nobody() -> None:
    script = Script(done())
    await desk(script).update(REQUEST, Fields())
    await desk(script).move_change(CHANGE, stage=None, status=None, comment="x")
    assert script.sent == []


async def test_a_field_that_requests_do_not_have_is_refused_before_any_call() -> None:
    script = Script(done())
    error = await error_of(desk(script).update(REQUEST, Fields(title="x", stage="Planning", change_risk="High")))
    assert isinstance(error, Refused)
    assert (error.why, error.fields) == (RefusedFor.FIELDS, ("change_risk", "stage"))
    assert script.sent == []


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ("subject", "title"),
        ("request.priority.name", "priority"),
        ("udf_fields.udf_sline_301", "ensono_number"),
        ("udf_sline_301", "ensono_number"),
        ("udf_pick_303", "udf_fields.udf_pick_303"),
        ("udf_fields.udf_pick_303", "udf_fields.udf_pick_303"),
        ("txt_site", "udf_fields.txt_site"),
        ("subcategory", "subcategory"),
        ("scheduled_start_time", "start"),
        ("udf_fields", "udf_fields"),
    ],
)
async def test_refused_fields_are_called_by_our_names(told: str, named: str) -> None:
    script = Script(failed(4001, "Invalid Input", field=told))
    wanted = Fields(title="x", extra={"udf_fields": {"txt_site": "a"}})
    error = await error_of(desk(script).create(TicketType.INCIDENT, wanted))
    assert isinstance(error, Refused)
    assert error.fields == (named,)


async def test_a_change_calls_its_fields_otherwise() -> None:
    script = Script(failed(4012, fields=["change_requester", "risk", "title"]))
    error = await error_of(desk(script).create(TicketType.CHANGE, Fields(title="x")))
    assert isinstance(error, Refused)
    assert error.fields == ("requester", "change_risk", "title")


async def test_a_status_is_set_by_name_and_takes_a_comment_in_the_cloud() -> None:
    script = Script(done(request=request()))
    await desk(script).set_status(REQUEST, "On Hold", comment="waits")
    assert script.calls == ["PUT requests/71"]
    assert script.sent[0].input == {"request": {"status": {"name": "On Hold"}}}
    script = in_cloud(done(request=request()))
    await desk(script, cloud()).set_status(REQUEST, "On Hold", comment="line\none")
    assert script.sent[1].input["request"]["status_change_comments"] == "line one"


async def test_a_resolution_is_posted() -> None:
    script = Script(done())
    await desk(script).set_resolution(REQUEST, "<p>done</p>")
    assert script.calls == ["POST requests/71/resolutions"]
    assert script.sent[0].input == {"resolution": {"content": "<p>done</p>", "add_to_linked_requests": False}}


async def test_a_request_is_closed_with_code_and_comments() -> None:
    script = Script(done())
    await desk(script).close(REQUEST, status="Closed", closure_code="success", comments="all\ngood " + "x" * 300)
    assert script.calls == ["PUT requests/71/close"]
    info = script.sent[0].input["request"]["closure_info"]
    assert info["requester_ack_resolution"] is True
    assert info["closure_code"] == {"name": "success"}
    assert info["closure_comments"].startswith("all good x")
    assert len(info["closure_comments"]) == 250


async def test_a_close_without_code_and_comments_sends_neither() -> None:
    script = in_cloud(done())
    await desk(script, cloud()).close(REQUEST, status="Closed", closure_code=None, comments="")
    assert script.calls[1:] == ["PUT requests/71/_close"]
    assert script.sent[1].input == {"request": {"closure_info": {"requester_ack_resolution": True}}}


async def test_a_desk_without_an_address_for_closing_is_closed_by_its_status() -> None:
    script = Script(done())
    settings = on_premises(flavour={"close_path": "status"})
    await desk(script, settings).close(REQUEST, status="Closed by Ensono", closure_code=None, comments="")
    assert script.calls == ["PUT requests/71"]
    assert script.sent[0].input["request"]["status"] == {"name": "Closed by Ensono"}


async def test_closed_before_is_a_success_once_the_request_says_so_itself() -> None:
    again = failed(4001, "Request is already closed")
    script = Script(again, done(request=request(status=CLOSED)))
    await desk(script).close(REQUEST, status="Closed", closure_code=None, comments="")
    assert script.calls == ["PUT requests/71/close", "GET requests/71"]
    script = Script(again, done(request=request()))
    error = await error_of(desk(script).close(REQUEST, status="Closed", closure_code=None, comments=""))
    assert isinstance(error, Refused)
    assert error.why is RefusedFor.ALREADY


async def test_a_closure_code_that_does_not_exist_is_named() -> None:
    script = Script(failed(4001, "Invalid Input", field="closure_info.closure_code"))
    error = await error_of(desk(script).close(REQUEST, status="Closed", closure_code="?", comments=""))
    assert isinstance(error, Refused)
    assert error.fields == ("closure_code",)


@pytest.mark.parametrize("public", [True, False])
async def test_a_note_on_a_request_says_whether_it_is_public(*, public: bool) -> None:
    script = Script(done(note={"id": 337}))
    assert await desk(script).add_note(REQUEST, "<p>x</p>", public=public) == "337"
    assert script.calls == ["POST requests/71/notes"]
    assert script.sent[0].input == {"note": {"description": "<p>x</p>", "show_to_requester": public}}


async def test_the_cloud_and_old_builds_wrap_a_note_otherwise() -> None:
    script = in_cloud(done(request_note={"id": "123640000000240099"}))
    assert await desk(script, cloud()).add_note(REQUEST, "x", public=False) == "123640000000240099"
    assert set(script.sent[1].input) == {"request_note"}
    script = Script(done(request_note={"id": "5"}))
    assert await desk(script, on_premises(note_key="request_note")).add_note(REQUEST, "x", public=False) == "5"


async def test_a_note_on_a_change_knows_no_privacy() -> None:
    script = Script(done(note={"id": "4"}))
    await desk(script).add_note(CHANGE, "<p>x</p>", public=True)
    assert script.calls == ["POST changes/9/notes"]
    assert script.sent[0].input == {"note": {"description": "<p>x</p>"}}


def a_file(tmp_path: Path, content: bytes, name: str = "wörk log.txt") -> LocalFile:
    path = tmp_path / "spooled"
    path.write_bytes(content)
    return LocalFile(path, name, "text/plain", len(content))


async def test_a_file_goes_up_as_one_part_on_premises(tmp_path: Path) -> None:
    script = Script(done(attachment={"id": "606"}))
    assert await desk(script).attach(REQUEST, a_file(tmp_path, b"line\r\n" * 9)) == "606"
    sent = script.sent[0]
    assert sent.call == "PUT requests/71/upload"
    assert sent.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert 'name="input_file"; filename="wörk log.txt"'.encode() in sent.body
    assert b"Content-Type: text/plain" in sent.body
    assert b"line\r\n" * 9 in sent.body
    assert sent.body.count(b"Content-Disposition") == 1


async def test_a_file_goes_up_under_another_name_in_the_cloud(tmp_path: Path) -> None:
    script = in_cloud({"file_id": 123640000000240123, "response_status": {"status": "success"}})
    assert await desk(script, cloud()).attach(CHANGE, a_file(tmp_path, b"x")) == "123640000000240123"
    sent = script.sent[1]
    assert sent.call == "POST changes/9/_uploads"
    assert b'name="filename"; filename=' in sent.body
    assert b'name="addtoattachment"\r\n\r\ntrue\r\n' in sent.body


async def test_a_file_is_sent_whole_again_where_the_token_was_refused(tmp_path: Path) -> None:
    first = Script(TOKEN, listed("requests"), (401, {}), {**TOKEN, "access_token": "1000.b"}, {"file_id": "7"})  # type: ignore[dict-item]
    clock = HandClock()
    opened = desk(first, cloud(), clock)
    await opened.probe()
    clock.move(600)
    await opened.attach(REQUEST, a_file(tmp_path, b"z" * 200_000))
    uploads = [each for each in first.sent if each.url.endswith("_uploads")]
    assert [each.body.count(b"z" * 200_000) for each in uploads] == [1, 1]


async def test_an_upload_that_must_be_bound_keeps_the_files_that_are_there(tmp_path: Path) -> None:
    settings = on_premises(flavour={"upload": "then_bind", "upload_method": "POST", "upload_path": "_upload"})
    script = Script(done(attachment={"id": "9"}), listed("attachments", {"id": "3", "name": "a"}), done())
    assert await desk(script, settings).attach(REQUEST, a_file(tmp_path, b"x")) == "9"
    assert script.calls == ["POST requests/71/_upload", "GET requests/71/attachments", "PUT requests/71"]
    assert script.sent[-1].input == {"request": {"attachments": [{"id": "3"}, {"id": "9"}]}}


async def test_an_upload_without_an_id_in_its_answer_is_not_taken_for_done(tmp_path: Path) -> None:
    assert isinstance(await error_of(desk(Script(done())).attach(REQUEST, a_file(tmp_path, b"x"))), Malformed)


async def test_a_change_moves_with_stage_status_and_a_comment() -> None:
    script = Script(done(change=change()))
    await desk(script).move_change(CHANGE, stage="Implementation", status="In Progress", comment="as\nEnsono says")
    assert script.calls == ["PUT changes/9"]
    assert script.sent[0].input == {
        "change": {
            "stage": {"name": "Implementation"},
            "status": {"name": "In Progress"},
            "comment": "as Ensono says",
        }
    }


async def test_a_desk_that_takes_no_comment_gets_none_and_one_that_demands_it_always_gets_one() -> None:
    script = Script(done(change=change()))
    await desk(script, on_premises(flavour={"change_comments": False})).move_change(
        CHANGE, stage=None, status="On Hold", comment="x"
    )
    assert script.sent[0].input == {"change": {"status": {"name": "On Hold"}}}
    script = Script(done(change=change()))
    await desk(script).move_change(CHANGE, stage=None, status="On Hold", comment="")
    assert script.sent[0].input["change"]["comment"]


@pytest.mark.parametrize(
    ("flavour", "call", "closed", "cancelled"),
    [
        (
            {},
            "PUT changes/9/close_change",
            {"comment": "Closure code: success. fine", "status": "completed"},
            {"comment": "no", "status": "canceled"},
        ),
        (
            {"change_end": "action_with_details", "change_end_path": "close"},
            "PUT changes/9/close",
            {
                "status": {"name": "Completed"},
                "comment": "fine",
                "close_details": {"description": "fine"},
                "closure_code": {"name": "success"},
            },
            {"status": {"name": "Canceled"}, "comment": "no", "close_details": {"description": "no"}},
        ),
        (
            {"change_end": "stage_and_status", "change_cancelled_stage": "Submission"},
            "PUT changes/9",
            {
                "change": {
                    "stage": {"name": "Close"},
                    "status": {"name": "Completed"},
                    "comment": "Closure code: success. fine",
                }
            },
            {"change": {"stage": {"name": "Submission"}, "status": {"name": "Canceled"}, "comment": "no"}},
        ),
    ],
)
async def test_a_change_ends_in_the_way_of_its_build(
    flavour: dict[str, str], call: str, closed: dict[str, Any], cancelled: dict[str, Any]
) -> None:
    script = Script(done(change=change()))
    opened = desk(script, on_premises(flavour=flavour))
    await opened.close_change(CHANGE, closure_code="success", comments="fine")
    await opened.cancel_change(CHANGE, comment="no")
    assert script.calls == [call, call]
    assert [each.input for each in script.sent] == [closed, cancelled]


async def test_a_change_that_has_ended_so_before_is_a_success() -> None:
    refusal = failed(4001, "Invalid Input", field="status")
    script = Script(refusal, done(change=change(status={"name": "Canceled"})))
    await desk(script).cancel_change(CHANGE, comment="x")
    closed = done(change=change(stage={"name": "Close"}, status={"name": "Completed"}))
    script = Script(refusal, closed, refusal, closed)
    await desk(script).close_change(CHANGE, closure_code=None, comments="x")
    assert isinstance(await error_of(desk(script).cancel_change(CHANGE, comment="x")), Refused)
    stage_done = done(change=change(stage={"name": "Implementation"}, status={"name": "Completed"}))
    refused = desk(Script(refusal, stage_done, refusal)).close_change(CHANGE, closure_code=None, comments="x")
    assert isinstance(await error_of(refused), Refused)


async def test_a_list_is_asked_for_in_the_query_page_by_page() -> None:
    rows = [{"id": str(each), "added_time": {"value": str(1000 + each)}} for each in range(100)]
    last = {"id": "100", "added_time": {"value": "1"}}
    script = Script(listed("notes", *rows, more=True), listed("notes", last))
    notes = await desk(script).notes(REQUEST)
    assert [each.input["list_info"] for each in script.sent] == [
        {"row_count": 100, "start_index": 1},
        {"row_count": 100, "start_index": 101},
    ]
    assert all(each.body == b"" for each in script.sent)
    assert [each.id for each in notes][:2] == ["100", "0"]
    assert len(notes) == 101


async def test_a_list_without_end_is_given_up() -> None:
    script = Script(listed("notes", {"id": "1"}, more=True))
    assert isinstance(await error_of(desk(script).notes(REQUEST)), Malformed)


@pytest.mark.parametrize("answer", [done(), done(notes={"id": 1}), done(notes=["x"]), done(notes=None)])
async def test_a_list_that_is_none_is_not_taken_for_an_empty_one(answer: Answer) -> None:
    assert isinstance(await error_of(desk(Script(answer)).notes(REQUEST)), Malformed)


async def test_a_list_that_says_it_has_no_rows_is_empty() -> None:
    assert await desk(Script(done(list_info={"row_count": 0}))).notes(REQUEST) == []


SEARCH = {
    "row_count": 100,
    "start_index": 1,
    "sort_field": "created_time",
    "sort_order": "desc",
    "fields_required": ["id", "created_time", "udf_fields.udf_sline_301"],
    "search_criteria": {"field": "udf_fields.udf_sline_301", "condition": "is", "value": "e-CS0100200"},
}


async def test_the_number_is_searched_for_by_its_field() -> None:
    script = Script(listed("requests"))
    assert await desk(script).find(DeskKind.REQUEST, " e-CS0100200 ") == []
    assert script.calls == ["GET requests"]
    assert script.sent[0].input == {"list_info": SEARCH}


async def test_the_criteria_can_be_a_list_of_one() -> None:
    script = Script(listed("requests"))
    await desk(script, on_premises(flavour={"search_form": "array"})).find(DeskKind.REQUEST, "e-CS0100200")
    assert script.sent[0].input["list_info"]["search_criteria"] == [SEARCH["search_criteria"]]


async def test_hits_that_show_another_number_are_not_believed_and_those_that_show_none_are_read() -> None:
    rows = [
        request("1", udf_fields={"udf_sline_301": "e-CS0100200"}),
        request("2", udf_fields={"udf_sline_301": "E-cs0100200"}),
        {"id": "3", "created_time": {"value": "1660050395999"}},
        {"id": "4"},
        {"id": "5"},
    ]
    merged = failed(4007, {"parent_request": {"id": "1"}, "message": "merged"}, http=404)
    script = Script(
        listed("requests", *rows),
        done(request=request("3")),
        done(request=request("4", udf_fields={})),
        merged,
    )
    assert await desk(script).find(DeskKind.REQUEST, "e-CS0100200") == ["3", "1", "5"]
    assert script.calls[1:] == ["GET requests/3", "GET requests/4", "GET requests/5"]


async def test_a_desk_that_ignores_the_search_is_found_out_before_everything_is_read() -> None:
    rows = [{"id": str(each)} for each in range(101)]
    script = Script(listed("requests", *rows))
    assert isinstance(await error_of(desk(script).find(DeskKind.REQUEST, "e-CS1")), Malformed)
    assert len(script.sent) == 1


async def test_a_hit_without_an_id_can_not_be_passed_over() -> None:
    script = Script(listed("requests", {"udf_fields": {"udf_sline_301": "e-CS1"}}))
    assert isinstance(await error_of(desk(script).find(DeskKind.REQUEST, "e-CS1")), Malformed)


async def test_nothing_is_searched_for_without_a_number() -> None:
    script = Script(listed("requests"))
    assert await desk(script).find(DeskKind.CHANGE, "  ") == []
    assert script.sent == []


@pytest.mark.parametrize("number", ["", "x", "7.1", "../users", "\u0667\u0661", "7" * 30, "-71"])
async def test_what_can_be_no_id_is_located_nowhere(number: str) -> None:
    script = Script(done(request=request()))
    assert await desk(script).locate(DeskKind.REQUEST, PartnerTicketNumber(number)) is None
    assert script.sent == []


async def test_on_premises_a_number_is_an_id() -> None:
    script = Script(done(request=request()), NOT_FOUND)
    assert await desk(script).locate(DeskKind.REQUEST, PartnerTicketNumber(" 71 ")) == "71"
    assert await desk(script).locate(DeskKind.REQUEST, PartnerTicketNumber("72")) is None


async def test_in_the_cloud_a_number_is_searched_for() -> None:
    rows = [{"id": "9", "display_id": "1020"}, {"id": "12364", "display_id": "102"}]
    script = in_cloud(listed("requests", *rows))
    assert await desk(script, cloud()).locate(DeskKind.REQUEST, PartnerTicketNumber("102")) == "12364"
    assert script.sent[1].input["list_info"]["search_criteria"] == {
        "field": "display_id",
        "condition": "is",
        "value": "102",
    }
    script = in_cloud(listed("changes", {"id": "5", "display_id": {"display_value": "CH-9", "value": "9"}}))
    assert await desk(script, cloud()).locate(DeskKind.CHANGE, PartnerTicketNumber("CH-9")) == "5"
    assert script.sent[1].input["list_info"]["search_criteria"]["field"] == "display_id.display_value"


async def test_an_id_that_could_lead_elsewhere_goes_nowhere() -> None:
    script = Script(done())
    for wrong in ("../users", "1/notes", "", "a b", "1?x=1"):
        error = await error_of(desk(script).read(DeskRef(DeskKind.REQUEST, DeskTicketId(wrong))))
        assert isinstance(error, Refused)
        assert error.why is RefusedFor.NOT_FOUND
    assert script.sent == []


async def test_an_address_that_this_build_lacks_is_not_taken_for_a_ticket_that_is_gone() -> None:
    script = Script(NOT_FOUND, done(request=request()))
    error = await error_of(desk(script).close(REQUEST, status="Closed", closure_code=None, comments=""))
    assert isinstance(error, Refused)
    assert error.why is RefusedFor.CONFIGURATION
    script = Script(NOT_FOUND)
    error = await error_of(desk(script).add_note(REQUEST, "x", public=False))
    assert isinstance(error, Refused)
    assert error.why is RefusedFor.NOT_FOUND


async def test_a_made_ticket_whose_number_can_not_be_read_is_unsure_and_not_undone() -> None:
    made = done(request={"id": "12364"})
    numbered = done(request={"id": "12364", "display_id": "102"})
    assert (
        await desk(in_cloud(made, numbered), cloud()).create(TicketType.INCIDENT, Fields(title="x"))
    ).number == "102"
    lost = in_cloud(made, httpx.ConnectError("gone"))
    assert isinstance(await error_of(desk(lost, cloud()).create(TicketType.INCIDENT, Fields(title="x"))), Unsure)
    assert isinstance(await error_of(desk(Script(done())).create(TicketType.INCIDENT, Fields(title="x"))), Malformed)


@pytest.mark.parametrize(
    ("failure", "reads", "writes"),
    [
        (httpx.ConnectError("refused"), Unreachable, Unreachable),
        (httpx.ReadTimeout("slow"), Unreachable, Unsure),
        (httpx.RemoteProtocolError("cut"), Unreachable, Unsure),
        ((500, {}), Unreachable, Unsure),
        (httpx.Response(200, text="<html>"), Malformed, Malformed),
    ],
)
async def test_what_goes_wrong_on_the_way_is_sorted_by_what_may_have_happened(
    failure: Answer, reads: type[Exception], writes: type[Exception]
) -> None:
    opened = desk(Script(failure))
    assert type(await error_of(opened.read(REQUEST))) is reads
    assert type(await error_of(opened.add_note(REQUEST, "x", public=True))) is writes


async def test_a_refusal_without_a_reason_is_made_out_by_looking_whether_the_ticket_has_ended() -> None:
    vague = failed(4002, "User does not have this permission", http=403)
    script = Script(vague, done(request=request(status=CLOSED)))
    error = await error_of(desk(script).update(REQUEST, Fields(priority="High")))
    assert isinstance(error, Refused)
    assert error.why is RefusedFor.CLOSED
    script = Script(vague, done(request=request()))
    error = await error_of(desk(script).add_note(REQUEST, "x", public=True))
    assert isinstance(error, Refused)
    assert error.why is RefusedFor.OTHER


async def test_no_more_calls_run_at_once_than_the_desk_allows() -> None:
    running, most = 0, 0
    script = Script(done(request=request()))
    answer = script.handle

    async def slow(sent: httpx.Request) -> httpx.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(5):
            await asyncio.sleep(0)
        running -= 1
        return await answer(sent)

    script.handle = slow  # type: ignore[method-assign, assignment]
    opened = desk(script, on_premises(max_concurrency=3))
    reads = [opened.read(REQUEST) for _ in range(10)]
    await asyncio.gather(*reads, *(opened.update(REQUEST, Fields(title="x")) for _ in range(10)))
    assert most == 3


async def test_every_call_is_observed_with_its_outcome() -> None:
    script = Script(done(request=request()), failed(4001, "no", field="subject"))
    opened = desk(script)
    await opened.read(REQUEST)
    await error_of(opened.update(REQUEST, Fields(title="x")))
    assert [(each.peer, each.operation, each.writes) for each in script.observed] == [
        ("desk", "read_request", False),
        ("desk", "update_request", True),
    ]
    assert isinstance(script.observed[1].error, Refused)
