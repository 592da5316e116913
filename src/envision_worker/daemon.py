"""The worker as a process: opens everything, runs until a signal, closes everything."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from structlog.typing import FilteringBoundLogger

from envision_worker.app import Parts, Worker, assemble
from envision_worker.clock import SystemClock
from envision_worker.config.mapping import MappingKind
from envision_worker.config.model import Config
from envision_worker.control import ControlServer
from envision_worker.desks.desk import Desk
from envision_worker.desks.life import LifeNames
from envision_worker.desks.table import product
from envision_worker.ensono.connect import EnvisionConnect
from envision_worker.ensono.downloads import Downloader
from envision_worker.intake.calls import Calls
from envision_worker.ledger.records import LedgerUnavailable
from envision_worker.ledger.sqlite import SqliteLedger, open_ledger
from envision_worker.telemetry.facts import Facts
from envision_worker.telemetry.logs import adopt_library_logs, new_log, writes_to_journal
from envision_worker.telemetry.metrics import Metrics
from envision_worker.telemetry.server import Hook, Pulse, TelemetryServer
from envision_worker.telemetry.systemd import Notifier
from envision_worker.wire import Observe, Wire, new_client

SPARE_CONNECTIONS = 4
EX_OK = 0
EX_UNAVAILABLE = 69


class CannotStart(Exception):
    """Something outside the configuration keeps the process from working: exit 69. Says what and why."""


# --- opening ---------------------------------------------------------------------------------------------------------


def secrets_of(config: Config) -> tuple[str, ...]:
    """Every secret value that must never be seen."""
    desk, hooks = config.desk, config.hooks
    given = (
        config.ensono.api_key,
        config.ensono.proxy,
        desk.auth_token,
        desk.client_secret,
        desk.refresh_token,
        hooks.manageengine_secret,
    )
    return tuple(secret.get_secret_value() for secret in given if secret is not None)


def new_facts(config: Config, environ: Mapping[str, str]) -> tuple[Facts, Metrics, FilteringBoundLogger]:
    """Log and metrics for this configuration."""
    clock = SystemClock()
    log = new_log(
        style=config.log.format.value,
        level=config.log.level.value,
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
    connections = config.worker.parallel_tickets + SPARE_CONNECTIONS
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
        wire = Wire(ENSONO_PEER, client, clock, timeout_s=ensono.request_timeout_s, observe=observe)
        yield desk, EnvisionConnect(ensono, wire), Downloader(config.attachments, files, clock, observe)


ENSONO_PEER = "ensono"


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
    """The ledger, and the folders that it and the spool need."""
    try:
        config.state.path.parent.mkdir(parents=True, exist_ok=True)
        config.attachments.spool_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise LedgerUnavailable(f"{exc.filename}: {exc.strerror}") from exc
    return open_ledger(str(config.state.path), committed=facts.ledger_committed, clock=clock.monotonic)


# --- running ---------------------------------------------------------------------------------------------------------


async def run_daemon(config: Config, warnings: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> int:
    """Run until SIGTERM or SIGINT.

    Returns:
        The exit code: 0 stopped cleanly, 69 the ledger failed while running.

    Raises:
        LedgerUnavailable, CannotStart: it could not start.
    """
    facts, metrics, log = new_facts(config, environ)
    restore_logs = adopt_library_logs(log, SystemClock())
    try:
        for key, problem in warnings.items():
            facts.configuration_warning(key, problem)
        async with open_worker(config, facts) as worker:
            return await _serve(worker, metrics, Notifier.from_environment(environ))
    finally:
        restore_logs()


async def _serve(worker: Worker, metrics: Metrics, notifier: Notifier) -> int:
    config, facts = worker.parts.config, worker.parts.facts
    stop = _stop_signal()
    server = _telemetry_server(worker, metrics)
    control = ControlServer(worker)
    try:
        port = await _listening(server, control, config)
        await worker.show_gauges()
        listen = f"{config.http.host}:{port}"
        facts.daemon_started(
            version=version("envision-worker"),
            environment=config.ensono.environment,
            desk=config.desk.kind,
            listen=listen,
        )
        notifier.ready(f"reading {config.ensono.environment}'s queue; metrics on {listen}")
        watchdog = asyncio.create_task(notifier.feed_watchdog(worker.consumer.turns, worker.parts.clock))
        running = asyncio.create_task(worker.run(), name="worker")
        running.add_done_callback(lambda _: _set(stop, "the ledger was lost"))
        signalled = await asyncio.shield(stop)
        notifier.stopping()
        facts.daemon_stopping(signalled)
        clean = await _wind_down(worker, running, config.worker.shutdown_grace_s)
        watchdog.cancel()
        facts.daemon_stopped(clean=clean)
        return EX_UNAVAILABLE if worker.lost.done() else EX_OK
    finally:
        await control.close()
        await server.close()


async def _wind_down(worker: Worker, running: "asyncio.Task[None]", grace_s: float) -> bool:
    """P8: a read that is under way may end and be kept, but all of it together within the grace."""
    ends_at = worker.parts.clock.monotonic() + grace_s
    worker.consumer.stop()
    await asyncio.wait({running}, timeout=grace_s)
    if not running.done():
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return await worker.stop(max(ends_at - worker.parts.clock.monotonic(), 0.0))


async def _listening(server: TelemetryServer, control: ControlServer, config: Config) -> int:
    try:
        port = await server.start()
    except OSError as exc:
        raise CannotStart(f"http.listen: {config.http.listen} can't be had: {exc.strerror or exc}") from exc
    try:
        await control.start()
    except OSError as exc:
        raise CannotStart(f"state.url: no control socket beside the ledger: {exc.strerror or exc}") from exc
    return port


def _telemetry_server(worker: Worker, metrics: Metrics) -> TelemetryServer:
    config = worker.parts.config
    secret = config.hooks.manageengine_secret
    hook = Hook(secret.get_secret_value(), worker.look_at_approvals) if secret else None
    return TelemetryServer(
        host=config.http.host,
        port=config.http.port,
        metrics=metrics,
        pulse=Pulse(worker.consumer.overdue_s, 0.0),
        answering=worker.answering,
        hook=hook,
        refresh=worker.refresh_gauges,
    )


def _stop_signal() -> "asyncio.Future[str]":
    """Done with the signal's name at the first SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[str] = loop.create_future()

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, _set, stop, each.name)
    return stop


def _set(stop: "asyncio.Future[str]", why: str) -> None:
    if not stop.done():
        stop.set_result(why)
