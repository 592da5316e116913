"""Fetches attachments from their signed links to disk, in constant memory (guide, Attachment upload from Ensono)."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

import httpx

from envision_worker.clock import Clock
from envision_worker.ensono.file_names import safe_name
from envision_worker.ensono.links import OPERATION, PEER, CannotFetch, FetchReason, permitted
from envision_worker.ensono.settings import AttachmentSettings
from envision_worker.ensono.spool import Spool
from envision_worker.errors import PeerError, Unreachable
from envision_worker.wire import Observe, Wire, without_query

FETCH_LIMIT_S = 900.0
"""How long one file may take; a server that dribbles on beyond it counts as unreachable."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 3
_LATER = frozenset({408, 425, 429})  # like the 5xx: it may work later
_ERROR_BYTES = 16 * 1024  # S3's errors have some 500
_GONE = frozenset({"NoSuchKey", "NoSuchBucket"})
_PAGE = "text/html"
_HEADERS = {"accept": "*/*", "accept-encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that is safe on disk. `size` is in bytes; `content_type` is the server's, without parameters."""

    size: int
    content_type: str


class Downloader:
    """Fetches files.

    Args:
        client: for connections, TLS and time-outs only; its headers, cookies and credentials are never sent.
    """

    def __init__(self, settings: AttachmentSettings, client: httpx.AsyncClient, clock: Clock, observe: Observe) -> None:
        self._settings = settings
        self._client = client
        self._spool = Spool(settings.spool_dir, settings.max_spool_bytes)
        self._wire = Wire(PEER, client, clock, timeout_s=FETCH_LIMIT_S, observe=observe)

    async def fetch(self, url: str, name: str, target: Path, *, may_be_page: bool = True) -> Fetched:
        """Fetch a file; `target` appears only once it is whole and on disk, and is replaced where it was there.

        Args:
            url: the signed link, untrusted.
            name: the file's name, untrusted; for error texts only.
            target: where to put it; `<target>.part` is used meanwhile and removed whatever happens.
            may_be_page: whether the file may be a web page. Else one that comes with 200 is somebody's login page, not the file.

        Raises:
            CannotFetch: it will never succeed; `reason` says why.
            Unreachable: try again until the link expires.
            SpoolFull: there is no room for it on our side; nothing is wrong with the file.
        """
        first = permitted(url, self._settings)
        async with self._wire.observed(OPERATION, writes=False):
            try:
                async with asyncio.timeout(FETCH_LIMIT_S):
                    return await self._followed(first, safe_name(name), target, may_be_page=may_be_page)
            except TimeoutError as exc:
                raise _unreachable(first, f"not whole within {FETCH_LIMIT_S:g} s") from exc
            except (httpx.HTTPError, OSError) as exc:
                raise _unreachable(first, f"{type(exc).__name__} {exc}".strip()) from exc

    async def _followed(self, url: httpx.URL, name: str, target: Path, *, may_be_page: bool) -> Fetched:
        for _ in range(_MOST_REDIRECTS + 1):
            response = await self._client.send(self._request(url), stream=True, auth=None, follow_redirects=False)
            try:
                if response.status_code not in _REDIRECTS:
                    return await self._kept(response, name, target, may_be_page=may_be_page)
                url = self._redirected(response, name)
            finally:
                await response.aclose()
        detail = f"{name}: more than {_MOST_REDIRECTS} redirects, the last to {without_query(url)}"
        raise CannotFetch(FetchReason.REDIRECTED_ELSEWHERE, detail)

    def _request(self, url: httpx.URL) -> httpx.Request:
        return httpx.Request("GET", url, headers=_HEADERS, extensions={"timeout": self._client.timeout.as_dict()})

    def _redirected(self, response: httpx.Response, name: str) -> httpx.URL:
        """Where to go on, if that place is allowed too."""
        here, location = response.request.url, response.headers.get("location")
        try:
            if location:
                return permitted(str(here.join(location)), self._settings)
            why = "to nowhere"
        except CannotFetch as exc:
            why = f"to a place that is not called: {exc.detail}"
        except (httpx.InvalidURL, ValueError):
            why = "to what is no address"
        detail = f"{name}: {without_query(here)} redirects {why}"
        raise CannotFetch(FetchReason.REDIRECTED_ELSEWHERE, detail, status=response.status_code)

    async def _kept(self, response: httpx.Response, name: str, target: Path, *, may_be_page: bool) -> Fetched:
        if response.status_code != httpx.codes.OK:
            raise _failure(response, name, await _beginning(response))
        if not may_be_page and _content_type(response) == _PAGE:
            raise _unreachable(
                response.request.url, "a web page came in place of the file", status=response.status_code
            )
        told = response.headers.get("content-length", "")
        size = int(told) if told.isdecimal() else None
        if size is not None and size > self._settings.max_size_bytes:
            raise self._too_large(name, f"{size} bytes")
        with self._spool.part(target, expected_size=size) as part:
            async for chunk in response.aiter_bytes():
                part.write(chunk)
                if part.size > self._settings.max_size_bytes:
                    raise self._too_large(name, "more")
            await part.keep()
            return Fetched(part.size, _content_type(response))

    def _too_large(self, name: str, size: str) -> CannotFetch:
        limit = f"{self._settings.max_size_mb:g} MB (attachments.max_size_mb)"
        return CannotFetch(FetchReason.TOO_LARGE, f"{name}: has {size}, and {limit} are the limit")


async def _beginning(response: httpx.Response) -> str:
    """As much of an error's body as is worth reading."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _ERROR_BYTES:
            break
    return body[:_ERROR_BYTES].decode("utf-8", errors="replace")


def _failure(response: httpx.Response, name: str, body: str) -> PeerError:
    """S3 tells in XML what is the matter (guide, Common error responses, the last one)."""
    status, url = response.status_code, response.request.url
    code, message = _element(body, "Code"), _element(body, "Message")
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status in _LATER:
        return _unreachable(url, f"HTTP {status} {code}".strip(), status=status)
    if "expired" in f"{code} {message}".casefold():
        reason, what = FetchReason.EXPIRED, "the link has expired"
    elif status in {httpx.codes.NOT_FOUND, httpx.codes.GONE} or code in _GONE:
        reason, what = FetchReason.NOT_FOUND, "there is no such file any more"
    else:
        reason, what = FetchReason.REFUSED, "the server does not hand it out"
    told = f"HTTP {status} {code}".strip()
    return CannotFetch(reason, f"{name}: {what} ({told} from {without_query(url)})", status=status)


def _element(body: str, name: str) -> str:
    """An element's short text, without handing untrusted XML to a parser."""
    found = re.search(rf"<{name}>([^<>\r\n]{{1,200}})</{name}>", body)
    return found[1] if found else ""


def _unreachable(url: httpx.URL, detail: str, *, status: int | None = None) -> Unreachable:
    return Unreachable(PEER, OPERATION, f"{without_query(url)}: {detail}", status=status)


def _content_type(response: httpx.Response) -> str:
    """The type without parameters, where it is one; it goes into a header of ours later."""
    told = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return (
        told if re.fullmatch(r"[a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,100}", told) else "application/octet-stream"
    )
