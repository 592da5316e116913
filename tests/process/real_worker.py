"""The real program as a process, with simulated Ensono and desk on loopback around it: real sockets, a real ledger, shortened times."""

import asyncio
import contextlib
import io
import json
import os
import re
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from envision_worker.cli.program import run_program
from envision_worker.simulators.ensono.app import EnsonoSimulator
from envision_worker.simulators.http import serve
from envision_worker.simulators.manageengine.simulator import ManageEngineSimulator
from envision_worker.simulators.manageengine.tickets import Ticket
from worlds.configuration import Edition

WITHIN_S = 20.0
"""Long enough for a busy machine; nothing waits for it in vain but a test that fails."""
API_KEY = "api-key-0f9e8d7c"
AUTH_TOKEN = "authtoken-5b6a7988"
HOOK_SECRET = "hook-secret-1a2b3c4d"
VISIBILITY_S = 1.5

MAPPING: dict[str, Any] = {
    "status": {"pending-caller": "On Hold"},
    "group": {"Ensono Support": "Ensono", "CLIENT - Ensono Other": "Ensono"},
    "category": {"Private Cloud": "Hardware", "Other": "Hardware"},
    "priority": {"1": "High", "2": "High", "3": "Medium", "4": "Low"},
    "closure_code": {"resolved*": "success", "Successful": "success"},
    "change_type": {"Normal": "Normal", "Standard": "Standard", "Emergency": "Emergency"},
    "change_state": {
        "Assess": {"stage": "CAB Evaluation", "status": "Approval Pending"},
        "Authorize": {"stage": "CAB Evaluation", "status": "Approved"},
        "Scheduled": {"stage": "Implementation", "status": "Approved"},
        "Implement": {"stage": "Implementation", "status": "In Progress"},
        "Review": {"stage": "Review", "status": "In Review"},
    },
}


async def until(done: Callable[[], Any], *, within_s: float = WITHIN_S, programs: Sequence["Program"] = ()) -> Any:
    """Wait until something is so; returns what `done` returned then. What `programs` said last is shown where it never is."""
    ends_at = time.monotonic() + within_s
    while not (found := done()):
        if time.monotonic() > ends_at:
            said = "\n".join(line for program in programs[-1:] for line in program.stderr[-20:])
            raise AssertionError(f"not so within {within_s:g} s:\n{said}")
        await asyncio.sleep(0.01)
    return found


def toml(tables: Mapping[str, Any]) -> str:
    """A configuration as a file holds it."""
    return "\n".join(f"{key} = {_toml_value(value)}" for key, value in tables.items()) + "\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(str(key))} = {_toml_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(each) for each in value) + "]"
    return json.dumps(value)


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output, for machines."""
        return json.loads(self.out)


def run(*arguments: str | Path) -> Ran:
    """Carry out a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_program([str(each) for each in arguments])
    assert "Traceback" not in err.getvalue()
    return Ran(code, out.getvalue(), err.getvalue())


