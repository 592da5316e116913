"""Ensono's two alarms against ours, in staged queues that get stuck, evaluated by promtool.

Ensono's are CloudWatch alarms (guide, Queue alerts): more than 10 unread for 30 minutes; age over one hour, which SQS offers only as
the age of the oldest message, averaged over five minutes.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

pytestmark = pytest.mark.timeout(300)  # the first run fetches Prometheus

HOURS = 5
STUCK_AT = 47  # minutes after the start
LABELS = '{job="envision-worker",instance="w:9464"}'


class Prometheus(Protocol):
    promtool: Path


@dataclass(frozen=True)
class Staged:
    """A queue that fills at a steady pace and is read every minute until it gets stuck.

    Attributes:
        name: what happened.
        a_minute: messages sent.
        scraped: whether the worker can still be scraped while it is stuck.
        lasts: minutes until it works again.
    """

    name: str
    a_minute: float
    scraped: bool
    lasts: int


STAGED = [
    Staged("the worker is stopped on a quiet day", 1.5, scraped=False, lasts=150),
    Staged("the worker is stopped on a busy day", 12, scraped=False, lasts=150),
    Staged("the desk is down and the gate closed", 2, scraped=True, lasts=150),
    Staged("Ensono's key is revoked", 5, scraped=True, lasts=150),
    Staged("the loop hangs after a migration", 60, scraped=True, lasts=150),
    Staged("the desk stumbles for twenty minutes", 12, scraped=True, lasts=20),
    Staged("a busy day like any other", 30, scraped=True, lasts=0),
]


@dataclass(frozen=True)
class Minute:
    """What stands at the end of a minute; times in minutes."""

    unread: int
    oldest_age: float
    last_drained: float
    watermark: float
    scraped: bool


def play(staged: Staged) -> Iterator[Minute]:
    """Minute by minute: the worker reads until it is done, ten at a time, except while stuck."""
    waiting: list[float] = []
    sent = drained = watermark = 0.0
    for minute in range(HOURS * 60):
        while sent <= minute:
            waiting.append(sent)
            sent += 1 / staged.a_minute
        stuck = STUCK_AT < minute <= STUCK_AT + staged.lasts
        if not stuck:
            waiting.clear()
            drained = watermark = float(minute)
        oldest = minute - waiting[0] if waiting else 0.0
        yield Minute(len(waiting), oldest, drained, watermark, staged.scraped or not stuck)


def ensonos_unread(minutes: list[Minute]) -> int | None:
    """The first minute at which more than ten had been unread for thirty minutes."""
    for end in range(30, len(minutes)):
        if all(minute.unread > 10 for minute in minutes[end - 30 : end + 1]):
            return end
    return None


def ensonos_age(minutes: list[Minute]) -> int | None:
    """The first minute at which the oldest message's age, averaged over five minutes, is more than an hour."""
    for end in range(5, len(minutes)):
        if sum(minute.oldest_age for minute in minutes[end - 4 : end + 1]) / 5 > 60:
            return end
    return None


def series(name: str, values: list[float | None]) -> dict[str, str]:
    spelled = " ".join("stale" if value is None else f"{value:g}" for value in values)
    return {"series": name + LABELS, "values": spelled}


def looks(alert: str, ensonos: int | None) -> list[dict[str, Any]]:
    """Quiet more than ten minutes before Ensono's alarm, firing when it fires; quiet all along where Ensono's is."""
    firing = {"labels": f'{{alertname="{alert}"}}', "value": 1}
    expression = f'count by (alertname) (ALERTS{{alertname="{alert}",alertstate="firing"}})'
    if ensonos is None:
        moments: list[tuple[int, list[dict[str, Any]]]] = [(minute, []) for minute in range(0, HOURS * 60, 5)]
    else:
        moments = [(ensonos - 11, []), (ensonos, [firing]), (STUCK_AT + 152, [])]
    return [{"expr": expression, "eval_time": f"{minute}m", "exp_samples": samples} for minute, samples in moments]


def test_the_stages_reach_ensonos_alarms() -> None:
    reached = [(ensonos_unread(list(play(s))), ensonos_age(list(play(s)))) for s in STAGED]
    assert all(unread is not None and age is not None for unread, age in reached[:5])
    assert reached[5:] == [(None, None), (None, None)]


def test_the_mirrored_alarms_come_no_later_than_ensonos_and_at_most_ten_minutes_before(
    prometheus: Prometheus, root: Path, tmp_path: Path
) -> None:
    tests = []
    for staged in STAGED:
        minutes = list(play(staged))
        drained = series(
            "envision_queue_last_drained_timestamp_seconds",
            [60 * m.last_drained if m.scraped else None for m in minutes],
        )
        watermark = series(
            "envision_queue_watermark_timestamp_seconds", [60 * m.watermark if m.scraped else None for m in minutes]
        )
        wanted = looks("EnvisionQueueUnread", ensonos_unread(minutes)) + looks("EnvisionQueueAge", ensonos_age(minutes))
        tests.append(
            {"name": staged.name, "interval": "1m", "input_series": [drained, watermark], "promql_expr_test": wanted}
        )
    file = tmp_path / "mirrored_test.yml"
    rules = str(root / "deploy/prometheus/envision-worker.rules.yml")
    file.write_text(
        yaml.safe_dump({"rule_files": [rules], "evaluation_interval": "1m", "tests": tests}), encoding="utf-8"
    )
    done = subprocess.run([prometheus.promtool, "test", "rules", file], capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments
    assert done.returncode == 0, done.stdout + done.stderr
