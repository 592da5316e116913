"""How often each action of a queue may be called."""

from collections import deque

from envision_worker.simulators.http import Now


class QueueThrottled(Exception):
    """More calls of one action within a second than the quota allows."""


class Quota:
    """Counts the calls of the last second, for each action by itself.

    Args:
        calls_per_second: None: no limit.
    """

    def __init__(self, now: Now, calls_per_second: int | None) -> None:
        self.calls_per_second = calls_per_second
        self._now = now
        self._calls: dict[str, deque[float]] = {}

    def count(self, action: str) -> None:
        """Count a call.

        Raises:
            QueueThrottled: it is one too many; it isn't counted.
        """
        if self.calls_per_second is None:
            return
        now = self._now()
        lately = self._calls.setdefault(action, deque())
        while lately and lately[0] <= now - 1:
            lately.popleft()
        if len(lately) >= self.calls_per_second:
            raise QueueThrottled(action)
        lately.append(now)
