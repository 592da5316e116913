"""Carries httpx's requests over aiohttp's connections: the same interface, a fraction of the processor time a call.

httpx's own connection pool looks at every connection for every call, in Python; that was most of what the worker did. What
differs from aiohttp's habits, because a call here may have been carried out although it failed:

- The address goes out byte by byte as httpx has it. aiohttp would write the `%3D` of a receipt handle as `=`.
- No call is ever sent twice by itself. aiohttp sends GET, PUT and DELETE again where a kept connection turns out to be dead.
- Before the first byte goes out the connection is looked at once more, and `Progress` is told, so that "never happened" and
  "may have happened" can be told apart.
- No cookies, no redirects, no decompression (httpx does that), nothing from the environment, no headers of its own.
"""

import asyncio
import select
import ssl
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from typing import Protocol

import aiohttp
import httpx
from aiohttp import hdrs
from aiohttp.connector import Connection
from typing_extensions import override
from yarl import URL

PROGRESS = "progress"
"""The extension of a request that holds its `Progress`."""

_LONGEST_HEADER = 64 * 1024  # servers behind login portals send long ones
_MOST_HEADERS = 256
_PIECE_BYTES = 256 * 1024
_OWN_HEADERS = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.USER_AGENT, hdrs.CONTENT_TYPE)


class Progress(Protocol):
    """Told how far a request got."""

    def connecting(self) -> None:
        """Nothing of it was sent: it waits for a connection."""
        ...

    def sending(self) -> None:
        """There is a connection; from now on any byte of it may reach the peer."""
        ...


class AiohttpTransport(httpx.AsyncBaseTransport):
    """A transport for one client. HTTP/1.1; connections are kept for a while and shared by all calls to the same place.

    Args:
        verify: with which authorities peers' certificates are verified; None: with the system's, which aiohttp has loaded already.
    """

    def __init__(
        self, *, verify: ssl.SSLContext | None, max_connections: int, keepalive_s: float, proxy: str | None = None
    ) -> None:
        self._verify = verify
        self._max_connections = max_connections
        self._keepalive_s = keepalive_s
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; returns when the answer's headers are there. Raises httpx's own errors."""
        if self._session is None:
            self._session = self._opened()
        way = _Way(request.extensions.get(PROGRESS))
        _way.set(way)
        try:
            answer = await self._sent(self._session, request)
        except (aiohttp.ClientError, _AnswerLost, OSError, ValueError) as exc:
            raise _failure(exc, way, request) from None
        return httpx.Response(
            answer.status,
            headers=list(answer.raw_headers),
            stream=_Body(answer, request),
            request=request,
            extensions={"reason_phrase": (answer.reason or "").encode("ascii", "replace")},
        )

    async def _sent(self, session: aiohttp.ClientSession, request: httpx.Request) -> aiohttp.ClientResponse:
        while True:
            try:
                return await session.request(
                    request.method,
                    URL(str(request.url), encoded=True),
                    headers=_headers(request),
                    data=_body(request),
                    proxy=self._proxy,
                    allow_redirects=False,
                    timeout=_timeout(request.extensions.get("timeout", {})),
                )
            except _ClosedMeanwhile:  # nothing was sent; there are no more such connections than there were kept ones
                continue

    @override
    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """Made at the first call: it belongs to the loop that runs then."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=self._verify or True, limit=self._max_connections, keepalive_timeout=self._keepalive_s
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_OWN_HEADERS,
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
            max_headers=_MOST_HEADERS,
            request_class=_Request,
            middlewares=(_once,),
            trust_env=False,
        )


class _Body(httpx.AsyncByteStream):
    """An answer's body as it comes; the connection is kept once it was read to its end, and closed otherwise."""

    def __init__(self, answer: aiohttp.ClientResponse, request: httpx.Request) -> None:
        self._answer = answer
        self._request = request

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._answer.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, OSError) as exc:
            raise _lost(exc, self._request) from None

    @override
    async def aclose(self) -> None:
        self._answer.close()


# --- how far it got --------------------------------------------------------------------------------------------------


