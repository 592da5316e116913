"""The gate's trial: one kept message that goes through from its copy shows that the peer takes work again (contract, P5)."""

from collections.abc import Callable

from envision_worker.handlers.effects import Unsettled
from envision_worker.intake.gate import Gate
from envision_worker.intake.lanes import Lanes
from envision_worker.intake.tried import TrialResult, Tried
from envision_worker.ledger.ledger import Ledger
from envision_worker.outcome import Applied, DeadLetter, Outcome, OutOfScope

_CANDIDATES = 20


class Trials:
    """Tries kept messages, the longest untried first, so that one that can't succeed does not keep a gate closed for ever."""

    def __init__(self, ledger: Ledger, lanes: Lanes, unsettled: Unsettled, *, paused: Callable[[], bool]) -> None:
        """`paused`: whether an operator wants nothing to be written."""
        self._ledger = ledger
        self._lanes = lanes
        self._unsettled = unsettled
        self._paused = paused

    async def __call__(self, gate: Gate) -> Tried:
        """See `intake.gate.Trial`. What went through without showing anything about the peer is followed by the next."""
        if self._paused():
            return Tried(TrialResult.NOT_YET, None, "an operator paused the worker; nothing is written")
        waiting: list[float] = []
        for kept in await self._ledger.messages.heads(limit=_CANDIDATES):
            if wait_s := self._unsettled.wait_s(kept.ticket):
                waiting.append(wait_s)
                continue
            failures, writes = gate.failures, gate.writes
            outcome = await self._lanes.try_copy(kept)
            if outcome is None:
                continue
            if gate.failures > failures:
                return Tried(TrialResult.FAILED, kept.message_id, _said(outcome))
            if gate.writes > writes or not (gate.wants_a_write or isinstance(outcome, DeadLetter)):
                return Tried(TrialResult.PASSED, kept.message_id, _said(outcome))
        if self._lanes.stopping:
            return Tried(TrialResult.NOT_YET, None, "the worker is stopping; nothing is begun")
        if waiting:
            return Tried(
                TrialResult.NOT_YET, None, "what is kept waits for a write whose answer was lost", min(waiting)
            )
        return Tried(TrialResult.NOTHING_KEPT, None, "nothing is kept to try; the probe was answered")


def _said(outcome: Outcome) -> str:
    match outcome:
        case Applied() | OutOfScope():
            return "went through"
        case _:
            return f"{outcome.reason}: {outcome.detail}"
