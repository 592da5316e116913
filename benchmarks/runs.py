"""One run: fresh servers, one client, and what came of it."""

import contextlib
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import work
from benchmarks.processes import Peers, Usage, child, machine_busy_s, peers, wait_until_drained

AT_DESK, LANES = 64, 128
"""The desk's concurrency limit, and tickets side by side: a lane is at the desk for three quarters of its time."""
WARM_UP_S = 0.5
NO_WINDOW_S = 3600.0
"""Calls without logic would have no answer to a handle that expired."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to; `wrong` says what must not be."""

    way: str
    messages: int
    seconds: float
    cpu_ms: float
    peak_mb: float
    p50_s: float
    p99_s: float
    calls: dict[str, int]
    others_busy: float
    wrong: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.messages / self.seconds


def calls(way: str, messages: int, *, at_desk: int = AT_DESK, lanes: int = LANES) -> Result:
    """The calls without the worker: `sequential`, `floor` or `httpx`."""
    with peers(messages, visible_s=NO_WINDOW_S) as ours:
        arguments = (way, ours.ensono.url, ours.desk.url, str(messages), str(at_desk), str(lanes))
        with child("-m", "benchmarks.calls", *arguments) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdout.readline()
            ours.ensono.ask("open")
            noise = _Noise(ours, process.pid)
            process.stdin.write("go\n")
            process.stdin.flush()
            said = json.loads(process.stdout.readline() or "{}")
            if not said:
                raise RuntimeError(f"{way}: ended before it was done")
            return _result(way, messages, ours, said["cpu_s"], said["peak_mb"], noise.share())


def worker(messages: int, *, at_desk: int = AT_DESK, lanes: int = LANES, ledger: Path | None = None) -> Result:
    """The worker, as it is started in earnest. `ledger`: one to begin with in place of an empty one."""
    with peers(messages) as ours, running(ours, at_desk=at_desk, lanes=lanes, ledger=ledger) as pid:
        time.sleep(WARM_UP_S)
        before, noise = Usage.of(pid), _Noise(ours, pid)
        ours.ensono.ask("open")
        wait_until_drained(ours.ensono, messages, pid)
        share = noise.share()
        time.sleep(0.3)  # what it writes down after the last delete is part of the work
        after = Usage.of(pid)
        return _result("worker", messages, ours, after.cpu_s - before.cpu_s, after.peak_mb, share)


@contextlib.contextmanager
def running(
    ours: Peers, *, at_desk: int = AT_DESK, lanes: int = LANES, poll_s: float = 0.25, ledger: Path | None = None
) -> Iterator[int]:
    """A worker that has made its first, empty read; gives its process id."""
    with tempfile.TemporaryDirectory(prefix="envision-worker-bench-") as name:
        folder = Path(name)
        config = folder / "worker.toml"
        state = ledger or folder / "ledger.db"
        config.write_text(_configuration(ours, folder, state, at_desk, lanes, poll_s), encoding="utf-8")
        with child("-m", "envision_worker", "run", "--config", str(config), stderr=folder / "log") as process:
            while not ours.ensono.ask("report")["asked_first"]:
                if process.poll() is not None:
                    raise RuntimeError(f"the worker ended: {(folder / 'log').read_text(encoding='utf-8')[-2000:]}")
                time.sleep(0.02)
            yield process.pid


def _configuration(ours: Peers, folder: Path, ledger: Path, at_desk: int, lanes: int, poll_s: float) -> str:
    return f"""
[ensono]
base_url = "{ours.ensono.url}"
environment = "dev"
client_name = "{work.CLIENT}"
api_key = "{work.API_KEY}"
[queue]
poll_interval_s = {poll_s}
[worker]
parallel_tickets = {lanes}
[desk]
kind = "manageengine"
base_url = "{ours.desk.url}"
edition = "on_premises"
auth_token = "{work.AUTH_TOKEN}"
max_concurrency = {at_desk}
ensono_number_field = "{work.NUMBER_FIELD}"
ensono_change_number_field = "udf_sline_501"
default_requester = {{ email_id = "ensono@example.com" }}
[attachments]
allowed_hosts = ["127.0.0.1"]
allow_insecure_http = true
spool_dir = "{folder / "spool"}"
[mapping.priority]
4 = "Low"
[state]
url = "sqlite:///{ledger}"
[http]
listen = "127.0.0.1:0"
"""


class _Noise:
    """How busy the machine was with what is none of ours."""

    def __init__(self, ours: Peers, pid: int) -> None:
        self._pids = [ours.ensono.process.pid, ours.desk.process.pid, pid]
        self._began = time.monotonic()
        self._before = machine_busy_s(), self._ours()

    def share(self) -> float:
        """Processors kept busy by others, on average."""
        busy, ours = machine_busy_s() - self._before[0], self._ours() - self._before[1]
        return max(busy - ours, 0.0) / (time.monotonic() - self._began)

    def _ours(self) -> float:
        return sum(Usage.of(pid).cpu_s for pid in self._pids)


def _result(way: str, messages: int, ours: Peers, cpu_s: float, peak_mb: float, others_busy: float) -> Result:
    queue, desk = ours.ensono.ask("report"), ours.desk.ask("report")
    return Result(
        way=way,
        messages=messages,
        seconds=queue["last_delete"] - queue["first_read"],
        cpu_ms=cpu_s / messages * 1000,
        peak_mb=peak_mb,
        p50_s=queue["p50_s"],
        p99_s=queue["p99_s"],
        calls=queue["calls"] | desk["calls"],
        others_busy=others_busy,
        wrong=_wrong(messages, queue, desk),
    )


def _wrong(messages: int, queue: dict[str, Any], desk: dict[str, Any]) -> list[str]:
    """Every message deleted, every effect once and in order, every number returned, the desk's limit kept."""
    tickets = work.tickets_of(messages)
    expected = {
        "messages deleted": (queue["deleted"], messages),
        "tickets on the desk": (desk["tickets"], tickets),
        "tickets made twice": (desk["tickets_twice"], 0),
        "tickets with another story": (desk["wrong"], 0),
        "numbers returned": (queue["returned"], tickets),
        "faults": (len(queue["faults"]), 0),
    }
    wrong: list[str] = [
        f"{what}: {found}, not {wanted}" for what, (found, wanted) in expected.items() if found != wanted
    ]
    return [*wrong, *desk["wrong_ones"], *queue["faults"]]
