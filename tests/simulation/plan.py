"""What one seed means: how the worker is set up, how much traffic there is, and what happens to it, and when."""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from envision_worker.simulators.ensono.announcements import Dialect
from simulation.weather import Mischief, Outage, OutageKind
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
class Habits:
    """How often Ensono's users and the desk's approvers do what is rare: weights beside their other acts, and shares.

    Attributes: `decides_within`: so many polls. `tidies`: how often people at the desk do something with what is there.
    """

    comments: float = 4.0
    resends: float = 0.7
    spoils: float = 0.3
    planners: float = 4.0
    asks: float = 1.0
    decides_within: float = 4.0
    delegates: float = 0.1
    changes_mind: float = 0.1
    tidies: int = 0


@dataclass(frozen=True)
class Plan:
    """Everything that chance decides beforehand. Times are seconds since the beginning.

    Attributes:
        span_s: within it the traffic and all blows begin. lasts_s: how long the trouble lasts at least.
    """

    seed: str
    edition: Edition
    poll_s: float
    timeout_s: float
    span_s: float
    lasts_s: float
    tickets: int
    side_by_side: int
    actions: int
    pause_s: float
    latency_s: float
    slow_s: float
    trouble: Mapping[str, float]
    mischief: Mischief
    refusals: float
    outages: tuple[Outage, ...]
    fates: tuple[Fate, ...]
    reopen: str
    rule: str
    approve: float
    habits: Habits
    dialect: Dialect

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration's tables."""
        return {
            "queue": {"poll_interval_s": self.poll_s},
            "desk": {
                "settle_s": SETTLE_S,
                "request_timeout_s": self.timeout_s,
                "max_concurrency": max(self.side_by_side, 8),
            },
            "ensono": {"request_timeout_s": self.timeout_s, "resend_after_s": SETTLE_S},
            "policy": {"reopen": self.reopen},
            "approvals": {
                "poll_interval_s": max(self.poll_s, 30.0),
                "rule": self.rule,
                "fallback_approver": {"email_id": "tech@example.com"},
            },
            "worker": {"parallel_tickets": self.side_by_side},
        }


def plan_of(seed: str) -> Plan:
    """The same for the same seed. One that begins with a theme's name has that theme; every other has any of them, or none."""
    rng = dice(f"{seed} theme")
    named = re.match(r"[a-z]+", seed)
    theme = named[0] if named else rng.choice((*THEMES, *("",) * len(THEMES)))
    plan = _any_plan(seed)
    return THEMES[theme](plan, rng) if theme else plan


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
        lasts_s=0.0,
        tickets=rng.randint(1, 5),
        side_by_side=rng.choice((1, 3, 3, 16)),
        actions=rng.randint(2, 6),
        pause_s=span_s / rng.randint(3, 12),
        latency_s=rng.choice((0.01, 0.2, 1.0)),
        slow_s=rng.choice((0.0, 0.0, 0.0, 0.3, 0.6)) * timeout_s,
        trouble={peer: rng.choice((0.0, 0.02, 0.06, 0.2)) for peer in ("desk", "ensono")},
        mischief=Mischief.ANY,
        refusals=rng.choice((0.0, 0.0, 0.0, 0.1)),
        outages=outages,
        fates=tuple(_fate(rng, poll_s, span_s) for _ in range(rng.choice((0, 1, 1, 2, 3, 5)))),
        reopen=rng.choice(("reopen", "new_ticket", "comments")),
        rule=rng.choice(("anyone", "everyone")),
        approve=rng.random(),
        habits=Habits(),
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


# --- themes: one kind of trouble, and much of it -----------------------------------------------------------------------

QUIET = {"desk": 0.0, "ensono": 0.0}


def _calm(plan: Plan, rng: random.Random) -> Plan:
    """One outage, and nothing else that costs a receive; messages come all the time."""
    kinds = [kind for kind in OutageKind if kind.spends_receives]
    start = rng.uniform(0.1, 0.4) * plan.span_s
    outage = Outage(rng.choice(kinds), start, start + plan.poll_s * rng.uniform(15, 40))
    return replace(_peaceful(plan), outages=(outage,), tickets=4, fates=())


def _slow(plan: Plan, rng: random.Random) -> Plan:
    """A desk so slow that handling takes longer than the window, and tickets that have much to say at once."""
    peaceful = replace(_peaceful(plan), poll_s=rng.choice((5.0, 30.0)), timeout_s=30.0, fates=())
    return replace(peaceful, slow_s=rng.choice((6.0, 12.0, 20.0)), actions=10, pause_s=4.0, side_by_side=16)


