"""The loop that reads the queue: decide whether to, read, hand to the lanes; until told to stop. Several reads may be under way."""

import asyncio
import contextlib
import random
from collections.abc import Coroutine
from typing import Any

from envision_worker.clock import Clock
from envision_worker.ensono.connect import EnvisionConnect
from envision_worker.ensono.settings import QueueSettings
from envision_worker.errors import PeerError
from envision_worker.intake.cadence import Cadence, Sent
from envision_worker.intake.files import SpooledFiles
from envision_worker.intake.gates import Gates
from envision_worker.intake.lanes import Lanes
from envision_worker.intake.reading import Read, Reading, was_lost
from envision_worker.intake.receive_counts import ReceiveCounts
from envision_worker.intake.saving import Saving
from envision_worker.intake.watermarks import Watermarks
from envision_worker.ledger.ledger import Ledger
from envision_worker.ledger.records import LedgerUnavailable
from envision_worker.telemetry.facts import Facts

SLICE_S = 30.0
"""Longest wait for something to happen without a sign that the loop turns."""
SLACK_S = 60.0
AT_ONCE_S = 0.001
"""Less than this is no wait."""
WAITS_AT_MOST = 0.25
"""Of the visibility window: for so long a message that was read may have to wait until it is begun."""
PROBE_AGAIN_S = 5.0
"""Where a handling outlives its window, its peers are probed this often before reads."""


