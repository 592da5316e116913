"""How calls go out: clients with time-outs, limits and TLS; what went wrong on the way, as a verdict; addresses without secrets."""

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import httpx

from envision_worker.clock import Clock
from envision_worker.errors import Malformed, PeerError, Unreachable, Unsure
from envision_worker.transport import PROGRESS, AiohttpTransport

CONNECT_TIMEOUT_S = 10.0
KEEPALIVE_S = 5.0  # shorter than servers keep idle connections: a write on one just closed would be an unsure one
MAX_ANSWER_BYTES = 64 * 1024 * 1024  # ten messages of 1 MiB, JSON-escaped, with room
MAX_RETRY_AFTER_S = 3600.0  # a peer that asks for more is looked at again after an hour all the same

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
_CHATTY = ("httpx", "httpcore")  # their loggers write whole addresses, and a signed one is a secret
_ENCODING_HEADERS = frozenset({"content-encoding", "content-length", "transfer-encoding"})
_KEY_HEADERS = frozenset({b"x-api-key", b"authtoken", b"authorization"})
_SHORTEST_KEY = 8  # characters; what is shorter is no key, and would be found everywhere


@dataclass(frozen=True, slots=True)
class Call:
    """One finished outgoing call, as the metrics and the gates see it.

    Attributes:
        writes: whether it could change anything at the peer.
        error: None where the peer did what it was asked for.
        seconds: from sending to the last byte of the answer.
    """

    peer: str
    operation: str
    writes: bool
    error: PeerError | None
    seconds: float


Observe = Callable[[Call], None]
"""Told of every outgoing call once it is over."""


def new_client(
    *, timeout_s: float, max_connections: int, ca_file: Path | None = None, proxy: str | None = None
) -> httpx.AsyncClient:
    """A client for one peer; made once, so that connections are kept.

    It keeps no cookies: every call stands for itself. It quiets httpx's own loggers, which would write signed addresses.

    Args:
        timeout_s: for each single wait (for a free connection, for the next bytes); `Wire` bounds the whole call.
        ca_file: PEM file of the authority that signed the peer's certificate; None: the system's authorities.
        proxy: address of an HTTP proxy; None: no proxy, whatever the environment says.

    Raises:
        OSError: `ca_file` can't be read, or holds no certificate (`ssl.SSLError`).
    """
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    transport = AiohttpTransport(
        verify=ssl.create_default_context(cafile=str(ca_file)) if ca_file else None,
        max_connections=max_connections,
        keepalive_s=KEEPALIVE_S,
        proxy=proxy,
    )
    return httpx.AsyncClient(
        transport=transport,
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S)),
    )


def without_query(url: httpx.URL | str) -> str:
    """The address as it may be logged: no user, no query (signatures live there), no fragment; any text is taken."""
    try:
        return str(httpx.URL(url).copy_with(userinfo=b"", query=None, fragment=None))
    except (httpx.InvalidURL, ValueError):
        return "(an address that can't be read)"


def retry_after(headers: Mapping[str, str], clock: Clock) -> float | None:
    """Seconds that a `Retry-After` asks for, given as seconds or as a date; None without one that can be read."""
    said = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", said):
        return min(float(said), MAX_RETRY_AFTER_S)
    try:
        seconds = (parsedate_to_datetime(said) - clock.now()).total_seconds()
    except (ValueError, TypeError, OverflowError):  # no date, one without a zone, or one outside the calendar
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def clock_skew(headers: Mapping[str, str], clock: Clock) -> float | None:
    """Our clock minus the `Date` of an answer, in seconds (which a Date has no fractions of); None without a readable one."""
    try:
        return (clock.now() - parsedate_to_datetime(headers.get("date", ""))).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None


