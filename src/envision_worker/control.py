"""The daemon's control socket: commands that change something ask the process that has the ledger."""

import json
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
from aiohttp import web

from envision_worker.app import Worker
from envision_worker.operations import Operations, Report

_LONGEST_ADDRESS = 100  # a Unix socket's address has 108 bytes
_ANSWER_WITHIN_S = 600.0
_MAX_BODY = 64 * 1024


def socket_path(ledger: Path) -> Path:
    """Where the daemon of this ledger listens."""
    return ledger.with_name(f"{ledger.name}.sock")


class NoDaemon(Exception):
    """Nobody listens: the daemon is not running."""


class ControlServer:
    """Answers on the socket beside the ledger; only who may use that folder can ask."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._path = socket_path(worker.parts.config.state.path)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. Raises OSError."""
        application = web.Application(client_max_size=_MAX_BODY)
        application.router.add_get("/status", self._status)
        for name, action in actions(self._worker).items():
            application.router.add_post(f"/{name}", _handler(action))
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.SockSite(runner, _listening(self._path)).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner

    async def close(self) -> None:
        """Listen no more; a second call does nothing."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
            self._path.unlink(missing_ok=True)

    async def _status(self, _: web.Request) -> web.Response:
        gauges = await self._worker.gauges()
        shown = {
            "paused": gauges.paused,
            "desk_up": gauges.desk_up,
            "ensono_up": gauges.ensono_up,
            "gate_open": gauges.gate_open,
            "desk_gate": self._worker.desk_gate.reason,
            "ensono_gate": self._worker.ensono_gate.reason,
        }
        return web.json_response(shown)


def actions(worker: Worker) -> Mapping[str, Callable[[Mapping[str, str]], Awaitable[Report]]]:
    """What an operator can ask for, by name; each takes the named texts that it needs."""
    do = Operations(worker)
    return {
        "pause": lambda _: do.pause(),
        "resume": lambda _: do.resume(),
        "retry": lambda asked: do.retry(asked["ref"]),
        "discard": lambda asked: do.discard(asked["ref"], asked["reason"]),
        "resend": lambda asked: do.resend(asked["approval_id"]),
        "decide": lambda asked: do.decide(
            asked["approval_id"], approve=asked["verdict"] == "approve", email=asked["email"], reason=asked["reason"]
        ),
    }


def _handler(
    action: Callable[[Mapping[str, str]], Awaitable[Report]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        try:
            asked = json.loads(await request.read() or b"{}")
            report = await action({str(key): str(value) for key, value in asked.items()})
        except (ValueError, KeyError, AttributeError) as exc:
            raise web.HTTPBadRequest(text=f"not understood: {exc}") from exc
        return web.json_response(report.as_json())

    return answer


def _listening(path: Path) -> socket.socket:
    """A socket at this path, in place of one that a killed process left: the ledger's lock is ours already."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with _Short(path) as short:
            listening.bind(short)
    except OSError:
        listening.close()
        raise
    finally:
        os.umask(before)
    listening.setblocking(False)
    return listening


class _Short:
    """An address for a path that is too long for one: through the open folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder: int | None = None

    def __enter__(self) -> str:
        if len(os.fsencode(self._path)) <= _LONGEST_ADDRESS:
            return str(self._path)
        self._folder = os.open(self._path.parent, os.O_PATH)
        return f"/proc/self/fd/{self._folder}/{self._path.name}"

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            os.close(self._folder)


def ask(ledger: Path, action: str, **asked: str) -> Report:
    """Have the daemon do something.

    Raises:
        NoDaemon: it is not running.
    """
    return Report.from_json(_call(ledger, "POST", action, asked))


def live_status(ledger: Path) -> Mapping[str, Any]:
    """What only the running daemon knows. Raises `NoDaemon`."""
    return _call(ledger, "GET", "status", {})


def _call(ledger: Path, method: str, action: str, asked: Mapping[str, str]) -> dict[str, Any]:
    try:
        with _Short(socket_path(ledger)) as short:
            transport = httpx.HTTPTransport(uds=short)
            with httpx.Client(transport=transport, timeout=_ANSWER_WITHIN_S, trust_env=False) as client:
                answer = client.request(method, f"http://daemon/{action}", json=asked if method == "POST" else None)
                answer.raise_for_status()
                shown: dict[str, Any] = answer.json()
                return shown
    except (httpx.ConnectError, FileNotFoundError) as exc:
        raise NoDaemon("the daemon is not running") from exc
