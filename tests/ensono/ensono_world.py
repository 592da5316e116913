"""A peer on loopback that answers as it is told, byte for byte, and a clock that only moves when somebody sleeps."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from envision_worker.ensono.settings import AttachmentSettings, EnsonoSettings
from envision_worker.wire import Call

SAMPLES = Path(__file__).parent / "samples"
KEY = "made-up-key-1234567890"


def sample(name: str) -> bytes:
    """A recorded answer of Ensono."""
    return (SAMPLES / name).read_bytes()


class HandClock:
    """Obeys the contract of `Clock`; a sleep takes no time and moves it on."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
        self.seconds = 1000.0
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.seconds

    def move(self, seconds: float) -> None:
        self.seconds += seconds
        self.wall += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.move(seconds)
        await asyncio.sleep(0)


@dataclass(frozen=True)
class Heard:
    """A request as it came over the wire."""

    method: str
    raw_path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """An HTTP answer.

    Attributes:
        breaks_off: the connection is closed after the body, which is shorter than announced.
        chunked: the length is not announced.
        repeat: how many times the body comes, one after the other.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    breaks_off: bool = False
    chunked: bool = False
    repeat: int = 1


@dataclass(frozen=True)
class Cut:
    """The request is taken, carried out for all anybody knows, and the connection closed."""


@dataclass(frozen=True)
class Silence:
    """The request is taken and never answered; `begun` sends the head of an answer first."""

    begun: bool = False


@dataclass(frozen=True)
class Garbage:
    """Something that is not HTTP."""


Answer = Reply | Cut | Silence | Garbage


class Loopback:
    """The peer. Gives its answers one after the other; the last one again and again."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.answers: list[Answer] = [Reply()]
        self.port = 0
        self._server: asyncio.Server | None = None
        self._handlers: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, *answers: Answer) -> None:
        self.answers = list(answers)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for handler in list(self._handlers):
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._one(reader, writer)
        writer.close()
        with suppress(ConnectionError, asyncio.CancelledError):
            await writer.wait_closed()
        self._handlers.discard(task)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        method, raw_path, _ = first.split(" ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.heard.append(Heard(method, raw_path, headers, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        writer.write(_bytes(answer))
        await writer.drain()
        if isinstance(answer, Reply):
            for _ in range(answer.repeat - 1):
                writer.write(answer.body)
                await writer.drain()
        if isinstance(answer, Silence):
            await asyncio.Event().wait()


def _bytes(answer: Answer) -> bytes:
    if isinstance(answer, Cut) or (isinstance(answer, Silence) and not answer.begun):
        return b""
    if isinstance(answer, Garbage):
        return b"220 mail.example.com ESMTP\r\n"
    if isinstance(answer, Silence):
        return b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"Resp'
    headers = {"Content-Type": "application/json", "Connection": "close", **answer.headers}
    body = answer.body
    if answer.chunked:
        headers["Transfer-Encoding"] = "chunked"
        chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
        body = chunk + (b"" if answer.breaks_off else b"0\r\n\r\n")
    else:
        headers.setdefault("Content-Length", str(len(body) * answer.repeat + (100 if answer.breaks_off else 0)))
    head = f"HTTP/1.1 {answer.status} Whatever\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    return head.encode() + b"\r\n" + body


def ensono_settings(base_url: str, **others: Any) -> EnsonoSettings:
    return EnsonoSettings.model_validate(
        {"base_url": base_url, "environment": "dev", "client_name": "YourCompanyName", "api_key": KEY, **others}
    )


def attachment_settings(spool: Path, **others: Any) -> AttachmentSettings:
    """Settings that let the loopback peer be fetched from."""
    wanted = {"allowed_hosts": ["127.0.0.1"], "allow_insecure_http": True, "spool_dir": spool, **others}
    return AttachmentSettings.model_validate(wanted)


def results(calls: Sequence[Call]) -> list[tuple[str, str]]:
    """What the observer was told, as the metric shows it."""
    return [(call.operation, call.error.result if call.error else "ok") for call in calls]


def names_in(directory: Path) -> list[str]:
    """The files there; none where there is no such directory."""
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []


def put(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
