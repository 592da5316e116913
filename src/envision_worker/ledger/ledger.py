"""The ledger's contract: what is kept, and the questions and facts that the worker has for it.

Calls of one process are carried out in the order in which they were made. A call returns when what it wrote is durable, but for
those that say "without waiting": what they write is durable before whatever is asked for after them, and where that fails every
later call does. All times are epoch seconds, handed in by the caller. Every call may raise `LedgerUnavailable`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from envision_worker.ledger.records import ApprovalRecord, Arrival, Backlog, Effect, EffectOutcome, Kept, Link, State
from envision_worker.vocabulary import DeskKind, DeskTicketId, EnsonoTicketNumber, MessageId


class Messages(Protocol):
    """The messages received."""

    async def store(self, arrivals: Sequence[Arrival], *, at: float) -> dict[EnsonoTicketNumber, list[Kept]]:
        """Keep what a read brought, before anything is done with it (P4).

        Returns:
            For each ticket of the read, in the order of P1: all its messages that are not settled, the kept ones of earlier reads
            included, and those of this read that are settled already. One whose MessageId is another ticket's is `told_apart`.
        """
        ...

    async def undone(self, ticket: EnsonoTicketNumber) -> list[Kept]:
        """A ticket's messages that are not settled, in the order of P1."""
        ...

    async def begin(self, message_id: MessageId) -> MessageId | None:
        """It is in hand now; a process that ends before `settle` leaves it marked.

        Returns:
            Another message of its ticket that said the same and was applied, if there is one.
        """
        ...

    async def settle(
        self,
        message_id: MessageId,
        state: State,
        *,
        at: float,
        reason: str = "",
        detail: str = "",
        next_attempt: float | None = None,
        held: bool = False,
    ) -> None:
        """How its handling ended."""
        ...

    async def acknowledged(self, message_id: MessageId, *, at: float) -> None:
        """Its receipt handle was deleted; without waiting."""
        ...

    async def gone(self, message_ids: Sequence[MessageId], *, at: float) -> None:
        """They left the queue without us: failure queue or expiry."""
        ...

    async def used_up(
        self, *, max_receives: int, received_before: float, sent_before: float, unseen_since: float
    ) -> list[Kept]:
        """Unacknowledged messages that can't come again.

        All receives spent and hidden no longer, older than the retention, or not received since `unseen_since` though the queue was
        read.
        """
        ...

    async def orphans(self, *, limit: int) -> list[Kept]:
        """Unsettled messages that left the queue without us, first of their ticket, and not due to be tried again."""
        ...

    async def most_receives(self, *, since: float) -> int:
        """The most receives that any message still in the queue has spent since then."""
        ...

    async def due(self, now: float, *, latest: float, limit: int) -> list[Kept]:
        """Dead letters whose next attempt has come, oldest first, without those that an operator holds.

        One that is put off beyond `latest` was put off by a clock that was wrong: it is due too.
        """
        ...

    async def heads(self, *, limit: int) -> list[Kept]:
        """The first unsettled message of each ticket that is no dead letter, longest untried first: candidates for a trial."""
        ...

    async def get(self, message_id: MessageId) -> Kept | None:
        """One message."""
        ...

    async def standing(self, message_id: MessageId) -> tuple[Kept, bool] | None:
        """One message, and whether no earlier one of its ticket is unsettled; None where it is not kept (any more)."""
        ...

    async def unsettled(self, transaction_type: str) -> list[MessageId]:
        """All messages of this type that are not settled."""
        ...

    async def put_down(self) -> None:
        """A clean stop cut these off: not an unclean end."""
        ...

    async def release(self, message_id: MessageId) -> None:
        """An operator wants it tried again: not held, its unclean ends forgotten."""
        ...

    async def dead_letters(self) -> list[Kept]:
        """All dead letters, oldest first."""
        ...

    async def note_event(self, *, at: float, ticket: str, message_id: str, what: str, detail: str) -> None:
        """One line of a ticket's story, for `history`."""
        ...


