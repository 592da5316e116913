"""Starting the processes, talking to them, and what the kernel says of them."""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PATIENCE_S = 900.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A server of the benchmark."""

    url: str
    process: "subprocess.Popen[str]"

    def ask(self, what: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/bench/{what}") as answer:  # noqa: S310 - loopback
            return json.load(answer)


@dataclass(frozen=True, slots=True)
class Peers:
    """Ensono and the desk, fresh for one run."""

    ensono: Peer
    desk: Peer


@contextlib.contextmanager
def peers(messages: int, *, visible_s: float = 30.0, file_bytes: int = 0) -> Iterator[Peers]:
    """Both servers, each in a process of its own."""
    with contextlib.ExitStack() as stack:
        desk = stack.enter_context(_served("benchmarks.desk"))
        arguments = ["--messages", str(messages), "--visible-s", str(visible_s), "--file-bytes", str(file_bytes)]
        ensono = stack.enter_context(_served("benchmarks.ensono", *arguments))
        yield Peers(ensono, desk)


@contextlib.contextmanager
def _served(module: str, *arguments: str) -> Iterator[Peer]:
    with child("-m", module, *arguments) as process:
        assert process.stdout is not None
        yield Peer(f"http://127.0.0.1:{process.stdout.readline().strip()}", process)


@contextlib.contextmanager
def child(
    *arguments: str, stderr: Path | None = None, environ: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """A Python process, stopped at the end by SIGTERM."""
    log = stderr.open("w", encoding="utf-8") if stderr else None
    process = subprocess.Popen(  # noqa: S603 - our own modules
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env={**os.environ, **(environ or {})},
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)
        if log:
            log.close()


def wait_until_drained(ensono: Peer, messages: int, pid: int) -> None:
    """Returns once all messages are deleted. Raises `TimeoutError` where they never are, or the process ended."""
    ends_at = time.monotonic() + _PATIENCE_S
    while ensono.ask("left") > 0:
        if time.monotonic() > ends_at or not Path(f"/proc/{pid}").exists():
            raise TimeoutError(f"of {messages} messages {ensono.ask('left')} are left: {ensono.ask('report')}")
        time.sleep(0.1)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used since it began. `wakeups`: how often one of its threads went to sleep and came back."""

    cpu_s: float
    peak_mb: float
    wakeups: int

    @classmethod
    def of(cls, pid: int) -> "Usage":
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        peak = next(int(line.split()[1]) for line in _status(Path(f"/proc/{pid}")) if line.startswith("VmHWM"))
        wakeups = sum(
            int(line.split()[1])
            for task in Path(f"/proc/{pid}/task").iterdir()
            for line in _status(task)
            if line.startswith("voluntary_ctxt_switches")
        )
        return cls((int(fields[11]) + int(fields[12])) * _TICK_S, peak / 1024, wakeups)


def _status(folder: Path) -> list[str]:
    return (folder / "status").read_text(encoding="ascii").splitlines()


def machine_busy_s() -> float:
    """Seconds for which all processors together have been busy since the machine began; for how noisy a run was."""
    fields = [int(field) for field in Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) * _TICK_S
