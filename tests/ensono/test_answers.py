import json
from typing import Any

import httpx
import pytest
from ensono_world import HandClock, sample

from envision_worker.ensono.answers import AnswerReader
from envision_worker.errors import KeyRefused, Malformed, PeerError, Refused, RefusedFor, Throttled, Unreachable, Unsure

HANDLE = "AQEBvxJoo81y8ewBSlc2RH9Tg"


def reader(content: bytes | dict[str, Any], status: int = 200, *, writes: bool = True, **headers: str) -> AnswerReader:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    return AnswerReader("return_ptn", httpx.Response(status, headers=said, content=body), writes, HandClock())


def failure(content: bytes | dict[str, Any], status: int = 200, *, writes: bool = True, **headers: str) -> PeerError:
    with pytest.raises(PeerError) as failed:
        reader(content, status, writes=writes, **headers).document()
    assert failed.value.peer == "ensono"
    assert failed.value.operation == "return_ptn"
    assert failed.value.status == status
    return failed.value


OK_SAMPLES = [
    "approve-ok.json",
    "attachment-upload-url.json",
    "create-ok.json",
    "delete-ok.json",
    "notes-ok.json",
    "queue-empty.json",
    "queue-messages-flat.json",
    "queue-messages-nested.json",
    "reject-ok.json",
    "resolve-ok.json",
    "returnptn-ok.json",
    "update-ok.json",
]


@pytest.mark.parametrize("name", OK_SAMPLES)
@pytest.mark.parametrize("status", [200, 202])
def test_a_confirming_sample_is_read_as_it_is(name: str, status: int) -> None:
    assert reader(sample(name), status).document() == json.loads(sample(name))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("error-missing-authentication-token.json", "ensono.environment"),
        ("error-missing-authentication-token.json", "ensono.base_url"),
        ("error-bad-path.json", "ensono.base_url"),
        ("error-bad-path.json", "ensono.environment"),
        ("error-client-name.json", "ensono.client_name"),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 403, 404, 500])
def test_a_wrong_configuration_is_named_by_its_key_whatever_the_status(name: str, key: str, status: int) -> None:
    error = failure(sample(name), status)
    assert isinstance(error, Refused)
    assert error.why is RefusedFor.CONFIGURATION
    assert key in error.detail


@pytest.mark.parametrize("status", [200, 403])
def test_forbidden_names_the_address_and_the_key(status: int) -> None:
    error = failure(sample("error-forbidden.json"), status)
    assert isinstance(error, KeyRefused)
    assert "ensono.base_url" in error.detail
    assert "ensono.api_key" in error.detail


@pytest.mark.parametrize("status", [200, 400, 403, 500])
def test_another_companys_ticket_is_refused_for_this_ticket_only(status: int) -> None:
    error = failure(sample("error-not-authorized-for-company.json"), status)
    assert isinstance(error, Refused)
    assert error.why is RefusedFor.OTHER


@pytest.mark.parametrize("status", [200, 400])
def test_servicenows_list_is_a_refusal_that_quotes_it_even_with_200(status: int) -> None:
    error = failure(sample("error-group-not-found.json"), status)
    assert isinstance(error, Refused)
    assert error.why is RefusedFor.OTHER
    assert "assignment_group sys_id or name not found. This ticket cannot be created." in error.detail


def test_servicenows_list_with_a_servers_error_leaves_open_what_happened() -> None:
    assert isinstance(failure(sample("error-group-not-found.json"), 500), Unsure)


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("code", ["InvalidParameterValue", "ReceiptHandleIsInvalid"])
def test_an_expired_handle_is_told_by_its_text_whatever_code_and_status(code: str, status: int) -> None:
    document = json.loads(sample("error-receipt-handle-expired.json"))
    document["Error"]["Code"] = code
    error = failure(document, status)
    assert isinstance(error, Refused)
    assert error.why is RefusedFor.HANDLE_EXPIRED
    assert HANDLE not in str(error)


@pytest.mark.parametrize("status", [200, 400, 404])
def test_an_invalid_handle_is_told_from_an_expired_one(status: int) -> None:
    error = failure(sample("error-receipt-handle-invalid.json"), status)
    assert isinstance(error, Refused)
    assert error.why is RefusedFor.HANDLE_INVALID
    assert HANDLE not in str(error)


