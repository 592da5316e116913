import asyncio
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from ensono_world import (
    KEY,
    Cut,
    Garbage,
    HandClock,
    Loopback,
    Reply,
    Silence,
    attachment_settings,
    names_in,
    put,
    results,
    sample,
)

from envision_worker.ensono.downloads import Downloader, Fetched
from envision_worker.ensono.links import CannotFetch, FetchReason
from envision_worker.ensono.spool import SpoolFull
from envision_worker.errors import PeerError, Unreachable
from envision_worker.wire import Call, new_client

QUERY = "?X-Amz-Date=20230208T172243Z&X-Amz-Expires=7200&X-Amz-Security-Token=IQo%2F%2B&X-Amz-Signature=deadbeef"
JPEG = {"Content-Type": "image/jpeg; charset=binary"}

Download = Callable[..., Downloader]


@pytest.fixture
def downloader(spool: Path, client: httpx.AsyncClient, clock: HandClock, calls: list[Call]) -> Download:
    def make(**others: Any) -> Downloader:
        return Downloader(attachment_settings(spool, **others), client, clock, calls.append)

    return make


def link(peer: Loopback, path: str = "/rocket.jpg") -> str:
    return peer.url + path + QUERY


async def failure(downloader: Downloader, url: str, spool: Path) -> CannotFetch:
    with pytest.raises(CannotFetch) as failed:
        await downloader.fetch(url, "rocket.jpg", spool / "aa")
    assert names_in(spool) == []
    assert "deadbeef" not in f"{failed.value} {failed.value!r}"
    return failed.value


async def test_a_file_is_fetched_whole_with_its_signed_link_as_it_is(
    peer: Loopback, downloader: Download, spool: Path, calls: list[Call]
) -> None:
    content = bytes(range(256)) * 5000
    peer.answer(Reply(content, headers=JPEG))
    fetched = await downloader().fetch(link(peer), "rocket.jpg", spool / "aa")
    assert fetched == Fetched(len(content), "image/jpeg")
    assert (spool / "aa").read_bytes() == content
    assert names_in(spool) == ["aa"]
    assert (peer.heard[0].method, peer.heard[0].raw_path) == ("GET", "/rocket.jpg" + QUERY)
    assert results(calls) == [("download", "ok")]
    assert (calls[0].peer, calls[0].writes) == ("attachments", False)


@pytest.mark.parametrize("chunked", [True, False])
async def test_an_empty_file_is_a_file(chunked: bool, peer: Loopback, downloader: Download, spool: Path) -> None:  # noqa: FBT001
    peer.answer(Reply(b"", headers={"Content-Type": ""}, chunked=chunked))
    assert await downloader().fetch(link(peer), "x", spool / "aa") == Fetched(0, "application/octet-stream")
    assert (spool / "aa").read_bytes() == b""


@pytest.mark.parametrize("told", ["", "nonsense", "text/plain\tx: y", "a/b/c", "é/x"])
async def test_a_content_type_that_is_none_is_not_handed_on(
    told: str, peer: Loopback, downloader: Download, spool: Path
) -> None:
    peer.answer(Reply(b"x", headers={"Content-Type": told}))
    fetched = await downloader().fetch(link(peer), "x", spool / "aa")
    assert fetched.content_type == "application/octet-stream"


async def test_a_file_of_unannounced_length_is_fetched_too(peer: Loopback, downloader: Download, spool: Path) -> None:
    peer.answer(Reply(b"x" * 300_000, chunked=True))
    assert (await downloader().fetch(link(peer), "x", spool / "aa")).size == 300_000


async def test_the_clients_own_headers_cookies_and_credentials_never_travel(
    peer: Loopback, spool: Path, clock: HandClock
) -> None:
    peer.answer(Reply(b"x", headers={"Set-Cookie": "session=1"}))
    async with httpx.AsyncClient(headers={"x-api-key": KEY}, auth=("user", KEY), cookies={"a": KEY}) as carrying:
        downloader = Downloader(attachment_settings(spool), carrying, clock, lambda _: None)
        await downloader.fetch(link(peer), "x", spool / "aa")
        await downloader.fetch(link(peer), "x", spool / "aa")
    for heard in peer.heard:
        assert KEY not in str(heard.headers)
        assert set(heard.headers) == {"host", "accept", "accept-encoding"}