@dataclass
class Program:
    """One run of the program."""

    process: asyncio.subprocess.Process
    stderr: list[str] = field(default_factory=list)
    stdout: bytes = b""
    _readers: list["asyncio.Task[None]"] = field(default_factory=list)

    @classmethod
    async def started(cls, arguments: Sequence[str], environ: Mapping[str, str]) -> "Program":
        """Start it and read what it writes, as it comes."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "envision_worker",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**plain_environment(), **environ},
            limit=16 * 1024 * 1024,
        )
        program = cls(process)
        program._readers = [asyncio.create_task(program._read_stdout()), asyncio.create_task(program._read_stderr())]
        return program

    async def ended(self, *, within_s: float = WITHIN_S) -> int:
        """Wait for its end; returns the exit code, negative for the signal that killed it."""
        async with asyncio.timeout(within_s):
            await asyncio.gather(*self._readers)
            return await self.process.wait()

    async def stop(self, sent: signal.Signals = signal.SIGTERM, *, within_s: float = WITHIN_S) -> int:
        """Ask it to end, and wait until it did."""
        self.process.send_signal(sent)
        return await self.ended(within_s=within_s)

    async def kill(self) -> None:
        """kill -9; nothing happens where it has ended."""
        if self.process.returncode is None:
            self.process.kill()
        await self.ended()

    @property
    def log(self) -> list[dict[str, Any]]:
        """The lines that are log lines."""
        return [json.loads(line) for line in self.stderr if line.startswith("{")]

    def events(self, name: str, **fields: Any) -> list[dict[str, Any]]:
        """The log's lines of this event with these fields."""
        return [line for line in self.log if line["event"] == name and fields.items() <= line.items()]

    async def told(self, event: str, **fields: Any) -> dict[str, Any]:
        """Wait for a line of the log; returns the first."""

        def found() -> list[dict[str, Any]]:
            lines = self.events(event, **fields)
            assert lines or self.process.returncode is None, f"ended without {event}: {self.stderr}"
            return lines

        first: dict[str, Any] = (await until(found))[0]
        return first

    async def _read_stdout(self) -> None:
        assert self.process.stdout is not None
        while chunk := await self.process.stdout.read(65536):
            self.stdout += chunk

    async def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.stderr.append(line.decode().rstrip("\n"))


