"""What lies on the desk: tickets with their notes, files and approvals, as the desk's own database would hold them."""

from dataclasses import dataclass, field
from typing import Any

from envision_worker.simulators.manageengine.flavour import Kind


@dataclass
class Note:
    """A note. `added` and `updated` are milliseconds since 1970; `flags` are what its writer ticked."""

    id: str
    text: str
    author: str
    added: int
    updated: int
    flags: dict[str, Any] = field(default_factory=dict)


@dataclass
class Attachment:
    """A file on a ticket with its bytes."""

    id: str
    name: str
    content: bytes
    content_type: str
    sha256: str
    added: int
    by: str
    description: str = ""


@dataclass
class Approval:
    """One approver's approval.

    Attributes:
        approver: the user who was asked.
        status: `To Be Sent`, `Pending Approval`, `Approved` or `Rejected`.
        delegate: the user it was handed on to.
        decided_by: the user who decided.
        mails: when notifications went out, in milliseconds since 1970.
        number: how many decisions there were; a second one replaces the first.
    """

    id: str
    approver: str
    created: int
    status: str = "To Be Sent"
    delegate: str | None = None
    sent_by: str | None = None
    decided_by: str | None = None
    decided: int | None = None
    comments: str | None = None
    deleted: bool = False
    mails: list[int] = field(default_factory=list)
    decisions: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it still waits for its decision."""
        return not self.deleted and self.status in ("To Be Sent", "Pending Approval")


@dataclass
class Level:
    """A level of approval of one stage of a change.

    Attributes:
        number: counts within the stage, from 1.
        stage: the id of the stage.
        rule: `percent`, `anyone`, `everyone` or `first`.
        percent: how many of the approvers who were asked must approve, where the rule is `percent`.
    """

    id: str
    number: int
    name: str
    stage: str
    rule: str
    percent: int
    created: int
    by: str
    approvals: list[Approval] = field(default_factory=list)
    deleted: bool = False
    outcome: str | None = None
    decided: int | None = None
    decided_by: str | None = None

    @property
    def status(self) -> str:
        """As its approvals stand."""
        if self.outcome is not None:
            return self.outcome
        sent = any(each.status != "To Be Sent" for each in self.approvals if not each.deleted)
        return "Pending Approval" if sent else "To Be Sent"


@dataclass
class Ticket:
    """A request or a change.

    Attributes:
        id: its id; number: what people call it (on premises the same).
        fields: what was set, as `fields.Field.take` returned it.
        updated: None until something changed.
        listed_from: when lists and searches begin to show it, in milliseconds since 1970.
    """

    kind: Kind
    id: str
    number: str
    fields: dict[str, Any]
    created: int
    by: str
    listed_from: int
    updated: int | None = None
    completed: int | None = None
    reopened: bool = False
    trashed: bool = False
    deleted: bool = False
    merged_into: str | None = None
    resolution: tuple[str, int, str] | None = None
    notes: list[Note] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    levels: list[Level] = field(default_factory=list)


@dataclass(frozen=True)
class Effect:
    """One write that changed something.

    Attributes:
        at: seconds since 1970.
        by: `api`, or `people` where a person at the desk did it.
        verb: `create`, `update`, `status`, `resolve`, `close`, `note`, `edit_note`, `remove_note`, `attach`, `detach`,
            `add_level`, `add_approver`, `notify`, `decide`, `delegate`, `remove_level`, `remove_approver`, `merge`,
            `trash`, `restore`, `delete`.
        kind, ticket: which ticket.
        what: what changed, by name.
    """

    at: float
    by: str
    verb: str
    kind: Kind
    ticket: str
    what: dict[str, Any]
