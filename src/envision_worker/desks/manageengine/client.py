"""Calls to the API v3 of ServiceDesk Plus: addresses, encoding, pages, the desk's limit on calls at once.

Writes carry `input_data=<JSON>` as a form, reads of lists the same in the query, uploads one file as multipart
(the API's "Input data" and "V3 attachment API changes" pages).
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import Any, BinaryIO
from urllib.parse import quote

import httpx

from envision_worker.clock import Clock
from envision_worker.desks.desk import LocalFile
from envision_worker.desks.manageengine.answers import PEER, judge
from envision_worker.desks.manageengine.oauth import Credentials, Pass
from envision_worker.desks.manageengine.shapes import Json, flag, part
from envision_worker.errors import KeyRefused, Malformed, Refused, RefusedFor
from envision_worker.wire import Observe, Wire

ACCEPT = "application/vnd.manageengine.sdp.v3+json"
PAGE_ROWS = 100  # the most that the API documents
MAX_PAGES = 200
SLOWEST_UPLOAD_BYTES_S = 128 * 1024  # what a line must carry for an upload not to be given up

_PATH_PART = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNWANTED = {code: None for code in range(0x20) if chr(code) not in "\t\n\r"}  # databases refuse some of them

Build = Callable[[Pass], httpx.Request]


class Client:
    """Calls to one desk. Reads and writes share `max_concurrency` places."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        credentials: Credentials,
        clock: Clock,
        *,
        root: str,
        headers: Mapping[str, str],
        timeout_s: float,
        max_concurrency: int,
        observe: Observe,
    ) -> None:
        """Takes what a desk needs to be called.

        Args:
            root: address of the API, such as `https://sdp.example.com:8080/api/v3`.
            headers: sent with every call, besides Accept and the pass.
        """
        self._http = http
        self._credentials = credentials
        self._clock = clock
        self._root = root
        self._headers = {"Accept": ACCEPT, **headers}
        self._timeout_s = timeout_s
        self._observe = observe
        self._wire = self._wire_for(timeout_s)
        self._places = asyncio.Semaphore(max_concurrency)

    async def get(self, operation: str, *path: str, list_info: Json | None = None) -> Json:
        """The body of a read that succeeded; `list_info` goes into the query."""
        params = None if list_info is None else {"input_data": encode({"list_info": list_info})}
        url = self._url(operation, path)

        def build(access: Pass) -> httpx.Request:
            return self._wire.request("GET", url, params=params, headers=self._headers | access.headers())

        return await self._call(self._wire, operation, build, writes=False)

    async def write(
        self, operation: str, method: str, *path: str, body: Json | None = None, query: Mapping[str, str] | None = None
    ) -> Json:
        """The body of the answer to a write that was carried out; `body` goes out as `input_data`, None sends nothing."""
        data = None if body is None else {"input_data": encode(body)}
        url = self._url(operation, path)

        def build(access: Pass) -> httpx.Request:
            headers = self._headers | access.headers()
            return self._wire.request(method, url, params=query, data=data, headers=headers)

        return await self._call(self._wire, operation, build, writes=True)

    async def upload(
        self, operation: str, method: str, *path: str, file: LocalFile, name: str, form: Mapping[str, str]
    ) -> Json:
        """The body of the answer to an upload that was carried out; the file is read as it goes out, never whole.

        Args:
            name: the multipart name of the file's part; `form` are further parts.

        Raises:
            OSError: our own file can't be read.
        """
        url = self._url(operation, path)
        wire = self._wire_for(self._timeout_s + file.size / SLOWEST_UPLOAD_BYTES_S)
        with closing(_opened(file)) as content:

            def build(access: Pass) -> httpx.Request:
                files = {name: (file.name, content, file.content_type)}  # httpx starts at its beginning each time
                headers = self._headers | access.headers()
                return self._http.build_request(method, url, data=form, files=files, headers=headers)

            return await self._call(wire, operation, build, writes=True)

    async def rows(
        self,
        operation: str,
        *path: str,
        keys: Iterable[str],
        list_info: Json | None = None,
        enough: int | None = None,
    ) -> list[Json]:
        """All rows of a list, page by page.

        Args:
            keys: the names that the list can have in the answer.
            enough: no further page once there are so many.

        Raises:
            Malformed: the answer holds no such list, or there is no end to it.
        """
        found: list[Json] = []
        wanted = tuple(keys)
        for _ in range(MAX_PAGES):
            page_info = {"row_count": PAGE_ROWS, "start_index": len(found) + 1, **(list_info or {})}
            body = await self.get(operation, *path, list_info=page_info)
            page = _page(operation, body, wanted)
            found += page
            has_more = flag(part(body, "list_info", "has_more_rows"))
            is_last = not has_more if has_more is not None else len(page) < PAGE_ROWS
            if is_last or not page or (enough is not None and len(found) >= enough):
                return found
        raise Malformed(PEER, operation, f"a list without end: more than {MAX_PAGES} pages")

    async def _call(self, wire: Wire, operation: str, build: Build, *, writes: bool) -> Json:
        async with self._places:
            access = await self._credentials.current()
            async with wire.observed(operation, writes=writes):
                try:
                    return await self._judged(wire, operation, build, access, writes=writes)
                except KeyRefused:  # so it was not carried out, and may be sent again
                    renewed = await self._credentials.after_refusal(access)
                    if renewed is None:
                        raise
                return await self._judged(wire, operation, build, renewed, writes=writes)

    async def _judged(self, wire: Wire, operation: str, build: Build, access: Pass, *, writes: bool) -> Json:
        body = judge(operation, await wire.send(operation, build(access), writes=writes), writes=writes)
        self._credentials.let_in(access)
        return body

    def _url(self, operation: str, path: tuple[str, ...]) -> str:
        if not all(_PATH_PART.fullmatch(each) for each in path):
            raise Refused(PEER, operation, "no such id can exist", why=RefusedFor.NOT_FOUND)
        return "/".join((self._root, *(quote(each, safe="") for each in path)))

    def _wire_for(self, timeout_s: float) -> Wire:
        return Wire(PEER, self._http, self._clock, timeout_s=timeout_s, observe=self._observe)


def encode(body: Json) -> str:
    """JSON for `input_data`: characters beyond the base plane stay as they are, halves of them and control characters go."""
    return json.dumps(_clean(body), ensure_ascii=False).encode("utf-8", "replace").decode()


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.translate(_UNWANTED)
    if isinstance(value, Mapping):
        return {key: _clean(each) for key, each in value.items()}
    return [_clean(each) for each in value] if isinstance(value, (list, tuple)) else value


def _opened(file: LocalFile) -> BinaryIO:
    return file.path.open("rb")


def _page(operation: str, body: Json, keys: tuple[str, ...]) -> list[Json]:
    listed = next((body[key] for key in keys if key in body), None)
    if listed is None and part(body, "list_info", "row_count") in {0, "0"}:
        return []
    if not isinstance(listed, list) or not all(isinstance(row, Mapping) for row in listed):
        raise Malformed(PEER, operation, f"an answer without a list of {keys[0]}")
    return listed
