"""What the worker does again and again beside reading: a round's bug is told and ends that round, never the rounds."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from envision_worker.clock import Clock
from envision_worker.ledger.records import LedgerUnavailable
from envision_worker.telemetry.facts import Facts

Work = Callable[[], Awaitable[None]]


class Rounds:
    """Tasks that run until `stop`."""

    def __init__(self, clock: Clock, facts: Facts, *, ledger_lost: Callable[[LedgerUnavailable], None]) -> None:
        """`ledger_lost`: told where a round could not use the ledger."""
        self._clock = clock
        self._facts = facts
        self._ledger_lost = ledger_lost
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, work: Work, *, every_s: float, hint: asyncio.Event | None = None) -> None:
        """Do this every so often, and at once when hinted."""
        self._tasks.append(asyncio.create_task(self._again_and_again(work, every_s, hint), name=name))

    async def stop(self) -> None:
        """Cut off what runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def guarded(self, work: Work) -> None:
        """One round, or a part of one; never raises."""
        try:
            await work()
        except LedgerUnavailable as exc:
            self._ledger_lost(exc)
        except Exception as exc:  # noqa: BLE001 - the edge of every round
            self._facts.unforeseen(message_id=None, ticket=None, exc=exc)

    async def _again_and_again(self, work: Work, every_s: float, hint: asyncio.Event | None) -> None:
        while True:
            if hint:
                hint.clear()
            await self.guarded(work)
            await self._rest(every_s, hint)

    async def _rest(self, seconds: float, hint: asyncio.Event | None) -> None:
        if hint is None:
            await self._clock.sleep(seconds)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await hint.wait()
