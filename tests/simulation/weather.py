"""What goes wrong between the worker and its peers, by chance: single calls now and then, and whole outages."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from envision_worker.simulators.faults import Fault, FaultKind, Faults
from envision_worker.simulators.http import Request
from envision_worker.simulators.manageengine.throttle import SENTENCE

WRITES = frozenset({"POST", "PUT", "DELETE"})
NO_TROUBLE: tuple[float, Fault | None] = (0.0, None)
REFUSAL = b'{"response_status": {"status_code": 4000, "messages": [{"status_code": 4001, "type": "failed", "message": "No."}], "status": "failed"}}'


class OutageKind(StrEnum):
    """What is down, and how it shows."""

    DESK_GONE = "desk refuses connections"
    DESK_503 = "desk answers 503"
    DESK_HANGS = "desk never answers"
    DESK_LOGIN_PAGE = "desk shows its login page"
    DESK_THROTTLES = "desk throttles"
    DESK_THROTTLES_WRITES = "desk throttles writes"
    DESK_KEY = "desk refuses the key"
    DESK_WRITES_500 = "desk answers writes with 500"
    TICKETS_503 = "Ensono's tickets API answers 503"
    DELETES_503 = "Ensono's deletes answer 503"
    ENSONO_GONE = "Ensono refuses connections"
    ENSONO_HANGS = "Ensono never answers"
    ENSONO_KEY = "Ensono refuses the key"
    QUEUE_503 = "Ensono's queue answers 503"

    @property
    def peer(self) -> str:
        return "desk" if self.value.startswith("desk") else "ensono"

    @property
    def other_peer(self) -> str:
        """The one that is not down."""
        return "ensono" if self.peer == "desk" else "desk"

    @property
    def spends_receives(self) -> bool:
        """Whether reading would still work, so that only a closed gate keeps the receives from being spent."""
        return self not in READING_FAILS and self is not OutageKind.DESK_WRITES_500


READING_FAILS = frozenset({OutageKind.QUEUE_503, OutageKind.ENSONO_GONE, OutageKind.ENSONO_HANGS})
"""In these reading itself fails, and is tried again at growing intervals."""


class Mischief(StrEnum):
    """What goes wrong with single calls."""

    ANY = "anything"
    CARRIED_OUT_LATE = "writes are carried out after their caller has given them up"


@dataclass(frozen=True)
class Outage:
    """`start` and `end` in seconds since the simulation's beginning."""

    kind: OutageKind
    start: float
    end: float


