"""The gate's trial: one kept message that goes through from its copy shows that the peer takes work again (contract, P5)."""

from envision_worker.handlers.effects import Unsettled
from envision_worker.intake.gate import Gate, TrialResult
from envision_worker.intake.lanes import Lanes
from envision_worker.ledger.ledger import Ledger
from envision_worker.outcome import Applied, DeadLetter, Outcome, OutOfScope

_CANDIDATES = 20


class Trials:
    """Tries kept messages, the longest untried first, so that one that can't succeed does not keep a gate closed for ever."""

    def __init__(self, ledger: Ledger, lanes: Lanes, unsettled: Unsettled) -> None:
        self._ledger = ledger
        self._lanes = lanes
        self._unsettled = unsettled

    async def __call__(self, gate: Gate) -> tuple[TrialResult, str | None, str]:
        """See `intake.gate.Trial`."""
        waiting = False
        for kept in await self._ledger.messages.heads(limit=_CANDIDATES):
            if self._unsettled.wait_s(kept.ticket):
                waiting = True
                continue
            before = gate.failures
            outcome = await self._lanes.try_copy(kept)
            if outcome is None:
                continue
            if gate.failures > before:
                return TrialResult.FAILED, kept.message_id, _said(outcome)
            if not isinstance(outcome, DeadLetter):  # applied, or stopped by something that is not this peer's
                return TrialResult.PASSED, kept.message_id, _said(outcome)
        if waiting:
            return TrialResult.NOT_YET, None, "what is kept waits for a write whose answer was lost"
        return TrialResult.NOTHING_KEPT, None, "nothing is kept to try; the probe was answered"


def _said(outcome: Outcome) -> str:
    match outcome:
        case Applied() | OutOfScope():
            return "went through"
        case _:
            return f"{outcome.reason}: {outcome.detail}"
