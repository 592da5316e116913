"""The loop that reads the queue: read, keep, hand to the lanes, rest; until told to stop."""

import asyncio
import random
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from envision_worker.clock import Clock, epoch_ms
from envision_worker.ensono.connect import EnvisionConnect, QueueRead
from envision_worker.ensono.delivery import Delivery
from envision_worker.ensono.settings import QueueSettings
from envision_worker.errors import Malformed, PeerError, Unsure
from envision_worker.intake.files import SpooledFiles
from envision_worker.intake.gates import Gates
from envision_worker.intake.lanes import Lanes, Live
from envision_worker.intake.receive_counts import ReceiveCounts
from envision_worker.intake.visibility import Window
from envision_worker.intake.watermarks import Watermarks
from envision_worker.ledger.ledger import Ledger
from envision_worker.ledger.records import Arrival, Kept
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId

FULL_READ = 10
"""Most messages that one read brings (guide: 1-10)."""
LONGEST_BACK_OFF_S = 300.0
SLICE_S = 30.0
"""Longest wait without a sign that the loop turns."""
SLACK_S = 60.0
SAVE_AFTER_S = (105 * 60.0, 210 * 60.0)
"""When an outage is this old, a read saves raw copies and attachment bytes: a signed link lives two hours."""
MOST_SPENT = 2
"""Receives that a message may lose in an outage after the one that met it (contract, P5)."""
_SAVES = "saving_reads"


