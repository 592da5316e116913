"""Reads that only save: in a long outage the queue is read for raw copies and attachment bytes, twice at most (contract, P5)."""

from collections.abc import Callable

from envision_worker.clock import Clock
from envision_worker.ensono.settings import QueueSettings
from envision_worker.errors import PeerError
from envision_worker.intake.cadence import FULL_READ
from envision_worker.intake.gates import Gates
from envision_worker.intake.lanes import Lanes
from envision_worker.intake.reading import Reading
from envision_worker.ledger.ledger import Ledger
from envision_worker.telemetry.facts import Facts

SAVE_AFTER_S = (105 * 60.0, 210 * 60.0)
"""When an outage is this old, a read saves raw copies and attachment bytes: a signed link lives two hours."""
MOST_SPENT = 2
"""Receives that a message may lose in an outage after the one that met it (contract, P5)."""
_SAVES = "saving_reads"


class Saving:
    """Counts the saves of the outage that lasts, across restarts."""

    def __init__(
        self,
        reading: Reading,
        lanes: Lanes,
        gates: Gates,
        ledger: Ledger,
        clock: Clock,
        facts: Facts,
        settings: QueueSettings,
        *,
        saves: int,
        stopping: Callable[[], bool],
    ) -> None:
        self._reading = reading
        self._lanes = lanes
        self._gates = gates
        self._ledger = ledger
        self._clock = clock
        self._facts = facts
        self._window_s = settings.visibility_timeout_s
        self._saves = saves
        self._stopping = stopping

    async def save_if_due(self) -> bool:
        """Save what the queue has, where the outage is old enough for it; whether it was. Raises `LedgerUnavailable`."""
        outage_s = self._gates.outage_s()
        due = sum(outage_s >= after_s for after_s in SAVE_AFTER_S)
        is_due = due > self._saves
        if due != self._saves:
            self._saves = due
            await self._ledger.remember(_SAVES, str(due))
        if not is_due:
            return False
        since = self._clock.now().timestamp() - outage_s
        if await self._ledger.messages.most_receives(since=since) < MOST_SPENT:
            await self._save()
        return True

    async def _save(self) -> None:
        """One read after the other; each message is hidden after the first, so it spends one receive only."""
        self._facts.saving_read()
        ends_at = self._clock.monotonic() + self._window_s / 2
        while self._clock.monotonic() < ends_at and not self._stopping():
            try:
                count = await self._reading.read(
                    lambda read: self._lanes.hide(read.live), nothing_hidden=self._lanes.nothing_hidden()
                )
            except PeerError:
                return
            if count < FULL_READ:
                return


async def recalled_saves(ledger: Ledger) -> int:
    """How many reads that only save were made in the outage that lasts, as the process before this one noted. Raises `LedgerUnavailable`."""
    return int(await ledger.recall(_SAVES) or 0)