class Consumer:
    """Reads while there is work and room for it."""

    def __init__(
        self,
        connect: EnvisionConnect,
        ledger: Ledger,
        lanes: Lanes,
        files: SpooledFiles,
        watermarks: Watermarks,
        clock: Clock,
        facts: Facts,
        settings: QueueSettings,
        *,
        gates: Gates,
        rng: random.Random,
        saves: int,
    ) -> None:
        """`saves`: how many reads that only save were made in the outage that lasts, if one does (`recalled_saves`)."""
        self._reading = Reading(connect, ledger, files, watermarks, clock, facts, settings)
        self._saving = Saving(
            self._reading, lanes, gates, ledger, clock, facts, settings, saves=saves, stopping=lambda: self.stopping
        )
        self._cadence = Cadence(settings, rng, now=clock.monotonic())
        self._lanes = lanes
        self._clock = clock
        self._facts = facts
        self._settings = settings
        self._gates = gates
        self._stopping = asyncio.Event()
        self._changed = asyncio.Event()
        self._reads: set[asyncio.Task[None]] = set()
        self._error: BaseException | None = None
        self._probed_at = clock.monotonic() - PROBE_AGAIN_S
        self._alive_until = clock.monotonic() + SLACK_S
        lanes.on_end = self._lane_ended

    # --- the loop ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until `stop`, and until the reads that were under way then have been answered and kept.

        Raises:
            LedgerUnavailable: what was read could not be kept; nothing was done with it.
        """
        try:
            while not self._stopping.is_set():
                self._turns(SLICE_S)
                self._changed.clear()
                self._raise_what_failed()
                await self._go_on()
            await self._answered()
            self._raise_what_failed()
        except (asyncio.CancelledError, LedgerUnavailable):
            await self._cut_off()
            raise

    async def _go_on(self) -> None:
        if not self._gates.are_open():
            await self._save_or_wait()
            return
        wait_s = self._wait_s()
        if wait_s > AT_ONCE_S:
            await self._pause(wait_s)
        elif await self._may_read():
            self._begin()

    def stop(self) -> None:
        """No further read."""
        self._stopping.set()
        self._changed.set()

    def wake(self) -> None:
        """Something changed (a gate opened, an operator resumed): don't wait any longer."""
        self._cadence.wake(self._clock.monotonic())
        self._changed.set()

    # --- how it is ---------------------------------------------------------------------------------------------------

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping.is_set()

    @property
    def last_read(self) -> float | None:
        """When a read was answered last, epoch seconds."""
        return self._reading.last_read

    @property
    def counts(self) -> ReceiveCounts:
        """What is known of receive counts."""
        return self._reading.counts

    def overdue_s(self) -> float:
        """Seconds by which the loop is late, 0 while it turns as it should."""
        return max(self._clock.monotonic() - self._alive_until, 0.0)

    def turns(self) -> bool:
        """Whether the loop turns as it should."""
        return self.overdue_s() == 0

    # --- whether to read ---------------------------------------------------------------------------------------------

    def _wait_s(self) -> float:
        """Seconds until it is time for a read and what it may bring can be begun; as long as it takes where something must happen first."""
        longest_s = self._settings.visibility_timeout_s * WAITS_AT_MOST
        if self._lanes.would_wait_s(self._cadence.under_way + 1) > longest_s:
            return SLICE_S
        wait_s = self._cadence.wait_s(self._clock.monotonic())
        return min(wait_s, SLICE_S) if self._cadence.under_way else wait_s

    async def _may_read(self) -> bool:
        """Whether every gate is open; waits for what is being probed.

        A handling that outlives its window is reason to probe: its peer may have fallen silent, and the next read would spend one more
        receive of every message behind it.
        """
        now = self._clock.monotonic()
        if now - self._probed_at >= PROBE_AGAIN_S and self._lanes.overdue():
            self._probed_at = now
            self._gates.suspect()
        if self._gates.suspected():
            await self._until(self._gates.cleared(), SLICE_S)
        return self._gates.are_open() and not self._gates.suspected() and not self._stopping.is_set()

    async def _save_or_wait(self) -> None:
        """While a gate is closed nothing is read for work; a long outage is worth a read that only saves."""
        if self._reads or not await self._saving.save_if_due():
            await self._pause(min(SLICE_S, self._settings.poll_interval_s))

    # --- reading -----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        sent = self._cadence.sent(self._clock.monotonic())
        task = asyncio.create_task(self._read(sent), name=f"read {sent.number}")
        self._reads.add(task)
        task.add_done_callback(self._read_ended)

    async def _read(self, sent: Sent) -> None:
        count, lost = None, True
        try:
            count = await self._reading.read(self._offer, nothing_hidden=self._lanes.nothing_hidden())
        except PeerError as exc:
            lost = was_lost(exc)
        finally:
            now = self._clock.monotonic()
            if count is None:
                self._cadence.failed(sent, now=now, lost=lost)
            else:
                self._cadence.came(sent, count, now=now)

    def _offer(self, read: Read) -> None:
        self._lanes.offer(read.tickets, read.live)

    def _lane_ended(self, *, cleared: bool) -> None:
        if cleared:
            self._cadence.ticket_cleared()
        self._changed.set()

    def _read_ended(self, task: asyncio.Task[None]) -> None:
        self._reads.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._error = self._error or error
        self._changed.set()

    def _raise_what_failed(self) -> None:
        """What went wrong in a read that nobody foresaw; the others go on."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    async def _answered(self) -> None:
        if self._reads:
            await asyncio.wait(self._reads)

    async def _cut_off(self) -> None:
        for task in self._reads:
            task.cancel()
        await asyncio.gather(*self._reads, return_exceptions=True)

    # --- waiting -----------------------------------------------------------------------------------------------------

    async def _pause(self, seconds: float) -> None:
        """Until something happens, no longer than this."""
        self._turns(seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def _until(self, event: Coroutine[Any, Any, object], seconds: float) -> None:
        """Wait for something, but no longer than this, and not when stopping."""
        self._turns(seconds)
        waiting = {asyncio.create_task(event), asyncio.create_task(self._stopping.wait())}
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def _turns(self, for_s: float) -> None:
        """The loop turns; not as it should, though, while a read does not come to its end."""
        now = self._clock.monotonic()
        under_way_s = self._cadence.oldest_s(now)
        self._alive_until = now - under_way_s + for_s + SLACK_S
        if under_way_s <= SLICE_S:
            self._facts.loop_ticked(self._clock.now().timestamp())
