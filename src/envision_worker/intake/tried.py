"""How a gate's trial went."""

from dataclasses import dataclass
from enum import StrEnum


class TrialResult(StrEnum):
    """How a trial went."""

    PASSED = "passed"
    FAILED = "failed"
    NOTHING_KEPT = "nothing_kept"
    NOT_YET = "not_yet"
    """Nothing of what is kept can be tried now: it waits for a write whose answer was lost, or the worker is paused or stopping."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a trial: the message that was tried, what to say about it, and how long what is kept has to wait."""

    result: TrialResult
    message_id: str | None
    detail: str
    wait_s: float = 0.0
