"""A world's worker as Prometheus sees it: scraped at a steady pace, and the alerts that fire over it, as promtool decides."""

import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from worlds.process import Died
from worlds.simulated import World

JOB, INSTANCE = "envision-worker", "w:9464"

Key = tuple[str, tuple[tuple[str, str], ...]]


class Watched:
    """Scrapes the metrics of these names; the world has metrics of its own.

    Attributes:
        every_s: the pace.
        scrapes: how many there were.
    """

    def __init__(self, world: World, names: set[str], *, every_s: float = 60.0) -> None:
        self.every_s = every_s
        self.scrapes = 0
        self._world = world
        self._names = names
        self._began: float | None = None
        self._series: dict[Key, list[float | None]] = {}

    async def watch(self, *, minutes: float) -> None:
        """Let time pass, scraping at its pace."""
        for _ in range(round(minutes * 60 / self.every_s)):
            await self.scrape()
            await self._world.clock.sleep(self.every_s)

    async def scrape(self) -> None:
        """Once; a worker that is not there answers nothing."""
        found = await self._answer()
        found["up", ()] = 1.0 if found else 0.0
        for key in found.keys() - self._series.keys():
            self._series[key] = [None] * self.scrapes
        for key, values in self._series.items():
            values.append(found.get(key))
        self.scrapes += 1

    async def _answer(self) -> dict[Key, float]:
        worker = self._world.worker
        if worker is None:
            return {}
        now = self._world.clock.now().timestamp() - self._world.clock.skew_s
        self._began = now if self._began is None else self._began
        try:
            await self._world.inside(worker.refresh_gauges())
        except Died:
            return {}
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): self._value(sample.name, sample.value)
            for family in self._world.metrics.registry.restricted_registry(self._names).collect()
            for sample in family.samples
        }

    def _value(self, name: str, value: float) -> float:
        """promtool's time begins at 0."""
        assert self._began is not None
        return value - self._began if name.endswith("_timestamp_seconds") else value

    # --- for promtool ------------------------------------------------------------------------------------------------

    def scenario(self, name: str, wanted: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """One test of a promtool file.

        Args:
            wanted: expressions with the samples that they have at their `eval_time`; without one: after the last scrape.
        """
        at = f"{(self.scrapes - 1) * self.every_s:g}s"
        return {
            "name": name,
            "interval": f"{self.every_s:g}s",
            "input_series": [_spelled(key, values) for key, values in sorted(self._series.items())],
            "promql_expr_test": [{"eval_time": at, **each} for each in wanted],
        }


def fired(alerts: Collection[str], *, but: Collection[str]) -> dict[str, Any]:
    """That exactly these alerts have fired at any time so far; `but` are not looked at."""
    left_out = "|".join(sorted(but))
    return {
        "expr": f'count by (alertname) (count_over_time(ALERTS{{alertstate="firing",alertname!~"{left_out}"}}[9d]) > 0)',
        "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(alerts)],
    }


def hold(promtool: Path, rules: Path, scenarios: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Have promtool evaluate the rules over scenarios of one pace, and fail with its words where something is not as wanted."""
    file = folder / "staged_test.yml"
    pace = scenarios[0]["interval"]
    text = yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": pace, "tests": [*scenarios]})
    file.write_text(text, encoding="utf-8")
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments
    assert done.returncode == 0, done.stdout + done.stderr


def _spelled(key: Key, values: Sequence[float | None]) -> dict[str, str]:
    name, labels = key
    given = {"job": JOB, "instance": INSTANCE, **dict(labels)}
    selector = ",".join(f'{label}="{value}"' for label, value in given.items())
    before = [None, *values[:-1]]
    spelled = [_spelled_value(value, last) for value, last in zip(values, before, strict=True)]
    return {"series": f"{name}{{{selector}}}", "values": " ".join(spelled)}


def _spelled_value(value: float | None, before: float | None) -> str:
    """Prometheus marks a series as stale with the first scrape that lacks it."""
    if value is None:
        return "_" if before is None else "stale"
    return f"{value:.3f}"
