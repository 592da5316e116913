"""Gates: whether a peer can take work. The queue is read for work only while every gate is open (contract, P5).

A throttle or a refused key on any call closes a gate at once. A call that found its peer unreachable, or was answered with 5xx,
makes the gate probe, and a failed probe closes it. Three writes in a row that fail on different tickets close it even where
probes work: one ticket's 500 is no outage, but three are; only a number that Ensono did not take twice closes its gate alone.
A closed gate is kept in the ledger, and every start begins with a probe, so that a process that ends in an outage spends no receives
when it comes back.

It opens by a trial: one kept message that goes through from its copy (`intake.trial`).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Literal

from envision_worker.clock import Clock
from envision_worker.errors import KeyRefused, Malformed, PeerError, Refused, RefusedFor, Throttled, Unreachable, Unsure
from envision_worker.intake.failing_writes import READ_QUEUE, FailingWrites
from envision_worker.intake.probing import Probe, first_answer
from envision_worker.intake.reasons import Reason
from envision_worker.intake.tried import TrialResult, Tried
from envision_worker.ledger.ledger import Ledger
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import EnsonoTicketNumber
from envision_worker.wire import Call

OWN_TROUBLES = 5
"""Where a peer had said no by itself, a ticket's own failure at the trial counts as its own only after so many."""
PROBES = frozenset({"probe", "probe_tickets"})
SHORTEST_WAIT = 0.1
"""Of the usual wait: how long to wait at least after a try that itself took long."""

GateName = Literal["desk", "ensono"]


Trial = Callable[["Gate"], Awaitable[Tried]]
"""Tries kept messages."""