# --- what can't be fetched for good -----------------------------------------------------------------------------------


async def test_a_link_that_is_not_allowed_is_never_called(peer: Loopback, downloader: Download, spool: Path) -> None:
    strict = downloader(allow_insecure_http=False)
    assert (await failure(strict, link(peer), spool)).reason is FetchReason.SCHEME_NOT_ALLOWED
    elsewhere = downloader(allowed_hosts=["*.amazonaws.com"])
    assert (await failure(elsewhere, link(peer), spool)).reason is FetchReason.HOST_NOT_ALLOWED
    assert (await failure(downloader(), "rocket.jpg", spool)).reason is FetchReason.BAD_URL
    assert peer.heard == []


S3_DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
S3_TOKEN = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
S3_NO_KEY = b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"
S3_SIGNATURE = b"<Error><Code>SignatureDoesNotMatch</Code><SignatureProvided>deadbeef</SignatureProvided></Error>"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Reply(sample("error-presigned-url-expired.xml"), 403), FetchReason.EXPIRED),
        (Reply(S3_TOKEN, 400), FetchReason.EXPIRED),
        (Reply(S3_NO_KEY, 404), FetchReason.NOT_FOUND),
        (Reply(S3_NO_KEY, 403), FetchReason.NOT_FOUND),
        (Reply(b"<html>nothing here</html>", 404), FetchReason.NOT_FOUND),
        (Reply(b"", 410), FetchReason.NOT_FOUND),
        (Reply(S3_DENIED, 403), FetchReason.REFUSED),
        (Reply(S3_SIGNATURE, 403), FetchReason.REFUSED),
        (Reply(b"", 400), FetchReason.REFUSED),
        (Reply(b"<Code>" * 100_000, 400), FetchReason.REFUSED),
        (Reply(b"", 204, {"Content-Length": "0"}), FetchReason.REFUSED),
        (Reply(b"part", 206), FetchReason.REFUSED),
        (Reply(b"", 304, {"Content-Length": "0"}), FetchReason.REFUSED),
    ],
)
async def test_what_s3_says_for_good_is_told_apart(
    answer: Reply, reason: FetchReason, peer: Loopback, downloader: Download, spool: Path, calls: list[Call]
) -> None:
    peer.answer(answer)
    failed = await failure(downloader(), link(peer), spool)
    assert failed.reason is reason
    assert f"{peer.url}/rocket.jpg" in failed.detail
    assert failed.status == answer.status
    assert results(calls) == [("download", "refused")]
    assert len(peer.heard) == 1


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_file_that_is_too_large_is_given_up(
    chunked: bool,  # noqa: FBT001 - pytest hands it in by name
    peer: Loopback,
    downloader: Download,
    spool: Path,
) -> None:
    small = downloader(max_size_mb=0.25)
    peer.answer(Reply(b"x" * (256 * 1024 + 1), chunked=chunked))
    failed = await failure(small, link(peer), spool)
    assert failed.reason is FetchReason.TOO_LARGE
    assert "0.25 MB (attachments.max_size_mb)" in failed.detail
    peer.answer(Reply(b"x" * (256 * 1024), chunked=chunked))
    assert (await small.fetch(link(peer), "x", spool / "aa")).size == 256 * 1024


async def test_a_file_that_says_it_is_too_large_is_not_even_begun(
    peer: Loopback, downloader: Download, spool: Path
) -> None:
    peer.answer(Reply(b"", headers={"Content-Length": str(10**15)}))
    assert (await failure(downloader(), link(peer), spool)).reason is FetchReason.TOO_LARGE
    assert names_in(spool) == []


