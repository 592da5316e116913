"""The shell that every simulator lives in: requests and answers free of any framework, and a server for loopback.

An `Application` is called directly in a test with virtual time, and over a real socket by `serve`.
"""

import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote

from aiohttp import web

Now = Callable[[], float]
"""Seconds since 1970."""
Sleep = Callable[[float], Awaitable[None]]
"""Waits so many seconds."""

STOP_GRACE_S = 0.05  # a call that hangs on purpose must not hold up the end of a server


class ConnectionLost(Exception):
    """Raised in place of an answer: the server cuts the connection without a byte."""


@dataclass(frozen=True)
class Request:
    """One call as it came in.

    Attributes:
        method: in capitals.
        raw_path: the path exactly as on the wire, percent-encoding untouched, without the query.
        query: the raw query, without the question mark.
        headers: names in small letters; a repeated header is joined with a comma and a blank.
        body: the bytes as sent.
        marks: what the shell notes about the call on its way (`fault`, `effect_status`); never part of the call itself.
    """

    method: str
    raw_path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    marks: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The path cut at each slash, then each part decoded once; `/a/b%2Fc` gives `("a", "b/c")`."""
        return tuple(unquote(part) for part in self.raw_path.split("/")[1:])

    @cached_property
    def query_values(self) -> dict[str, str]:
        """The query decoded; of a repeated name the first value."""
        return _first_values(self.query)

    @cached_property
    def form_values(self) -> dict[str, str]:
        """The body decoded as `application/x-www-form-urlencoded`; of a repeated name the first value."""
        return _first_values(self.body.decode("utf-8", "replace"))

    @property
    def media_type(self) -> str:
        """The Content-Type in small letters without its parameters; empty where none was sent."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True)
class Response:
    """One answer; `headers` come in addition to the Content-Type."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Application = Callable[[Request], Awaitable[Response]]
"""Answers a call, or raises `ConnectionLost`."""


def json_response(obj: Any, status: int = 200) -> Response:
    """An answer with a JSON body, in UTF-8; escaped where it holds half a surrogate pair, which UTF-8 can't carry."""
    try:
        body = json.dumps(obj, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        body = json.dumps(obj).encode()
    return Response(status, body)


class RunningServer:
    """A server that listens until it is closed.

    Attributes:
        url: its address without a slash at the end, such as `http://127.0.0.1:40123`.
    """

    def __init__(self, url: str, runner: web.ServerRunner) -> None:
        self.url = url
        self._runner = runner

    async def close(self) -> None:
        """Stop listening and cut what still runs; closing twice does no harm."""
        await self._runner.cleanup()


async def serve(
    application: Application, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> RunningServer:
    """Answer calls on a socket.

    Args:
        port: 0 takes a free one.
        tls: certificate and key to serve https with; None: plain http.

    Raises:
        OSError: the port is taken.
    """
    server = web.Server(_adapter(application), access_log=None, auto_decompress=False)
    runner = web.ServerRunner(server, shutdown_timeout=STOP_GRACE_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
    except BaseException:
        await runner.cleanup()
        raise
    bound_port = runner.addresses[0][1]
    return RunningServer(f"{'https' if tls else 'http'}://{host}:{bound_port}", runner)


def _adapter(application: Application) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    async def handle(incoming: web.BaseRequest) -> web.StreamResponse:
        try:
            answer = await application(await _read(incoming))
        except ConnectionLost:
            if incoming.transport is not None:
                incoming.transport.abort()
            return web.Response()
        return web.Response(
            status=answer.status, body=answer.body, headers={"Content-Type": answer.content_type, **answer.headers}
        )

    return handle


async def _read(incoming: web.BaseRequest) -> Request:
    path, _, query = incoming.raw_path.partition("?")
    headers: dict[str, str] = {}
    for name, value in incoming.headers.items():
        known = headers.get(name.lower())
        headers[name.lower()] = value if known is None else f"{known}, {value}"
    return Request(incoming.method, path, query, headers, await incoming.content.read())


def _first_values(encoded: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True, errors="replace"):
        values.setdefault(name, value)
    return values
