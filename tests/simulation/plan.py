"""What one seed means: how the worker is set up, how much traffic there is, and what happens to it, and when."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from envision_worker.simulators.ensono.announcements import Dialect
from simulation.weather import Outage, OutageKind
from worlds.chance import dice
from worlds.configuration import Edition

SETTLE_S = 60.0


class Blow(StrEnum):
    """What happens to the process or its machine."""

    KILL = "kill"
    KILL_SOON = "kill after some steps"
    STOP = "stop"
    LOSE_LEDGER = "lose the ledger"
    CLOCK_JUMPS = "the clock jumps"
    PAUSE = "an operator pauses for a while"


@dataclass(frozen=True)
class Fate:
    """`value`: steps for KILL_SOON, seconds for PAUSE and CLOCK_JUMPS; `down_s`: until the process is started again."""

    blow: Blow
    at: float
    value: float = 0.0
    down_s: float = 0.0


@dataclass(frozen=True)
class Plan:
    """Everything that chance decides beforehand. Times are seconds since the beginning."""

    seed: str
    edition: Edition
    poll_s: float
    timeout_s: float
    span_s: float
    tickets: int
    actions: int
    pause_s: float
    latency_s: float
    slow_s: float
    trouble: Mapping[str, float]
    refusals: float
    outages: tuple[Outage, ...]
    fates: tuple[Fate, ...]
    reopen: str
    rule: str
    approve: float
    dialect: Dialect

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration's tables."""
        return {
            "queue": {"poll_interval_s": self.poll_s},
            "desk": {"settle_s": SETTLE_S, "request_timeout_s": self.timeout_s},
            "ensono": {"request_timeout_s": self.timeout_s, "resend_after_s": SETTLE_S},
            "policy": {"reopen": self.reopen},
            "approvals": {
                "poll_interval_s": max(self.poll_s, 30.0),
                "rule": self.rule,
                "fallback_approver": {"email_id": "tech@example.com"},
            },
            "worker": {"parallel_tickets": 3 if self.tickets > 3 else 16},
        }


def plan_of(seed: str) -> Plan:
    """The same for the same seed; one that begins with `rough` has all kinds of trouble all the time."""
    plan = _any_plan(seed)
    return _made_rough(plan) if seed.startswith("rough") else plan


def _made_rough(plan: Plan) -> Plan:
    """A desk slower than the window; or outages in a calm; or a storm."""
    rng = dice(f"{plan.seed} roughness")
    quiet = {"desk": 0.0, "ensono": 0.0}
    match rng.choice(("slow", "calm", "storm", "storm")):
        case "slow":
            return replace(plan, slow_s=12.0, timeout_s=30.0, trouble=quiet, outages=(), actions=plan.actions + 4)
        case "calm":
            outages = plan.outages or (_outage(rng, plan.poll_s, plan.span_s),)
            return replace(plan, slow_s=0.0, trouble=quiet, outages=outages[:1], tickets=plan.tickets + 2)
    trouble = {"desk": rng.choice((0.1, 0.25)), "ensono": rng.choice((0.0, 0.1))}
    kills = tuple(_fate(rng, plan.poll_s, plan.span_s) for _ in range(2))
    return replace(plan, trouble=trouble, slow_s=0.0, fates=plan.fates + kills, tickets=plan.tickets + 1)


def _any_plan(seed: str) -> Plan:
    rng = dice(seed)
    poll_s = rng.choice((5.0, 30.0, 30.0, 30.0, 60.0, 300.0))
    span_s = poll_s * rng.uniform(4, 30)
    outages = tuple(_outage(rng, poll_s, span_s) for _ in range(rng.choice((0, 0, 1, 1, 2))))
    timeout_s = rng.choice((10.0, 30.0))
    return Plan(
        seed=seed,
        edition=rng.choice(("on_premises", "on_premises", "cloud")),
        poll_s=poll_s,
        timeout_s=timeout_s,
        span_s=span_s,
        tickets=rng.randint(1, 5),
        actions=rng.randint(2, 6),
        pause_s=span_s / rng.randint(3, 12),
        latency_s=rng.choice((0.01, 0.2, 1.0)),
        slow_s=rng.choice((0.0, 0.0, 0.0, 0.3, 0.6)) * timeout_s,
        trouble={peer: rng.choice((0.0, 0.02, 0.06, 0.2)) for peer in ("desk", "ensono")},
        refusals=rng.choice((0.0, 0.0, 0.0, 0.1)),
        outages=outages,
        fates=tuple(_fate(rng, poll_s, span_s) for _ in range(rng.choice((0, 1, 1, 2, 3, 5)))),
        reopen=rng.choice(("reopen", "new_ticket", "comments")),
        rule=rng.choice(("anyone", "everyone")),
        approve=rng.random(),
        dialect=rng.choice(list(Dialect)),
    )


def _outage(rng: random.Random, poll_s: float, span_s: float) -> Outage:
    start = rng.uniform(0, span_s)
    longest = 86400.0 * 2 if poll_s >= 300.0 and rng.random() < 0.3 else poll_s * 40  # long ones are dear
    return Outage(rng.choice(list(OutageKind)), start, start + rng.uniform(0.1, 1.0) * longest)


def _fate(rng: random.Random, poll_s: float, span_s: float) -> Fate:
    blow = rng.choices(list(Blow), (2, 6, 2, 1, 1, 1))[0]
    at, down_s = rng.uniform(0, span_s), rng.choice((0.0, 1.0, poll_s, 5 * poll_s))
    match blow:
        case Blow.KILL_SOON:
            return Fate(blow, at, rng.randint(1, 150), down_s)
        case Blow.CLOCK_JUMPS:
            return Fate(blow, at, rng.choice((-1, 1)) * rng.choice((5.0, 3600.0, 5 * 86400.0)))
        case Blow.PAUSE:
            return Fate(blow, at, rng.uniform(1, 10) * poll_s)
    return Fate(blow, at, down_s=down_s)
