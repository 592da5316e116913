from urllib.parse import parse_qs, urlsplit

import pytest
from simulated_ensono import Caller, Time, path_of

from envision_worker.simulators.ensono.app import EnsonoSimulator
from envision_worker.simulators.ensono.bucket import StoredFile

CONTENT = bytes(range(256))


@pytest.fixture
def link(simulator: EnsonoSimulator) -> str:
    return simulator.bucket.download_link("1/a b.bin", StoredFile(CONTENT, "image/jpeg"))


async def test_a_signed_link_has_the_parts_of_the_guides_sample(link: str) -> None:
    parts = urlsplit(link)
    query = parse_qs(parts.query)

    assert (parts.scheme, parts.path) == ("https", "/bucket/1/a%20b.bin")
    assert list(query) == [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
    ]
    assert query["X-Amz-Expires"] == ["7200"]
    assert query["X-Amz-Date"] == ["20231114T221320Z"]


async def test_a_link_gives_the_bytes_as_often_as_wanted_for_two_hours(caller: Caller, time: Time, link: str) -> None:
    for seconds in (0, 7199):
        time.advance(seconds)
        answer = await caller.send("GET", path_of(link), x_api_key=None, content_type=None)
        assert (answer.status, answer.body, answer.content_type) == (200, CONTENT, "image/jpeg")


async def test_after_two_hours_the_request_has_expired(caller: Caller, time: Time, link: str) -> None:
    time.advance(7200)

    answer = await caller.send("GET", path_of(link), x_api_key=None)

    assert (answer.status, answer.content_type) == (403, "application/xml")
    assert answer.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code>')
    assert b"<Message>Request has expired</Message><X-Amz-Expires>7200</X-Amz-Expires>" in answer.body
    assert b"<Expires>2023-11-15T00:13:20Z</Expires><ServerTime>2023-11-15T00:13:20Z</ServerTime>" in answer.body


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("X-Amz-Expires=7200", "X-Amz-Expires=72000"),
        ("X-Amz-Expires=7200", "X-Amz-Expires=never"),
        ("a%20b.bin", "other.bin"),
        ("SignedHeaders=host", "SignedHeaders=host%20"),
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
        ("&X-Amz-Signature=", "&Signature="),
    ],
)
async def test_a_changed_link_does_not_match_its_signature(caller: Caller, link: str, old: str, new: str) -> None:
    assert old in link

    answer = await caller.send("GET", path_of(link.replace(old, new)), x_api_key=None)

    assert answer.status == 403
    assert b"<Code>SignatureDoesNotMatch</Code>" in answer.body


async def test_a_link_is_good_for_its_method_only(caller: Caller, link: str) -> None:
    assert (await caller.send("PUT", path_of(link), b"x")).status == 403
    assert (await caller.send("DELETE", path_of(link))).status == 403


async def test_a_file_that_is_gone_is_no_such_key(caller: Caller, simulator: EnsonoSimulator, link: str) -> None:
    simulator.bucket.files.clear()

    answer = await caller.send("GET", path_of(link), x_api_key=None)

    assert (answer.status, b"<Code>NoSuchKey</Code>" in answer.body) == (404, True)


async def test_the_store_wants_no_api_key_and_records_where_one_was_sent(
    caller: Caller, simulator: EnsonoSimulator, link: str
) -> None:
    await caller.send("GET", path_of(link), x_api_key=None)
    await caller.send("GET", path_of(link))

    assert [(call.key, call.status, call.key_sent) for call in simulator.bucket.calls] == [
        ("1/a b.bin", 200, False),
        ("1/a b.bin", 200, True),
    ]
