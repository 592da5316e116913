"""What a handler has in hand for one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Protocol, Self
from zoneinfo import ZoneInfo

from envision_worker.clock import Clock
from envision_worker.config.mapping import MappingSettings
from envision_worker.config.model import Config
from envision_worker.config.sections import ApprovalsSettings, Reopen
from envision_worker.desks.desk import Desk, DeskRef, DeskTicket, LocalFile
from envision_worker.ensono.connect import EnvisionConnect
from envision_worker.ensono.messages import Attachment, Transaction
from envision_worker.handlers.beginnings import Beginning
from envision_worker.handlers.effects import Effects
from envision_worker.ledger.ledger import Ledger
from envision_worker.ledger.records import Link
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import DeskKind, TicketType, desk_kind


@dataclass(frozen=True, slots=True)
class HandlerSettings:
    """What of the configuration decides how transactions are applied.

    Attributes:
        create: `[desk.create.*]` by ticket type. default_requester: as the desk wants it.
        born: when the ledger was made, epoch seconds: what was sent before may have been applied by one that was lost.
    """

    mapping: MappingSettings
    reopen: Reopen
    approvals: ApprovalsSettings
    create: Mapping[TicketType, Mapping[str, Any]]
    default_requester: Mapping[str, Any]
    zone: ZoneInfo
    by_priority: bool
    born: float

    @classmethod
    def of(cls, config: Config, *, born: float) -> Self:
        """What a configuration says of it."""
        create = config.desk.create
        return cls(
            mapping=config.mapping,
            reopen=config.policy.reopen,
            approvals=config.approvals,
            create={
                TicketType.INCIDENT: create.incident,
                TicketType.REQUEST: create.request,
                TicketType.CHANGE: create.change,
            },
            default_requester={str(key): value for key, value in config.desk.default_requester.items()},
            zone=ZoneInfo(config.desk.time_zone),
            by_priority=config.desk.priority_from == "priority",
            born=born,
        )


@dataclass(frozen=True, slots=True)
class NotFetched:
    """A file that can't be had for good, and why, for people."""

    why: str


class Files(Protocol):
    """The bytes of attachments, fetched when their message was first seen."""

    async def of(self, attachment: Attachment) -> LocalFile | NotFetched:
        """The file on our disk. Raises `Unreachable` where it may still come."""
        ...

    async def done_with(self, attachment: Attachment) -> None:
        """It is on the desk; its bytes may go."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """A desk ticket as it stood a moment ago; `at` is monotonic."""

    ticket: DeskTicket
    at: float


@dataclass(slots=True)
class Turn:
    """What is remembered of a ticket during one read. `seen`: its counterpart after the last message, where that left it as it was."""

    number_returned: bool = False
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Peers:
    """Whom and what every handler works with; the same for all transactions."""

    desk: Desk
    ensono: EnvisionConnect
    ledger: Ledger
    files: Files
    clock: Clock
    facts: Facts
    settings: HandlerSettings


@dataclass(slots=True)
class Work:
    """One transaction, the peers, and its effects."""

    transaction: Transaction
    peers: Peers
    effects: Effects
    turn: Turn = field(default_factory=Turn)
    bearing: frozenset[str] | None = None
    """Ids on the desk that bear the ticket's number, where they were looked for."""
    first_received: float = inf
    """When the message first came, by our clock of then, epoch seconds."""
    said_before: bool = False
    """Whether the same body was applied already under another MessageId."""
    adopted: bool = False
    """Whether the counterpart was found on the desk, not made by this ledger."""
    seen: Seen | None = None
    """The counterpart as the message before this one left it."""
    from_memory: bool = False
    """Whether the counterpart was taken as it was `seen`: where the desk refuses anything then, it has to be looked at again."""

    @property
    def kind(self) -> DeskKind:
        """What the counterpart is on the desk."""
        return desk_kind(self.transaction.ticket_type)

    @property
    def may_be_repeated(self) -> bool:
        """Whether a ledger that was lost may have applied this transaction already, on a counterpart that this one only found."""
        return self.adopted and self.is_from_before

    @property
    def is_from_before(self) -> bool:
        """Whether it was sent before this ledger was made, as far as clocks can tell.

        Where it seems to come from the future, or seemed so when it first came, our clock is behind, or was, and nothing can be told
        from when the ledger was made.
        """
        sent = self.transaction.sent.timestamp()
        by_then = min(self.now(), self.first_received)
        return not self.peers.settings.born + CLOCKS_APART_S <= sent <= by_then + CLOCKS_APART_S

    def saw(self, ticket: DeskTicket) -> None:
        """The ticket's next message in this read, if it comes soon, may take it that its counterpart still stands so."""
        self.turn.seen = Seen(ticket, self.peers.clock.monotonic())

    def recalled(self, ref: DeskRef) -> DeskTicket | None:
        """That ticket as it stood a moment ago; None where it has to be read."""
        if self.seen is None or self.seen.ticket.ref != ref:
            return None
        if self.peers.clock.monotonic() - self.seen.at > SEEN_FOR_S:
            return None
        self.from_memory = True
        return self.seen.ticket

    def now(self) -> float:
        """The wall clock, epoch seconds."""
        return self.peers.clock.now().timestamp()


SEEN_FOR_S = 5.0
"""How long a counterpart counts as seen just now; somebody at the desk may merge, trash or close it meanwhile."""
CLOCKS_APART_S = 3600.0
"""How far Ensono's clock and ours may be apart where they are compared."""


@dataclass(frozen=True, slots=True)
class Counterpart:
    """The desk ticket that stands for the transaction's ticket: how the ledger knows it, and how it stood on the desk just now."""

    link: Link
    ticket: DeskTicket

    def is_made_by(self, transaction: Transaction) -> bool:
        """Whether it came into being from this very transaction, and so carries all that it says."""
        if not self.link.adopted:
            return self.link.created_by == transaction.message_id
        beginning = Beginning.read(self.ticket.description, transaction.ticket)
        return beginning is not None and beginning.is_by(transaction)
