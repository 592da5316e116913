"""What every command with `--config` does first: load the configuration, open the ledger, find the daemon."""

import asyncio
import os
import sqlite3
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from envision_worker.cli import exits
from envision_worker.cli.terminal import Unavailable, WrongConfiguration, complain, say
from envision_worker.config.faults import ConfigFaults
from envision_worker.config.load import load
from envision_worker.config.model import Config
from envision_worker.ledger.database import connect_read_only
from envision_worker.ledger.records import LedgerUnavailable

if TYPE_CHECKING:
    from envision_worker.operations import Report

T = TypeVar("T")

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
    try:
        connection = connect_read_only(str(config.state.path))
    except LedgerUnavailable as exc:
        raise Unavailable(f"state.url: {exc}") from exc
    try:
        yield connection
    except (LedgerUnavailable, sqlite3.Error) as exc:
        raise Unavailable(f"state.url: {config.state.path}: {exc}") from exc
    finally:
        connection.close()


def operate(config: Config, action: str, **asked: str) -> int:
    """Have the daemon do it, or do it in its place while it is stopped; prints what came of it and returns the exit code."""
    from envision_worker.control import NoDaemon, ask  # noqa: PLC0415 - loads the whole worker
    from envision_worker.operations import Result  # noqa: PLC0415

    codes = {Result.DONE: exits.OK, Result.UNKNOWN: exits.NO_INPUT, Result.STILL_FAILING: exits.TEMPORARY_FAILURE}
    try:
        report = ask(config.state.path, action, **asked)
    except NoDaemon:
        report = _in_its_place(config, action, asked)
    for line in report.lines:
        (say if report.result is Result.DONE else complain)(line)
    return codes[report.result]


def _in_its_place(config: Config, action: str, asked: Mapping[str, str]) -> "Report":
    from envision_worker.control import actions  # noqa: PLC0415 - loads the whole worker
    from envision_worker.daemon import new_facts, open_worker  # noqa: PLC0415

    async def act() -> "Report":
        facts, _, _ = new_facts(config, os.environ)
        async with open_worker(config, facts) as worker:
            report = await actions(worker)[action](asked)
            await worker.stop(config.worker.shutdown_grace_s)
            return report

    return run(act())


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run something that needs the ledger for writing. Raises `Unavailable`."""
    try:
        return asyncio.run(work)
    except LedgerUnavailable as exc:
        raise Unavailable(f"state.url: {exc}") from exc
