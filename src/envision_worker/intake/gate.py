"""Gates: whether a peer can take work. The queue is read for work only while every gate is open (contract, P5).

A throttle or a refused key on any call closes a gate at once. A call that found its peer unreachable, or was answered with 5xx,
makes the gate probe, and a failed probe closes it. Three writes in a row that fail on different tickets close it even where
probes work: one ticket's 500 is no outage, but three are. It opens by a trial: one kept message that goes through from its copy.
"""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Literal

from envision_worker.clock import Clock
from envision_worker.errors import KeyRefused, Malformed, PeerError, Refused, RefusedFor, Throttled, Unreachable, Unsure
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import EnsonoTicketNumber
from envision_worker.wire import Call

FAILING_WRITES = 3
PROBE = "probe"
READ_QUEUE = "read_queue"


class TrialResult(StrEnum):
    """How a trial went."""

    PASSED = "passed"
    FAILED = "failed"
    NOTHING_KEPT = "nothing_kept"
    NOT_YET = "not_yet"
    """What is kept waits for a write whose answer was lost."""


Probe = Callable[[], Awaitable[None]]
Trial = Callable[["Gate"], Awaitable[tuple[TrialResult, str | None, str]]]
"""Tries one kept message; returns the result, the message's id, and what to say about it."""


class Gate:
    """One peer's gate. `watch` must run for as long as the gate is used."""

    def __init__(
        self,
        name: Literal["desk", "ensono"],
        probe: Probe,
        clock: Clock,
        facts: Facts,
        *,
        retry_s: float,
        key_retry_s: float,
    ) -> None:
        self.name: Literal["desk", "ensono"] = name
        self.up: bool | None = None
        """Whether the peer answered last time; None before the first call."""
        self.failures = 0
        """How many calls failed as they do in an outage; a trial compares before and after."""
        self._probe = probe
        self._clock = clock
        self._facts = facts
        self._retry_s = retry_s
        self._key_retry_s = key_retry_s
        self._reason: str | None = None
        self._since = 0.0
        self._wait_s = 0.0
        self._failing: set[EnsonoTicketNumber] = set()
        self.on_open: Callable[[], None] = lambda: None  # called each time that it opens
        self._suspected = asyncio.Event()
        self._cleared = asyncio.Event()
        self._cleared.set()

    @property
    def is_open(self) -> bool:
        """Whether the peer can take work, as far as is known."""
        return self._reason is None

    @property
    def reason(self) -> str | None:
        """Why it is closed."""
        return self._reason

    def closed_for(self) -> float:
        """Seconds since it closed, 0 while open."""
        return 0.0 if self.is_open else self._clock.monotonic() - self._since

    async def cleared(self) -> bool:
        """Wait for a probe that is under way; then whether the gate is open."""
        await self._cleared.wait()
        return self.is_open

    def heard(self, call: Call, ticket: EnsonoTicketNumber | None) -> None:
        """One call to this peer is over."""
        error = call.error
        if error is None or isinstance(error, Refused):
            self._answered(call)
            if isinstance(error, Refused) and error.why is RefusedFor.CONFIGURATION:
                self._close("configuration", error.detail, self._key_retry_s)
            return
        self.up = False
        self.failures += 1
        match error:
            case KeyRefused():
                self._facts.key_refused(self.name, error.detail)
                self._close("key_refused", error.detail, self._key_retry_s)
            case Throttled():
                self._close("throttled", error.detail, error.retry_after or self._retry_s)
            case Unreachable() | Unsure() | Malformed():
                self._failed(call, error, ticket)

    def _answered(self, call: Call) -> None:
        self.up = True
        if call.writes:
            self._failing.clear()

    def _failed(self, call: Call, error: PeerError, ticket: EnsonoTicketNumber | None) -> None:
        if call.operation in {PROBE, READ_QUEUE}:
            return  # whoever probed knows; and the reader backs off by itself
        if call.writes and ticket is not None:
            self._failing.add(ticket)
            if len(self._failing) >= FAILING_WRITES:
                self._close(
                    "writes_fail",
                    f"{len(self._failing)} writes in a row on different tickets; last: {error}",
                    self._retry_s,
                )
        if self.is_open:
            self._cleared.clear()
            self._suspected.set()

    def _close(self, reason: str, detail: str, wait_s: float) -> None:
        self._wait_s = wait_s
        if self._reason == reason:
            return
        if self.is_open:
            self._since = self._clock.monotonic()
        self._reason = reason
        self._cleared.set()
        self._facts.gate_closed(gate=self.name, reason=reason, detail=detail)
        self._suspected.set()

    def _open(self) -> None:
        self._facts.gate_opened(self.name, self.closed_for())
        self._reason = None
        self._failing.clear()
        self.on_open()

    async def watch(self, trial: Trial) -> None:
        """Probe when something looked wrong, and try to open again while closed; runs until cancelled."""
        while True:
            await self._suspected.wait()
            self._suspected.clear()
            if self.is_open:
                await self._check_suspicion()
            while not self.is_open:
                await self._clock.sleep(self._wait_s)
                await self._try_to_open(trial)

    async def _check_suspicion(self) -> None:
        try:
            await self._probe()
        except PeerError as exc:
            self._close(exc.result, exc.detail, self._retry_s)
        finally:
            self._cleared.set()

    async def _try_to_open(self, trial: Trial) -> None:
        try:
            await self._probe()
        except KeyRefused as exc:
            self._wait_s = self._key_retry_s
            self._facts.gate_trial(gate=self.name, message_id=None, ok=False, detail=exc.detail)
            return
        except PeerError as exc:
            self._wait_s = (exc.retry_after if isinstance(exc, Throttled) else None) or self._retry_s
            self._facts.gate_trial(gate=self.name, message_id=None, ok=False, detail=exc.detail)
            return
        self._wait_s = self._retry_s
        result, message_id, detail = await trial(self)
        passed = result in {TrialResult.PASSED, TrialResult.NOTHING_KEPT}
        self._facts.gate_trial(gate=self.name, message_id=message_id, ok=passed, detail=detail)
        if passed:
            self._open()