def test_sqs_says_whose_fault_another_error_is() -> None:
    sender = failure({"Error": {"Code": "InvalidAddress", "Message": "no", "Type": "Sender"}}, 400)
    assert isinstance(sender, Refused)
    assert sender.why is RefusedFor.OTHER
    receiver = failure({"Error": {"Code": "InternalFailure", "Message": "oops", "Type": "Receiver"}})
    assert isinstance(receiver, Unsure)
    assert isinstance(failure({"Error": {"Code": "RequestThrottled", "Message": "slow"}}, 400), Throttled)
    assert isinstance(failure({"Error": {"Code": 7, "Message": ["odd"]}}), Refused)


@pytest.mark.parametrize("text", ["Too Many Requests", "Limit Exceeded", "Rate exceeded"])
@pytest.mark.parametrize("status", [429, 400, 200])
def test_api_gateways_throttling_texts_are_throttling(text: str, status: int) -> None:
    error = failure({"message": text}, status, retry_after="7")
    assert isinstance(error, Throttled)
    assert error.retry_after == 7


@pytest.mark.parametrize("content", [b"", b"<html>slow down</html>", b'{"Response": "odd"}'])
def test_429_is_throttling_whatever_it_says(content: bytes) -> None:
    error = failure(content, 429)
    assert isinstance(error, Throttled)
    assert error.retry_after is None


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (504, b'{"message": "Endpoint request timed out"}'),
        (500, b'{"message": "Internal server error"}'),
        (502, b'{"message": "Internal server error"}'),
        (200, b'{"message": "Internal server error"}'),
        (503, b'{"message": "Service Unavailable"}'),
        (503, b"<html>maintenance</html>"),
        (500, b""),
        (599, b'{"Response": "PTN added"}'),
        (408, b"{}"),
    ],
)
def test_a_servers_error_leaves_a_write_open_and_says_nothing_happened_of_a_read(status: int, content: bytes) -> None:
    assert isinstance(failure(content, status), Unsure)
    assert type(failure(content, status, writes=False)) is Unreachable


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"<!DOCTYPE html><html>login</html>", "HTML"),
        (sample("error-presigned-url-expired.xml"), "XML"),
        (sample("queue-messages-flat.json")[:900], "breaks off"),
        (b"PTN added", "no JSON"),
        (b'"PTN added"', "no object"),
        (b"[]", "no object"),
        (b"null", "no object"),
        (b'{"a":' * 100_000, "nested"),
        (b"\xff\xfe\x00", "no JSON"),
    ],
)
@pytest.mark.parametrize("status", [200, 302, 400, 403])
def test_what_can_not_be_read_is_malformed_by_name(content: bytes, said: str, status: int) -> None:
    error = failure(content, status)
    assert isinstance(error, Malformed)
    assert said in error.detail


def test_an_undocumented_refusal_of_the_key_names_the_keys_to_look_at() -> None:
    for status in (401, 403):
        error = failure({"message": "User is not authorized to access this resource"}, status)
        assert isinstance(error, KeyRefused)
        assert "ensono.api_key" in error.detail


def test_an_undocumented_refusal_is_a_refusal_that_quotes_it() -> None:
    error = failure({"Response": "Ticket is\n closed"}, 400)
    assert isinstance(error, Refused)
    assert error.why is RefusedFor.OTHER
    assert '"Ticket is closed"' in error.detail


def test_a_redirect_is_no_answer_of_ensonos() -> None:
    assert isinstance(failure({}, 301), Malformed)


def test_a_long_text_is_not_quoted_whole_and_without_control_characters() -> None:
    error = failure({"message": "\x1b[31m" + "no " * 100_000}, 400)
    assert len(error.detail) < 500
    assert "\x1b" not in error.detail


def test_a_broken_character_or_a_raw_line_break_does_not_cost_the_whole_answer() -> None:
    body = b'\xef\xbb\xbf{"Response": "caf\xff\n\tx"}'
    assert reader(body).document() == {"Response": "caf�\n\tx"}


def test_an_absurdly_long_number_does_not_cost_the_whole_answer() -> None:
    digits = "9" * 5000
    assert reader(f'{{"a": {digits}, "b": 12}}'.encode()).document() == {"a": digits, "b": 12}