class _Way:
    """How far one request got."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self.sent = False
        if progress is not None:
            progress.connecting()

    def sending(self) -> None:
        self.sent = True
        if self._progress is not None:
            self._progress.sending()


_way: ContextVar[_Way] = ContextVar("way")


class _Request(aiohttp.ClientRequest):
    """Tells when its first byte goes out. What asks a proxy to open the way is none of these."""

    @override
    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        if _is_closed(conn.transport):
            raise _ClosedMeanwhile
        _way.get().sending()
        return await super().send(conn)


def _is_closed(transport: asyncio.Transport | None) -> bool:
    """Whether the peer closed a kept connection and the loop has not noticed yet: between two calls there is nothing to read."""
    if transport is None or transport.is_closing():
        return True
    poll = select.poll()
    poll.register(transport.get_extra_info("socket"), select.POLLIN)
    return bool(poll.poll(0))


class _ClosedMeanwhile(Exception):
    """A kept connection can't be used any more; nothing was sent."""


class _AnswerLost(Exception):
    """A connection broke after a request was begun. No error of aiohttp's, or it would send the request a second time."""


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise _AnswerLost(_said(exc)) from exc


# --- what goes out ---------------------------------------------------------------------------------------------------


def _headers(request: httpx.Request) -> list[tuple[str, str]]:
    """As httpx has them, but for what aiohttp must say itself."""
    raw = ((name.decode("ascii"), value) for name, value in request.headers.raw)
    return [(name, _text(value)) for name, value in raw if name.lower() != "transfer-encoding"]


def _text(value: bytes) -> str:
    """As httpx reads headers."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("iso-8859-1")


def _body(request: httpx.Request) -> bytes | AsyncIterator[bytes] | None:
    """What is there already as it is, anything else as it comes; httpx has told its length."""
    try:
        content = request.content
    except httpx.RequestNotRead:
        return _streamed(request.stream)
    return _pieces(content) if len(content) > _PIECE_BYTES else content or None


async def _streamed(stream: httpx.SyncByteStream | httpx.AsyncByteStream) -> AsyncIterator[bytes]:
    if not isinstance(stream, httpx.AsyncByteStream):
        raise TypeError("a stream that blocks can't be sent from a loop")
    async for piece in stream:
        yield piece


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    """Sent whole, a large body would hold up everybody else on the loop."""
    for start in range(0, len(content), _PIECE_BYTES):
        yield content[start : start + _PIECE_BYTES]


def _timeout(given: Mapping[str, float | None]) -> aiohttp.ClientTimeout:
    """The four waits of httpx as aiohttp knows them; writing has none of its own, the whole call's time bounds it."""
    pool, connect = given.get("pool"), given.get("connect")
    return aiohttp.ClientTimeout(
        total=None,
        connect=None if pool is None or connect is None else pool + connect,
        sock_connect=connect,
        sock_read=given.get("read"),
    )


# --- what went wrong -------------------------------------------------------------------------------------------------


def _failure(error: Exception, way: _Way, request: httpx.Request) -> httpx.TransportError:
    """The same error in httpx's words."""
    detail = _said(error)
    match error:
        case _ if way.sent:
            return _lost(error, request)
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return httpx.ProxyError(detail, request=request)
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return httpx.UnsupportedProtocol(detail, request=request)
        case TimeoutError():
            return httpx.ConnectTimeout(detail, request=request)
        case _:
            return httpx.ConnectError(detail, request=request)


def _lost(error: Exception, request: httpx.Request) -> httpx.TransportError:
    """What failed once there was a connection: the peer may have carried the request out."""
    detail = _said(error)
    match error:
        case TimeoutError():
            return httpx.ReadTimeout(detail, request=request)
        case _AnswerLost() | aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return httpx.RemoteProtocolError(detail, request=request)
        case aiohttp.ClientError() | OSError():
            return httpx.ReadError(detail, request=request)
        case _:
            return httpx.LocalProtocolError(detail, request=request)  # such as a header with a line break


def _said(error: Exception) -> str:
    """What happened, without addresses: those of files are signed, and those of proxies may hold a password."""
    match error:
        case aiohttp.ClientConnectorError():
            return f"{error.host}:{error.port}: {error.strerror or type(error.os_error).__name__}"
        case aiohttp.ClientResponseError():
            return f"{error.status} {error.message}"
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed without an answer"
        case aiohttp.ClientPayloadError():
            return "the answer broke off"
        case TimeoutError():
            return "no time left"
        case OSError() if error.strerror:
            return error.strerror
        case _AnswerLost():
            return str(error)
        case _:
            return type(error).__name__
