"""The visibility window: how much of it is left, and what may still be begun in it (contract, P7)."""

from collections import defaultdict, deque
from dataclasses import dataclass

from envision_worker.clock import Clock

_REMEMBERED = 32
_MARGIN = 1.25
"""A handling may take a quarter longer than the slowest of late."""


@dataclass(frozen=True, slots=True)
class Window:
    """How long the messages of one read stay hidden. Counts from sending the read: when SQS hid them can't be known better."""

    sent_at: float
    seconds: float

    def left(self, clock: Clock) -> float:
        """Seconds left, 0 where it has passed."""
        return max(self.sent_at + self.seconds - clock.monotonic(), 0.0)


class HandlingTimes:
    """How long handling took of late, by transaction type, acknowledging included."""

    def __init__(self) -> None:
        self._seconds: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))

    def took(self, transaction_type: str, seconds: float) -> None:
        """One handling is over."""
        self._seconds[transaction_type].append(seconds)

    def fits(self, transaction_type: str, left_s: float) -> bool:
        """Whether one more can be expected to end in what is left."""
        of_late = self._seconds[transaction_type]
        return left_s > (max(of_late) * _MARGIN if of_late else 0.0)