class Effects(Protocol):
    """The effects, kept by ticket and key."""

    async def find(self, ticket: EnsonoTicketNumber, key: str) -> Effect | None:
        """The effect of this key, whatever message it was for."""
        ...

    async def answers(self, ticket: EnsonoTicketNumber, prefix: str) -> list[Mapping[str, Any]]:
        """What came back for a ticket's effects that are done and whose key starts so: what on the desk is known to be whose."""
        ...

    async def claim(
        self,
        ticket: EnsonoTicketNumber,
        message_id: MessageId,
        key: str,
        *,
        peer: str,
        what: str,
        known: Mapping[str, Any],
        at: float,
    ) -> "int | Effect":
        """As `intend`, unless it was carried out already or may have been: then the effect as it stands, and nothing is kept."""
        ...

    async def intend(
        self,
        ticket: EnsonoTicketNumber,
        message_id: MessageId,
        key: str,
        *,
        peer: str,
        what: str,
        known: Mapping[str, Any],
        at: float,
    ) -> int:
        """It is about to be sent, perhaps again; returns the effect's id once that is durable."""
        ...

    async def finish(self, effect_id: int, outcome: EffectOutcome, answer: Mapping[str, Any], *, at: float) -> None:
        """How it ended, without waiting; an attempt that failed also becomes an event of the ticket."""
        ...

    async def lost(self, effect_id: int, detail: str, *, at: float) -> None:
        """This attempt's answer was lost: it stays without an outcome, and that becomes an event of the ticket; without waiting."""
        ...

    async def unknown(self) -> list[tuple[EnsonoTicketNumber, str]]:
        """Ticket and peer of every effect without an outcome: what the process before this one left behind."""
        ...


class Links(Protocol):
    """Which desk ticket stands for which Ensono ticket."""

    async def current(self, ticket: EnsonoTicketNumber) -> Link | None:
        """The counterpart, as far as this ledger knows one."""
        ...

    async def save(self, link: Link) -> None:
        """Insert or replace, without waiting; the highest generation is the current one."""
        ...

    async def of_desk_ticket(self, kind: DeskKind, desk_id: DeskTicketId) -> Link | None:
        """The Ensono ticket that a desk ticket stands for now."""
        ...


class Approvals(Protocol):
    """The approval requests."""

    async def get(self, approval_id: str) -> ApprovalRecord | None:
        """One approval."""
        ...

    async def save(self, *records: ApprovalRecord) -> None:
        """Insert or replace, all or none."""
        ...

    async def of_ticket(self, ticket: EnsonoTicketNumber) -> list[ApprovalRecord]:
        """All of a change, oldest first."""
        ...

    async def waiting(self) -> list[ApprovalRecord]:
        """All that wait for a decision, oldest first."""
        ...

    async def unsent(self) -> list[ApprovalRecord]:
        """Decided ones whose decision Ensono has not confirmed."""
        ...

    async def all(self) -> list[ApprovalRecord]:
        """All, newest first."""
        ...


class Ledger(Protocol):
    """The durable store."""

    messages: Messages
    effects: Effects
    links: Links
    approvals: Approvals

    async def recall(self, name: str) -> str | None:
        """A remembered value (`paused`, `queue_watermark`…)."""
        ...

    async def remember(self, name: str, value: str) -> None:
        """Keep a value across restarts."""
        ...

    async def backlog(self) -> Backlog:
        """What the gauges show."""
        ...

    async def counts(self) -> dict[str, int]:
        """Messages by state."""
        ...

    async def prune(self, *, settled_before: float, limit: int) -> int:
        """Forget messages that were settled before and have left the queue; links and dead letters stay.

        Returns:
            How many, at most `limit`.
        """
        ...

    async def size_bytes(self) -> int:
        """The store's size on disk."""
        ...

    async def close(self) -> None:
        """Finish what was asked for and let go of the store."""
        ...
