"""What the ledger keeps, as values. All times are epoch seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from envision_worker.vocabulary import DeskKind, DeskTicketId, EnsonoTicketNumber, MessageId, PartnerTicketNumber


class LedgerUnavailable(Exception):
    """The store can't be opened, read or written: disk full, locked, corrupt, no permission. Says which file and why."""


class LedgerHeld(LedgerUnavailable):
    """Another process works with this ledger; says which."""


class State(StrEnum):
    """Where a message stands; exactly one at any time. The names are those of `status --json`."""

    WAITING = "waiting"
    RETRY_LATER = "retry_later"
    DEAD_LETTER = "dead_letter"
    APPLIED = "applied"
    OUT_OF_SCOPE = "out_of_scope"
    DISCARDED = "discarded"

    @property
    def settled(self) -> bool:
        """Nothing is left to do but to acknowledge it."""
        return self in {State.APPLIED, State.OUT_OF_SCOPE, State.DISCARDED}


@dataclass(frozen=True, slots=True)
class Arrival:
    """What one delivery brings for the ledger; see `ensono.delivery.Delivery` for the fields."""

    message_id: MessageId
    ticket: EnsonoTicketNumber
    transaction_type: str
    ticket_type: str
    sent_ms: int
    sequence: int
    receive_count: int
    content_key: str
    raw: str = field(repr=False)


def told_apart(message_id: MessageId, ticket: EnsonoTicketNumber) -> MessageId:
    """The id under which a message is kept whose own id is another ticket's already: SQS never does that, a queue in between may."""
    return MessageId(f"{message_id} of {ticket}")


@dataclass(frozen=True, slots=True)
class Kept:
    """A message as the ledger keeps it.

    Attributes:
        raw: the message as JSON without receipt handle; empty where it was not asked for.
        reason, detail: of the last handling that did not succeed.
        unclean_ends: how often the process ended uncleanly while it had this message in hand.
        held: not tried again until an operator says so.
        next_attempt: when a dead letter is tried again from its copy, None where only a redelivery or an operator does.
        seen_count: the ApproximateReceiveCount before this delivery, 0 at the first.
        acknowledged: when its handle was deleted. gone: when it was known to have left the queue otherwise.
    """

    message_id: MessageId
    ticket: EnsonoTicketNumber
    transaction_type: str
    ticket_type: str
    sent_ms: int
    sequence: int
    content_key: str
    state: State
    raw: str = field(repr=False, default="")
    reason: str = ""
    detail: str = ""
    attempts: int = 0
    unclean_ends: int = 0
    held: bool = False
    receive_count: int = 0
    seen_count: int = 0
    first_received: float = 0.0
    last_received: float = 0.0
    next_attempt: float | None = None
    settled: float | None = None
    acknowledged: float | None = None
    gone: float | None = None

    @property
    def order(self) -> tuple[int, int]:
        """SentTimestamp, then SequenceNumber as an integer (contract, P1)."""
        return self.sent_ms, self.sequence


class EffectOutcome(StrEnum):
    """How an effect ended; an effect without outcome may or may not have happened."""

    DONE = "done"
    REFUSED = "refused"
    NOT_SENT = "not_sent"


@dataclass(frozen=True, slots=True)
class Effect:
    """One write to the desk or to Ensono.

    Attributes:
        peer: `desk` or `ensono`.
        key: names the effect within its ticket; the same effect has the same key at each attempt.
        what: for people (`create request`, `add note`).
        known: what stood on the desk before the write, so that a look afterwards tells what is new.
        intent: when it was last about to be sent. outcome: None while unknown.
        answer: what came back (`{"id": "71"}`), or why it was refused.
    """

    id: int
    ticket: EnsonoTicketNumber
    message_id: MessageId
    key: str
    peer: str
    what: str
    known: Mapping[str, Any]
    intent: float
    outcome: EffectOutcome | None
    answer: Mapping[str, Any]
    finished: float | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Link:
    """Which desk ticket stands for an Ensono ticket.

    Attributes:
        created_by: the message that brought it about.
        generation: 1 for the first counterpart of this ticket; a new change after a redraft has the next.
        adopted: found on the desk, not created by this ledger.
        complete: it carries title and description; a ticket created from an attachment does not yet.
        state: the last change state that was applied, empty for requests and where it is not known.
        comments_only: later updates become notes (`policy.reopen = "comments"`).
        returned: when Ensono last confirmed `returnptn`, None before.
    """

    ticket: EnsonoTicketNumber
    generation: int
    kind: DeskKind
    desk_id: DeskTicketId
    number: PartnerTicketNumber
    created: float
    created_by: MessageId
    adopted: bool = False
    complete: bool = True
    state: str = ""
    comments_only: bool = False
    returned: float | None = None


class ApprovalStatus(StrEnum):
    """Where one approval request stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    """Another decision of the same round counted."""
    WITHDRAWN = "withdrawn"
    """Ensono no longer wants it: redrafted, cancelled, closed."""


@dataclass(frozen=True, slots=True)
class Word:
    """What an approver said on the desk, as it stood there when somebody looked.

    Attributes:
        on: the desk's id of the approval. by: name and e-mail.
        at: epoch seconds; on a desk that does not tell, when it was seen.
        too_late: it came after the decision that counts: kept, and not sent.
    """

    on: str
    status: ApprovalStatus
    by: tuple[str, str]
    at: float
    comment: str
    too_late: bool


@dataclass(frozen=True, slots=True)
class ApprovalRecord:
    """One Approval Request of Ensono's, from the question to the decision.

    Attributes:
        round: the generation of the counterpart that it belongs to; one decision counts for each.
        approver: Ensono's `approverEmail`. desk_approvers: who was asked on the desk.
        level_id: the approval level on the desk.
        decided_by: name, e-mail and phone as far as known.
        comment: the decider's reason, word for word; before, why nobody can decide; of what did not count, what came of it.
        via: `desk` or `command line`. sent: when Ensono confirmed the decision, None before.
        words: all that was said on its level, kept with the decision that counts.
    """

    approval_id: str
    ticket: EnsonoTicketNumber
    round: int
    desk_id: DeskTicketId
    approver: str
    approver_name: str
    desk_approvers: tuple[str, ...]
    level_id: str
    requested: float
    status: ApprovalStatus = ApprovalStatus.WAITING
    reminded: float | None = None
    decided: float | None = None
    decided_by: tuple[str, str, str] = ("", "", "")
    comment: str = ""
    via: str = ""
    sent: float | None = None
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Backlog:
    """What was received and is still in the queue as far as we can know, and what hangs.

    Attributes:
        unacknowledged: received, not deleted, not known to be gone. The next three are over those.
        average_sent, oldest_sent: epoch seconds, None where there is none.
        receive_count_max: highest ApproximateReceiveCount.
        oldest_unapplied: SentTimestamp of the oldest message not settled, None where there is none.
    """

    unacknowledged: int
    average_sent: float | None
    oldest_sent: float | None
    receive_count_max: int
    dead_letters: int
    blocked_tickets: int
    approvals_waiting: int
    approvals_oldest: float | None
    oldest_unapplied: float | None
