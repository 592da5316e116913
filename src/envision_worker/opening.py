"""Opens what the worker works with: log and metrics, the ledger, the connections to its peers. Closed by whoever opened it."""

import os
import random
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, SecretStr
from structlog.typing import FilteringBoundLogger

from envision_worker.app import Worker, assemble
from envision_worker.clock import SystemClock
from envision_worker.config.mapping import MappingKind
from envision_worker.config.model import Config
from envision_worker.desks.desk import Desk
from envision_worker.desks.life import LifeNames
from envision_worker.desks.table import product
from envision_worker.ensono.connect import EnvisionConnect
from envision_worker.ensono.downloads import Downloader
from envision_worker.handlers.effects import ENSONO
from envision_worker.intake.calls import Calls
from envision_worker.ledger.records import LedgerUnavailable
from envision_worker.ledger.sqlite import SqliteLedger, open_ledger
from envision_worker.parts import Parts
from envision_worker.telemetry.facts import Facts
from envision_worker.telemetry.logs import new_log, writes_to_journal
from envision_worker.telemetry.metrics import Metrics
from envision_worker.telemetry.settings import LogFormat, LogLevel
from envision_worker.wire import Observe, Wire, new_client

SPARE_CONNECTIONS = 12
"""To Ensono, for reads and probes."""


def secrets_of(config: BaseModel) -> tuple[str, ...]:
    """Every secret value of the configuration: none of them may ever be seen."""
    return tuple(_secrets(config))


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for _, each in value:
            yield from _secrets(each)


def new_facts(
    config: Config, environ: Mapping[str, str], *, style: LogFormat | None = None, level: LogLevel | None = None
) -> tuple[Facts, Metrics, FilteringBoundLogger]:
    """Log and metrics for this configuration; `style` and `level` stand over what it says of the log."""
    clock = SystemClock()
    log = new_log(
        style=(style or config.log.format).value,
        level=(level or config.log.level).value,
        secrets=secrets_of(config),
        clock=clock,
        stream=sys.stderr,
        to_journal=writes_to_journal(sys.stderr, environ),
    )
    metrics = Metrics(version("envision-worker"))
    return Facts(metrics, log, clock, key_refused_every_s=config.desk.key_probe_interval_s), metrics, log


def life_names(config: Config) -> LifeNames:
    """What the configuration calls resolved, closed and cancelled, beside the desk's own names."""
    status = config.mapping.table(MappingKind.STATUS)
    steps = {state: config.mapping.steps(state) for state in ("cancelled", "closed")}
    last = {state: [each[-1].status] if each and each[-1].status else [] for state, each in steps.items()}
    return LifeNames.with_names(
        resolved=[status["resolved"]],
        closed=[status["closed"]],
        cancelled=[status["cancelled"]],
        change_closed=last["closed"],
        change_cancelled=last["cancelled"],
    )


@asynccontextmanager
async def open_peers(
    config: Config, clock: SystemClock, observe: Observe
) -> AsyncIterator[tuple[Desk, EnvisionConnect, Downloader]]:
    """The desk, Ensono and the place where attachments are, with their connections; nothing is called yet."""
    ensono = config.ensono
    proxy = ensono.proxy.get_secret_value() if ensono.proxy else None
    connections = (
        2 * config.worker.parallel_tickets + SPARE_CONNECTIONS
    )  # twice: others work while messages are deleted
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(
            product(config.desk.kind).open(config.desk, life=life_names(config), clock=clock, observe=observe)
        )
        client = await stack.enter_async_context(
            new_client(
                timeout_s=ensono.request_timeout_s, max_connections=connections, ca_file=ensono.ca_file, proxy=proxy
            )
        )
        files = await stack.enter_async_context(
            new_client(timeout_s=ensono.request_timeout_s, max_connections=connections, proxy=proxy)
        )
        wire = Wire(ENSONO, client, clock, timeout_s=ensono.request_timeout_s, observe=observe)
        yield desk, EnvisionConnect(ensono, wire), Downloader(config.attachments, files, clock, observe)


@asynccontextmanager
async def open_worker(config: Config, facts: Facts) -> AsyncIterator[Worker]:
    """The worker with everything that it works with; the ledger is locked for as long as this lasts.

    Raises:
        LedgerUnavailable: the ledger can't be opened, or another process holds it.
    """
    clock = SystemClock()
    ledger = open_state(config, facts, clock)
    try:
        calls = Calls(facts)
        async with open_peers(config, clock, calls) as (desk, connect, downloader):
            parts = Parts(config, ledger, desk, connect, downloader, calls, clock, facts, random.Random())  # noqa: S311 - jitter
            yield await assemble(parts)
    finally:
        await ledger.close()


def open_state(config: Config, facts: Facts, clock: SystemClock) -> SqliteLedger:
    """The ledger, and the folders that it and the spool need. Raises `LedgerUnavailable`."""
    _make_folder("state.url", config.state.path.parent)
    _make_folder("attachments.spool_dir", config.attachments.spool_dir)
    _must_be_ours("attachments.spool_dir", config.attachments.spool_dir)
    return open_ledger(
        str(config.state.path),
        committed=facts.ledger_committed,
        clock=clock.monotonic,
        checked=facts.ledger_checked,
    )


def _make_folder(key: str, folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise LedgerUnavailable(f"{key}: {folder} can't be made: {exc.strerror}") from exc


def _must_be_ours(key: str, folder: Path) -> None:
    """Else every attachment would fail, one after the other, and nobody would know why."""
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise LedgerUnavailable(f"{key}: {folder} can't be read and written by this user")