class Wire:
    """Sends to one peer and sorts what goes wrong by what to do about it.

    Attributes:
        clock: the clock that was handed in, for those who wait between calls.
    """

    def __init__(
        self, peer: str, client: httpx.AsyncClient, clock: Clock, *, timeout_s: float, observe: Observe
    ) -> None:
        self.peer = peer
        self.client = client
        self.clock = clock
        self._timeout_s = timeout_s
        self._observe = observe
        self._usual_headers = dict(client.headers)
        self._extensions = {"timeout": client.timeout.as_dict()}

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        json: object = None,
    ) -> httpx.Request:
        """The request that the client would build from the same, at half the price: nothing is merged but the usual headers.

        Args:
            params: for the query. data: for a form. json: for a body of that type.
        """
        own = {name.lower() for name in headers}
        usual = ((name, value) for name, value in self._usual_headers.items() if name not in own)
        return httpx.Request(
            method,
            url,
            headers=[*usual, *headers.items()],
            params=params,
            data=None if data is None else dict(data),
            json=json,
            extensions=dict(self._extensions),
        )

    @asynccontextmanager
    async def observed(self, operation: str, *, writes: bool) -> AsyncIterator[None]:
        """Measure one call, reading of its answer included, and tell the observer how it ended.

        Whatever else than a `PeerError` leaves the block (a cancellation, say) cut the call off, and is told as such.
        """
        started = self.clock.monotonic()
        error: PeerError | None = None
        try:
            yield
        except PeerError as exc:
            error = exc
            raise
        except BaseException as exc:
            error = self._lost(operation, f"cut off by {type(exc).__name__}", writes=writes)
            raise
        finally:
            self._observe(Call(self.peer, operation, writes, error, self.clock.monotonic() - started))

    async def send(self, operation: str, request: httpx.Request, *, writes: bool) -> httpx.Response:
        """Send and read the whole answer, whatever its status.

        The time-out counts from the first byte sent: waiting for a free connection or for the handshake has its own.

        Raises:
            Unreachable: it never reached the peer; or nothing came back to a read.
            Unsure: a write was sent and its answer was lost.
            Malformed: the answer is larger than any documented one, or its compression is broken.
        """
        progress = _Progress(self._timeout_s)
        request.extensions[PROGRESS] = progress
        try:
            async with progress.limit:
                return await self._exchange(operation, request)
        except httpx.DecodingError as exc:
            raise Malformed(self.peer, operation, _said(exc)) from exc
        except _NOT_SENT as exc:
            raise Unreachable(self.peer, operation, _said(exc)) from exc
        except httpx.LocalProtocolError as exc:
            raise self._lost(operation, _said(exc), writes=writes) from None
        except TimeoutError as exc:
            detail = f"no answer within {self._timeout_s:g} s"
            raise self._lost(operation, detail, writes=writes and progress.may_be_sent) from exc
        except (httpx.HTTPError, OSError) as exc:
            raise self._lost(operation, _said(exc), writes=writes and progress.may_be_sent) from exc

    async def _exchange(self, operation: str, request: httpx.Request) -> httpx.Response:
        response = await self.client.send(request, stream=True)
        try:
            as_it_comes = _is_bounded(response.headers)
            body = await response.aread() if as_it_comes else await self._bounded(operation, response)
        finally:
            await response.aclose()
        content = _without_keys(body, request)
        if as_it_comes and content is body:
            return response
        headers = [(k, v) for k, v in response.headers.multi_items() if k.lower() not in _ENCODING_HEADERS]
        return httpx.Response(response.status_code, headers=headers, content=content, request=request)

    async def _bounded(self, operation: str, response: httpx.Response) -> bytes:
        """The whole body, decompressed; no more of it is taken in than any documented answer has."""
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                detail = f"an answer of more than {MAX_ANSWER_BYTES} bytes"
                raise Malformed(self.peer, operation, detail, status=response.status_code)
        return bytes(body)

    def _lost(self, operation: str, detail: str, *, writes: bool) -> PeerError:
        kind = Unsure if writes else Unreachable
        return kind(self.peer, operation, detail)


class _Progress:
    """How far a request got, told by the transport; one that tells nothing may have sent it.

    Attributes:
        limit: the whole call's time. Before the first byte httpx's own time-outs rule, and this is their sum.
        may_be_sent: whether any byte of the request may have reached the peer.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self.limit = asyncio.timeout(2 * timeout_s + 2 * min(timeout_s, CONNECT_TIMEOUT_S))
        self.may_be_sent = True

    def connecting(self) -> None:
        """See `transport.Progress`."""
        self.may_be_sent = False

    def sending(self) -> None:
        """See `transport.Progress`."""
        self.may_be_sent = True
        self.limit.reschedule(asyncio.get_running_loop().time() + self._timeout_s)


def _is_bounded(headers: httpx.Headers) -> bool:
    """Whether an answer says itself that it is not too large: it tells its length, and is not compressed."""
    length = headers.get("content-length", "")
    return length.isdecimal() and int(length) <= MAX_ANSWER_BYTES and "content-encoding" not in headers


def _without_keys(body: bytes, request: httpx.Request) -> bytes:
    """An answer that quotes the key it was asked with, as error pages of proxies do, carries it no further."""
    for name, value in request.headers.raw:
        if name.lower() in _KEY_HEADERS:
            key = value.rpartition(b" ")[2]
            if len(key) >= _SHORTEST_KEY and key in body:
                body = body.replace(key, b"[removed]")
    return body


def _said(exc: Exception) -> str:
    """What an exception says, where it says anything; a protocol error of our own quotes headers, and they hold the key."""
    if isinstance(exc, httpx.LocalProtocolError) or not str(exc):
        return type(exc).__name__
    return f"{type(exc).__name__}: {exc}"
