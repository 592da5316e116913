import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from envision_worker.errors import Malformed, PeerError, Refused, Unreachable, Unsure
from envision_worker.wire import MAX_ANSWER_BYTES, Call, Wire, _Progress, new_client, retry_after, without_query

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class StandingClock:
    """Obeys the contract of `Clock`; time stands until somebody moves it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[str]:
    """A server on loopback; gives its address."""
    running: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()
        with suppress(ConnectionError, asyncio.CancelledError):
            await writer.wait_closed()
        running.discard(task)

    listening = await asyncio.start_server(one, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def answering(answer: bytes, heads: list[str] | None = None) -> Serve:
    """Reads a request, answers these bytes and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if heads is not None:
            heads.append(head)
        writer.write(answer)
        await writer.drain()

    return serve


def silent(begins_with: bytes = b"") -> Serve:
    """Reads a request and never ends its answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(begins_with)
        await asyncio.Event().wait()

    return serve


def wire(client: httpx.AsyncClient, *, timeout_s: float = 5) -> Wire:
    return Wire("desk", client, StandingClock(), timeout_s=timeout_s, observe=lambda _: None)


async def sent(url: str, *, writes: bool, timeout_s: float = 5, proxy: str | None = None) -> httpx.Response:
    """One call with a client of its own."""
    async with new_client(timeout_s=timeout_s, max_connections=2, proxy=proxy) as client:
        request = client.build_request("POST" if writes else "GET", url)
        return await wire(client, timeout_s=timeout_s).send("create_request", request, writes=writes)


async def failure(url: str, *, writes: bool, timeout_s: float = 5, proxy: str | None = None) -> PeerError:
    with pytest.raises(PeerError) as failed:
        await sent(url, writes=writes, timeout_s=timeout_s, proxy=proxy)
    assert (failed.value.peer, failed.value.operation) == ("desk", "create_request")
    return failed.value


# --- what comes back --------------------------------------------------------------------------------------------------


async def test_an_answer_is_read_whole_whatever_its_status() -> None:
    answer = b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nContent-Length: 4\r\n\r\nbusy"
    async with server(answering(answer)) as peer:
        response = await sent(f"http://{peer}/x", writes=True)
    assert (response.status_code, response.content, response.headers["retry-after"]) == (503, b"busy", "3")
    assert response.request.url == f"http://{peer}/x"


async def test_a_compressed_answer_is_read_unpacked() -> None:
    packed = gzip.compress(b'{"a": 1}')
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with server(answering(head + packed)) as peer:
        response = await sent(f"http://{peer}/x", writes=False)
    assert response.json() == {"a": 1}
    assert "content-encoding" not in response.headers


@pytest.mark.parametrize("header", ["x-api-key", "authtoken", "Authorization"])
async def test_an_answer_that_quotes_the_key_loses_it_before_anybody_reads_it(header: str) -> None:
    answer = b"HTTP/1.1 400 No\r\nContent-Length: 34\r\n\r\nyour key is s3cret-t0ken, go home\r\n"
    async with server(answering(answer)) as peer, new_client(timeout_s=5, max_connections=2) as client:
        request = client.build_request("GET", f"http://{peer}/", headers={header: "Zoho-oauthtoken s3cret-t0ken"})
        response = await wire(client).send("read", request, writes=False)
        short = client.build_request("GET", f"http://{peer}/", headers={header: "key"})
        untouched = await wire(client).send("read", short, writes=False)
    assert response.text.strip() == "your key is [removed], go home"
    assert "s3cret-t0ken" in untouched.text


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    heads: list[str] = []
    async with server(answering(b"HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n", heads)) as peer:
        assert (await sent(f"http://{peer}/x", writes=False)).status_code == 302
    assert len(heads) == 1


@pytest.mark.parametrize("writes", [True, False])
async def test_an_answer_whose_compression_is_broken_is_malformed(writes: bool) -> None:  # noqa: FBT001 - by name
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"
    async with server(answering(answer)) as peer:
        assert isinstance(await failure(f"http://{peer}/x", writes=writes), Malformed)


async def test_an_answer_without_end_is_malformed_and_not_kept() -> None:
    class Endless(httpx.AsyncByteStream):
        given = 0

        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                self.given += 1024 * 1024
                yield b"x" * (1024 * 1024)

    stream = Endless()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=stream))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(Malformed, match=str(MAX_ANSWER_BYTES)):
            await wire(client).send("read", client.build_request("GET", "https://desk"), writes=False)
    assert stream.given <= MAX_ANSWER_BYTES + 1024 * 1024


# --- what never happened ----------------------------------------------------------------------------------------------


async def test_a_refused_connection_is_unreachable_even_for_a_write() -> None:
    async with server(answering(FINE)) as peer:
        pass
    assert type(await failure(f"http://{peer}/x", writes=True)) is Unreachable


async def test_a_failed_handshake_is_unreachable_even_for_a_write() -> None:
    async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"no TLS here\r\n")

    async with server(no_tls) as peer:
        assert type(await failure(f"https://{peer}/x", writes=True)) is Unreachable


async def test_a_proxy_that_refuses_is_unreachable_even_for_a_write() -> None:
    async with server(answering(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")) as peer:
        error = await failure("https://desk.example.com/x", writes=True, proxy=f"http://{peer}")
    assert type(error) is Unreachable


async def test_a_proxy_that_never_opens_the_way_is_unreachable_even_for_a_write() -> None:
    async with server(silent()) as peer:
        error = await failure("https://desk.example.com/x", writes=True, timeout_s=0.05, proxy=f"http://{peer}")
    assert type(error) is Unreachable


async def test_a_write_that_found_no_free_connection_was_not_sent() -> None:
    heard = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        heard.set()
        await asyncio.Event().wait()

    async with server(hold) as peer, new_client(timeout_s=0.05, max_connections=1) as client:
        patient = client.build_request("GET", f"http://{peer}/x", timeout=httpx.Timeout(5))
        first = asyncio.create_task(wire(client).send("read", patient, writes=False))
        await heard.wait()
        with pytest.raises(Unreachable, match="ConnectTimeout"):
            await wire(client, timeout_s=0.05).send("w", client.build_request("POST", f"http://{peer}/x"), writes=True)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first


# --- what may have happened -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", b"220 ESMTP\r\n\r\n"],
)
async def test_a_lost_answer_leaves_a_write_open_and_says_nothing_of_a_read(answer: bytes) -> None:
    async with server(answering(answer)) as peer:
        assert type(await failure(f"http://{peer}/x", writes=True)) is Unsure
        assert type(await failure(f"http://{peer}/x", writes=False)) is Unreachable


@pytest.mark.parametrize("begins_with", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
async def test_a_slow_answer_leaves_a_write_open_and_says_nothing_of_a_read(begins_with: bytes) -> None:
    async with server(silent(begins_with)) as peer:
        assert type(await failure(f"http://{peer}/x", writes=True, timeout_s=0.05)) is Unsure
        assert type(await failure(f"http://{peer}/x", writes=False, timeout_s=0.05)) is Unreachable


async def test_an_answer_that_dribbles_on_is_given_up_as_a_whole() -> None:
    async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.005)

    async with server(dribble) as peer:
        error = await failure(f"http://{peer}/x", writes=True, timeout_s=0.05)
    assert type(error) is Unsure


async def test_the_time_for_an_answer_counts_from_sending() -> None:
    progress = _Progress(30)
    async with progress.limit:
        progress.connecting()
        assert not progress.may_be_sent
        assert (progress.limit.when() or 0) > asyncio.get_running_loop().time() + 40
        progress.sending()
        assert progress.may_be_sent
        assert (progress.limit.when() or 0) <= asyncio.get_running_loop().time() + 30


async def test_a_transport_that_tells_nothing_may_have_sent_a_write() -> None:
    async def hang(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        return httpx.Response(200, request=request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(hang)) as client:
        with pytest.raises(Unsure):
            await wire(client, timeout_s=0.02).send("w", client.build_request("POST", "https://desk"), writes=True)
        with pytest.raises(Unreachable):
            await wire(client, timeout_s=0.02).send("r", client.build_request("GET", "https://desk"), writes=False)


async def test_an_error_of_the_operating_system_on_the_way_is_a_lost_answer() -> None:
    def break_down(_: httpx.Request) -> httpx.Response:
        raise OSError("TLS record broken")

    async with httpx.AsyncClient(transport=httpx.MockTransport(break_down)) as client:
        with pytest.raises(Unsure, match="TLS record broken"):
            await wire(client).send("w", client.build_request("POST", "https://desk"), writes=True)


# --- secrets ----------------------------------------------------------------------------------------------------------


async def test_a_header_that_can_not_be_sent_is_not_quoted() -> None:
    async with server(answering(FINE)) as peer, new_client(timeout_s=5, max_connections=1) as client:
        request = client.build_request("POST", f"http://{peer}/x", headers={"authtoken": "top\nsecret"})
        with pytest.raises(PeerError) as failed:
            await wire(client).send("w", request, writes=True)
    assert "secret" not in f"{failed.value}{failed.value!r}{failed.value.__cause__!r}"
    assert failed.value.__suppress_context__


async def test_no_library_logs_the_address_with_its_signature(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with server(answering(FINE)) as peer:
        await sent(f"http://{peer}/x?X-Amz-Signature=deadbeef", writes=False)
    assert "deadbeef" not in caplog.text


async def test_no_cookie_of_one_answer_travels_with_the_next_call() -> None:
    heads: list[str] = []
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: JSESSIONID=1; Path=/\r\nContent-Length: 0\r\n\r\n"
    async with server(answering(answer, heads)) as peer, new_client(timeout_s=5, max_connections=1) as client:
        for _ in range(2):
            await wire(client).send("read", client.build_request("GET", f"http://{peer}/x"), writes=False)
    assert len(heads) == 2
    assert "cookie" not in "".join(heads).lower()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://b.s3.amazonaws.com/f.jpg?X-Amz-Signature=deadbeef#x", "https://b.s3.amazonaws.com/f.jpg"),
        ("https://user:secret@desk:8080/api", "https://desk:8080/api"),
        ("/api?x=1", "/api"),
        ("https://[::1?x=secret", "(an address that can't be read)"),
        ("https://desk/\x00?x=secret", "(an address that can't be read)"),
        ("x" * 70_000, "(an address that can't be read)"),
    ],
)
def test_addresses_are_shown_without_what_could_be_secret(url: str, shown: str) -> None:
    assert without_query(url) == shown


def test_a_ca_file_that_holds_no_certificate_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for ca_file in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        with pytest.raises(OSError):  # noqa: PT011 - ssl.SSLError and FileNotFoundError
            new_client(timeout_s=1, max_connections=1, ca_file=ca_file)


# --- the observer -----------------------------------------------------------------------------------------------------


class Observer:
    """A wire without a peer, and what its observer was told."""

    def __init__(self) -> None:
        self.clock = StandingClock()
        self.told: list[Call] = []
        self.wire = Wire("desk", httpx.AsyncClient(), self.clock, timeout_s=1, observe=self.told.append)

    async def ends_with(self, error: BaseException | None, *, writes: bool = True) -> Call:
        async with self.wire.client:
            with suppress(BaseException):
                async with self.wire.observed("create_request", writes=writes):
                    self.clock.seconds += 2.5
                    if error is not None:
                        raise error
        (call,) = self.told
        return call


async def test_a_call_that_succeeded_is_told_with_its_time() -> None:
    call = await Observer().ends_with(None)
    assert call == Call("desk", "create_request", writes=True, error=None, seconds=2.5)


async def test_a_call_that_failed_is_told_with_its_error() -> None:
    refused = Refused("desk", "create_request", "no")
    assert (await Observer().ends_with(refused)).error is refused


@pytest.mark.parametrize("error", [asyncio.CancelledError(), RuntimeError("a bug"), KeyboardInterrupt()])
async def test_a_call_that_was_cut_off_is_not_told_as_a_success(error: BaseException) -> None:
    assert type((await Observer().ends_with(error)).error) is Unsure
    assert type((await Observer().ends_with(error, writes=False)).error) is Unreachable


async def test_an_error_goes_on_to_the_caller() -> None:
    observer = Observer()
    async with observer.wire.client:
        with pytest.raises(RuntimeError, match="a bug"):
            async with observer.wire.observed("read", writes=False):
                raise RuntimeError("a bug")


# --- Retry-After ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7),
        (" 0 ", 0),
        ("999999999", 3600),
        ("Sun, 22 Nov 2026 03:00:30 GMT", 30),
        ("Sun, 22 Nov 2026 02:00:00 GMT", 0),
        ("Sun, 22 Nov 2099 03:00:30 GMT", 3600),
        ("Sun, 22 Nov 2026 03:00:30 -0000", None),
        ("Sun, 99 Nov 2026 03:00:30 GMT", None),
        ("-5", None),
        ("1e9", None),
        ("inf", None),
        ("²", None),
        ("9" * 5000, None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_an_hour(said: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": said}, StandingClock()) == seconds


def test_an_answer_without_retry_after_says_nothing() -> None:
    assert retry_after(httpx.Headers(), StandingClock()) is None
