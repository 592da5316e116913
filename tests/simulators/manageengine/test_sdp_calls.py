"""How calls are written and how the desk says no (reference: encoding, envelope, errors)."""

import json
from urllib.parse import quote, urlencode

import pytest
from sdp_caller import FORM, Caller, Time, on_premises

REQUEST = {"subject": "Printer", "requester": {"email_id": "requester@example.com"}}


async def test_a_write_is_a_form_with_input_data(desk: Caller) -> None:
    answer = await desk.post("requests", {"request": REQUEST})
    assert answer.status == 201
    assert answer.said["response_status"] == {"status_code": 2000, "status": "success"}


async def test_a_write_as_plain_json_is_refused(desk: Caller) -> None:
    body = json.dumps({"request": REQUEST}).encode()
    answer = await desk.send("POST", "requests", body, content_type="application/json")
    assert answer.code == (415, 4013, None)
    assert desk.simulator.journal == []


async def test_input_data_of_a_write_does_not_belong_into_the_query(desk: Caller) -> None:
    query = "input_data=" + quote(json.dumps({"request": REQUEST}))
    answer = await desk.send("POST", "requests", query=query, content_type=FORM)
    assert answer.complaint["message"] == "Extra parameter(s) not allowed"


async def test_a_further_form_value_is_refused(desk: Caller) -> None:
    body = urlencode({"input_data": json.dumps({"request": REQUEST}), "x": "1"}).encode()
    answer = await desk.send("POST", "requests", body, content_type=FORM)
    assert answer.complaint["message"] == "Extra parameter(s) not allowed"


@pytest.mark.parametrize("body", [b"", b"x=1", b"input_data={", b"input_data=[]", b"input_data=%7B%7D", b"\xff\xfe"])
async def test_a_body_that_is_no_entity_is_refused_without_effect(desk: Caller, body: bytes) -> None:
    answer = await desk.send("POST", "requests", body, content_type=FORM)
    assert answer.status == 400
    assert answer.complaint
    assert desk.simulator.journal == []


async def test_an_entity_not_wrapped_in_its_key_is_refused(desk: Caller) -> None:
    answer = await desk.post("requests", REQUEST)
    assert answer.complaint["message"] == "Extra key found in JSON"


async def test_an_unknown_key_is_refused_by_name(desk: Caller) -> None:
    answer = await desk.post("requests", {"request": {**REQUEST, "colour": "red"}})
    assert answer.code == (400, 4001, "colour")
    assert answer.complaint["message"] == "Extra key found in JSON"


async def test_an_unknown_key_in_a_lookup_is_refused(desk: Caller) -> None:
    wanted = {**REQUEST, "priority": {"name": "High", "colour": "red"}}
    answer = await desk.post("requests", {"request": wanted})
    assert answer.complaint["message"] == "Extra key found in JSON"
    assert answer.complaint["field"] == "colour"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("subject", 7),
        ("priority", "High"),
        ("due_by_time", "1660089600904"),
        ("due_by_time", {"value": "tomorrow"}),
        ("due_by_time", {"value": "9" * 40}),
        ("email_ids_to_notify", "a@example.com"),
        ("udf_fields", []),
        ("resolution", "done"),
    ],
)
async def test_a_value_of_another_type_is_a_data_type_mismatch(desk: Caller, name: str, value: object) -> None:
    answer = await desk.post("requests", {"request": {**REQUEST, name: value}})
    assert answer.code == (400, 4021, name)


async def test_an_unknown_name_is_refused_with_the_field(desk: Caller) -> None:
    answer = await desk.post("requests", {"request": {**REQUEST, "level": {"name": "Tier 9"}}})
    assert answer.said == {
        "response_status": {
            "status_code": 4000,
            "messages": [{"status_code": 4001, "field": "level", "type": "failed", "message": "Invalid Input"}],
            "status": "failed",
        }
    }


async def test_names_must_match_exactly(desk: Caller) -> None:
    answer = await desk.post("requests", {"request": {**REQUEST, "priority": {"name": "high"}}})
    assert answer.code == (400, 4001, "priority")


async def test_a_value_that_is_no_longer_in_use_is_refused(desk: Caller) -> None:
    desk.simulator.setup.remove("priorities", "High")
    answer = await desk.post("requests", {"request": {**REQUEST, "priority": {"name": "High"}}})
    assert answer.code == (400, 4001, "priority")


