"""When the queue is read next, and how many reads may be under way at once. Pure: it is told what happened, and when.

A full read says that there is more: the next follows at once, and each full one lets one more be under way beside it. One that is
not full says that nothing is left but what our own lanes hide and what is sent from now on. What a ticket has left shows when its
lane has deleted all that it held, so a read follows then, else after the poll interval. Each empty read in a row doubles the
pause before a lane's end brings about another, so that the end of a backlog is no storm of empty reads.
"""

import math
import random
from dataclasses import dataclass

from envision_worker.ensono.settings import QueueSettings

FULL_READ = 10
"""Most messages that one read brings (guide: 1-10)."""
READS_AT_ONCE = 8
LONGEST_BACK_OFF_S = 300.0
LATE = 0.5
"""Of the visibility window: an answer that takes longer may come when what it brings is visible again, so nothing is read beside it."""
_PAUSE_AFTER_SHORT = 1 / 128
"""Of the poll interval."""
_DOUBLED_AT_MOST = 30


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """A read on its way. `cleared`: how many lanes had cleared their ticket when it was sent."""

    number: int
    at: float
    cleared: int


class Cadence:
    """All times are monotonic seconds."""

    def __init__(self, settings: QueueSettings, rng: random.Random, *, now: float) -> None:
        self._poll_s = settings.poll_interval_s
        self._window_s = settings.visibility_timeout_s
        self._rng = rng
        self._under_way: list[Sent] = []
        self._number = 0
        self._newest = 0
        self._at_once = 1
        self._more = False
        self._cleared = 0
        self._cleared_before = 0
        self._empties = 0
        self._look_after = now
        self._rest_until = now
        self._failures = 0
        self._failed_at = -math.inf
        self._backs_off_until = now
        self._hidden_until = now

    @property
    def under_way(self) -> int:
        """How many reads are on their way."""
        return len(self._under_way)

    def wait_s(self, now: float) -> float:
        """Seconds until the next read; 0 where it is due; infinite where something has to happen first."""
        if len(self._under_way) >= self._at_once or self.oldest_s(now) > self._window_s * LATE:
            return math.inf
        shows = self._look_after if self._cleared > self._cleared_before else self._rest_until
        due = now if self._more else min(shows, self._rest_until)
        return max(due - now, self._backs_off_until - now, self._hidden_until - now, 0.0)

    def oldest_s(self, now: float) -> float:
        """How long the oldest read on its way has been so; 0 where there is none."""
        return now - self._under_way[0].at if self._under_way else 0.0

    # --- what happens ------------------------------------------------------------------------------------------------

    def sent(self, now: float) -> Sent:
        """A read goes out."""
        self._number += 1
        read = Sent(self._number, now, self._cleared)
        self._under_way.append(read)
        return read

    def came(self, read: Sent, count: int, *, now: float) -> None:
        """It brought so many messages. Of several under way the one that was sent last tells what is left."""
        self._under_way.remove(read)
        if read.at > self._failed_at:
            self._failures = 0
        if read.number < self._newest:
            return
        self._newest, self._cleared_before = read.number, read.cleared
        self._more = count >= FULL_READ
        self._empties = 0 if count else self._empties + 1
        if self._more:
            self._at_once = min(self._at_once + 1, READS_AT_ONCE)
            return
        self._at_once = 1
        pause_s = self._poll_s * _PAUSE_AFTER_SHORT * _doubled(self._empties)
        self._look_after, self._rest_until = now + min(pause_s, self._poll_s), now + self._poll_s

    def failed(self, read: Sent, *, now: float, lost: bool) -> None:
        """It failed: longer pauses with each failure, with jitter, so that many clients don't come back together.

        Args:
            lost: it may have been carried out; then ten messages may be hidden until its window has passed.
        """
        self._under_way.remove(read)
        self._at_once = 1
        if lost:
            self._hidden_until = max(self._hidden_until, read.at + self._window_s)
        if read.at >= self._failed_at:  # those that were under way together fail together, and count as one
            self._failures += 1
        self._failed_at = now
        wait_s = self._poll_s * _doubled(self._failures - 1)
        longest_s = max(LONGEST_BACK_OFF_S, self._poll_s)
        self._backs_off_until = now + min(wait_s, longest_s) * self._rng.uniform(0.5, 1.0)

    def ticket_cleared(self) -> None:
        """A lane has deleted all that it held: what its ticket has left shows now."""
        self._cleared += 1

    def wake(self, now: float) -> None:
        """Something changed (a gate opened, an operator resumed): don't wait any longer, but begin with one read."""
        self._at_once = 1
        self._rest_until = self._backs_off_until = now


def _doubled(times: int) -> int:
    return 1 << min(max(times, 0), _DOUBLED_AT_MOST)
