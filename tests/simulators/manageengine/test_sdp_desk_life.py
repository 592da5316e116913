"""Lookups, throttles, people at the desk, control calls, faults (reference: endpoints, rate limits, pitfalls)."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from sdp_caller import FORM, Caller, Time, cloud, on_premises

from envision_worker.simulators.faults import Fault, FaultKind
from envision_worker.simulators.http import ConnectionLost, Request, serve
from envision_worker.simulators.manageengine.people import Impossible
from envision_worker.simulators.manageengine.simulator import ManageEngineSimulator
from envision_worker.simulators.manageengine.throttle import Limit


async def names(desk: Caller, plural: str) -> list[str]:
    answer = await desk.listed(plural, row_count=100)
    return [each["name"] for each in answer.said[plural]]


# --- lookups ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plural", "name"),
    [
        ("statuses", "In Progress"),
        ("priorities", "High"),
        ("urgencies", "Urgent"),
        ("impacts", "Affects Group"),
        ("categories", "Managed Services"),
        ("subcategories", "MS Office"),
        ("support_groups", "Network"),
        ("closure_codes", "success"),
        ("change_types", "Standard"),
        ("change_stages", "CAB Evaluation"),
        ("change_statuses", "Approval Pending"),
    ],
)
async def test_lookups_are_listed(either: Caller, plural: str, name: str) -> None:
    assert name in await names(either, plural)


async def test_a_status_of_a_change_tells_its_stage(either: Caller) -> None:
    rows = (await either.listed("change_statuses", row_count=100)).said["change_statuses"]
    assert {row["stage"]["name"] for row in rows if row["name"] == "Approval Pending"} == {"Planning", "CAB Evaluation"}


async def test_what_is_out_of_use_is_not_listed(desk: Caller) -> None:
    desk.simulator.setup.remove("closure_codes", "success")
    assert "success" not in await names(desk, "closure_codes")


async def test_builds_differ_in_the_lookups_they_serve(time: Time) -> None:
    desk = on_premises(time)
    for absent in ("groups", "requesters", "change_risks", "reason_for_changes"):
        assert (await desk.get(absent)).code == (404, 4007, None)
    old = on_premises(time, absent_lookups=["support_groups", "users"])
    assert "Network" in await names(old, "groups")
    assert (await old.get("users")).status == 404
    assert (await old.get("requesters")).status == 200
    assert "Low" in await names(await cloud(time), "change_risks")


async def test_users_are_found_by_their_address(either: Caller) -> None:
    criterion = {"field": "email_id", "condition": "is", "value": "CAB@example.com"}
    [user] = (await either.listed("users", search_criteria=criterion)).said["users"]
    assert user["name"] == "Carla Board"


async def test_technicians_are_those_who_work_on_the_desk(desk: Caller) -> None:
    assert "Robin Requester" not in await names(desk, "technicians")
    assert "Robin Requester" in await names(desk, "users")


@pytest.mark.parametrize("kind", ["request", "change"])
async def test_metainfo_names_the_udfs(either: Caller, kind: Any) -> None:
    either.simulator.setup.add_udf(kind, "udf_sline_999")
    said = (await either.get(f"{kind}s/_metainfo")).said
    assert said["metainfo"]["fields"]["udf_fields"]["fields"]["udf_sline_999"]["type"] == "string"
    either.simulator.setup.remove_udf(kind, "udf_sline_999")
    said = (await either.get(f"{kind}s/_metainfo")).said
    assert "udf_sline_999" not in said["metainfo"]["fields"]["udf_fields"]["fields"]


async def test_metainfo_refuses_input_data(desk: Caller) -> None:
    answer = await desk.send("GET", "requests/_metainfo", query="input_data=%7B%7D")
    assert answer.complaint["message"] == "Extra parameter(s) not allowed"


# --- throttles -------------------------------------------------------------------------------------------------------------


async def test_a_throttle_on_premises_answers_400_with_a_sentence(desk: Caller, time: Time) -> None:
    desk.simulator.throttle.block("*/changes", until=time.now() + 60)
    answer = await desk.get("changes")
    assert answer.status == 400
    assert answer.response.body.startswith(b"URL blocked as maximum access limit for the page is exceeded.")
    with pytest.raises(ValueError, match="Expecting value"):
        _ = answer.said
    assert (await desk.get("requests")).status == 200
    time.advance(61)
    assert (await desk.get("changes")).status == 200


@pytest.mark.parametrize(("form", "status"), [("400", 400), ("429", 429)])
async def test_other_builds_throttle_with_code_4015(time: Time, form: str, status: int) -> None:
    desk = on_premises(time, throttle_answer=form)
    desk.simulator.throttle.block("*")
    assert (await desk.get("changes")).code == (status, 4015, None)


async def test_a_throttle_in_the_cloud_answers_429_with_code_4015(cloud_desk: Caller) -> None:
    cloud_desk.simulator.throttle.block("*/requests")
    assert (await cloud_desk.get("requests")).code == (429, 4015, None)
    cloud_desk.simulator.throttle.lift()
    assert (await cloud_desk.get("requests")).status == 200


async def test_a_limit_counts_calls_and_blocks_for_a_while(desk: Caller, time: Time) -> None:
    desk.simulator.throttle.limits.append(Limit(2, within_s=60, block_s=300, method="POST", path="*/changes"))
    statuses = [(await desk.post("changes", {"change": {"title": "x"}})).status for _ in range(3)]
    assert statuses == [201, 201, 400]
    assert (await desk.get("changes")).status == 200
    time.advance(299)
    assert (await desk.post("changes", {"change": {"title": "x"}})).status == 400
    time.advance(2)
    assert (await desk.post("changes", {"change": {"title": "x"}})).status == 201


async def test_a_limit_forgets_calls_that_are_long_past(desk: Caller, time: Time) -> None:
    desk.simulator.throttle.limits.append(Limit(2, within_s=60))
    for _ in range(5):
        assert (await desk.get("requests")).status == 200
        time.advance(31)


async def test_a_blocked_write_has_no_effect(desk: Caller) -> None:
    desk.simulator.throttle.block("*")
    await desk.post("changes", {"change": {"title": "x"}})
    assert desk.simulator.journal == []


async def test_too_many_wrong_keys_lock_everyone_out_for_a_minute(desk: Caller, time: Time) -> None:
    for _ in range(15):
        assert (await desk.send("GET", "requests", authtoken="wrong")).code == (400, 401, None)
    assert b"URL blocked" in (await desk.get("requests")).response.body
    time.advance(61)
    assert (await desk.get("requests")).status == 200


# --- people ----------------------------------------------------------------------------------------------------------------


async def test_a_merged_request_names_its_parent(desk: Caller) -> None:
    await desk.request()
    await desk.request()
    await desk.post("requests/2/notes", {"note": {"description": "x"}})
    desk.simulator.people.merge("2", into="1")
    for answer in (await desk.get("requests/2"), await desk.post("requests/2/notes", {"note": {"description": "y"}})):
        assert answer.status == 404
        assert answer.complaint["status_code"] == 4007
        assert answer.complaint["message"]["parent_request"] == {"id": "1"}
        assert "has been Merged with Parent Request 1." in answer.complaint["message"]["message"]
    assert [row["id"] for row in (await desk.get("requests")).said["requests"]] == ["1"]
    assert len((await desk.get("requests/1/notes")).said["notes"]) == 1


async def test_a_trashed_request_can_be_read_but_not_changed(either: Caller) -> None:
    request_id = await either.request()
    either.simulator.people.trash("request", request_id)
    assert (await either.get(f"requests/{request_id}")).said["request"]["is_trashed"] is True
    assert (await either.put(f"requests/{request_id}", {"request": {"subject": "x"}})).code == (403, 4002, None)
    assert (await either.get("requests")).said["requests"] == []
    either.simulator.switches.trash_is_listed = True
    either.simulator.switches.trash_is_locked = False
    assert len((await either.get("requests")).said["requests"]) == 1
    assert (await either.put(f"requests/{request_id}", {"request": {"subject": "x"}})).status == 200


async def test_trashing_twice_says_already_in_trash(desk: Caller) -> None:
    await desk.request()
    assert (await desk.delete("requests/1/move_to_trash")).status == 200
    assert (await desk.delete("requests/1/move_to_trash")).complaint == {
        "status_code": 4016, "type": "failed", "message": "Already in trash",
    }  # fmt: skip


async def test_a_plain_delete_is_final_on_premises_and_the_trash_in_the_cloud(desk: Caller, cloud_desk: Caller) -> None:
    await desk.request()
    await desk.delete("requests/1")
    assert (await desk.get("requests/1")).code == (404, 4007, None)
    request_id = await cloud_desk.request()
    await cloud_desk.delete(f"requests/{request_id}")
    assert (await cloud_desk.get(f"requests/{request_id}")).said["request"]["is_trashed"] is True


async def test_technicians_open_tickets_and_write_notes_of_their_own(desk: Caller) -> None:
    people = desk.simulator.people
    request_id = people.open_request("Local printer", udf_fields={"udf_sline_301": "x"})
    change_id = people.open_change("Local patch")
    note_id = people.write_note("request", request_id, "looking at it", public=True)
    assert (await desk.get(f"requests/{request_id}")).said["request"]["subject"] == "Local printer"
    assert (await desk.get(f"changes/{change_id}")).said["change"]["title"] == "Local patch"
    note = (await desk.get(f"requests/{request_id}/notes/{note_id}")).said["note"]
    assert note["added_by"]["email_id"] == "tech@example.com"
    assert {effect.by for effect in desk.simulator.journal} == {"people"}


async def test_technicians_close_restore_and_delete_by_hand(desk: Caller) -> None:
    await desk.request()
    await desk.change()
    people = desk.simulator.people
    people.close("request", "1")
    people.close("change", "1")
    assert (await desk.get("requests/1")).said["request"]["status"]["name"] == "Closed"
    assert (await desk.get("changes/1")).said["change"]["stage"]["name"] == "Close"
    people.trash("request", "1")
    people.restore("request", "1")
    people.delete("request", "1")
    assert (await desk.get("requests/1")).status == 404
    by_hand = [effect.verb for effect in desk.simulator.journal if effect.by == "people"]
    assert by_hand == ["status", "status", "trash", "restore", "delete"]


async def test_people_can_only_do_what_there_is(desk: Caller) -> None:
    await desk.change()
    people = desk.simulator.people
    for act in (
        lambda: people.approve("1"),
        lambda: people.approve("99"),
        lambda: people.merge("1", into="2"),
        lambda: people.set_status("change", "1", "Completed"),
        lambda: people.open_request("x", requester="nobody@example.com"),
    ):
        with pytest.raises(Impossible):
            act()


async def test_in_the_cloud_people_name_tickets_by_their_number(cloud_desk: Caller) -> None:
    request_id = await cloud_desk.request()
    cloud_desk.simulator.people.close("request", "1")
    assert (await cloud_desk.get(f"requests/{request_id}")).said["request"]["status"]["name"] == "Closed"


# --- control calls, faults, sockets ----------------------------------------------------------------------------------------


async def test_the_control_calls_show_everything_on_the_desk(desk: Caller) -> None:
    await desk.request(udf_fields={"udf_sline_301": "e-CS1"})
    await desk.post("requests/1/notes", {"note": {"description": "x", "show_to_requester": True}})
    await desk.upload("PUT", "requests/1/upload", ("input_file", "a.txt", b"abc"))
    await desk.change()
    request, change = (await desk.control("GET", "tickets")).said
    assert (request["kind"], request["status"], request["fields"]["udf_fields"]) == (
        "request", "Open", {"udf_sline_301": "e-CS1"},
    )  # fmt: skip
    assert request["notes"] == [{"id": "1", "text": "x", "public": True, "author": "ensono@example.com"}]
    assert request["attachments"][0]["name"] == "a.txt"
    assert (change["kind"], change["stage"], change["status"]) == ("change", "Submission", "Requested")
    effects = (await desk.control("GET", "effects")).said
    assert [effect["verb"] for effect in effects] == ["create", "note", "attach", "create"]


async def test_people_act_through_the_control_call(desk: Caller) -> None:
    await desk.change()
    level = {
        "name": "x",
        "rule": {"type": "percent", "value": "1"},
        "stage": {"name": "Submission"},
        "approvals": [{"approver": {"id": desk.simulator.setup.user_by_email("cab@example.com").id}}],  # type: ignore[union-attr]
    }
    await desk.post("changes/1/approval_levels", {"approval_level": level})
    mail = {"approval": {"notification": {"title": "t", "description": "d"}}}
    await desk.write("PUT", "changes/1/approval_levels/1/approvals/send_notification", mail, query="ids=1")
    answer = await desk.control("POST", "people", {"do": "reject", "change": "1", "reason": "no"})
    assert answer.said == {"done": "reject", "id": "1"}
    [change] = (await desk.control("GET", "tickets")).said
    assert change["approvals"][0]["approvals"][0]["comments"] == "no"


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        {"do": "_decide"},
        {"do": "dance"},
        {"do": "approve"},
        {"do": "approve", "change": 7},
        {"do": "approve", "change": "7"},
        {"do": "approve", "change": "7", "approver": True},
        {"do": "write_note", "kind": "request", "ticket": "1", "text": "x", "public": "yes"},
    ],
)
async def test_a_control_call_that_makes_no_sense_is_refused(desk: Caller, given: Any) -> None:
    assert (await desk.control("POST", "people", given)).status == 400


async def test_switches_are_turned_and_shown_by_control_calls(desk: Caller) -> None:
    answer = await desk.control("PUT", "switches", {"closed_is_locked": True, "closing_needs": ["resolution"]})
    assert answer.said["closed_is_locked"] is True
    assert (await desk.control("GET", "switches")).said["closing_needs"] == ["resolution"]
    assert desk.simulator.switches.closing_needs == {"resolution"}


@pytest.mark.parametrize(
    "given",
    [
        None,
        {"no_such_switch": True},
        {"closed_is_locked": "yes"},
        {"bad_key": "403"},
        {"index_lag_s": True},
        {"closing_needs": "resolution"},
        {"workflow": {"Open": "Closed"}},
        {"workflow": []},
        {"max_attachment_bytes": "1"},
    ],
)
async def test_a_switch_that_there_is_not_turns_nothing(desk: Caller, given: Any) -> None:
    before = desk.simulator.switches.as_json()
    assert (await desk.control("PUT", "switches", given)).status == 400
    assert desk.simulator.switches.as_json() == before


async def test_every_switch_can_be_turned_to_what_it_shows(desk: Caller) -> None:
    shown = desk.simulator.switches.as_json()
    assert (await desk.control("PUT", "switches", shown)).said == shown


async def test_a_throttle_and_habits_are_set_by_control_calls(desk: Caller, time: Time) -> None:
    assert (await desk.control("POST", "throttle", {"path": "*", "seconds": 60})).said == {"blocked": ["*"]}
    assert (await desk.get("requests")).status == 400
    assert (await desk.control("POST", "throttle", {})).said == {"blocked": []}
    assert (await desk.get("requests")).status == 200
    assert (await desk.control("POST", "throttle", {"path": 1})).status == 400
    habits = [{"decision": "approve", "after_s": 5}]
    assert (await desk.control("PUT", "habits", habits)).said[0]["after_s"] == 5
    mistakes: list[Any] = [[{"decision": "maybe"}], [{"decision": "approve", "after_s": "soon"}], {}, [1], [{"x": 1}]]
    for wrong in mistakes:
        assert (await desk.control("PUT", "habits", wrong)).status == 400


async def test_a_fault_after_the_effect_leaves_the_ticket_on_the_desk(desk: Caller) -> None:
    desk.simulator.faults.add(Fault(FaultKind.LOSE_ANSWER, method="POST"))
    with pytest.raises(ConnectionLost):
        await desk.request()
    assert [effect.verb for effect in desk.simulator.journal] == ["create"]
    assert desk.simulator.calls[0].status is None
    assert desk.simulator.calls[0].effect_status == 201


async def test_a_login_page_with_200_comes_from_the_shared_faults(desk: Caller) -> None:
    desk.simulator.faults.add(Fault(FaultKind.HTML))
    answer = await desk.get("requests")
    assert (answer.status, answer.response.content_type) == (200, "text/html; charset=utf-8")


async def test_a_wrong_switch_is_told_at_the_start(time: Time) -> None:
    with pytest.raises(ValueError, match="no_such_switch"):
        ManageEngineSimulator(time.now, time.sleep, switches={"no_such_switch": True})


async def test_the_key_can_be_chosen(time: Time) -> None:
    simulator = ManageEngineSimulator(time.now, time.sleep, auth_token="mine")
    answer = await simulator.application(Request("GET", "/api/v3/requests", "", {"authtoken": "mine"}))
    assert answer.status == 200


async def test_it_serves_on_a_socket(desk: Caller) -> None:
    import httpx  # noqa: PLC0415 (only this test calls over a socket)

    server = await serve(desk.simulator.application)
    try:
        async with httpx.AsyncClient(base_url=server.url, headers=desk.headers) as client:
            wanted = {"request": {"subject": "Printer", "requester": {"email_id": "requester@example.com"}}}
            body = urlencode({"input_data": json.dumps(wanted)})
            created = await client.post("/api/v3/requests", content=body, headers={"content-type": FORM})
            assert created.status_code == 201
            uploaded = await client.put("/api/v3/requests/1/upload", files={"input_file": ('a"ä.txt', b"x" * 100_000)})
            assert uploaded.json()["attachment"]["name"] == 'a"ä.txt'
            tickets = (await client.get("/_simulator/tickets")).json()
            assert tickets[0]["attachments"][0]["size"] == 100_000
    finally:
        await server.close()
