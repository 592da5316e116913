"""Ensono's two alarms against ours: the real worker on a simulated queue that gets stuck, scraped each minute, judged by promtool.

Ensono's are CloudWatch alarms (guide, Queue alerts): more than 10 unread for 30 minutes; age over one hour, which SQS offers only as
the age of the oldest message, averaged over five minutes. What the queue holds is asked of the simulator, which knows; what the worker
shows comes from its own reads alone.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from envision_worker.simulators.faults import Fault, FaultKind
from envision_worker.telemetry.metrics import Metrics
from worlds.simulated import World
from worlds.virtual_time import in_virtual_time, world_time
from worlds.watched import Watched, hold

pytestmark = pytest.mark.timeout(300)  # the first run fetches Prometheus

STUCK_AT = 12
ENDS_AT = STUCK_AT + 70
"""Minutes after the start."""
SHOWN = {"envision_queue_last_drained_timestamp_seconds", "envision_queue_watermark_timestamp_seconds"}


class Prometheus(Protocol):
    promtool: Path


def the_worker_is_stopped(world: World) -> None:
    world.life.die()
    world.worker = None


def the_desk_is_down(world: World) -> None:
    world.unreachable.add("desk")


def ensonos_key_is_revoked(world: World) -> None:
    body = json.dumps({"message": "Forbidden"}).encode()
    world.ensono.faults.add(Fault(FaultKind.STATUS, times=None, status=403, body=body))


def an_operator_pauses_it(world: World) -> None:
    assert world.worker is not None
    world.worker.gates.paused = True


def nothing(_world: World) -> None:
    return


@dataclass(frozen=True)
class Staged:
    """What happens at minute `STUCK_AT`, with so many new messages a minute all the time; `ends_at`: when the desk is back."""

    happens: Callable[[World], None]
    a_minute: float
    ends_at: int | None = None


STUCK = [
    Staged(the_worker_is_stopped, 1.5),
    Staged(the_worker_is_stopped, 6),
    Staged(the_desk_is_down, 2),
    Staged(ensonos_key_is_revoked, 3),
    Staged(an_operator_pauses_it, 2),
]
NEVER_STUCK = [Staged(the_desk_is_down, 1, ends_at=STUCK_AT + 20), Staged(nothing, 1)]


@dataclass
class Truth:
    """What Ensono's alarms look at, minute by minute."""

    unread: list[int] = field(default_factory=list)
    oldest_age_min: list[float] = field(default_factory=list)

    def look(self, world: World) -> None:
        now = world_time()
        visible = [each for each in world.ensono.queue.messages() if each.hidden_until is None]
        self.unread.append(len(visible))
        self.oldest_age_min.append(max((now - each.sent_at for each in visible), default=0.0) / 60)

    def unread_alarm(self) -> int | None:
        """The first minute at which more than ten had been unread for thirty minutes."""
        for end in range(30, len(self.unread)):
            if min(self.unread[end - 30 : end + 1]) > 10:
                return end
        return None

    def age_alarm(self) -> int | None:
        """The first minute at which the oldest one's age, averaged over five minutes, is more than an hour."""
        for end in range(5, len(self.oldest_age_min)):
            if sum(self.oldest_age_min[end - 4 : end + 1]) / 5 > 60:
                return end
        return None


def play(staged: Staged, folder: Path) -> tuple[Watched, Truth]:
    world = World(folder, metrics=Metrics("test"))
    watched, truth = Watched(world, SHOWN), Truth()

    async def send() -> None:
        while True:
            world.ensono.scenario.incident_create()
            await asyncio.sleep(60 / staged.a_minute)

    async def main() -> None:
        await world.start()
        sending = asyncio.create_task(send())
        for minute in range(ENDS_AT):
            if minute == STUCK_AT:
                staged.happens(world)
            if minute == staged.ends_at:
                world.unreachable.clear()
            truth.look(world)
            await watched.watch(minutes=1)
        sending.cancel()
        await world.kill()

    in_virtual_time(main())
    return watched, truth


def looks(alert: str, ensonos: int) -> list[dict[str, Any]]:
    """Quiet more than ten minutes before Ensono's alarm, firing when it fires."""
    firing = {"labels": f'{{alertname="{alert}"}}', "value": 1}
    expression = f'count by (alertname) (ALERTS{{alertname="{alert}",alertstate="firing"}})'
    moments: list[tuple[int, list[dict[str, Any]]]] = [(ensonos - 11, []), (ensonos, [firing])]
    return [{"expr": expression, "eval_time": f"{minute}m", "exp_samples": samples} for minute, samples in moments]


@pytest.mark.parametrize("staged", STUCK, ids=lambda staged: f"{staged.happens.__name__}-{staged.a_minute:g}")
def test_the_mirrored_alarms_come_no_later_than_ensonos_and_at_most_ten_minutes_before(
    staged: Staged, prometheus: Prometheus, root: Path, tmp_path: Path
) -> None:
    watched, truth = play(staged, tmp_path)
    unread, age = truth.unread_alarm(), truth.age_alarm()
    assert unread is not None
    assert age is not None
    wanted = looks("EnvisionQueueUnread", unread) + looks("EnvisionQueueAge", age)
    rules = root / "deploy/prometheus/envision-worker.rules.yml"
    hold(prometheus.promtool, rules, [watched.scenario(staged.happens.__name__, wanted)], tmp_path)


@pytest.mark.parametrize("staged", NEVER_STUCK, ids=lambda staged: staged.happens.__name__)
def test_where_ensonos_stay_quiet_ours_do(staged: Staged, prometheus: Prometheus, root: Path, tmp_path: Path) -> None:
    watched, truth = play(staged, tmp_path)
    assert (truth.unread_alarm(), truth.age_alarm()) == (None, None)
    expression = 'count_over_time(ALERTS{alertname=~"EnvisionQueueUnread|EnvisionQueueAge",alertstate="firing"}[1d])'
    rules = root / "deploy/prometheus/envision-worker.rules.yml"
    quiet = {"expr": expression, "exp_samples": []}
    hold(prometheus.promtool, rules, [watched.scenario(staged.happens.__name__, [quiet])], tmp_path)
