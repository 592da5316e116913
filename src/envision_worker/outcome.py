"""What handling a message came to, as a value. The reasons are closed sets: they are metric labels and search words in the log."""

from dataclasses import dataclass
from enum import StrEnum


class LaterReason(StrEnum):
    """Why a message is tried again later."""

    DESK_UNREACHABLE = "desk_unreachable"
    DESK_THROTTLED = "desk_throttled"
    DESK_KEY_REFUSED = "desk_key_refused"
    DESK_MALFORMED = "desk_malformed"
    ENSONO_UNREACHABLE = "ensono_unreachable"
    ENSONO_THROTTLED = "ensono_throttled"
    ENSONO_KEY_REFUSED = "ensono_key_refused"
    ENSONO_MALFORMED = "ensono_malformed"
    ENSONO_REFUSED = "ensono_refused"
    OUTCOME_UNKNOWN = "outcome_unknown"
    """A write was sent and its answer was lost; the ticket waits until it must have shown."""
    ATTACHMENT_UNREACHABLE = "attachment_unreachable"
    SPOOL_FULL = "spool_full"
    STOPPING = "stopping"
    LEDGER_UNAVAILABLE = "ledger_unavailable"
    BUG = "bug"
    """An exception that nobody foresaw; its traceback is in the log."""


class DeadLetterReason(StrEnum):
    """Why a message can't be applied without a person."""

    MALFORMED = "malformed"
    """Its body can't be parsed, or lacks what its transaction needs."""
    REFUSED_BY_DESK = "refused_by_desk"
    NOT_FOR_THIS_TICKET_TYPE = "not_for_this_ticket_type"
    """Redraft or Approval Request for something that is no change."""
    NO_COUNTERPART = "no_counterpart"
    """ReturnEnsonoNum names a desk ticket that does not exist."""
    COUNTERPART_TAKEN = "counterpart_taken"
    """ReturnEnsonoNum contradicts a link that stands."""
    RECEIVES_USED_UP = "receives_used_up"
    """Ensono has moved it to its failure queue, or will with the next read."""
    RETENTION_USED_UP = "retention_used_up"
    PROCESS_ENDED = "process_ended"
    """The process ended uncleanly each time that it had this message in hand."""
    RESTORED = "restored"
    """Undone in the copy of the ledger that was put back; it may have been applied since the copy was made."""


@dataclass(frozen=True, slots=True)
class Applied:
    """Done, durably: the receipt handle may be deleted. `already`: it had been done before."""

    already: bool = False


@dataclass(frozen=True, slots=True)
class OutOfScope:
    """A configured rule says that this transaction is none of ours."""

    rule: int


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Not done, nothing deleted. `wait_s`: not before so many seconds have passed."""

    reason: LaterReason
    detail: str
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Can't be done without a person; kept with its reason, and later messages of the ticket behind it."""

    reason: DeadLetterReason
    detail: str


Outcome = Applied | OutOfScope | RetryLater | DeadLetter


def metric_label(outcome: Outcome) -> str:
    """The `outcome` label of `envision_messages_total`."""
    match outcome:
        case Applied(already=True):
            return "already_applied"
        case Applied():
            return "applied"
        case OutOfScope():
            return "out_of_scope"
        case RetryLater():
            return "retry_later"
        case DeadLetter():
            return "dead_letter"