@dataclass
class Plant:
    """Simulated Ensono and desk, listening, and where the worker's configuration and ledger are."""

    ensono: EnsonoSimulator
    desk: ManageEngineSimulator
    ensono_url: str
    desk_url: str
    folder: Path
    programs: list[Program] = field(default_factory=list)

    # --- the program -------------------------------------------------------------------------------------------------

    @property
    def config(self) -> Path:
        """The configuration's file."""
        return self.folder / "worker.toml"

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.folder / "state" / "ledger.db"

    def configure(self, **settings: Mapping[str, Any]) -> Path:
        """Write the configuration: one that fits the simulators, with these keys of these tables on top."""
        tables: dict[str, Any] = {
            "ensono": {
                "base_url": f"{self.ensono_url}/testclient57",
                "environment": "dev",
                "client_name": "testClient",
                "api_key_file": "ensono-api-key",
                "resend_after_s": 0.3,
                "request_timeout_s": 10,
            },
            "queue": {"poll_interval_s": 0.1, "visibility_timeout_s": VISIBILITY_S},
            "desk": {
                "base_url": self.desk_url,
                **self._edition(),
                "default_requester": {"email_id": "ensono@example.com"},
                "settle_s": 0.2,
                "key_probe_interval_s": 0.3,
                "request_timeout_s": 10,
            },
            "attachments": {
                "allowed_hosts": ["127.0.0.1"],
                "allow_insecure_http": True,
                "spool_dir": str(self.folder / "spool"),
            },
            "approvals": {"poll_interval_s": 0.1},
            "mapping": MAPPING,
            "state": {"url": f"sqlite:///{self.ledger}"},
            "http": {"listen": "127.0.0.1:0"},
        }
        for table, keys in settings.items():
            tables[table] = {**tables.get(table, {}), **keys}
        (self.folder / "ensono-api-key").write_text(API_KEY, encoding="utf-8")
        (self.folder / "sdp-authtoken").write_text(AUTH_TOKEN, encoding="utf-8")
        self.config.write_text(toml(tables), encoding="utf-8")
        return self.config

    def _edition(self) -> dict[str, Any]:
        """The desk's edition, its key, and the fields that hold Ensono's number."""
        if self.desk.world.flavour.name == "on_premises":
            fields = {"ensono_number_field": "udf_sline_301", "ensono_change_number_field": "udf_sline_501"}
            return {"auth_token_file": "sdp-authtoken", **fields}
        known = self.desk.credentials
        return {
            "edition": "cloud",
            "client_id": known.client_id,
            "client_secret": known.client_secret,
            "refresh_token": known.refresh_token,
            "accounts_url": self.desk_url,
            "portal": known.portal,
            "ensono_number_field": "udf_char1",
            "ensono_change_number_field": "udf_char1",
        }

    async def launch(self, *arguments: str, **environ: str) -> Program:
        """Start any command of the program; killed at the end of the test where it still runs."""
        program = await Program.started(arguments, environ)
        self.programs.append(program)
        return program

    async def run(self, **environ: str) -> Program:
        """Start the daemon and wait until it is up."""
        if not self.config.exists():
            self.configure()
        program = await self.launch("run", "--config", str(self.config), **environ)
        await program.told("daemon_started")
        return program

    async def command(self, *arguments: str) -> "Ran":
        """Carry out a command with the configuration, on a thread of this process: that starts at once."""
        return await asyncio.to_thread(run, *arguments, "--config", self.config)

    # --- what can be seen --------------------------------------------------------------------------------------------

    async def get(self, program: Program, path: str, *, method: str = "GET", **kwargs: Any) -> httpx.Response:
        """Ask the daemon over HTTP."""
        listen = (await program.told("daemon_started"))["listen"]
        async with httpx.AsyncClient(trust_env=False, timeout=WITHIN_S) as client:
            return await client.request(method, f"http://{listen}{path}", **kwargs)

    async def quiet(self, *, within_s: float = WITHIN_S) -> None:
        """Wait until Ensono's queue holds nothing any more: everything is applied and acknowledged."""
        await until(lambda: not self.ensono.queue.messages(), within_s=within_s, programs=self.programs)

    def requests(self) -> list[Ticket]:
        """All requests on the desk."""
        return self.desk.tickets("request")

    def changes(self) -> list[Ticket]:
        """All changes on the desk."""
        return self.desk.tickets("change")

    def of(self, number: str) -> list[Ticket]:
        """The desk's tickets that bear Ensono's number."""
        fields = ("udf_sline_301", "udf_sline_501")
        tickets = [*self.requests(), *self.changes()]
        return [each for each in tickets if number in {each.fields["udf_fields"].get(name) for name in fields}]

    def parts(self, number: str) -> list[int]:
        """The numbers behind the word `part` in the notes of the one desk ticket that bears this number, as they stand there."""
        [ticket] = self.of(number)
        return [int(found) for note in ticket.notes for found in re.findall(r"part(\d+)", note.text)]

    def reads(self) -> int:
        """How often the queue was read."""
        return sum(call.method == "GET" and call.path.endswith("/queue") for call in self.ensono.journal.calls)

    def asked(self, statement: str) -> list[tuple[Any, ...]]:
        """A question to the ledger's tables."""
        connection = sqlite3.connect(f"{self.ledger.as_uri()}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()


def plain_environment() -> dict[str, str]:
    """The environment without anything that would reach the program's own settings."""
    left_out = ("ENVISION_WORKER__", "NOTIFY_SOCKET", "WATCHDOG_", "JOURNAL_STREAM", "CREDENTIALS_DIRECTORY", "COLUMNS")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}


@asynccontextmanager
async def built(folder: Path, edition: Edition = "on_premises") -> AsyncIterator[Plant]:
    """Both simulators listening; at the end every program that still runs is killed."""
    ensono = EnsonoSimulator(time.time, asyncio.sleep, api_key=API_KEY)
    ensono.queue.visibility_s = VISIBILITY_S
    desk = ManageEngineSimulator(time.time, asyncio.sleep, flavour=edition, auth_token=AUTH_TOKEN)
    async with AsyncExitStack() as stack:
        ensono_server = await ensono.serve()
        stack.push_async_callback(ensono_server.close)
        desk_server = await serve(desk.application)
        stack.push_async_callback(desk_server.close)
        plant = Plant(ensono, desk, ensono_server.url, desk_server.url, folder)
        try:
            yield plant
        finally:
            for program in plant.programs:
                await program.kill()
