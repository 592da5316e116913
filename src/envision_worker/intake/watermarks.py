"""What the consumer can honestly say of a queue that it can't count (contract, section 4)."""

from dataclasses import dataclass

from envision_worker.ledger.ledger import Ledger

_DRAINED = "queue_last_drained"
_WATERMARK = "queue_watermark"


@dataclass(slots=True)
class Watermarks:
    """Both marks, epoch seconds, None before the first; they survive restarts.

    Attributes:
        drained: start of the last read that came back short while nothing of ours was in flight or hidden.
        watermark: everything sent before this has been received, as far as we can know.
        drains: how many reads of this process came back so.
    """

    drained: float | None = None
    watermark: float | None = None
    drains: int = 0

    @classmethod
    async def recalled(cls, ledger: Ledger) -> "Watermarks":
        """As the last process left them."""
        drained, watermark = await ledger.recall(_DRAINED), await ledger.recall(_WATERMARK)
        return cls(float(drained) if drained else None, float(watermark) if watermark else None)

    async def read(
        self, ledger: Ledger, *, started: float, full: bool, nothing_hidden: bool, oldest_sent: float | None
    ) -> None:
        """A read is over: `started` is when, by the wall clock; `oldest_sent` is of what it brought."""
        drained = not full and nothing_hidden
        if drained:
            self.drained = started
            self.drains += 1
            await ledger.remember(_DRAINED, repr(started))
        reached = started if drained else oldest_sent if full else None
        if reached is not None and reached > (self.watermark or 0.0):
            self.watermark = reached
            await ledger.remember(_WATERMARK, repr(reached))
