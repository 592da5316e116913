"""The wires between the worker and the simulators: latencies, lost answers, and a worker that is dead in the middle of a call."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextvars import Context
from wsgiref.handlers import format_date_time

import httpx

from envision_worker.simulators.http import Application, ConnectionLost, Request, Response
from envision_worker.transport import PROGRESS
from worlds.process import Incarnation
from worlds.virtual_time import world_time


class SimulatedTransport(httpx.AsyncBaseTransport):
    """Calls an application as a server would be called: once a call is sent, it is carried out, whoever still waits for it."""

    def __init__(
        self,
        peer: str,
        application: Application,
        life: Incarnation,
        latency_s: Callable[[], float],
        unreachable: Collection[str],
    ) -> None:
        """`unreachable` holds the names of the peers whose host refuses connections now."""
        self._peer = peer
        self._application = application
        self._life = life
        self._latency_s = latency_s
        self._unreachable = unreachable
        self._serving: set[asyncio.Task[Response]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        progress = request.extensions.get(PROGRESS)
        if progress is not None:
            progress.sending()
        assert isinstance(request.stream, httpx.AsyncByteStream)
        body = b"".join([chunk async for chunk in request.stream])
        await self._life.check()
        await asyncio.sleep(self._latency_s())
        await self._life.check()
        if self._peer in self._unreachable:
            raise httpx.ConnectError("connection refused", request=request)
        # A context of its own: what is served is the world's, not the process's, and outlives it.
        task = asyncio.get_running_loop().create_task(self._served(_request(request, body)), context=Context())
        self._serving.add(task)
        task.add_done_callback(self._done)
        try:
            answer = await asyncio.shield(task)
        except ConnectionLost as exc:
            raise httpx.RemoteProtocolError("server disconnected without sending a response", request=request) from exc
        await asyncio.sleep(self._latency_s())
        await self._life.check()
        headers = {"Content-Type": answer.content_type, "Date": format_date_time(world_time()), **answer.headers}
        return httpx.Response(answer.status, headers=headers, stream=_Stream(answer.body, self._life), request=request)

    async def _served(self, request: Request) -> Response:
        return await self._application(request)

    def _done(self, task: "asyncio.Task[Response]") -> None:
        self._serving.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may be gone


class _Stream(httpx.AsyncByteStream):
    def __init__(self, body: bytes, life: Incarnation) -> None:
        self._body = body
        self._life = life

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await self._life.check()
        yield self._body


def _request(request: httpx.Request, body: bytes) -> Request:
    path, _, query = request.url.raw_path.decode("ascii").partition("?")
    headers: dict[str, str] = {}
    for name, value in request.headers.multi_items():
        headers[name.lower()] = f"{headers[name.lower()]}, {value}" if name.lower() in headers else value
    return Request(request.method, path, query, headers, body)