class Gate:
    """One peer's gate. `watch` must run for as long as the gate is used."""

    def __init__(
        self,
        name: GateName,
        probe: Probe,
        ledger: Ledger,
        clock: Clock,
        facts: Facts,
        *,
        retry_s: float,
        key_retry_s: float,
    ) -> None:
        self.name: GateName = name
        self.up: bool | None = None
        """Whether the peer answered last time; None before the first call."""
        self.failures = 0
        """How many calls failed as they do in an outage; a trial compares before and after."""
        self.writes = 0
        """How many writes were answered; the same."""
        self._probe = probe
        self._ledger = ledger
        self._clock = clock
        self._facts = facts
        self._retry_s = retry_s
        self._key_retry_s = key_retry_s
        self._reason: Reason | None = None
        self._since = 0.0
        self._wait_s = 0.0
        self._failing = FailingWrites()
        self._own_troubles = 0
        self.on_open: Callable[[], None] = lambda: None  # called each time that it opens
        self._suspected = asyncio.Event()
        self._cleared = asyncio.Event()
        self._cleared.set()

    @property
    def is_open(self) -> bool:
        """Whether the peer can take work, as far as is known."""
        return self._reason is None

    @property
    def reason(self) -> Reason | None:
        """Why it is closed."""
        return self._reason

    @property
    def wants_a_write(self) -> bool:
        """Whether only a write that is answered shows that the trouble is over, because a probe worked in the midst of it."""
        return self._reason is not Reason.PROBE_FAILED

    @property
    def is_suspected(self) -> bool:
        """Whether a probe is under way, or about to be."""
        return not self._cleared.is_set()

    def closed_for(self) -> float:
        """Seconds since it closed, 0 while open."""
        return 0.0 if self.is_open else self._clock.monotonic() - self._since

    async def cleared(self) -> bool:
        """Wait for a probe that is under way; then whether the gate is open."""
        await self._cleared.wait()
        return self.is_open

    # --- what is heard of calls --------------------------------------------------------------------------------------

    def heard(self, call: Call, ticket: EnsonoTicketNumber | None) -> None:
        """One call to this peer is over."""
        error = call.error
        if isinstance(error, Refused) and error.why is RefusedFor.CONFIGURATION:
            self._misdirected(call, error, ticket)
            return
        if error is None or isinstance(error, Refused):
            self._answered(call)
            return
        self.up = False
        self.failures += 1
        match error:
            case KeyRefused():
                self._facts.key_refused(self.name, error.detail)
                self._close(Reason.KEY_REFUSED, error.detail, self._key_retry_s)
            case Throttled():
                self._close(Reason.THROTTLED, error.detail, error.retry_after or self._retry_s)
            case Unreachable() | Unsure() | Malformed():
                self._failed(call, error, ticket)

    def _answered(self, call: Call) -> None:
        if self.is_open or not self.wants_a_write or call.operation not in PROBES:
            self.up = True
        if call.writes and call.operation != READ_QUEUE:
            self.writes += 1
            self._failing.answered(call)

    def _misdirected(self, call: Call, error: Refused, ticket: EnsonoTicketNumber | None) -> None:
        """The address or the client's name is wrong, or only this ticket's number is an impossible one: then others go through."""
        self.up = True
        self.failures += 1
        if ticket is not None:
            self._failing.failed(call, ticket)
        if call.operation in PROBES or self._failing.are_many():
            self._close(Reason.CONFIGURATION, error.detail, self._key_retry_s)

    def _failed(self, call: Call, error: PeerError, ticket: EnsonoTicketNumber | None) -> None:
        if call.operation == READ_QUEUE:
            return  # the reader backs off by itself
        if call.writes and ticket is not None:
            once_more = self._failing.failed(call, ticket)
            if self._failing.are_many():
                detail = f"{self._failing.most()} tickets, one after the other: {error}"
                self._close(Reason.WRITES_FAIL, detail, self._retry_s)
            elif once_more and self.is_open:
                self._close(Reason.NUMBER_NOT_TAKEN, f"{ticket}, and no other since: {error}", self._retry_s)
        self.suspect()

    def suspect(self) -> None:
        """Something looks wrong, or nothing is known yet: nothing is begun until a probe is answered."""
        if self.is_open:
            self._cleared.clear()
            self._suspected.set()

    def _close(self, reason: Reason, detail: str, wait_s: float) -> None:
        self._wait_s = wait_s
        self._own_troubles = 0
        if self._reason is reason:
            return
        if self.is_open:
            self._since = self._clock.monotonic()
        self._reason = reason
        self._cleared.set()
        self._facts.gate_closed(gate=self.name, reason=reason.value, detail=detail)
        self._suspected.set()

    def _open(self) -> None:
        self._facts.gate_opened(self.name, self.closed_for())
        self._reason = None
        self.up = True
        self._failing.forget()
        self.on_open()

    # --- watching ----------------------------------------------------------------------------------------------------

    async def watch(self, trial: Trial) -> None:
        """Probe when something looked wrong, and try to open again while closed; runs until cancelled.

        Raises:
            LedgerUnavailable: the gate's state can't be kept, or the trial's outcome.
        """
        while True:
            if self.is_open:
                await self._suspected.wait()
                await self._check_suspicion()
                continue
            started = self._clock.monotonic()
            await self._try_to_open(trial)
            if self.is_open:
                await self._keep()
            else:
                took_s = self._clock.monotonic() - started
                await self._clock.sleep(max(self._wait_s - took_s, self._wait_s * SHORTEST_WAIT))

    async def _check_suspicion(self) -> None:
        self._suspected.clear()
        try:
            if self.is_open:
                await first_answer(self._probe, every_s=self._retry_s)
        except PeerError as exc:
            self._probe_failed(exc)
        finally:
            self._cleared.set()
        if not self.is_open:
            await self._keep()
            await self._clock.sleep(self._wait_s)

    def _probe_failed(self, error: PeerError) -> None:
        """A throttle or a refused key has closed the gate already, where the call was heard of."""
        if self.is_open:
            self._close(Reason.PROBE_FAILED, str(error), self._retry_s)

    async def _try_to_open(self, trial: Trial) -> None:
        try:
            await first_answer(self._probe, every_s=self._retry_s)
        except PeerError as exc:
            self._waits_for(exc)
            self._facts.gate_trial(gate=self.name, message_id=None, ok=False, detail=exc.detail)
            return
        self._wait_s = self._retry_s
        if self._stood_long_enough():
            self._failing.opened_in_vain += 1
            self._facts.gate_trial(
                gate=self.name, message_id=None, ok=True, detail="one ticket may not stop all for longer"
            )
            self._open()
            return
        tried = await trial(self)
        passed = await self._judged(tried)
        self._facts.gate_trial(gate=self.name, message_id=tried.message_id, ok=passed, detail=tried.detail)
        if passed:
            self._open()

    def _waits_for(self, error: PeerError) -> None:
        if isinstance(error, KeyRefused):
            self._wait_s = self._key_retry_s
        else:
            self._wait_s = (error.retry_after if isinstance(error, Throttled) else None) or self._retry_s

    async def _judged(self, tried: Tried) -> bool:
        """Whether the gate may open after this trial; a probe was answered just before it."""
        match tried.result:
            case TrialResult.PASSED | TrialResult.NOTHING_KEPT:
                return True
            case TrialResult.NOT_YET:
                self._wait_s = min(self._retry_s, tried.wait_s or self._retry_s)
                return self._reason is Reason.PROBE_FAILED
            case TrialResult.FAILED:
                return await self._was_its_own_trouble()

    async def _was_its_own_trouble(self) -> bool:
        """The message failed, but the peer answers: one ticket's failure must not keep the gate closed for ever."""
        self._own_troubles += 1
        alone = self._reason is Reason.NUMBER_NOT_TAKEN
        if self._failing.are_many() or alone or (self.wants_a_write and self._own_troubles < OWN_TROUBLES):
            return False
        try:
            await first_answer(self._probe, every_s=self._retry_s)
        except PeerError as exc:
            self._waits_for(exc)
            return False
        return True

    def _stood_long_enough(self) -> bool:
        """Whether one ticket's number has kept it closed for as long as one ticket may."""
        holds_s = self._failing.holds_for_polls() * self._retry_s
        return self._reason is Reason.NUMBER_NOT_TAKEN and self.closed_for() >= holds_s

    # --- across restarts ---------------------------------------------------------------------------------------------

    async def recall(self) -> None:
        """Be closed as the process before this one left it. Raises `LedgerUnavailable`."""
        kept = await self._ledger.recall(self._kept_as)
        if not kept:
            return
        found = json.loads(kept)
        self._reason = Reason(found["reason"])
        self._since = self._clock.monotonic() - max(self._clock.now().timestamp() - found["since"], 0.0)
        self._wait_s = self._retry_s
        self._facts.gate_closed(
            gate=self.name, reason=self._reason.value, detail="it was closed when the last process ended"
        )

    async def _keep(self) -> None:
        since = self._clock.now().timestamp() - self.closed_for()
        closed = {} if self._reason is None else {"reason": self._reason.value, "since": since}
        await self._ledger.remember(self._kept_as, json.dumps(closed) if closed else "")

    @property
    def _kept_as(self) -> str:
        return f"gate_{self.name}"
