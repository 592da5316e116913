import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from envision_worker.simulators.http import ConnectionLost, Request, Response, RunningServer, json_response, serve

BIG = bytes(range(256)) * 20_000


class Echo:
    """Answers what the path asks for and keeps what it was asked."""

    def __init__(self) -> None:
        self.seen: list[Request] = []

    async def __call__(self, request: Request) -> Response:
        self.seen.append(request)
        if request.raw_path == "/lost":
            raise ConnectionLost
        if request.raw_path == "/big":
            return Response(200, BIG, "application/octet-stream", {"X-Kind": "big"})
        return json_response({"grüße": request.method}, 202)


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def server(echo: Echo) -> AsyncIterator[RunningServer]:
    running = await serve(echo)
    yield running
    await running.close()


async def test_the_path_arrives_exactly_as_it_was_on_the_wire(echo: Echo, server: RunningServer) -> None:
    async with httpx.AsyncClient() as client:
        await client.delete(f"{server.url}/dev/queue/AQ%2Fb%2Bc%3D%253D?x=%2F&y")

    request = echo.seen[0]
    assert (request.method, request.raw_path, request.query) == ("DELETE", "/dev/queue/AQ%2Fb%2Bc%3D%253D", "x=%2F&y")


async def test_segments_are_cut_before_each_is_decoded_once() -> None:
    request = Request("GET", "/a%20b/c%2Fd/%253D/")

    assert request.segments == ("a b", "c/d", "%3D", "")


async def test_query_and_form_are_decoded_and_the_first_of_a_repeated_name_counts() -> None:
    request = Request("POST", "/", query="a=1&a=2&b=%7B%22x%22%3A1%7D&empty=", body=b"input_data=%C3%BC+x&bad=%FF")

    assert request.query_values == {"a": "1", "b": '{"x":1}', "empty": ""}
    assert request.form_values == {"input_data": "ü x", "bad": "\ufffd"}


async def test_headers_have_small_names_and_the_body_is_untouched(echo: Echo, server: RunningServer) -> None:
    async with httpx.AsyncClient() as client:
        headers = [("X-Api-Key", "k"), ("X-Twice", "1"), ("X-Twice", "2"), ("Content-Type", "Text/Plain; charset=x")]
        await client.post(server.url, headers=headers, content=BIG)

    request = echo.seen[0]
    assert (request.headers["x-api-key"], request.headers["x-twice"]) == ("k", "1, 2")
    assert request.media_type == "text/plain"
    assert request.body == BIG


async def test_answers_arrive_with_status_type_headers_and_large_bodies(server: RunningServer) -> None:
    async with httpx.AsyncClient() as client:
        small = await client.get(f"{server.url}/small")
        big = await client.get(f"{server.url}/big")

    assert (small.status_code, small.headers["content-type"], small.json()) == (
        202,
        "application/json",
        {"grüße": "GET"},
    )
    assert (big.content, big.headers["x-kind"], big.headers["content-type"]) == (
        BIG,
        "big",
        "application/octet-stream",
    )


async def test_a_lost_connection_gives_the_caller_not_a_single_byte(server: RunningServer) -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await client.get(f"{server.url}/lost")
        assert (await client.get(f"{server.url}/small")).status_code == 202


async def test_half_a_surrogate_pair_is_answered_escaped() -> None:
    assert json_response({"a": "\ud83d", "b": "ü"}).body == b'{"a": "\\ud83d", "b": "\\u00fc"}'


async def test_closing_does_not_wait_for_a_call_that_hangs() -> None:
    entered = asyncio.Event()

    async def hang(_: Request) -> Response:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError

    server = await serve(hang)
    async with httpx.AsyncClient() as client:
        call = asyncio.ensure_future(client.get(server.url))
        await entered.wait()
        await asyncio.wait_for(server.close(), 5)
        await server.close()
        with pytest.raises(httpx.HTTPError):
            await call


async def test_a_taken_port_is_an_error_and_leaves_nothing_running(server: RunningServer, echo: Echo) -> None:
    port = int(server.url.rpartition(":")[2])

    with pytest.raises(OSError, match="address already in use"):
        await serve(echo, port=port)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
async def test_https_is_served_with_a_certificate(echo: Echo, tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    await asyncio.to_thread(_make_certificate, certificate, key)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)

    server = await serve(echo, tls=tls)
    async with httpx.AsyncClient(verify=ssl.create_default_context(cafile=str(certificate))) as client:
        answer = await client.get(f"{server.url}/small")
    await server.close()

    assert (server.url.partition(":")[0], answer.status_code) == ("https", 202)


def _make_certificate(certificate: Path, key: Path) -> None:
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", *kind, *names, "-out", str(certificate), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 (nothing from outside in it)
