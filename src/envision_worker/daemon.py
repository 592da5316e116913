"""The worker as a process: opens everything, runs until a signal, closes everything."""

import asyncio
import os
import signal
from collections.abc import Mapping
from importlib.metadata import version

from envision_worker.app import Worker
from envision_worker.clock import SystemClock
from envision_worker.config.model import Config
from envision_worker.control import ControlServer
from envision_worker.ledger.records import LedgerUnavailable
from envision_worker.opening import new_facts, open_worker
from envision_worker.telemetry.logs import adopt_library_logs
from envision_worker.telemetry.metrics import Metrics
from envision_worker.telemetry.server import Hook, Pulse, TelemetryServer
from envision_worker.telemetry.systemd import Notifier

EX_OK = 0
EX_UNAVAILABLE = 69


class CannotStart(Exception):
    """Something outside the configuration keeps the process from working: exit 69. Says what and why."""


async def run_daemon(config: Config, warnings: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> int:
    """Run until SIGTERM or SIGINT.

    Returns:
        The exit code: 0 stopped cleanly, 69 the ledger failed while running.

    Raises:
        LedgerUnavailable, CannotStart: it could not start.
        Exception: a bug ended it; the log has told.
    """
    stop = _stop_signal()
    facts, metrics, log = new_facts(config, environ)
    restore_logs = adopt_library_logs(log, SystemClock())
    try:
        for key, problem in warnings.items():
            facts.configuration_warning(key, problem)
        async with open_worker(config, facts) as worker:
            return await _Process(worker, metrics, Notifier.from_environment(environ), stop).live()
    except (LedgerUnavailable, CannotStart):
        raise
    except Exception as exc:
        facts.unforeseen(message_id=None, ticket=None, exc=exc)
        raise
    finally:
        restore_logs()


class _Process:
    """The worker with its servers, its service manager and its end."""

    def __init__(self, worker: Worker, metrics: Metrics, notifier: Notifier, stop: "asyncio.Future[str]") -> None:
        self._worker = worker
        self._config = worker.parts.config
        self._facts = worker.parts.facts
        self._clock = worker.parts.clock
        self._notifier = notifier
        self._stop = stop
        self._server = _telemetry_server(worker, metrics)
        self._control = ControlServer(worker)

    async def live(self) -> int:
        """From opening the doors to closing them; returns the exit code."""
        try:
            listen = await self._open_doors()
            await self._worker.show_gauges()
            self._tell_started(listen)
            return await self._work()
        finally:
            await self._control.close()
            await self._server.close()

    async def _work(self) -> int:
        watchdog = asyncio.create_task(self._feed_watchdog())
        telling = asyncio.create_task(self._tell_standing())
        running = asyncio.create_task(self._worker.run(), name="worker")
        running.add_done_callback(lambda _: _set(self._stop, "the worker ended"))
        why = await self._stop
        self._facts.daemon_stopping(why)
        telling.cancel()
        self._notifier.stopping(f"stopping: {why}")
        clean = await self._wind_down(running)
        self._facts.daemon_stopped(clean=clean)
        watchdog.cancel()
        if self._worker.lost.done():
            return EX_UNAVAILABLE
        if not running.cancelled() and (error := running.exception()) is not None:
            raise error
        return EX_OK

    async def _wind_down(self, running: "asyncio.Task[None]") -> bool:
        """P8: what is under way may end, all of it together within the grace; returns whether it did."""
        ends_at = self._clock.monotonic() + self._config.worker.shutdown_grace_s
        self._worker.consumer.stop()
        self._worker.lanes.begin_no_more()
        commands = asyncio.create_task(self._control.finish())
        _, late = await asyncio.wait({running, commands}, timeout=self._config.worker.shutdown_grace_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        await self._control.close()
        ended = await self._worker.stop(max(ends_at - self._clock.monotonic(), 0.0))
        return ended and not late

    # --- doors -------------------------------------------------------------------------------------------------------

    async def _open_doors(self) -> str:
        """Listen for scrapes and for commands; returns the address of the metrics."""
        host = self._config.http.host
        try:
            port = await self._server.start()
        except OSError as exc:
            said = os.strerror(exc.errno) if exc.errno and exc.errno > 0 else exc.strerror
            raise CannotStart(f"http.listen: {self._config.http.listen} can't be had: {said}") from exc
        try:
            await self._control.start()
        except OSError as exc:
            raise CannotStart(f"state.url: no control socket beside the ledger: {exc.strerror or exc}") from exc
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    # --- telling -----------------------------------------------------------------------------------------------------

    def _tell_started(self, listen: str) -> None:
        environment = self._config.ensono.environment
        self._facts.daemon_started(
            version=version("envision-worker"), environment=environment, desk=self._config.desk.kind, listen=listen
        )
        self._notifier.ready(f"{standing(self._worker)}; metrics on {listen}")

    async def _tell_standing(self) -> None:
        """For `systemctl status`: whether the queue is read, and if not, why; with the beat of the polls, so that rest is rest."""
        said = standing(self._worker)
        while True:
            await self._clock.sleep(self._config.queue.poll_interval_s)
            now = standing(self._worker)
            if now != said:
                self._notifier.status(now)
            said = now

    async def _feed_watchdog(self) -> None:
        consumer = self._worker.consumer
        await self._notifier.feed_watchdog(lambda: consumer.stopping or consumer.turns(), self._clock)


def standing(worker: Worker) -> str:
    """How the worker stands, in one line."""
    queue = f"{worker.parts.config.ensono.environment}'s queue"
    if worker.paused:
        return f"not reading {queue}: an operator paused it"
    closed = [f"{gate.name} ({gate.reason})" for gate in (worker.desk_gate, worker.ensono_gate) if not gate.is_open]
    return f"not reading {queue}: {', '.join(closed)}" if closed else f"reading {queue}"


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
