"""What every command with `--config` does first: load the configuration, open the ledger, find the daemon."""

import asyncio
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from envision_worker.cli import exits
from envision_worker.cli.terminal import TryAgain, Unavailable, WrongConfiguration, complain, printable, say, say_json
from envision_worker.config.faults import ConfigFaults
from envision_worker.config.load import load
from envision_worker.config.model import Config
from envision_worker.control_socket import DaemonFailed, DaemonSilent, NoDaemon, call
from envision_worker.ledger.database import connect_read_only
from envision_worker.ledger.records import LedgerHeld, LedgerUnavailable
from envision_worker.ledger.upgrades import are_outstanding
from envision_worker.report import Report, Result

T = TypeVar("T")

ANSWER_WITHIN_S = 600.0
"""A ticket with many kept messages takes its time."""
STARTING_WITHIN_S = 10.0
_LOOK_AGAIN_S = 0.1
_PATIENCE_S = 3.0
_BEFORE_THE_FIRST_START = frozenset({"pause", "resume"})
_CODES = {Result.DONE: exits.OK, Result.UNKNOWN: exits.NO_INPUT, Result.STILL_FAILING: exits.TEMPORARY_FAILURE}

config_option = click.option(
    "--config",
    "config_path",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The configuration, a TOML file.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="For machines.")


def configured(path: Path) -> Config:
    """The configuration. Raises `WrongConfiguration` with every fault at once."""
    try:
        return load(path, os.environ)
    except ConfigFaults as exc:
        raise WrongConfiguration("\n".join(str(fault) for fault in exc.faults)) from exc


@contextmanager
def reading(config: Config) -> Iterator[sqlite3.Connection]:
    """The ledger, for reading beside a running daemon. Raises `Unavailable`."""
    path = config.state.path
    try:
        if not path.exists():
            raise Unavailable(
                f"state.url: {path} does not exist; the daemon makes it when it starts for the first time"
            )
        connection = connect_read_only(str(path))
    except (LedgerUnavailable, OSError) as exc:
        raise Unavailable(f"state.url: {exc}") from exc
    try:
        yield connection
    except (sqlite3.Error, zlib.error) as exc:
        raise Unavailable(f"state.url: {path}: {_said(exc, connection)}") from exc
    finally:
        connection.close()


def _said(error: Exception, connection: sqlite3.Connection) -> str:
    """What went wrong with a ledger that was opened, in words that help."""
    if isinstance(error, sqlite3.OperationalError) and are_outstanding(connection):
        return "an older version of this program wrote it; the daemon brings it up to date when it starts"
    return str(error)


def operate(config: Config, action: str, *, as_json: bool = False, **asked: str) -> int:
    """Have the daemon do it, or do it in its place while it is stopped; prints what came of it and returns the exit code.

    A daemon that starts or stops just now holds the ledger and answers nobody: that is waited for.
    """
    patience = threading.Timer(
        _PATIENCE_S, complain, ["at work; a write whose answer was lost is waited for, so this can take a minute"]
    )
    patience.daemon = True
    patience.start()
    try:
        return _told(_carried_out(config, action, asked), as_json=as_json)
    finally:
        patience.cancel()


def _carried_out(config: Config, action: str, asked: Mapping[str, str]) -> Report:
    """By whoever has the ledger, once that can be said. Raises `Unavailable`, `TryAgain`."""
    waits_until = time.monotonic() + STARTING_WITHIN_S + config.worker.shutdown_grace_s
    said = False
    while True:
        try:
            return _asked(config, action, asked)
        except LedgerHeld as exc:
            if time.monotonic() > waits_until:
                raise Unavailable(f"state.url: {exc}, and it does not answer") from exc
            if not said:
                complain(f"{exc}; it starts or stops just now: waiting")
                said = True
            time.sleep(_LOOK_AGAIN_S)


def _asked(config: Config, action: str, asked: Mapping[str, str]) -> Report:
    try:
        return Report.from_json(call(config.state.path, "POST", action, asked, within_s=ANSWER_WITHIN_S))
    except NoDaemon:
        return _in_its_place(config, action, asked)
    except DaemonSilent as exc:
        raise TryAgain(f"{action}: {exc}; `history` and `status` tell what came of it") from exc
    except DaemonFailed as exc:
        if exc.ledger:
            raise Unavailable(f"state.url: {exc}") from exc
        raise TryAgain(f"{action}: the daemon failed: {exc}") from exc
    except OSError as exc:
        raise Unavailable(f"state.url: the daemon can't be asked: {exc.strerror}; run this as its user") from exc


def _in_its_place(config: Config, action: str, asked: Mapping[str, str]) -> Report:
    """Take the stopped daemon's place for one action. Raises `LedgerHeld`, `Unavailable`."""
    if action not in _BEFORE_THE_FIRST_START:
        with reading(config):
            pass  # a ledger that is not there holds nothing to work on, and must not come about by asking
    from envision_worker.opening import new_facts, open_worker  # noqa: PLC0415 - loads the whole worker
    from envision_worker.operations import Operations  # noqa: PLC0415
    from envision_worker.telemetry.settings import LogFormat, LogLevel  # noqa: PLC0415

    async def act() -> Report:
        # What came of it is told by the report; only what nobody foresaw has to be said beside it.
        facts, _, _ = new_facts(config, os.environ, style=LogFormat.CONSOLE, level=LogLevel.ERROR)
        async with open_worker(config, facts) as worker:
            try:
                return await Operations(worker).carry_out(action, asked)
            finally:
                await worker.stop(config.worker.shutdown_grace_s)

    try:
        return asyncio.run(act())
    except LedgerHeld:
        raise
    except LedgerUnavailable as exc:
        raise Unavailable(f"state.url: {exc}") from exc


def _told(report: Report, *, as_json: bool) -> int:
    if as_json:
        say_json(report.as_json())
    else:
        for line in report.lines:
            (complain if report.result is Result.UNKNOWN else say)(printable(line))
    return _CODES[report.result]


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run something that needs the ledger for writing. Raises `Unavailable`."""
    try:
        return asyncio.run(work)
    except LedgerUnavailable as exc:
        raise Unavailable(f"state.url: {exc}") from exc
