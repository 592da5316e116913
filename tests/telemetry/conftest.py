from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from structlog.typing import EventDict, FilteringBoundLogger

from envision_worker.telemetry.facts import Facts
from envision_worker.telemetry.metrics import Metrics

Sample = Callable[..., float | None]


@dataclass
class HandClock:
    """Time that passes when a test says so; a sleep lets it pass."""

    seconds: float = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 20, 3, 0, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class Lines:
    """The lines that were logged, as dictionaries with their level."""

    written: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, _logger: object, method: str, line: EventDict) -> EventDict:
        self.written.append({"level": method, **line})
        raise structlog.DropEvent

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.written if line["event"] == event]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def log(lines: Lines) -> FilteringBoundLogger:
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.ReturnLogger(), processors=[lines], wrapper_class=structlog.make_filtering_bound_logger("debug")
    ).bind()
    return logger


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("1.2.3")


@pytest.fixture
def facts(metrics: Metrics, log: FilteringBoundLogger, clock: HandClock) -> Facts:
    return Facts(metrics, log, clock)


@pytest.fixture
def sample(metrics: Metrics) -> Sample:
    """The value of a series, None where there is none."""

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, labels)

    return value
