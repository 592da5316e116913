"""What every group of facts needs: the metrics, the log, and a ration for lines that an outage would repeat without end."""

import logging
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from envision_worker.clock import Clock
from envision_worker.telemetry.metrics import Metrics

DEBUG, INFO, WARNING, ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR
KINDS_AT_MOST = 2000  # remembered kinds of lines; the longest known is forgotten first, which costs a line too many


@dataclass(slots=True)
class _Kind:
    written_at: float
    held_back: int = 0


class Ration:
    """Lets one line of a kind through in a while, and counts the others."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kinds: OrderedDict[Hashable, _Kind] = OrderedDict()

    def admit(self, kind: Hashable, every_s: float) -> int | None:
        """How many of this kind were held back since the last one; None: hold this one back, too."""
        now = self._clock.monotonic()
        known = self._kinds.get(kind)
        if known is not None and now - known.written_at < every_s:
            known.held_back += 1
            return None
        self._kinds[kind] = _Kind(now)
        self._kinds.move_to_end(kind)
        if len(self._kinds) > KINDS_AT_MOST:
            self._kinds.popitem(last=False)
        return known.held_back if known else 0


class Telling:
    """Writes lines and moves metrics; the groups of facts build on it.

    Args:
        log: a structlog logger; what it writes is scrubbed of secrets there (see `logs`).
        key_refused_every_s: a refused key is said again no sooner than this.
    """

    def __init__(
        self, metrics: Metrics, log: FilteringBoundLogger, clock: Clock, *, key_refused_every_s: float = 60.0
    ) -> None:
        self._metrics = metrics
        self._log = log
        self._clock = clock
        self._key_refused_every_s = key_refused_every_s
        self._ration = Ration(clock)

    def _tell_rationed(self, level: int, event: str, kind: Hashable, every_s: float, **fields: object) -> None:
        """Write the line unless its like was written less than `every_s` ago; `held_back` counts those left out."""
        held_back = self._ration.admit((event, kind), every_s) if every_s > 0 else 0
        if held_back is None:
            self._metrics.lines_held_back.inc()
            return
        self._log.log(level, event, **fields, held_back=held_back)
