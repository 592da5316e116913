"""The daemon's control socket: commands that change something ask the process that has the ledger."""

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path

from aiohttp import web

from envision_worker.app import Worker
from envision_worker.control_socket import short_address, socket_path
from envision_worker.ledger.records import LedgerUnavailable
from envision_worker.operations import ACTIONS, NotUnderstood, Operations

_MAX_BODY = 64 * 1024
Handler = Callable[[web.Request], Awaitable[web.Response]]


class ControlServer:
    """Answers on the socket beside the ledger; only who may use that folder, as this user or root, can ask."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._operations = Operations(worker)
        self._path = socket_path(worker.parts.config.state.path)
        self._started = worker.parts.clock.now().timestamp()
        self._runner: web.AppRunner | None = None
        self._stopping = False
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self) -> None:
        """Listen. Raises OSError."""
        application = web.Application(client_max_size=_MAX_BODY)
        application.router.add_get("/status", self._status)
        for action in ACTIONS:
            application.router.add_post(f"/{action}", self._handler(action))
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.0)
        await runner.setup()
        try:
            await web.SockSite(runner, _listening(self._path)).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner

    async def finish(self) -> None:
        """Take no further command, and wait for those that are being carried out."""
        self._stopping = True
        await self._idle.wait()

    async def close(self) -> None:
        """Listen no more and cut off what is still being carried out; a second call does nothing."""
        runner, self._runner = self._runner, None
        if runner is not None:
            self._path.unlink(missing_ok=True)
            await runner.cleanup()

    def _handler(self, action: str) -> Handler:
        async def answer(request: web.Request) -> web.Response:
            if self._stopping:
                raise web.HTTPServiceUnavailable(text="stopping")
            self._busy += 1
            self._idle.clear()
            try:
                return await self._carry_out(action, request)
            finally:
                self._busy -= 1
                if not self._busy:
                    self._idle.set()

        return answer

    async def _carry_out(self, action: str, request: web.Request) -> web.Response:
        try:
            asked = {str(key): str(value) for key, value in json.loads(await request.read()).items()}
        except (ValueError, AttributeError, RecursionError) as exc:
            raise web.HTTPBadRequest(text="no JSON object") from exc
        try:
            report = await self._operations.carry_out(action, asked)
        except NotUnderstood as exc:
            raise web.HTTPBadRequest(text=str(exc)) from exc
        except LedgerUnavailable as exc:
            self._worker.ledger_lost(exc)
            raise web.HTTPInsufficientStorage(text=str(exc)) from exc
        except Exception as exc:
            self._worker.parts.facts.unforeseen(message_id=None, ticket=None, exc=exc)
            raise web.HTTPInternalServerError(text=f"{type(exc).__name__}: see its log") from exc
        return web.json_response(report.as_json())

    async def _status(self, _: web.Request) -> web.Response:
        """What only the process itself knows; the rest stands in the ledger."""
        worker = self._worker
        shown = {
            "pid": os.getpid(),
            "version": version("envision-worker"),
            "started": self._started,
            "paused": worker.paused,
            "gate_open": worker.may_work(),
            "desk_up": worker.desk_gate.up,
            "desk_gate": worker.desk_gate.reason,
            "desk_gate_closed_s": worker.desk_gate.closed_for(),
            "ensono_up": worker.ensono_gate.up,
            "ensono_gate": worker.ensono_gate.reason,
            "ensono_gate_closed_s": worker.ensono_gate.closed_for(),
            "last_read": worker.consumer.last_read,
            "late_s": worker.consumer.overdue_s(),
            "working_on": worker.lanes.running,
        }
        return web.json_response(shown)


def _listening(path: Path) -> socket.socket:
    """A socket at this path, in place of one that a killed process left: the ledger's lock is ours already."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with short_address(path) as address:
            listening.bind(address)
    except OSError:
        listening.close()
        raise
    finally:
        os.umask(before)
    listening.setblocking(False)
    return listening