async def test_a_small_answer_that_unpacks_to_a_large_one_is_too_large(
    peer: Loopback, downloader: Download, spool: Path
) -> None:
    import gzip  # noqa: PLC0415 - for this one test

    packed = gzip.compress(b"\0" * 3_000_000)
    peer.answer(Reply(packed, headers={"Content-Encoding": "gzip"}))
    assert (await failure(downloader(max_size_mb=1), link(peer), spool)).reason is FetchReason.TOO_LARGE
    peer.answer(Reply(packed, headers={"Content-Encoding": "gzip"}))
    assert (await downloader().fetch(link(peer), "x", spool / "aa")).size == 3_000_000


# --- redirects --------------------------------------------------------------------------------------------------------


def to(location: str, status: int = 302) -> Reply:
    return Reply(b"", status, {"Location": location})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_up_to_three_redirects_to_allowed_places_are_followed(
    status: int, peer: Loopback, downloader: Download, spool: Path
) -> None:
    peer.answer(to("/b", status), to(f"{peer.url}/c?d=e", status), to("?f=g", status), Reply(b"here"))
    await downloader().fetch(link(peer), "x", spool / "aa")
    assert (spool / "aa").read_bytes() == b"here"
    assert [heard.raw_path for heard in peer.heard] == ["/rocket.jpg" + QUERY, "/b", "/c?d=e", "/c?f=g"]


async def test_a_fourth_redirect_is_one_too_many(peer: Loopback, downloader: Download, spool: Path) -> None:
    peer.answer(to("/again?X-Amz-Signature=deadbeef"))
    assert (await failure(downloader(), link(peer), spool)).reason is FetchReason.REDIRECTED_ELSEWHERE
    assert len(peer.heard) == 4


@pytest.mark.parametrize(
    "location",
    [
        "http://localhost/f",
        "//evil.com/f",
        "https://evil.com/f?X-Amz-Signature=deadbeef",
        "ftp://127.0.0.1/f",
        "file:///etc/passwd",
        "http://user:deadbeef@127.0.0.1/f",
        "http://127.0.0.1\\@evil.com/f",
        "http://127.0.0.1:99999/",
    ],
)
async def test_a_redirect_elsewhere_is_not_followed(
    location: str, peer: Loopback, downloader: Download, spool: Path
) -> None:
    peer.answer(to(location))
    assert (await failure(downloader(), link(peer), spool)).reason is FetchReason.REDIRECTED_ELSEWHERE
    assert len(peer.heard) == 1


async def test_a_redirect_to_nowhere_is_not_followed(peer: Loopback, downloader: Download, spool: Path) -> None:
    peer.answer(Reply(b"", 302))
    assert (await failure(downloader(), link(peer), spool)).reason is FetchReason.REDIRECTED_ELSEWHERE
    assert len(peer.heard) == 1


# --- what may work later ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        Cut(),
        Garbage(),
        Reply(b"x" * 1000, breaks_off=True),
        Reply(b"x" * 1000, breaks_off=True, chunked=True),
        Reply(b"no gzip", headers={"Content-Encoding": "gzip"}),
        Reply(b"", 500),
        Reply(b"<Error><Code>SlowDown</Code></Error>", 503),
        Reply(b"", 408),
        Reply(b"", 429),
        Reply(sample("error-presigned-url-expired.xml"), 500),
        Reply(b"", 302, {"Location": "http://[::1"}),
    ],
)
async def test_what_may_work_later_is_unreachable_and_leaves_nothing_behind(
    answer: Reply | Cut | Garbage, peer: Loopback, downloader: Download, spool: Path, calls: list[Call]
) -> None:
    peer.answer(answer)
    with pytest.raises(Unreachable) as failed:
        await downloader().fetch(link(peer), "rocket.jpg", spool / "aa")
    assert "deadbeef" not in f"{failed.value} {failed.value!r}"
    assert names_in(spool) == []
    assert results(calls) == [("download", "unreachable")]


PAGE = Reply(b"<html>Log in</html>", headers={"Content-Type": "text/html; charset=utf-8"})


async def test_a_web_page_in_place_of_a_file_is_a_failure_that_may_pass(
    peer: Loopback, downloader: Download, spool: Path, calls: list[Call]
) -> None:
    peer.answer(PAGE)
    with pytest.raises(Unreachable, match="a web page came in place of the file"):
        await downloader().fetch(link(peer), "rocket.jpg", spool / "aa", may_be_page=False)
    assert names_in(spool) == []
    assert results(calls) == [("download", "unreachable")]


