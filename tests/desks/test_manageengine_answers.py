import json
from typing import Any

import httpx
import pytest
from desk_world import NOT_FOUND, SUCCESS, Answer, done, failed, listed
from hypothesis import given
from hypothesis import strategies as st

from envision_worker.desks.manageengine.answers import judge
from envision_worker.errors import KeyRefused, Malformed, PeerError, Refused, RefusedFor, Throttled, Unreachable, Unsure


def response(answer: Answer) -> httpx.Response:
    if isinstance(answer, httpx.Response):
        return answer
    assert not isinstance(answer, Exception)
    status, content = answer if isinstance(answer, tuple) else (200, answer)
    return httpx.Response(status, json=content)


def verdict(answer: Answer, operation: str = "update_request", *, writes: bool = True) -> PeerError:
    with pytest.raises(PeerError) as told:
        judge(operation, response(answer), writes=writes)
    return told.value


def refused(answer: Answer, operation: str = "update_request") -> Refused:
    error = verdict(answer, operation)
    assert isinstance(error, Refused)
    return error


@pytest.mark.parametrize(
    "body",
    [
        done(request={"id": "71"}),
        listed("requests"),
        {"request": {"id": "71"}},
        {"response_status": {"status_code": 200, "status": "success"}},
        {"response_status": {"messages": [{"status_code": 2000, "type": "success"}], "status": "success"}},
    ],
)
@pytest.mark.parametrize("status", [200, 201])
def test_a_2xx_with_an_object_in_which_nothing_failed_is_a_success(body: dict[str, Any], status: int) -> None:
    assert judge("read", response((status, body)), writes=True) == body


THROTTLE = "URL blocked as maximum access limit for the page is exceeded. Please try after sometime."


@pytest.mark.parametrize(
    "answer",
    [
        failed(4015, "limit reached", http=429),
        failed(4015, "limit reached", http=400),
        failed(None, THROTTLE, http=400),
        httpx.Response(400, text=f"<html>{THROTTLE}</html>"),
        httpx.Response(429, text="slow down"),
    ],
)
@pytest.mark.parametrize("writes", [True, False])
def test_every_form_of_the_throttle_leaves_the_wait_to_us(answer: Answer, *, writes: bool) -> None:
    error = verdict(answer, writes=writes)
    assert isinstance(error, Throttled)
    assert error.retry_after is None


@pytest.mark.parametrize(
    ("told", "waits"), [("7", 7), ("0", 0), ("soon", None), ("-1", None), ("nan", None), ("1e9", 3600), ("inf", None)]
)
def test_the_throttle_says_how_long(told: str, waits: float | None) -> None:
    error = verdict(httpx.Response(429, headers={"Retry-After": told}))
    assert isinstance(error, Throttled)
    assert error.retry_after == waits


def test_the_words_of_the_throttle_in_a_ticket_are_no_throttle() -> None:
    body = done(note={"id": "1", "description": THROTTLE})
    assert judge("read_note", response(body), writes=False) == body


@pytest.mark.parametrize(
    "answer",
    [
        (400, {"response_status": {"status_code": 401, "message": "AuthToken in the request is invalid"}}),
        failed(401, "AuthToken in the request is invalid", http=400),
        failed(4000, "AuthToken in the request is invalid", http=400, top=401),
        failed(4022, "Invalid API key", http=401),
        httpx.Response(401, text="<html>no</html>"),
    ],
)
def test_every_form_of_a_refused_key_is_one(answer: Answer) -> None:
    assert isinstance(verdict(answer), KeyRefused)


@pytest.mark.parametrize("answer", [httpx.Response(502, text="<html>bad gateway</html>"), failed(4004, "x", http=500)])
def test_a_5xx_leaves_a_write_unsure_and_a_read_undone(answer: Answer) -> None:
    assert isinstance(verdict(answer, writes=True), Unsure)
    error = verdict(answer, writes=False)
    assert isinstance(error, Unreachable)
    assert not isinstance(error, Throttled)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<!DOCTYPE html><html>log in</html>"),
        httpx.Response(200, text=""),
        httpx.Response(200, text='{"request": {"id": "7'),
        httpx.Response(200, text="[1, 2]"),
        httpx.Response(200, content=b"\xff\xfe{}"),
        httpx.Response(200, text="[" * 100_000),
        httpx.Response(404, text="<html>Apache Tomcat</html>"),
        httpx.Response(403, text="<html>blocked</html>"),
        httpx.Response(302, headers={"Location": "https://sdp.example.com/login?token=SECRET"}),
        (400, {"error": "something nobody documented"}),
        httpx.Response(204),
    ],
)
def test_what_is_no_answer_of_the_api_is_malformed_and_not_repeated(answer: Answer) -> None:
    error = verdict(answer)
    assert isinstance(error, Malformed)
    assert "log in" not in str(error)
    assert "SECRET" not in str(error)


