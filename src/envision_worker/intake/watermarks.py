"""What the consumer can honestly say of a queue that it can't count (contract, section 4)."""

import math
from dataclasses import dataclass, field

from envision_worker.ledger.ledger import Ledger

_DRAINED = "queue_last_drained"
_WATERMARK = "queue_watermark"


@dataclass(eq=False, slots=True)
class UnderWay:
    """A read whose answer is not here yet.

    Attributes:
        started: by the wall clock, epoch seconds.
        tells_all: whether a short answer shows that the queue is drained: nothing was hidden, and no other read was under way.
        all_seen: whether no message could be hidden then that was never seen here.
        oldest_beside: the oldest that reads brought which were answered while it was under way; epoch seconds.
    """

    started: float
    tells_all: bool
    all_seen: bool
    oldest_beside: float = math.inf


@dataclass(eq=False, slots=True)
class _Claim:
    """Everything sent before `reached` has been received, once the reads that it waits for have brought nothing older."""

    reached: float
    waits_for: set[UnderWay]


@dataclass(slots=True)
class Watermarks:
    """Both marks, epoch seconds, None before the first; they survive restarts.

    Attributes:
        drained: start of the last read that came back short while nothing of ours was in flight or hidden.
        watermark: everything sent before this has been received, as far as we can know.
        drains: how many reads of this process came back so.
        first_life: whether no process before this one can have hidden anything: the ledger is new.
        born: since when there is this ledger, epoch seconds; before the first mark all that is known.
    """

    drained: float | None = None
    watermark: float | None = None
    drains: int = 0
    first_life: bool = False
    born: float | None = None
    _under_way: set[UnderWay] = field(default_factory=set)
    _claims: list[_Claim] = field(default_factory=list)

    @classmethod
    async def recalled(cls, ledger: Ledger) -> "Watermarks":
        """As the last process left them."""
        drained, watermark = await ledger.recall(_DRAINED), await ledger.recall(_WATERMARK)
        return cls(float(drained) if drained else None, float(watermark) if watermark else None)

    def begin(self, started: float, *, nothing_hidden: bool, all_seen: bool) -> UnderWay:
        """A read goes out; every one that is under way has to be ended."""
        read = UnderWay(started, nothing_hidden and not self._under_way, all_seen)
        for other in self._under_way:
            other.tells_all = False
        self._under_way.add(read)
        return read

    async def came(self, ledger: Ledger, read: UnderWay, *, now: float, full: bool, oldest_sent: float | None) -> None:
        """It was answered; `oldest_sent` is of what it brought. A mark in the future is of a clock that was wrong.

        Raises:
            LedgerUnavailable: it can't be kept.
        """
        reached = self._ended(read, math.inf if oldest_sent is None else oldest_sent, claims=full and read.all_seen)
        if read.tells_all and not full:
            self.drained = reached = read.started
            self.drains += 1
            await ledger.remember(_DRAINED, repr(self.drained))
        if self._advanced(reached, now):
            await ledger.remember(_WATERMARK, repr(self.watermark))

    def failed(self, read: UnderWay, *, now: float, lost: bool) -> None:
        """It brought nothing; `lost`: nobody knows what it may have brought. What it proves is kept with the next answer."""
        self._advanced(self._ended(read, -math.inf if lost else math.inf, claims=False), now)

    def _advanced(self, reached: float | None, now: float) -> bool:
        before = self.watermark or 0.0
        if reached is None or not math.isfinite(reached) or not (reached > before or before > now):
            return False
        self.watermark = reached
        return True

    def _ended(self, read: UnderWay, brought: float, *, claims: bool) -> float | None:
        """How far is known to have been received, now that one more read has ended; None where nothing new is known.

        A full read brought the oldest that there was, so all before that had been received, but for what the reads beside it bring.
        """
        self._under_way.discard(read)
        for other in self._under_way:
            other.oldest_beside = min(other.oldest_beside, brought)
        for claim in self._claims:
            if read in claim.waits_for:
                claim.waits_for.discard(read)
                claim.reached = min(claim.reached, brought)
        if claims:
            self._claims.append(_Claim(min(brought, read.oldest_beside), set(self._under_way)))
        proven = [claim.reached for claim in self._claims if not claim.waits_for]
        self._claims = [claim for claim in self._claims if claim.waits_for]
        return max(proven, default=None)