async def test_a_file_that_is_a_web_page_is_fetched(peer: Loopback, downloader: Download, spool: Path) -> None:
    peer.answer(PAGE)
    fetched = await downloader().fetch(link(peer), "report.html", spool / "aa", may_be_page=True)
    assert (fetched.content_type, (spool / "aa").read_bytes()) == ("text/html", PAGE.body)


async def test_a_server_that_is_not_there_is_unreachable(peer: Loopback, downloader: Download, spool: Path) -> None:
    await peer.stop()
    with pytest.raises(Unreachable):
        await downloader().fetch(link(peer), "x", spool / "aa")


@pytest.mark.parametrize("answer", [Silence(), Silence(begun=True)])
async def test_a_server_that_stops_sending_is_unreachable(
    answer: Silence, peer: Loopback, spool: Path, clock: HandClock
) -> None:
    peer.answer(answer)
    async with new_client(timeout_s=0.05, max_connections=1) as impatient:
        downloader = Downloader(attachment_settings(spool), impatient, clock, lambda _: None)
        with pytest.raises(Unreachable):
            await downloader.fetch(link(peer), "x", spool / "aa")
    assert names_in(spool) == []


async def test_a_fetch_that_is_cut_off_leaves_nothing_behind(
    peer: Loopback, downloader: Download, spool: Path, calls: list[Call]
) -> None:
    peer.answer(Silence(begun=True))
    fetching = asyncio.create_task(downloader().fetch(link(peer), "x", spool / "aa"))
    while names_in(spool) != ["aa.part"]:
        await asyncio.sleep(0)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert names_in(spool) == []
    assert results(calls) == [("download", "unreachable")]


async def test_a_second_try_replaces_what_the_first_left(peer: Loopback, downloader: Download, spool: Path) -> None:
    peer.answer(Reply(b"new"))
    put(spool / "aa", b"old and longer")
    put(spool / "aa.part", b"left by a crash, and longer")
    await downloader().fetch(link(peer), "x", spool / "aa")
    assert (spool / "aa").read_bytes() == b"new"
    assert names_in(spool) == ["aa"]


# --- the spool --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_full_spool_takes_no_file(
    chunked: bool,  # noqa: FBT001 - pytest hands it in by name
    peer: Loopback,
    downloader: Download,
    spool: Path,
) -> None:
    put(spool / "bb", b"x" * (1024 * 1024))
    peer.answer(Reply(b"x" * 1024, chunked=chunked))
    with pytest.raises(SpoolFull):
        await downloader(max_spool_mb=1).fetch(link(peer), "x", spool / "aa")
    assert names_in(spool) == ["bb"]
    (spool / "bb").unlink()
    await downloader(max_spool_mb=2).fetch(link(peer), "x", spool / "aa")


async def test_many_fetches_side_by_side_do_not_disturb_each_other(
    peer: Loopback, downloader: Download, spool: Path
) -> None:
    peer.answer(Reply(b"x" * 100_000))
    one = downloader(max_spool_mb=1)
    names = [f"{number:02}" for number in range(20)]
    ends = await asyncio.gather(*(one.fetch(link(peer), "x", spool / name) for name in names), return_exceptions=True)
    assert {type(end) for end in ends} == {Fetched, SpoolFull}
    assert len(names_in(spool)) == sum(isinstance(end, Fetched) for end in ends) == 10


async def test_a_large_file_takes_no_memory(peer: Loopback, downloader: Download, spool: Path) -> None:
    peer.answer(Reply(b"x" * 64 * 1024, repeat=16 * 48))
    one = downloader()
    tracemalloc.start()
    try:
        fetched = await one.fetch(link(peer), "x", spool / "aa")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert fetched.size == 48 * 1024 * 1024
    assert peak < 2 * 1024 * 1024


async def test_every_failure_is_an_error_of_the_peer_or_of_the_spool() -> None:
    assert issubclass(CannotFetch, PeerError)
    assert not issubclass(SpoolFull, PeerError)