class Trouble(Faults):
    """The faults of one peer.

    Attributes:
        rate: how likely a call is to go wrong outside outages.
        slow_s: the most that a call takes longer than usual.
        down: outages that last now.
        hits: how many calls were spoiled.
    """

    def __init__(
        self, rng: random.Random, mischief: Mischief, *, timeout_s: float, settle_s: float, cloud: bool
    ) -> None:
        super().__init__()
        self.rate = 0.0
        self.slow_s = 0.0
        self.refusals = 0.0
        self.down: list[OutageKind] = []
        self.hits = 0
        self._rng = rng
        self._mischief = mischief
        self._timeout_s = timeout_s
        self._settle_s = settle_s
        self._cloud = cloud

    def take(self, request: Request) -> tuple[float, Fault | None]:
        slow = self._rng.uniform(0, self.slow_s) if self.slow_s else 0.0
        for kind in self.down:
            spoiled = self._in_outage(kind, request)
            if spoiled is not NO_TROUBLE:
                self.hits += 1
                return spoiled
        if self._rng.random() < self.rate and (self._mischief is Mischief.ANY or request.method in WRITES):
            self.hits += 1
            fault = self._spoiled(request)
            return 0.0 if fault.kind is FaultKind.HANG_BEFORE else slow, fault  # else it would be too late
        if self.refusals and request.method in {"POST", "PUT"} and self._rng.random() < self.refusals:
            self.hits += 1
            return slow, Fault(FaultKind.STATUS, status=400, body=REFUSAL)
        return slow, None

    def _spoiled(self, request: Request) -> Fault:
        kind = FaultKind.HANG_BEFORE if self._mischief is Mischief.CARRIED_OUT_LATE else self._rng.choice(_on(request))
        match kind:
            case FaultKind.STATUS | FaultKind.STATUS_AFTER:
                return Fault(kind, status=self._rng.choice((500, 502, 503, 504)))
            case FaultKind.HANG_BEFORE:  # carried out after the caller gave up, but before it must have shown
                return Fault(kind, seconds=self._timeout_s + self._rng.uniform(0.0, 0.95) * self._settle_s)
            case FaultKind.HANG_AFTER:
                return Fault(kind, seconds=self._rng.uniform(0.5, 1.5) * self._timeout_s)
            case _:
                return Fault(kind)

    def _in_outage(self, kind: OutageKind, request: Request) -> tuple[float, Fault | None]:
        writes = request.method in WRITES
        tickets = "/tickets/" in request.raw_path
        reads_queue = request.raw_path.endswith("/queue")
        accounts = "/oauth/" in request.raw_path  # another server, with limits of its own
        down: dict[OutageKind, bool] = {
            OutageKind.DESK_503: True,
            OutageKind.DESK_WRITES_500: writes,
            OutageKind.TICKETS_503: tickets,
            OutageKind.DELETES_503: request.method == "DELETE",
            OutageKind.QUEUE_503: reads_queue,
        }
        match kind:
            case _ if down.get(kind):
                return 0.0, Fault(FaultKind.STATUS, status=503)
            case OutageKind.DESK_HANGS | OutageKind.ENSONO_HANGS if "/bucket/" not in request.raw_path:
                return self._timeout_s + 5.0, Fault(FaultKind.STATUS, status=503)
            case OutageKind.ENSONO_KEY if "/bucket/" not in request.raw_path:
                return 0.0, Fault(FaultKind.STATUS, status=403, body=b'{"message": "Forbidden"}')
            case OutageKind.DESK_LOGIN_PAGE:
                return 0.0, Fault(FaultKind.HTML)
            case OutageKind.DESK_THROTTLES if not accounts:
                return 0.0, self._throttled()
            case OutageKind.DESK_THROTTLES_WRITES if writes and not accounts:
                return 0.0, self._throttled()
        return NO_TROUBLE

    def _throttled(self) -> Fault:
        if self._cloud:
            return Fault(FaultKind.STATUS, status=429, body=b"{}")
        return Fault(FaultKind.STATUS, status=400, body=SENTENCE.encode(), content_type="text/plain; charset=utf-8")


def _on(request: Request) -> Sequence[FaultKind]:
    """What may go wrong with this call. A file's length goes before it, so what is cut short shows as a lost answer."""
    if request.method in WRITES:
        return _ON_WRITES
    return _ON_DOWNLOADS if "/bucket/" in request.raw_path else _ON_READS


_ON_WRITES: Sequence[FaultKind] = (
    *(FaultKind.LOSE_ANSWER,) * 4,
    *(FaultKind.HANG_BEFORE,) * 4,
    *(FaultKind.STATUS_AFTER,) * 2,
    FaultKind.HANG_AFTER,
    FaultKind.STATUS,
    FaultKind.REFUSE,
    FaultKind.TRUNCATED,
    FaultKind.EMPTY,
    FaultKind.HTML,
)
_ON_READS: Sequence[FaultKind] = (
    FaultKind.REFUSE,
    FaultKind.LOSE_ANSWER,
    FaultKind.HANG_BEFORE,
    FaultKind.STATUS,
    FaultKind.HTML,
    FaultKind.TRUNCATED,
    FaultKind.EMPTY,
)
_ON_DOWNLOADS: Sequence[FaultKind] = (
    FaultKind.REFUSE,
    FaultKind.LOSE_ANSWER,
    FaultKind.HANG_BEFORE,
    FaultKind.STATUS,
    FaultKind.HTML,
)