def _storm(plan: Plan, rng: random.Random) -> Plan:
    """Every fourth call may go wrong, and the process is killed again and again."""
    trouble = {"desk": rng.choice((0.1, 0.25)), "ensono": rng.choice((0.0, 0.1))}
    kills = tuple(_fate(rng, plan.poll_s, plan.span_s) for _ in range(2))
    return replace(plan, trouble=trouble, slow_s=0.0, fates=plan.fates + kills, tickets=plan.tickets + 1)


def _late(plan: Plan, rng: random.Random) -> Plan:
    """Writes are carried out after their caller gave them up, as late as they may."""
    trouble = {"desk": rng.uniform(0.1, 0.3), "ensono": rng.choice((0.0, 0.1))}
    peaceful = replace(_peaceful(plan), poll_s=rng.choice((5.0, 5.0, 30.0)), timeout_s=10.0)
    return replace(
        peaceful, trouble=trouble, mischief=Mischief.CARRIED_OUT_LATE, habits=Habits(comments=10.0), actions=8
    )


def _again(plan: Plan, rng: random.Random) -> Plan:
    """Ensono sends much a second time."""
    pause_s = rng.uniform(60, 200)
    return replace(_peaceful(plan), tickets=3, actions=14, pause_s=pause_s, habits=Habits(resends=4.0))


def _poison(plan: Plan, rng: random.Random) -> Plan:
    """Many messages can't be applied; some the desk refuses."""
    return replace(_peaceful(plan), refusals=rng.choice((0.0, 0.1)), actions=8, habits=Habits(spoils=2.0))


def _board(plan: Plan, rng: random.Random) -> Plan:
    """Changes whose approvers are asked, decide, decide otherwise, and hand on, while the changes move."""
    habits = Habits(planners=100.0, asks=6.0, decides_within=1.0, resends=0.3, delegates=0.3, changes_mind=0.3)
    trouble = {"desk": rng.choice((0.0, 0.1)), "ensono": rng.choice((0.0, 0.15, 0.2))}
    few = plan.outages[:1]
    plan = replace(
        plan,
        habits=habits,
        trouble=trouble,
        slow_s=0.0,
        refusals=0.0,
        outages=few,
        lasts_s=plan.span_s + 10 * max(plan.poll_s, 30.0),
    )
    return replace(plan, tickets=plan.tickets + 3, actions=plan.actions + 2)


def _crowd(plan: Plan, rng: random.Random) -> Plan:
    """Many tickets at once, with little to say each, so that several reads are under way."""
    places = rng.choice((4, 16, 64))
    return replace(plan, tickets=rng.randint(12, 40), side_by_side=places, actions=2, pause_s=plan.pause_s / 4)


def _forgotten(plan: Plan, rng: random.Random) -> Plan:
    """The ledger is lost, maybe twice, while Ensono sends much a second time; nothing else ends the process."""
    losses = tuple(
        Fate(Blow.LOSE_LEDGER, rng.uniform(0.2, 1.2) * plan.span_s, down_s=rng.choice((0.0, plan.poll_s)))
        for _ in range(rng.choice((1, 1, 2)))
    )
    habits = Habits(resends=4.0, planners=rng.choice((4.0, 100.0)), asks=2.0)
    pause_s = rng.uniform(60, 200)
    return replace(plan, habits=habits, fates=losses, outages=plan.outages[:1], actions=10, pause_s=pause_s)


def _tidied(plan: Plan, rng: random.Random) -> Plan:
    """People at the desk trash, merge and close what the worker made, write on it and attach files that are called the same."""
    habits = Habits(tidies=rng.randint(3, 12), planners=0.5)
    trouble = {"desk": rng.choice((0.0, 0.1, 0.25)), "ensono": rng.choice((0.0, 0.06))}
    return replace(plan, habits=habits, trouble=trouble, refusals=0.0, outages=plan.outages[:1], fates=plan.fates[:1])


def _peaceful(plan: Plan) -> Plan:
    """Without what would hide what a theme is about."""
    latency_s = min(plan.latency_s, 0.2)
    return replace(plan, slow_s=0.0, trouble=QUIET, refusals=0.0, outages=(), latency_s=latency_s)


THEMES: Mapping[str, Callable[[Plan, random.Random], Plan]] = {
    "calm": _calm,
    "slow": _slow,
    "storm": _storm,
    "late": _late,
    "again": _again,
    "poison": _poison,
    "board": _board,
    "crowd": _crowd,
    "forgotten": _forgotten,
    "tidied": _tidied,
}
