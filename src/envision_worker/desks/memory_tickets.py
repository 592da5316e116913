"""Tickets, notes and levels of approval as the reference desk keeps them."""

from dataclasses import dataclass, field
from datetime import datetime

from envision_worker.desks.approval import ApprovalLevel, ApprovalRule, ApprovalState, DeskApproval
from envision_worker.desks.desk import DeskRef, Fields, FileStub
from envision_worker.vocabulary import DeskTicketId, PartnerTicketNumber


@dataclass(slots=True)
class Note:
    """A note as the desk keeps it."""

    id: str
    html: str
    public: bool
    added: datetime


@dataclass(slots=True)
class Level:
    """A level of approval as the desk keeps it; `mails` are the addresses written to, in order."""

    id: str
    name: str
    rule: ApprovalRule
    approvals: list[DeskApproval]
    mails: list[str] = field(default_factory=list)

    @property
    def state(self) -> ApprovalState:
        """Anyone: the first approval, or all rejections; everyone: all approvals, or the first rejection."""
        decisive, unanimous = ApprovalState.APPROVED, ApprovalState.REJECTED
        if self.rule is ApprovalRule.EVERYONE:
            decisive, unanimous = unanimous, decisive
        states = {each.state for each in self.approvals}
        if decisive in states:
            return decisive
        return unanimous if states == {unanimous} else ApprovalState.WAITING

    def shown(self) -> ApprovalLevel:
        """As the contract shows it."""
        return ApprovalLevel(self.id, self.name, self.state, tuple(self.approvals))


@dataclass(slots=True)
class Ticket:
    """A ticket as the desk keeps it; `closure` is the code and the comments that it was closed with."""

    ref: DeskRef
    number: PartnerTicketNumber
    created: datetime
    fields: Fields
    notes: list[Note] = field(default_factory=list)
    files: list[tuple[FileStub, bytes]] = field(default_factory=list)
    levels: list[Level] = field(default_factory=list)
    resolution: str = ""
    closure: tuple[str | None, str] | None = None
    trashed: bool = False
    merged_into: DeskTicketId | None = None

    def bears(self, prefix: str) -> bool:
        """Whether it can be read and its number field begins so."""
        return self.merged_into is None and (self.fields.ensono_number or "").startswith(prefix)
