"""Which names of statuses and stages mean that a desk ticket is resolved, closed or cancelled."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from envision_worker.desks.desk import Life

RESOLVED = frozenset({"resolved"})
CLOSED = frozenset({"closed"})
CANCELLED = frozenset({"cancelled", "canceled"})
CHANGE_CLOSED = frozenset({"closed", "completed", "rejected"})  # a rejected change has ended; nobody cancelled it
CHANGE_CANCELLED = frozenset({"cancelled", "canceled"})
CLOSING_STAGES = frozenset({"close", "closed"})
STAGE_ENDS = frozenset({"completed"})  # stands in most stages and ends only the stage, but for the last one the change


@dataclass(frozen=True, slots=True)
class LifeNames:
    """Names in small letters. What an administrator calls them comes in addition to what they are called at first.

    Attributes:
        resolved, closed, cancelled: statuses of requests.
        change_closed, change_cancelled: statuses of changes; a change in a stage `Close` is closed unless it is cancelled, one
            that is `Completed` in another stage is open.
        closing_stages: what that last stage is called.
    """

    resolved: frozenset[str] = RESOLVED
    closed: frozenset[str] = CLOSED
    cancelled: frozenset[str] = CANCELLED
    change_closed: frozenset[str] = CHANGE_CLOSED
    change_cancelled: frozenset[str] = CHANGE_CANCELLED
    closing_stages: frozenset[str] = CLOSING_STAGES

    @classmethod
    def with_names(
        cls,
        *,
        resolved: Iterable[str] = (),
        closed: Iterable[str] = (),
        cancelled: Iterable[str] = (),
        change_closed: Iterable[str] = (),
        change_cancelled: Iterable[str] = (),
    ) -> Self:
        """The usual names and these, which may be written in any case."""
        return cls(
            RESOLVED | _folded(resolved),
            CLOSED | _folded(closed),
            CANCELLED | _folded(cancelled),
            CHANGE_CLOSED | _folded(change_closed),
            CHANGE_CANCELLED | _folded(change_cancelled),
        )

    def with_closing_stage(self, stage: str) -> Self:
        """The same for a desk that calls its last stage so."""
        return replace(self, closing_stages=self.closing_stages | {_fold(stage)})

    def of_request(self, status: str) -> Life:
        """Where a request with this status stands."""
        name = _fold(status)
        if name in self.cancelled:
            return Life.CANCELLED
        if name in self.closed:
            return Life.CLOSED
        return Life.RESOLVED if name in self.resolved else Life.OPEN

    def of_change(self, stage: str, status: str) -> Life:
        """Where a change in this stage with this status stands."""
        name = _fold(status)
        if name in self.change_cancelled:
            return Life.CANCELLED
        place = _fold(stage)
        if place in self.closing_stages:
            return Life.CLOSED
        ends = name in self.change_closed and not (place and name in STAGE_ENDS)
        return Life.CLOSED if ends else Life.OPEN


def _folded(names: Iterable[str]) -> frozenset[str]:
    return frozenset(_fold(name) for name in names)


def _fold(name: str) -> str:
    return name.strip().casefold()