@dataclass(frozen=True, slots=True)
class Read:
    """What one read brought, kept already."""

    tickets: dict[EnsonoTicketNumber, list[Kept]]
    live: dict[MessageId, Live]
    count: int


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
        self.last_read: float | None = None
        self.counts = ReceiveCounts(facts, max_receives=settings.max_receives, started_ms=epoch_ms(clock.now()))
        self._connect = connect
        self._ledger = ledger
        self._lanes = lanes
        self._files = files
        self._watermarks = watermarks
        self._clock = clock
        self._facts = facts
        self._settings = settings
        self._gates = gates
        self._saves = saves
        self._rng = rng
        self._stopping = asyncio.Event()
        self._woken = asyncio.Event()
        self._failures = 0
        self._hidden_until = clock.monotonic()
        self._alive_until = clock.monotonic() + SLACK_S

    # --- the loop ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until `stop`."""
        while not self._stopping.is_set():
            self._turns(SLICE_S)
            if not await self._may_read():
                await self._save_or_wait()
            elif await self._has_room():
                await self._read_and_rest()

    def stop(self) -> None:
        """No further read."""
        self._stopping.set()
        self._woken.set()

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping.is_set()

    def wake(self) -> None:
        """Something changed (a gate opened, an operator resumed): don't wait any longer."""
        self._woken.set()

    def overdue_s(self) -> float:
        """Seconds by which the loop is late, 0 while it turns as it should."""
        return max(self._clock.monotonic() - self._alive_until, 0.0)

    def turns(self) -> bool:
        """Whether the loop turns as it should."""
        return self.overdue_s() == 0

    async def _may_read(self) -> bool:
        """Whether every gate is open; waits for what is being probed.

        A handling that outlives its window is reason to probe: its peer may have fallen silent, and the next read would spend one more
        receive of every message behind it.
        """
        if self._lanes.overdue():
            self._gates.suspect()
        if self._gates.suspected():
            await self._until(self._gates.cleared(), SLICE_S)
        return self._gates.are_open() and not self._gates.suspected()

    async def _save_or_wait(self) -> None:
        """While a gate is closed nothing is read for work; a long outage is worth a read that only saves, twice at most."""
        outage_s = self._gates.outage_s()
        due = sum(outage_s >= after_s for after_s in SAVE_AFTER_S)
        if due <= self._saves:
            await self._note_saves(due)
            await self._pause(min(SLICE_S, self._settings.poll_interval_s))
            return
        await self._note_saves(due)
        since = self._clock.now().timestamp() - outage_s
        if await self._ledger.messages.most_receives(since=since) < MOST_SPENT:
            await self._save()

    async def _note_saves(self, saves: int) -> None:
        if saves != self._saves:
            self._saves = saves
            await self._ledger.remember(_SAVES, str(saves))

    async def _save(self) -> None:
        self._facts.saving_read()
        ends_at = self._clock.monotonic() + self._settings.visibility_timeout_s / 2
        while self._clock.monotonic() < ends_at:  # each message is hidden after the first: it spends one receive only
            read = await self.read()
            if read is None or read.count < FULL_READ:
                return
            self._lanes.hide(read.live)

    async def _has_room(self) -> bool:
        """Whether all that a read may bring can be begun; waits a while where it can't."""
        wanted = min(FULL_READ, self._lanes.side_by_side)
        if self._lanes.room() >= wanted:
            return True
        await self._until(self._lanes.changed(), SLICE_S)
        return False

    async def _read_and_rest(self) -> None:
        hidden_s = self._hidden_until - self._clock.monotonic()
        if hidden_s > 0:  # a read's answer was lost: what it hid comes back only then
            await self._pause(hidden_s)
            return
        read = await self.read()
        if read is None:
            await self._back_off()
            return
        self._failures = 0
        self._lanes.offer(read.tickets, read.live)
        await self._rest(read.count)

    async def _rest(self, count: int) -> None:
        """A full read is followed by the next at once; a short one when its tickets are through; an empty one after the pause.

        Messages of a group come only when those before them are deleted, so what a ticket has left shows as soon as its lane ends.
        """
        if count >= FULL_READ:
            return
        if self._lanes.running == 0:
            if count == 0:
                await self._pause(self._settings.poll_interval_s)
            return
        await self._until(self._lanes.idle(), self._settings.poll_interval_s)

    async def _back_off(self) -> None:
        """Longer with each failure, with jitter, so that many clients don't come back together."""
        self._failures += 1
        longest = max(LONGEST_BACK_OFF_S, self._settings.poll_interval_s)
        wait_s = min(self._settings.poll_interval_s * 2 ** (self._failures - 1), longest)
        await self._pause(wait_s * self._rng.uniform(0.5, 1.0))

    # --- reading -----------------------------------------------------------------------------------------------------

    async def read(self) -> Read | None:
        """One read, durably kept before anything is done with it (P4); None where it failed.

        Raises:
            LedgerUnavailable: what was read could not be kept; nothing was done with it.
        """
        started, nothing_hidden = self._clock.now(), self._lanes.nothing_hidden()
        sent_at = self._clock.monotonic()
        try:
            answer = await self._connect.read_queue()
        except PeerError as exc:
            self._failed(exc, sent_at)
            return None
        now = self._clock.now()
        deliveries = [Delivery.of(element, received=now) for element in answer.messages]
        read = await self._keep(answer, deliveries, at=now.timestamp())
        await self._watermarks.read(
            self._ledger,
            started=started.timestamp(),
            full=read.count >= FULL_READ,
            nothing_hidden=nothing_hidden,
            oldest_sent=min((each.sent_ms / 1000 for each in deliveries), default=None),
        )
        self.last_read = now.timestamp()
        self._tell(deliveries, answer)
        return read

    async def _keep(self, answer: QueueRead, deliveries: Sequence[Delivery], *, at: float) -> Read:
        arrivals = [_arrival(delivery) for delivery in deliveries]
        tickets = await self._ledger.messages.store(arrivals, at=at) if arrivals else {}
        self._files.first_seen(kept for kept_of_ticket in tickets.values() for kept in kept_of_ticket)
        window = Window(answer.sent_at, self._settings.visibility_timeout_s)
        live: dict[MessageId, Live] = {each.message_id: Live(each.receipt_handle, window) for each in deliveries}
        return Read(tickets, live, len(deliveries))

    def _tell(self, deliveries: Sequence[Delivery], answer: QueueRead) -> None:
        self.counts.came(deliveries)
        redelivered = [each for each in deliveries if each.receive_count > 1]
        for each in deliveries:
            self._facts.message_received(
                transaction_type=each.transaction_type,
                ticket_type=each.ticket_type,
                redelivered=each.receive_count > 1,
            )
            for field, problem in each.faults:
                self._facts.message_malformed(
                    message_id=each.message_id, ticket=each.ticket, field=field, problem=problem
                )
        self._facts.queue_read(
            result="full" if len(deliveries) >= FULL_READ else "short" if deliveries else "empty",
            messages=len(deliveries),
            redelivered=len(redelivered),
            seconds=answer.answered_at - answer.sent_at,
        )

    def _failed(self, error: PeerError, sent_at: float) -> None:
        """Nothing was read, or nobody knows what: then ten messages may be hidden and a receive spent."""
        seconds = self._clock.monotonic() - sent_at
        self._facts.queue_read(result="error", messages=0, redelivered=0, seconds=seconds, detail=str(error))
        if isinstance(error, Unsure | Malformed):
            self._hidden_until = sent_at + self._settings.visibility_timeout_s
            self.counts.read_lost()
            self._facts.read_lost(error.detail)

    # --- waiting -----------------------------------------------------------------------------------------------------

    async def _pause(self, seconds: float) -> None:
        """Sleep, unless woken or stopped."""
        self._woken.clear()
        if not self._stopping.is_set():
            await self._until(self._woken.wait(), seconds)

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
        self._alive_until = self._clock.monotonic() + for_s + SLACK_S
        self._facts.loop_ticked(self._clock.now().timestamp())


async def recalled_saves(ledger: Ledger) -> int:
    """What the process before this one noted. Raises `LedgerUnavailable`."""
    return int(await ledger.recall(_SAVES) or 0)


def _arrival(delivery: Delivery) -> Arrival:
    return Arrival(
        message_id=delivery.message_id,
        ticket=delivery.ticket,
        transaction_type=delivery.transaction_type,
        ticket_type=delivery.ticket_type,
        sent_ms=delivery.sent_ms,
        sequence=delivery.sequence,
        receive_count=delivery.receive_count,
        content_key=delivery.content_key,
        raw=delivery.raw,
    )
