"""Time, handed in: whatever waits, stamps or measures takes it from here, so that a month runs in seconds in a test."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Two clocks and a sleep."""

    def now(self) -> datetime:
        """The wall clock, in UTC. May jump; only for stamps and for comparing with Ensono's times."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; for windows, waits and durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let others run for this long."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let others run for this long."""
        await asyncio.sleep(seconds)


def epoch_ms(moment: datetime) -> int:
    """Milliseconds since 1970, the unit in which the queue and the desks tell times."""
    return round(moment.timestamp() * 1000)


def from_epoch_ms(milliseconds: int) -> datetime:
    """The moment, in UTC, that is so many milliseconds after 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
