"""One simulation: traffic and trouble from one seed, then healing, then the oracles' questions."""

import asyncio
import contextlib
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from envision_worker.app import Worker
from envision_worker.ledger.records import Kept
from envision_worker.operations import Operations
from envision_worker.outcome import DeadLetterReason
from envision_worker.report import Result
from simulation.approvers import Approvers
from simulation.at_rest import AtRest
from simulation.colleagues import Colleagues
from simulation.oracles import Oracles
from simulation.plan import SETTLE_S, Blow, Fate, Plan, plan_of
from simulation.traffic import Traffic
from simulation.weather import READING_FAILS, Outage, OutageKind, Trouble
from worlds.chance import dice
from worlds.process import Died
from worlds.simulated import World
from worlds.virtual_time import in_virtual_time, world_time

Plant = Callable[[World], None]
"""Puts a defect into a world."""
HANGING = frozenset({OutageKind.DESK_HANGS, OutageKind.ENSONO_HANGS})
PATIENCE = 60
"""Rounds of polls after healing in which everything must have come to its end."""


@dataclass
class Report:
    """What one seed came to. `trace` is equal where every call and every write was the same at the same time."""

    seed: str
    simulated_s: float = 0.0
    trace: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)


class Simulation:
    """A world and everything that happens in it."""

    def __init__(self, plan: Plan, folder: Path, plant: Plant | None = None) -> None:
        self.plan = plan
        self.rng = dice(f"{plan.seed} world")
        cloud = plan.edition == "cloud"
        self.trouble = {
            peer: Trouble(
                dice(f"{plan.seed} {peer}"), plan.mischief, timeout_s=plan.timeout_s, settle_s=SETTLE_S, cloud=cloud
            )
            for peer in ("desk", "ensono")
        }
        self.world = World(
            folder,
            edition=plan.edition,
            settings=plan.settings,
            sleep=self._held_up,
            ensono_faults=self.trouble["ensono"],
            desk_faults=self.trouble["desk"],
        )
        self.world.latency_s = lambda: self.rng.uniform(0.0, plan.latency_s)
        self.world.rng = self.rng
        self.world.ensono.scenario.announcer.dialect = plan.dialect
        if plant:
            plant(self.world)
        self.traffic = Traffic(self.world, plan)
        self.approvers = Approvers(self.world, plan)
        self.colleagues = Colleagues(self.world, self.traffic.known, plan)
        self.counts: Counter[str] = Counter()
        self.oracles = Oracles(self.world, self.traffic.known, plan)
        self.at_rest = AtRest(self.world, self.traffic.known, plan, self.oracles.past)
        tampered = self.world.tamper

        def watch(worker: Worker) -> None:
            tampered(worker)
            self.oracles.watch(worker)

        self.world.tamper = watch

    async def run(self) -> Report:
        report = Report(self.plan.seed)
        try:
            await self._storm()
            await self._heal()
            await self._come_to_rest()
            self.at_rest.ask()
        finally:
            await self.world.kill()
        report.simulated_s = asyncio.get_running_loop().time()
        self.counts["faults"] = sum(each.hits for each in self.trouble.values())
        self.counts["messages"] = self.oracles.messages
        report.counts, report.violations = self.counts, self.oracles.past.violations
        report.trace = self._trace()
        return report

    def _trace(self) -> str:
        calls = [
            (call.at, call.method, call.path, call.status)
            for call in (*self.world.ensono.journal.calls, *self.world.desk.calls)
        ]
        return hashlib.sha256(repr((calls, self.world.desk.journal)).encode()).hexdigest()

    # --- the storm ---------------------------------------------------------------------------------------------------

    async def _storm(self) -> None:
        plan = self.plan
        self.approvers.are_known()
        for peer, trouble in self.trouble.items():
            trouble.rate = plan.trouble[peer]
        self.trouble["desk"].slow_s, self.trouble["desk"].refusals = plan.slow_s, plan.refusals
        life = asyncio.create_task(self._live())
        ends = [
            self.traffic.run(),
            self.approvers.think_again(),
            self.colleagues.run(),
            *map(self._outage, plan.outages),
            *map(self._suffer, plan.fates),
        ]
        await asyncio.gather(*ends)
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)

    async def _held_up(self, seconds: float) -> None:
        """A call takes so long; but whose caller died shows within the time to settle."""
        life, ends = self.world.life, asyncio.get_running_loop().time() + seconds
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await life.died.wait()
        left_s = min(ends - asyncio.get_running_loop().time(), self.rng.uniform(0.0, 0.95) * SETTLE_S)
        await asyncio.sleep(max(left_s, 0.0))

    async def _live(self) -> None:
        """Whoever watches over the process: starts it again when it ended."""
        while True:
            self._down_s = 0.0
            try:
                await self.world.start()
                await self.world.life.died.wait()
            except Died:
                pass
            self.counts["deaths"] += 1
            self.oracles.died()
            await self.world.kill()
            await asyncio.sleep(self._down_s)

    async def _suffer(self, fate: Fate) -> None:
        await asyncio.sleep(fate.at)
        self.counts[fate.blow.name.lower()] += 1
        self.counts["stopped or bereaved"] += self._is_up() and fate.blow in {Blow.STOP, Blow.LOSE_LEDGER}
        life = self.world.life
        match fate.blow:
            case Blow.CLOCK_JUMPS:
                self.world.clock.skew_s += fate.value
            case Blow.PAUSE:
                await self._operate(lambda worker: worker.pause(paused=True))
                await asyncio.sleep(fate.value)
                await self._operate(lambda worker: worker.pause(paused=False))
            case Blow.KILL_SOON:
                life.dies_after, self._down_s = int(fate.value), fate.down_s
            case Blow.KILL:
                self._down_s = fate.down_s
                life.die()
            case Blow.LOSE_LEDGER:
                life.die()
                self._down_s = fate.down_s
                self.oracles.ledger_lost()
                self.world.lose_ledger()
            case Blow.STOP:
                self._down_s = fate.down_s
                await self._stop()

    def _is_up(self) -> bool:
        return self.world.worker is not None and not self.world.life.dead

    async def _stop(self) -> None:
        if not self._is_up():
            return
        began = asyncio.get_running_loop().time()
        try:
            await self.world.stop()
        except Died:
            return
        self.oracles.stopped(asyncio.get_running_loop().time() - began)

    async def _operate(self, do: Callable[[Worker], object]) -> None:
        if not self._is_up():
            return
        assert self.world.worker is not None
        try:
            await self.world.inside(do(self.world.worker))  # type: ignore[arg-type]
        except Died:
            return

    async def _outage(self, outage: Outage) -> None:
        await asyncio.sleep(outage.start)
        self.counts["outages"] += 1
        self._switch(outage.kind, on=True)
        await asyncio.sleep(outage.end - outage.start)
        self._switch(outage.kind, on=False)
        self.oracles.outage_ended(outage)
        if self._must_resume(outage) and self._is_up():
            ended, deaths, within_s = world_time(), self.counts["deaths"], self._patience_s(outage)
            await asyncio.sleep(within_s)
            if self.counts["deaths"] == deaths:
                self.oracles.resumed(outage, ended, within_s)

    def _must_resume(self, outage: Outage) -> bool:
        """Whether nothing but this outage keeps the queue from being read."""
        plan = self.plan
        calm = not any(plan.trouble.values()) and not plan.refusals and not plan.slow_s and plan.latency_s < 1
        others = [each for each in plan.outages if each is not outage and each.end > outage.start]
        blows = {fate.blow for fate in plan.fates}
        if plan.edition == "cloud" and outage.kind is OutageKind.DESK_HANGS:
            return False  # a grant whose answer was lost may have issued a token, and of those there are few
        return calm and not others and outage.kind not in READING_FAILS and Blow.PAUSE not in blows

    def _patience_s(self, outage: Outage) -> float:
        """Twice the poll interval, or that of trying a key; a call that hung as the peer came back may take its time."""
        key_s = self.world.config.desk.key_probe_interval_s
        slowly = outage.kind in {OutageKind.DESK_KEY, OutageKind.ENSONO_KEY}
        hung_s = 2 * self.plan.timeout_s + 5.0 if outage.kind in HANGING else 5.0
        return max(2 * self.plan.poll_s, key_s if slowly else 0.0) + hung_s

    def _switch(self, kind: OutageKind, *, on: bool) -> None:
        match kind:
            case OutageKind.DESK_GONE | OutageKind.ENSONO_GONE:
                (self.world.unreachable.add if on else self.world.unreachable.discard)(kind.peer)
            case OutageKind.DESK_KEY:
                self.world.desk.switches.key_revoked = on
        down = self.trouble[kind.peer].down
        if on:
            down.append(kind)
        else:
            down.remove(kind)

    # --- after it ----------------------------------------------------------------------------------------------------

    async def _heal(self) -> None:
        for trouble in self.trouble.values():
            trouble.rate = trouble.slow_s = trouble.refusals = 0.0
        if not self._is_up():
            await self.world.kill()
            await self.world.start()
        self.world.life.dies_after = None
        await self._operate(lambda worker: worker.pause(paused=False))

    async def _come_to_rest(self) -> None:
        """Until nothing is left to do; an operator looks after what can't go on by itself."""
        for _ in range(PATIENCE):
            await asyncio.sleep(max(4 * self.plan.poll_s, 120.0))
            if self.at_rest.is_reached():
                return
            await self._tend()
        self.oracles.past.wrong("P4", f"it never came to rest: {self.at_rest.what_hangs()}")

    async def _tend(self) -> None:
        worker = self.world.worker
        assert worker is not None
        do = Operations(worker)
        for dead in await worker.parts.ledger.messages.dead_letters():
            self.counts["dead letters"] += 1
            if self._is_hopeless(dead):
                self.oracles.discarded(dead.message_id)
                await do.discard(dead.message_id, "nobody can apply it")
            else:
                report = await do.retry(dead.message_id)
                self.counts["retried"] += report.result is Result.DONE

    def _is_hopeless(self, dead: Kept) -> bool:
        """Whether nobody can apply it: poison, or a number told again whose ticket was replaced before the ledger was lost."""
        known = self.traffic.known
        told_again = known.ledger_lost and dead.message_id in known.resent
        return dead.message_id in known.poison or (told_again and dead.reason == DeadLetterReason.COUNTERPART_TAKEN)


def simulate(seed: str, folder: Path, plant: Plant | None = None) -> Report:
    """Run one seed; the same seed does the same again."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)

    async def main() -> Report:
        return await Simulation(plan_of(seed), folder, plant).run()

    return in_virtual_time(main())


def told(plan: Plan) -> str:
    """A plan, for people."""
    return json.dumps({**vars(plan)}, default=str, indent=1)
