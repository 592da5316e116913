"""Approvals as every desk shows them: levels, their approvers, and who decided."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ApprovalRule(StrEnum):
    """How an approval level is decided."""

    ANYONE = "anyone"
    EVERYONE = "everyone"


class ApprovalState(StrEnum):
    """Where one approver's approval, or a whole level, stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class DeskApproval:
    """One approver's approval on the desk.

    Attributes:
        approver: who was asked (e-mail address, empty where the desk shows none).
        decided_by_name, decided_by_email, decided_by_phone: who decided (the delegate, where there is one); empty before.
        comments: what the decider wrote.
        sent: whether the approver was notified.
    """

    id: str
    approver: str
    state: ApprovalState
    sent: bool = True
    decided_by_name: str = ""
    decided_by_email: str = ""
    decided_by_phone: str = ""
    decided_at: datetime | None = None
    comments: str = ""

    def is_to_be_asked(self, only: Collection[str] | None = None) -> bool:
        """Whether it waits for its decision, and is one of these addresses, written in any case."""
        named = only is None or self.approver.casefold() in {each.casefold() for each in only}
        return named and self.state is ApprovalState.WAITING


@dataclass(frozen=True, slots=True)
class ApprovalLevel:
    """A level of approval on a change with its approvals."""

    id: str
    name: str
    state: ApprovalState
    approvals: tuple[DeskApproval, ...] = ()


@dataclass(frozen=True, slots=True)
class ApprovalChecked:
    """What a check found out about approvals on this desk: what is configured wrongly, `key: problem`, and what people should know."""

    faults: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
