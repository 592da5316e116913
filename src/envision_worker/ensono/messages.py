"""Queue messages as typed transactions; `parsing.py` makes them of a message's text."""

from dataclasses import dataclass, field
from datetime import datetime

from envision_worker.ensono.fields import TicketFields
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId, PartnerTicketNumber, TicketType


@dataclass(frozen=True, slots=True)
class Note:
    """`notes`: one comment. `public` where its type is `comment`."""

    id: str
    public: bool
    body: str
    commenter: str
    commenter_email: str
    time: str


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A public attachment. `key` tells the same attachment sent again; `url` is signed and lives two hours.

    `info` is the attachment's page at Ensono, for people; empty where the message has none. Then nothing tells the same file sent
    again from another of the same name, and losing one would be worse than attaching one twice.
    """

    name: str
    url: str = field(repr=False)
    info: str
    content_type: str
    size: int | None
    key: str


@dataclass(frozen=True, slots=True)
class Approval:
    """What an Approval Request asks: `id` and `approver_email` go back with the decision."""

    id: str
    approver_name: str
    approver_email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What every transaction carries.

    Attributes:
        sent: SentTimestamp. client_ticket_number: our number as Ensono knows it, None where it has none.
        reference_available: whether Ensono says that it knows our number.
        fields: the ticket as it stands at Ensono, every field as text, None where empty or missing.
        repeatable_key: equal for the same transaction sent twice under two MessageIds; None where that can't be told.
    """

    message_id: MessageId
    ticket: EnsonoTicketNumber
    ticket_type: TicketType
    sent: datetime
    client_ticket_number: PartnerTicketNumber | None
    reference_available: bool
    fields: TicketFields
    content_key: str

    @property
    def repeatable_key(self) -> str | None:
        """Same body with the same update time: the same transaction."""
        return self.content_key if self.fields.updated_on else None


class Create(Transaction):
    """A ticket comes into being, or a change comes back to Assess."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update(Transaction):
    """`changed` holds only what changed; None where the message has none (all changes, and broken ones)."""

    changed: TicketFields | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes(Transaction):
    """A comment; nothing else of the message is to be applied."""

    note: Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure(Transaction):
    """Resolved, closed or cancelled: the status tells which."""

    changed: TicketFields | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment(Transaction):
    """A public attachment."""

    file: RemoteFile


class Redraft(Transaction):
    """A change goes back to New."""


class ReturnEnsonoNum(Transaction):
    """Ensono's number for a ticket that the desk created."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest(Transaction):
    """One external approver is asked to decide on a change."""

    approval: Approval

    @property
    def repeatable_key(self) -> str | None:
        """Its approvalId stands in the body, so the same body is the same request, though it has no update time."""
        return self.content_key
