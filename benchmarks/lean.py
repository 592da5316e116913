"""An HTTP server that costs next to nothing, so that what is measured is the client."""

import asyncio
import hashlib
import json
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

KEPT_BODY = 1024 * 1024
"""A longer body is not kept, only counted and hashed."""
_PIECE = bytes(range(256)) * 256


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. `target` is the raw path with its query; a body longer than `KEPT_BODY` is empty and stands in `digest`."""

    method: str
    target: str
    head: bytes
    body: bytes
    length: int
    digest: str


@dataclass(frozen=True, slots=True)
class Answer:
    """`after_s` passes before it is sent. `filler` bytes follow in place of a body."""

    status: int
    document: Any = None
    after_s: float = 0.0
    filler: int = 0

    def head_and_body(self) -> bytes:
        body = b"" if self.filler else json.dumps(self.document).encode()
        length = self.filler or len(body)
        head = f"HTTP/1.1 {self.status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        return head.encode() + body


Handle = Callable[[Asked], Answer]


@dataclass(slots=True)
class _Coming:
    method: str
    target: str
    head: bytes
    length: int
    came: int = 0
    body: bytearray = field(default_factory=bytearray)
    digest: Any = None

    def take(self, data: bytes) -> bytes:
        """Take what belongs to this request; returns what is left."""
        mine = data[: self.length - self.came]
        self.came += len(mine)
        if self.length > KEPT_BODY:
            self.digest = self.digest or hashlib.sha256()
            self.digest.update(mine)
        else:
            self.body += mine
        return data[len(mine) :]

    def whole(self) -> Asked:
        digest = self.digest.hexdigest() if self.digest else ""
        return Asked(self.method, self.target, self.head, bytes(self.body), self.length, digest)


class Connection(asyncio.Protocol):
    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._transport: asyncio.Transport | None = None
        self._unread = b""
        self._coming: _Coming | None = None
        self._free = asyncio.Event()
        self._free.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def pause_writing(self) -> None:
        self._free.clear()

    def resume_writing(self) -> None:
        self._free.set()

    def data_received(self, data: bytes) -> None:
        while data:
            if self._coming is None:
                self._unread += data
                end = self._unread.find(b"\r\n\r\n")
                if end < 0:
                    return
                head, data, self._unread = self._unread[:end], self._unread[end + 4 :], b""
                self._coming = _begun(head)
            data = self._coming.take(data)
            if self._coming.came == self._coming.length:
                asked, self._coming = self._coming.whole(), None
                self._answer(self._handle(asked))

    def _answer(self, answer: Answer) -> None:
        assert self._transport is not None
        if answer.filler:
            self._pouring = asyncio.ensure_future(self._pour(answer))
        elif answer.after_s:
            asyncio.get_running_loop().call_later(answer.after_s, self._write, answer.head_and_body())
        else:
            self._write(answer.head_and_body())

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    async def _pour(self, answer: Answer) -> None:
        self._write(answer.head_and_body())
        for start in range(0, answer.filler, len(_PIECE)):
            await self._free.wait()
            self._write(_PIECE[: answer.filler - start])


def _begun(head: bytes) -> _Coming:
    first, _, fields = head.partition(b"\r\n")
    method, target, _ = first.decode("ascii").split(" ")
    at = fields.lower().find(b"content-length:")
    length = int(fields[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    return _Coming(method, target, fields, length)


def serve(handle: Handle) -> None:
    """Serve on a free port of loopback, told on stdout, until SIGTERM."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(handle), "127.0.0.1", 0, backlog=1024)
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        stopped = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stopped.set)
        await stopped.wait()

    asyncio.run(main())
