"""A world in one process and in virtual time: simulated Ensono, simulated desk, and the real worker between them."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from contextvars import copy_context
from pathlib import Path
from typing import Any, TypeVar

import httpx
import structlog

from envision_worker.app import Worker, assemble
from envision_worker.desks.manageengine.desk import ManageEngineDesk
from envision_worker.ensono.connect import EnvisionConnect
from envision_worker.ensono.downloads import Downloader
from envision_worker.intake.calls import Calls
from envision_worker.ledger.database import InlineDatabase, Statement, connect
from envision_worker.ledger.sqlite import SqliteLedger, count_unclean_ends
from envision_worker.opening import life_names
from envision_worker.parts import Parts
from envision_worker.simulators.ensono.app import EnsonoSimulator
from envision_worker.simulators.faults import Faults
from envision_worker.simulators.http import Application, Sleep
from envision_worker.simulators.manageengine.simulator import ManageEngineSimulator
from envision_worker.simulators.manageengine.tickets import Ticket
from envision_worker.telemetry.facts import Facts
from envision_worker.telemetry.metrics import Metrics
from envision_worker.wire import Wire
from worlds.chance import dice
from worlds.configuration import API_KEY, AUTH_TOKEN, MAPPING, REQUESTER, Edition, configured
from worlds.network import SimulatedTransport
from worlds.process import Died, Incarnation, process
from worlds.virtual_time import VirtualClock, world_time

__all__ = ["API_KEY", "AUTH_TOKEN", "MAPPING", "MortalDatabase", "World"]

T = TypeVar("T")
PUT_OFF_S = 0.02
UNSEEN_METRICS = Metrics("test")
"""Of all worlds at whose metrics nobody looks: to make them takes as long as to start everything else."""


class MortalDatabase(InlineDatabase):
    """Dies with its process: what a dead one asks for is never carried out. Each commit is two steps: it may die before or after."""

    def __init__(self, connection: sqlite3.Connection, life: Incarnation, at_commit: Callable[[str], None]) -> None:
        super().__init__(connection)
        self._life = life
        self._at_commit = at_commit

    async def run(self, statement: Statement[T]) -> T:
        await asyncio.sleep(0)
        self.catch_up()
        self._at_commit("before")
        await self._life.check()
        result = await super().run(statement)
        self._at_commit("after")
        await self._life.check()
        return result

    def later(self, statement: Statement[object]) -> None:
        """It waits a while, and is lost where the process ends meanwhile."""
        if not self._put_off:
            asyncio.get_running_loop().call_later(PUT_OFF_S, self.catch_up)
        self._put_off.append(statement)

    def catch_up(self) -> None:
        while self._put_off:
            if not self._life.lives_on():
                self._put_off.clear()
                return
            self.carry_out_late(self._put_off.pop(0))

    async def close(self) -> None:
        """The store outlives the process."""


class World:
    """Everything there is.

    Attributes:
        latency_s: how long a call takes on its way, each way, asked for each.
        unreachable: names of the peers (`ensono`, `desk`, `bucket`) whose host refuses connections now.
        alter: changes what the next lives are made of; gets the parts, returns what to use.
        tamper: may swap parts of each worker before it runs.
    """

    def __init__(
        self,
        folder: Path,
        *,
        edition: Edition = "on_premises",
        settings: Mapping[str, Any] | None = None,
        ensono_faults: Faults | None = None,
        desk_faults: Faults | None = None,
        seed: int = 0,
        sleep: Sleep = asyncio.sleep,
        metrics: Metrics = UNSEEN_METRICS,
    ) -> None:
        """`sleep`: how the simulators let the time of a fault pass. `metrics`: of its own, where somebody looks at them."""
        self.folder = folder
        self.edition = edition
        self.clock = VirtualClock()
        self.log: list[dict[str, Any]] = []
        self.latency_s: Callable[[], float] = lambda: 0.01
        self.unreachable: set[str] = set()
        self.rng = dice("world")
        self.metrics = metrics
        self.at_commit: Callable[[str], None] = lambda _: None
        self.alter: Callable[[Parts], Parts] = lambda parts: parts
        self.tamper: Callable[[Worker], None] = lambda _: None
        self.ensono = EnsonoSimulator(world_time, sleep, api_key=API_KEY, seed=seed, faults=ensono_faults)
        self.desk = ManageEngineSimulator(world_time, sleep, flavour=edition, auth_token=AUTH_TOKEN, faults=desk_faults)
        self.desk.setup.add_user(REQUESTER, "Ensono", phone="", technician=False)
        self.config = configured(folder, edition, self.desk.credentials, settings or {})
        self.lose_ledger()
        self.worker: Worker | None = None
        self._ledger_failed = False
        self.life = Incarnation()
        self._running: asyncio.Task[None] | None = None

    # --- the worker's lives ------------------------------------------------------------------------------------------

    def lose_ledger(self) -> None:
        """The disk is gone; the next life begins with an empty ledger."""
        self.store = connect(":memory:")

    async def start(self) -> Worker:
        """A new process on whatever ledger there is. Raises `Died` where it is killed while it starts."""
        self.life = Incarnation()
        count_unclean_ends(self.store, ledger_failed=self._ledger_failed)
        self._ledger_failed = False
        self.worker = await self.inside(assemble(self.alter(self._parts())))
        self.tamper(self.worker)
        self._running = self._task(self.worker.run(), "worker")
        return self.worker

    async def kill(self) -> None:
        """kill -9: from this moment on nothing that the process tries has any effect."""
        await self.life.sweep()
        self._ended()

    async def stop(self) -> bool:
        """SIGTERM; returns whether everything ended within the grace. Raises `Died` where it is killed meanwhile."""
        assert self.worker is not None
        ended = await self.inside(self.worker.stop(self.config.worker.shutdown_grace_s))
        self._ended()
        await self.life.sweep()
        return ended

    def _ended(self) -> None:
        """What the lock file tells the next process."""
        self._ledger_failed = self.worker is not None and self.worker.lost.done()
        self.worker = None

    async def inside(self, what: Coroutine[Any, Any, T]) -> T:
        """Let the process do something, as an operator's command would ask for. Raises `Died` where it is killed meanwhile."""
        task = self._task(what, "asked for")
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled() and self.life.dead:
                raise Died from None
            raise

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Worker]:
        """A worker that runs inside the block and is stopped after it."""
        worker = await self.start()
        try:
            yield worker
        finally:
            if self.worker is not None:
                await self.stop()

    async def quiet(self, *, within_s: float = 3600.0) -> None:
        """Let time pass until Ensono's queue holds nothing any more."""
        async with asyncio.timeout(within_s):
            while self.ensono.queue.messages():
                await self.clock.sleep(1.0)

    # --- what can be seen --------------------------------------------------------------------------------------------

    def requests(self) -> list[Ticket]:
        """All requests on the desk."""
        return self.desk.tickets("request")

    def changes(self) -> list[Ticket]:
        """All changes on the desk."""
        return self.desk.tickets("change")

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log's lines of this event."""
        return [line for line in self.log if line["event"] == name]

    # --- making it ---------------------------------------------------------------------------------------------------

    def _parts(self) -> Parts:
        life = self.life
        ledger = SqliteLedger(":memory:", MortalDatabase(self.store, life, self._tell_commit))
        facts = self._facts()
        calls = Calls(facts)
        client = self._client("ensono", self.ensono.application)
        ensono = Wire("ensono", client, self.clock, timeout_s=self.config.ensono.request_timeout_s, observe=calls)
        desk, names = self._client("desk", self.desk.application), life_names(self.config)
        files = self._client("bucket", self.ensono.application)
        return Parts(
            config=self.config,
            ledger=ledger,
            desk=ManageEngineDesk(self.config.desk, desk, life=names, clock=self.clock, observe=calls),
            connect=EnvisionConnect(self.config.ensono, ensono),
            downloader=Downloader(self.config.attachments, files, self.clock, calls),
            calls=calls,
            clock=self.clock,
            facts=facts,
            rng=self.rng,
        )

    def _client(self, peer: str, application: Application) -> httpx.AsyncClient:
        transport = SimulatedTransport(peer, application, self.life, self._latency, self.unreachable)
        return httpx.AsyncClient(transport=transport, timeout=None)  # noqa: S113 - Wire bounds every call

    def _tell_commit(self, when: str) -> None:
        self.at_commit(when)

    def _latency(self) -> float:
        return self.latency_s()

    def _task(self, what: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
        context = copy_context()
        context.run(process.set, self.life)
        return asyncio.get_running_loop().create_task(what, name=name, context=context)

    def _facts(self) -> Facts:
        def keep(_: Any, __: str, line: Any) -> str:
            self.log.append({**line, "at": world_time()})
            raise structlog.DropEvent

        log = structlog.wrap_logger(None, processors=[keep], wrapper_class=structlog.make_filtering_bound_logger(0))
        return Facts(self.metrics, log.bind(), self.clock)
