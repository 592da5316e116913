"""One read of the queue: sent, kept before anything is done with it, told. Several may be under way at once."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from envision_worker.clock import Clock, epoch_ms
from envision_worker.ensono.connect import EnvisionConnect, QueueRead
from envision_worker.ensono.delivery import Delivery
from envision_worker.ensono.settings import QueueSettings
from envision_worker.errors import Malformed, PeerError, Unsure
from envision_worker.intake.cadence import FULL_READ
from envision_worker.intake.files import SpooledFiles
from envision_worker.intake.lane import Live
from envision_worker.intake.receive_counts import ReceiveCounts
from envision_worker.intake.visibility import Window
from envision_worker.intake.watermarks import UnderWay, Watermarks
from envision_worker.ledger.ledger import Ledger
from envision_worker.ledger.records import Arrival, Kept, told_apart
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId


@dataclass(frozen=True, slots=True)
class Read:
    """What one read brought, kept already."""

    tickets: dict[EnsonoTicketNumber, list[Kept]]
    live: dict[MessageId, Live]
    count: int


class Reading:
    """Makes reads.

    Attributes:
        last_read: when a read was answered last, epoch seconds.
        counts: compares Ensono's receive counts with these reads.
    """

    def __init__(
        self,
        connect: EnvisionConnect,
        ledger: Ledger,
        files: SpooledFiles,
        watermarks: Watermarks,
        clock: Clock,
        facts: Facts,
        settings: QueueSettings,
    ) -> None:
        self.last_read: float | None = None
        self.counts = ReceiveCounts(facts, max_receives=settings.max_receives, started_ms=epoch_ms(clock.now()))
        self._connect = connect
        self._ledger = ledger
        self._files = files
        self._watermarks = watermarks
        self._clock = clock
        self._facts = facts
        self._window_s = settings.visibility_timeout_s
        self._under_way = 0
        self._unseen_until = clock.monotonic() + (0.0 if watermarks.first_life else self._window_s)
        """Until then messages that nobody here has seen may be hidden: by a read whose answer was lost, or by the last process."""

    async def read(self, hand_over: Callable[[Read], None], *, nothing_hidden: bool) -> int:
        """One read; returns how many messages it brought.

        Args:
            hand_over: given what it brought as soon as that is durably kept (P4).
            nothing_hidden: whether nothing of ours is in flight or waits for its visibility now.

        Raises:
            PeerError: it failed; told already. `was_lost` says whether messages may be hidden by it.
            LedgerUnavailable: what was read could not be kept; nothing was done with it.
        """
        all_seen = self._clock.monotonic() >= self._unseen_until
        marked = self._watermarks.begin(self._now(), nothing_hidden=nothing_hidden and all_seen, all_seen=all_seen)
        self._under_way += 1
        sent_at = self._clock.monotonic()
        try:
            answer = await self._connect.read_queue()
            deliveries, read = await self._kept(answer)
            hand_over(read)
            self._tell(deliveries, answer)
        except PeerError as exc:
            self._over(marked, lost=was_lost(exc))
            self._failed(exc, sent_at)
            raise
        except BaseException:
            self._over(marked, lost=True)
            raise
        finally:
            self._under_way -= 1
        await self._watermarks.came(
            self._ledger,
            marked,
            now=self._now(),
            full=read.count >= FULL_READ,
            oldest_sent=min((each.sent_ms / 1000 for each in deliveries), default=None),
        )
        return read.count

    async def _kept(self, answer: QueueRead) -> tuple[Sequence[Delivery], Read]:
        now = self._clock.now()
        deliveries = [Delivery.of(element, received=now) for element in answer.messages]
        arrivals = [_arrival(delivery) for delivery in deliveries]
        tickets = await self._ledger.messages.store(arrivals, at=now.timestamp()) if arrivals else {}
        self._files.first_seen(kept for kept_of_ticket in tickets.values() for kept in kept_of_ticket)
        window = Window(answer.sent_at, self._window_s)
        names = {each.message_id for kept_of_ticket in tickets.values() for each in kept_of_ticket}
        live = {_name_among(names, each): Live(each.receipt_handle, window) for each in deliveries}
        self.last_read = now.timestamp()
        return deliveries, Read(tickets, live, len(deliveries))

    def _tell(self, deliveries: Sequence[Delivery], answer: QueueRead) -> None:
        self.counts.came(deliveries, beside=self._under_way - 1)
        redelivered = [each for each in deliveries if each.receive_count > 1]
        for each in deliveries:
            self._facts.message_received(
                transaction_type=each.transaction_type,
                ticket_type=each.ticket_type,
                redelivered=each.receive_count > 1,
            )
            for field, problem in each.faults:
                self._facts.message_malformed(
                    message_id=each.message_id, ticket=each.ticket, field=field, problem=problem
                )
        self._facts.queue_read(
            result="full" if len(deliveries) >= FULL_READ else "short" if deliveries else "empty",
            messages=len(deliveries),
            redelivered=len(redelivered),
            seconds=answer.answered_at - answer.sent_at,
        )

    def _over(self, marked: UnderWay, *, lost: bool) -> None:
        """It may have reached the queue as late as just now."""
        self._watermarks.failed(marked, now=self._now(), lost=lost)
        if lost:
            self._unseen_until = self._clock.monotonic() + self._window_s

    def _failed(self, error: PeerError, sent_at: float) -> None:
        """Nothing was read, or nobody knows what: then ten messages may be hidden and a receive spent."""
        seconds = self._clock.monotonic() - sent_at
        self._facts.queue_read(result="error", messages=0, redelivered=0, seconds=seconds, detail=str(error))
        if was_lost(error):
            self.counts.read_lost()
            self._facts.read_lost(error.detail)

    def _now(self) -> float:
        return self._clock.now().timestamp()


def was_lost(error: PeerError) -> bool:
    """Whether a read that failed so may have been carried out: then ten messages may be hidden until its window has passed."""
    return isinstance(error, Unsure | Malformed)


def _name_among(names: Collection[MessageId], delivery: Delivery) -> MessageId:
    """Under which id the ledger keeps it: its own, but where that is another ticket's."""
    apart = told_apart(delivery.message_id, delivery.ticket)
    return apart if apart in names else delivery.message_id


def _arrival(delivery: Delivery) -> Arrival:
    return Arrival(
        message_id=delivery.message_id,
        ticket=delivery.ticket,
        transaction_type=delivery.transaction_type,
        ticket_type=delivery.ticket_type,
        sent_ms=delivery.sent_ms,
        sequence=delivery.sequence,
        receive_count=delivery.receive_count,
        content_key=delivery.content_key,
        raw=delivery.raw,
    )