async def test_missing_mandatory_fields_are_named_in_an_array_without_a_text(desk: Caller) -> None:
    answer = await desk.post("requests", {"request": {"description": "x"}})
    assert answer.status == 400
    assert answer.complaint == {"status_code": 4012, "type": "failed", "fields": ["subject", "requester"]}


async def test_a_read_only_field_cannot_be_written(desk: Caller) -> None:
    answer = await desk.post("requests", {"request": {**REQUEST, "is_reopened": True}})
    assert answer.code == (400, 4014, "is_reopened")
    assert answer.complaint["message"] == "Read only field cannot be edited"


async def test_one_fault_is_reported_at_a_time_unless_all_are_wanted(time: Time) -> None:
    wanted = {"request": {"colour": 1, "level": {"name": "no"}}}
    first = (await on_premises(time).post("requests", wanted)).said["response_status"]["messages"]
    every = (await on_premises(time, all_faults_reported=True).post("requests", wanted)).said["response_status"][
        "messages"
    ]
    assert [each["status_code"] for each in first] == [4001]
    assert [each["status_code"] for each in every] == [4001, 4001, 4012]


async def test_a_desk_that_names_no_fields_only_says_what_kind_of_error_it_is(time: Time) -> None:
    desk = on_premises(time, errors_name_fields=False)
    answer = await desk.post("requests", {"request": {**REQUEST, "level": {"name": "no"}}})
    assert answer.complaint == {"status_code": 4001, "type": "failed", "message": "Invalid Input"}
    answer = await desk.post("requests", {"request": {}})
    assert answer.complaint == {"status_code": 4012, "type": "failed"}


async def test_an_unknown_path_is_not_found_even_without_a_key(desk: Caller) -> None:
    answer = await desk.send("GET", "wishes", authtoken=None)
    assert answer.code == (404, 4007, None)
    assert answer.complaint["message"] == "Invalid URL"


async def test_a_known_path_with_another_method_is_told_apart(desk: Caller) -> None:
    answer = await desk.send("DELETE", "requests")
    assert answer.code == (400, 4021, None)
    assert answer.complaint["message"] == "Invalid HTTP method"


async def test_an_id_that_is_no_number_is_no_path(desk: Caller) -> None:
    assert (await desk.get("requests/abc")).code == (404, 4007, None)


async def test_a_wrong_key_on_premises_is_answered_400_with_code_401(desk: Caller) -> None:
    for key in ("wrong", None):
        answer = await desk.send("GET", "requests", authtoken=key)
        assert answer.code == (400, 401, None)
        assert answer.complaint["message"] == "AuthToken in the request is invalid"


async def test_a_wrong_key_as_documented_is_answered_401_with_code_4022(time: Time) -> None:
    answer = await on_premises(time, bad_key="401").send("GET", "requests", authtoken="wrong")
    assert answer.code == (401, 4022, None)


async def test_a_revoked_key_is_refused(desk: Caller) -> None:
    desk.simulator.switches.key_revoked = True
    assert (await desk.get("requests")).code == (400, 401, None)


async def test_the_record_of_calls_holds_no_secret(desk: Caller) -> None:
    await desk.get("requests")
    await desk.send("GET", "requests", authtoken="wrong")
    assert [call.headers["authtoken"] for call in desk.simulator.calls] == ["matches", "does not match"]
    assert desk.simulator.credentials.auth_token not in str(desk.simulator.calls)


async def test_the_record_of_calls_shows_method_raw_path_body_and_status(desk: Caller) -> None:
    request_id = await desk.request()
    call = desk.simulator.calls[0]
    assert (call.method, call.path, call.status) == ("POST", "/api/v3/requests", 201)
    assert call.body.startswith(b"input_data=")
    await desk.get(f"requests/{request_id}")
    assert desk.simulator.calls[1].path == f"/api/v3/requests/{request_id}"


async def test_all_values_are_strings_except_booleans(desk: Caller) -> None:
    request_id = await desk.request(priority={"id": 2}, due_by_time={"value": 1660089600904})
    shown = (await desk.get(f"requests/{request_id}")).said["request"]
    assert shown["due_by_time"] == {"display_value": "Aug 10, 2022 12:00 AM", "value": "1660089600904"}
    assert shown["priority"]["id"] == "2"
    assert isinstance(shown["is_trashed"], bool)


async def test_numbers_beyond_a_doubles_precision_stay_exact_in_the_cloud(cloud_desk: Caller) -> None:
    request_id = await cloud_desk.request()
    assert len(request_id) == 18
    assert str(int(float(request_id))) != request_id
