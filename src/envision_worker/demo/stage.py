"""What the demonstration plays on: both simulators on loopback, a configuration for them, and the worker's process."""

import asyncio
import os
import secrets
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from envision_worker.simulators.ensono.app import EnsonoSimulator
from envision_worker.simulators.http import serve
from envision_worker.simulators.manageengine.simulator import ManageEngineSimulator

READY_WITHIN_S = 15.0
STOP_WITHIN_S = 10.0
SCENE_WITHIN_S = 15.0
VISIBILITY_S = 2.0
SETTLE_S = 0.5

_CONFIGURATION = """\
[ensono]
base_url = "{ensono}/testclient57"
environment = "dev"
client_name = "testClient"
api_key_file = "ensono-api-key"
resend_after_s = 1

[queue]
poll_interval_s = 0.2
visibility_timeout_s = {visibility}

[desk]
kind = "manageengine"
base_url = "{desk}"
auth_token_file = "sdp-authtoken"
settle_s = {settle}
ensono_number_field = "udf_sline_301"
ensono_change_number_field = "udf_sline_501"
default_requester = {{ email_id = "ensono@example.com" }}

[attachments]
allowed_hosts = ["127.0.0.1"]
allow_insecure_http = true
spool_dir = "{folder}/spool"

[approvals]
poll_interval_s = 0.2

[mapping.priority]
1 = "High"
2 = "High"
3 = "Medium"
4 = "Low"

[mapping.status]
pending-caller = "On Hold"

[mapping.closure_code]
"resolved*" = "success"
Successful = "success"

[mapping.change_type]
Normal = "Normal"
Emergency = "Emergency"
Standard = "Standard"

[mapping.change_state]
Assess = {{ stage = "CAB Evaluation", status = "Approval Pending" }}
Authorize = {{ stage = "CAB Evaluation", status = "Approved" }}
Scheduled = {{ stage = "Implementation", status = "Approved" }}
Implement = {{ stage = "Implementation", status = "In Progress" }}
Review = {{ stage = "Review", status = "In Review" }}

[state]
url = "sqlite:///{folder}/ledger.db"

[http]
listen = "127.0.0.1:{port}"
"""


class DemoFailed(Exception):
    """The demonstration did not come to its end; says where."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Both simulators, and where the worker's configuration, log and ledger are."""

    ensono: EnsonoSimulator
    desk: ManageEngineSimulator
    folder: Path
    port: int
    process: asyncio.subprocess.Process

    @property
    def config(self) -> Path:
        """The worker's configuration."""
        return self.folder / "config.toml"

    async def until_quiet(self) -> None:
        """Wait until the queue holds nothing any more: everything is applied and acknowledged. Raises `DemoFailed`."""
        await self.until(lambda: not self.ensono.queue.messages())

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait until something is so.

        Raises:
            DemoFailed: it is not so after a long time, or the worker has ended.
        """
        ends_at = time.monotonic() + SCENE_WITHIN_S
        while not done():
            if self.process.returncode is not None:
                raise DemoFailed(f"the worker ended with {self.process.returncode}; see {self.folder / 'worker.log'}")
            if time.monotonic() > ends_at:
                raise DemoFailed(f"nothing came of it in {SCENE_WITHIN_S:.0f} s; see {self.folder / 'worker.log'}")
            await asyncio.sleep(0.02)


@asynccontextmanager
async def set_up() -> AsyncIterator[Stage]:
    """Simulators and worker, running; the folder stays for whoever wants to look afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="envision-worker-demo-"))
    api_key, auth_token = secrets.token_hex(16), secrets.token_hex(16)
    async with AsyncExitStack() as stack:
        ensono = EnsonoSimulator(time.time, asyncio.sleep, api_key=api_key)
        ensono.queue.visibility_s = VISIBILITY_S
        desk = ManageEngineSimulator(time.time, asyncio.sleep, auth_token=auth_token)
        ensono_server = await ensono.serve()
        stack.push_async_callback(ensono_server.close)
        desk_server = await serve(desk.application)
        stack.push_async_callback(desk_server.close)
        port = _free_port()
        texts = {
            "config.toml": _CONFIGURATION.format(
                ensono=ensono_server.url,
                desk=desk_server.url,
                folder=folder,
                port=port,
                visibility=VISIBILITY_S,
                settle=SETTLE_S,
            ),
            "ensono-api-key": api_key,
            "sdp-authtoken": auth_token,
        }
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        process = await stack.enter_async_context(_worker(folder))
        await _ready(process, port, folder)
        yield Stage(ensono, desk, folder, port, process)


@asynccontextmanager
async def _worker(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The real program; stopped by SIGTERM at the end."""
    command = (sys.executable, "-m", "envision_worker", "run", "--config", str(folder / "config.toml"))
    with (folder / "worker.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stderr=log, env=_plain_environment())
        try:
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
            except TimeoutError:
                process.kill()
                await process.wait()


def _plain_environment() -> dict[str, str]:
    """No setting of the caller's own worker may reach the demonstration's."""
    left_out = ("ENVISION_WORKER__", "NOTIFY_SOCKET", "WATCHDOG_", "JOURNAL_STREAM")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}


async def _ready(process: asyncio.subprocess.Process, port: int, folder: Path) -> None:
    ends_at = time.monotonic() + READY_WITHIN_S
    async with httpx.AsyncClient(trust_env=False) as client:
        while time.monotonic() < ends_at and process.returncode is None:
            try:
                await client.get(f"http://127.0.0.1:{port}/-/ready")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return
    raise DemoFailed(f"the worker did not start; see {folder / 'worker.log'}")


def _free_port() -> int:

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
