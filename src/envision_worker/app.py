"""The worker, put together: the one module that names what works with what. Nothing here listens to the outside or ends the process."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Literal

from envision_worker.gauging import GaugeBoard
from envision_worker.handlers.effects import DESK, ENSONO, Unsettled
from envision_worker.handlers.ticket_locks import TicketLocks
from envision_worker.handlers.work import HandlerSettings, Peers
from envision_worker.intake.consumer import Consumer
from envision_worker.intake.delivery import Deliveries, Rules
from envision_worker.intake.files import SpooledFiles
from envision_worker.intake.gate import Gate
from envision_worker.intake.gates import Gates
from envision_worker.intake.housekeeping import Housekeeping
from envision_worker.intake.lanes import Lanes
from envision_worker.intake.saving import recalled_saves
from envision_worker.intake.trial import Trials
from envision_worker.intake.watermarks import Watermarks
from envision_worker.ledger.records import LedgerUnavailable
from envision_worker.parts import Parts
from envision_worker.relay.approvals import ApprovalRelay
from envision_worker.rounds import Rounds
from envision_worker.telemetry.gauges import Gauges

BORN = "born"
PAUSED = "paused"
DAY_S = 86400.0


class Worker:
    """The worker. Make one with `assemble`; `run` it until `stop`; or ask it to do single things without running it."""

    def __init__(
        self,
        parts: Parts,
        *,
        born: float,
        paused: bool,
        unsettled: Unsettled,
        watermarks: Watermarks,
        saves: int,
    ) -> None:
        config, clock, facts = parts.config, parts.clock, parts.facts
        self.parts = parts
        self.lost: asyncio.Future[LedgerUnavailable] = asyncio.get_running_loop().create_future()
        """Done where the ledger can't be used any more: nothing can go on without it."""
        self.watermarks = watermarks
        self.tickets = TicketLocks()
        self.files = SpooledFiles(parts.downloader, config.attachments.spool_dir, clock, facts)
        self.desk_gate = self._gate("desk", parts.desk.probe)
        self.ensono_gate = self._gate("ensono", self._probe_ensono)
        self.gates = Gates(self.desk_gate, self.ensono_gate, paused=paused)
        parts.calls.tell(DESK, self.desk_gate.heard)
        parts.calls.tell(ENSONO, self.ensono_gate.heard)
        settings = HandlerSettings.of(config, born=born)
        self.lanes = self._made_lanes(settings, unsettled)
        self.consumer = self._made_consumer(saves)
        self.lanes.on_acknowledged = self.consumer.counts.forget
        self.desk_gate.on_open = self.ensono_gate.on_open = self.consumer.wake
        self.trials = Trials(parts.ledger, self.lanes, unsettled, paused=lambda: self.paused)
        self.relay = self._made_relay(settings, unsettled)
        self.housekeeping = self._made_housekeeping()
        self._board = GaugeBoard(
            config, parts.ledger, parts.connect, clock, self.gates, self.files, self.lanes, self.consumer, watermarks
        )
        self._hint = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._rounds = Rounds(clock, facts, ledger_lost=self.ledger_lost)

    # --- put together ------------------------------------------------------------------------------------------------

    def _made_lanes(self, settings: HandlerSettings, unsettled: Unsettled) -> Lanes:
        parts, config = self.parts, self.parts.config
        peers = Peers(parts.desk, parts.connect, parts.ledger, self.files, parts.clock, parts.facts, settings)
        rules = Rules(config.scope, config.queue.max_receives, 2 * config.queue.poll_interval_s)
        return Lanes(
            Deliveries(peers, unsettled, rules),
            parts.connect,
            parts.ledger,
            parts.clock,
            parts.facts,
            side_by_side=config.worker.parallel_tickets,
            gates_open=self.gates.cleared,
            ledger_lost=self.ledger_lost,
            tickets=self.tickets,
        )

    def _made_consumer(self, saves: int) -> Consumer:
        parts = self.parts
        return Consumer(
            parts.connect,
            parts.ledger,
            self.lanes,
            self.files,
            self.watermarks,
            parts.clock,
            parts.facts,
            parts.config.queue,
            gates=self.gates,
            rng=parts.rng,
            saves=saves,
        )

    def _made_relay(self, settings: HandlerSettings, unsettled: Unsettled) -> ApprovalRelay:
        parts = self.parts
        return ApprovalRelay(
            parts.desk,
            parts.connect,
            parts.ledger,
            self.tickets,
            unsettled,
            parts.clock,
            parts.facts,
            parts.config.approvals,
            settings.zone,
            settings.born,
            desk_open=lambda: self.desk_gate.is_open and not self.consumer.stopping,
            ensono_open=lambda: self.ensono_gate.is_open and not self.consumer.stopping,
        )

    def _made_housekeeping(self) -> Housekeeping:
        parts = self.parts
        return Housekeeping(
            parts.ledger,
            self.lanes,
            self.files,
            self.watermarks,
            parts.clock,
            parts.facts,
            parts.config.queue,
            may_work=self.may_work,
            keep_applied_s=parts.config.state.keep_applied_days * DAY_S,
        )

    # --- running -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Do everything until `stop`; returns when the reading has ended."""
        config = self.parts.config
        await self.housekeeping.tidy_spool()
        self.gates.suspect()  # a desk that is down at the start must not cost a receive
        poll_s = config.queue.poll_interval_s
        for gate in (self.desk_gate, self.ensono_gate):  # one that nobody watches would never open again
            self._rounds.start(f"{gate.name} gate", partial(gate.watch, self.trials), every_s=poll_s)
        self._rounds.start("housekeeping", self._keep_house, every_s=poll_s)
        self._rounds.start("approvals", self._relay_round, every_s=config.approvals.poll_interval_s, hint=self._hint)
        self._reading = asyncio.create_task(self._read_on(), name="consumer")
        self.lost.add_done_callback(lambda _: self.consumer.stop())
        await asyncio.wait({self._reading})

    async def stop(self, grace_s: float) -> bool:
        """No further read, nothing more is begun; let what runs end within the grace, cut off the rest (P8).

        Returns:
            Whether all ended by itself.
        """
        ends_at = self.parts.clock.monotonic() + grace_s
        self.consumer.stop()
        self.lanes.begin_no_more()
        ended = await self._ended(self._reading, grace_s)
        ended &= await self.lanes.stop(max(ends_at - self.parts.clock.monotonic(), 0.0))
        ended &= await self.tickets.free_within(max(ends_at - self.parts.clock.monotonic(), 0.0))
        await self._rounds.stop()
        await self.files.close()
        if not self.lost.done():
            await self.parts.ledger.messages.put_down()
        return ended

    async def _ended(self, task: asyncio.Task[None] | None, within_s: float) -> bool:
        """Wait for it; cut it off where that takes too long."""
        if task is None:
            return True
        _, late = await asyncio.wait({task}, timeout=within_s)
        for each in late:
            each.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return not late

    def ledger_lost(self, error: LedgerUnavailable) -> None:
        """The ledger failed: nothing may be done that it can't keep."""
        if not self.lost.done():
            self.parts.facts.ledger_failed(str(error))
            self.lost.set_result(error)

    async def _read_on(self) -> None:
        """The reading must not end by a bug: it is told, and goes on after a pause."""
        while not self.consumer.stopping:
            try:
                await self.consumer.run()
            except LedgerUnavailable as exc:
                self.ledger_lost(exc)
                return
            except Exception as exc:  # noqa: BLE001 - see above
                self.parts.facts.unforeseen(message_id=None, ticket=None, exc=exc)
                await self.parts.clock.sleep(self.parts.config.queue.poll_interval_s)

    async def _keep_house(self) -> None:
        await self.housekeeping.round()
        await self.show_gauges()

    def look_at_approvals(self) -> None:
        """A hint from outside; polling stays what counts."""
        self._hint.set()

    async def _relay_round(self) -> None:
        if not self.paused:
            await self.relay.round()

    # --- reading or not ----------------------------------------------------------------------------------------------

    @property
    def paused(self) -> bool:
        """Whether an operator wants no reading."""
        return self.gates.paused

    def may_work(self) -> bool:
        """Whether the queue may be read for work now."""
        return self.gates.are_open()

    async def _probe_ensono(self) -> None:
        """The queue's side, and where a call has failed the tickets API too: without either nothing can be finished."""
        await self.parts.connect.probe()
        if self.ensono_gate.failures or not self.ensono_gate.is_open:
            await self.parts.connect.probe_tickets()

    async def pause(self, *, paused: bool) -> None:
        """Stop or start reading; survives a restart."""
        self.gates.paused = paused
        await self.parts.ledger.remember(PAUSED, "yes" if paused else "")
        if paused:
            self.parts.facts.gate_closed(gate="operator", reason="paused", detail="an operator paused the worker")
        else:
            self.parts.facts.gate_opened("operator", 0.0)
        self.consumer.wake()

    def _gate(self, name: Literal["desk", "ensono"], probe: Callable[[], Awaitable[None]]) -> Gate:
        config, parts = self.parts.config, self.parts
        return Gate(
            name,
            probe,
            parts.ledger,
            parts.clock,
            parts.facts,
            retry_s=config.queue.poll_interval_s,
            key_retry_s=config.desk.key_probe_interval_s,
        )

    # --- showing -----------------------------------------------------------------------------------------------------

    def answering(self) -> Mapping[str, bool]:
        """Who answered last time; a peer that was never called yet counts as answering."""
        return {
            "ensono": self.ensono_gate.up is not False,
            "desk": self.desk_gate.up is not False,
            "state": not self.lost.done(),
        }

    async def refresh_gauges(self) -> None:
        """The same for whoever looks from outside: never fails."""
        await self._rounds.guarded(self.show_gauges)

    async def show_gauges(self) -> None:
        """Bring the gauges up to date."""
        self.parts.facts.set_gauges(await self.gauges())

    async def gauges(self) -> Gauges:
        """What stands at the moment."""
        return await self._board.read()


async def assemble(parts: Parts) -> Worker:
    """Put the worker together and let it remember what the ledger knows. Raises `LedgerUnavailable`."""
    ledger, config = parts.ledger, parts.config
    watermarks = await Watermarks.recalled(ledger)
    born = await ledger.recall(BORN)
    if born is None:
        watermarks.first_life = True
        born = repr(parts.clock.now().timestamp())
        await ledger.remember(BORN, born)
    watermarks.born = float(born)
    settle_s = {DESK: config.desk.settle_s, ENSONO: config.ensono.resend_after_s}
    worker = Worker(
        parts,
        born=float(born),
        paused=bool(await ledger.recall(PAUSED)),
        unsettled=Unsettled(parts.clock, settle_s, await ledger.effects.unknown()),
        watermarks=watermarks,
        saves=await recalled_saves(ledger),
    )
    await worker.desk_gate.recall()
    await worker.ensono_gate.recall()
    return worker