def test_a_failed_entry_in_a_200_is_a_failure() -> None:
    body = {"response_status": [SUCCESS, {"status_code": 4000, "status": "failed", "messages": [{"message": "x"}]}]}
    assert refused(body).why is RefusedFor.OTHER
    assert refused({"response_status": {"status": "success", "messages": [{"type": "failed"}]}}).why is RefusedFor.OTHER


def test_a_ticket_that_is_not_there_is_not_found() -> None:
    assert refused(NOT_FOUND).why is RefusedFor.NOT_FOUND


def test_a_merged_ticket_names_its_parent() -> None:
    message = {"parent_request": {"id": 205}, "message": "Request Id(s) 71 has been Merged with Parent Request 205."}
    error = refused(failed(4007, message, http=404))
    assert (error.why, error.merged_into) == (RefusedFor.MERGED, "205")
    assert "Merged with Parent" in error.detail


@pytest.mark.parametrize("code", [4001, 4008, 4009, 4010, 4011, 4014, 4016, 4021])
def test_a_field_that_is_refused_is_named(code: int) -> None:
    error = refused(failed(code, "Invalid Input", field="level"))
    assert (error.why, error.fields) == (RefusedFor.FIELDS, ("level",))


def test_missing_mandatory_fields_are_named_without_prose() -> None:
    error = refused(failed(4012, fields=["subcategory", "requester"]))
    assert (error.why, error.fields) == (RefusedFor.FIELDS, ("subcategory", "requester"))


def test_all_complaints_are_heard() -> None:
    messages = [{"status_code": 4001, "field": "level"}, {"status_code": 4014, "field": "urgency"}]
    error = refused((400, {"response_status": {"status_code": 4000, "messages": messages, "status": "failed"}}))
    assert error.fields == ("level", "urgency")


@pytest.mark.parametrize(
    ("answer", "fields"),
    [
        (failed(4002, "Cannot give value for priority", http=403), ("priority",)),
        (failed(4002, "no", http=403, field="urgency"), ("urgency",)),
        (failed(4001, "Extra key found in JSON"), ()),
        (failed(None, "Extra key found in JSON"), ()),
    ],
)
def test_fields_are_at_fault_too_where_the_code_tells_of_permissions_or_of_nothing(
    answer: Answer, fields: tuple[str, ...]
) -> None:
    error = refused(answer)
    assert (error.why, error.fields) == (RefusedFor.FIELDS, fields)


@pytest.mark.parametrize(
    "answer",
    [
        failed(4002, "User does not have this permission", http=403),
        failed(4003, "Closing rule violated", field="resolution"),
        failed(4005, "still referenced"),
        failed(None, "Something else"),
    ],
)
def test_any_other_refusal_is_a_refusal(answer: Answer) -> None:
    assert refused(answer).why is RefusedFor.OTHER


@pytest.mark.parametrize(
    "answer",
    [failed(4021, "Invalid HTTP method"), failed(7001, "licence"), failed(4000, "Extra parameter(s) not allowed")],
)
def test_what_only_a_person_can_mend_is_configuration(answer: Answer) -> None:
    assert refused(answer).why is RefusedFor.CONFIGURATION


def test_closed_before_is_already_so_for_a_close_and_a_lock_for_anything_else() -> None:
    answer = failed(4001, "Request is already closed")
    assert refused(answer, "close_request").why is RefusedFor.ALREADY
    assert refused(answer, "update_request").why is RefusedFor.CLOSED
    assert refused(failed(4002, "A closed request cannot be edited", http=403)).why is RefusedFor.CLOSED


def test_in_the_trash_before_is_already_so() -> None:
    assert refused(failed(4016, "Already in trash")).why is RefusedFor.ALREADY


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(413, text="<html>Request Entity Too Large</html>"),
        failed(4001, "The file is larger than the maximum attachment size"),
        failed(None, "File size exceeds 10 MB"),
    ],
)
def test_a_file_that_is_too_large_is_called_so(answer: Answer) -> None:
    assert refused(answer, "attach").why is RefusedFor.TOO_LARGE


def test_what_the_desk_said_is_told_on_one_short_line() -> None:
    error = refused(failed(4001, "line one\r\nline two\x1b[31m" + "x" * 1000, field="subject"))
    assert error.detail.startswith("4001 subject line one line two [31m")
    assert len(error.detail) <= 300


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(["response_status", "status", "status_code", "messages", "message", "field", "fields", "type"])
ENVELOPES = st.recursive(
    JSON | st.sampled_from(["failed", "success", 4001, 4007, 4015, "4022"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@given(body=ENVELOPES, status=st.sampled_from([200, 201, 302, 400, 401, 403, 404, 429, 500]), writes=st.booleans())
def test_no_json_makes_anything_but_a_body_or_a_verdict(body: Any, status: int, *, writes: bool) -> None:
    answer = httpx.Response(status, content=json.dumps(body).encode())
    said = ""
    try:
        assert isinstance(judge("read_request", answer, writes=writes), dict)
    except PeerError as exc:
        said = str(exc)
    assert said == "" or (said.startswith("desk: read_request: ") and "\n" not in said)
