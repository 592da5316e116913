import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import quote

import httpx
import pytest

from envision_worker.clock import SystemClock
from envision_worker.errors import Unreachable, Unsure
from envision_worker.wire import Wire, new_client

FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
HANDLE = "AQEB+a/b=c%20d~é/" + "=" * 3

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]


class Peer:
    """A raw server: every request as its bytes came, and how many connections there were."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.url = ""
        self._answer = answer
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0
                )
                self.requests.append(head + await reader.readexactly(length))
                if not await self._answer(reader, writer):
                    break
        writer.close()
        self._tasks.discard(task)

    async def end(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def line(self, number: int = 0) -> str:
        return self.requests[number].split(b"\r\n", 1)[0].decode("ascii")


async def keep_open(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    writer.write(FINE)
    return True


async def answer_and_close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    writer.write(FINE)
    return False


@asynccontextmanager
async def peer(answer: Answer = keep_open) -> AsyncIterator[Peer]:
    made = Peer(answer)
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        listening.close()
        await made.end()


async def sent(client: httpx.AsyncClient, request: httpx.Request, *, writes: bool = True) -> httpx.Response:
    wire = Wire("desk", client, SystemClock(), timeout_s=5, observe=lambda _: None)
    return await wire.send("operation", request, writes=writes)


async def test_a_receipt_handle_goes_out_encoded_once_and_whole() -> None:
    segment = quote(HANDLE, safe="")
    async with peer() as server, new_client(timeout_s=5, max_connections=1) as client:
        await sent(client, client.build_request("DELETE", f"{server.url}/dev/queue/{segment}"))
    assert server.line() == f"DELETE /dev/queue/{segment} HTTP/1.1"
    assert "%3D%3D%3D" in server.line()


async def test_a_query_goes_out_as_httpx_encodes_it() -> None:
    async with peer() as server, new_client(timeout_s=5, max_connections=1) as client:
        request = client.build_request("GET", f"{server.url}/requests", params={"input_data": '{"a": "b=c&d+e/é"}'})
        await sent(client, request)
    assert server.line() == f"GET {request.url.raw_path.decode()} HTTP/1.1"


async def test_a_connection_is_kept_and_no_header_is_added() -> None:
    async with peer() as server, new_client(timeout_s=5, max_connections=1) as client:
        for _ in range(3):
            await sent(client, httpx.Request("GET", f"{server.url}/x", headers={"accept": "*/*"}))
    assert server.connections == 1
    names = {line.split(b":")[0].lower() for line in server.requests[0].split(b"\r\n")[1:] if line}
    assert names == {b"host", b"accept"}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_call_whose_kept_connection_breaks_is_not_sent_again_by_itself(method: str) -> None:
    heard = 0

    async def first_only(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        nonlocal heard
        heard += 1
        if heard == 1:
            writer.write(FINE)
        return heard == 1

    async with peer(first_only) as server, new_client(timeout_s=5, max_connections=1) as client:
        await sent(client, client.build_request(method, f"{server.url}/x"))
        with pytest.raises(Unsure):
            await sent(client, client.build_request(method, f"{server.url}/x"))
    assert (len(server.requests), server.connections) == (2, 1)


async def test_a_connection_that_the_peer_closed_meanwhile_is_replaced_before_anything_is_sent() -> None:
    async with peer(answer_and_close) as server, new_client(timeout_s=5, max_connections=1) as client:
        for _ in range(5):
            await sent(client, client.build_request("POST", f"{server.url}/x"))
    assert (len(server.requests), server.connections) == (5, 5)


async def test_a_body_that_is_read_as_it_goes_out_arrives_whole() -> None:
    content = bytes(range(256)) * 5000
    async with peer() as server, new_client(timeout_s=5, max_connections=1) as client:
        for given in ({"content": content}, {"files": {"input_file": ("a.bin", content, "application/x")}}):
            await sent(client, client.build_request("PUT", f"{server.url}/upload", **given))
    assert all(content in request for request in server.requests)
    assert b"transfer-encoding" not in server.requests[1].split(b"\r\n\r\n")[0].lower()


async def test_a_proxy_is_asked_with_its_password_which_no_error_tells() -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
        return False

    async with peer(refuse) as server:
        proxy = server.url.replace("http://", "http://user:p%40ss@")
        async with new_client(timeout_s=5, max_connections=1, proxy=proxy) as client:
            with pytest.raises(Unreachable, match="407") as failed:
                await sent(client, client.build_request("POST", "https://desk.example.com/x?X-Amz-Signature=deadbeef"))
    assert server.line() == "CONNECT desk.example.com:443 HTTP/1.1"
    assert b"Basic dXNlcjpwQHNz" in server.requests[0]
    assert not any(secret in str(failed.value) for secret in ("p%40ss", "p@ss", "deadbeef"))


async def test_no_error_tells_the_query_of_an_address() -> None:
    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
        return False

    async with peer(hang) as server, new_client(timeout_s=5, max_connections=1) as client:
        with pytest.raises(Unsure) as failed:
            await sent(client, client.build_request("PUT", f"{server.url}/x?X-Amz-Signature=deadbeef", content=b"x"))
    shown = f"{failed.value!r} {failed.value.__cause__!r}"
    assert "deadbeef" not in shown
