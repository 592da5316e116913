"""What Ensono knows: its tickets, with everything that its users and its clients ever did to them."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

CHANGE = "Change"
TICKET_TYPES = ("Incident", "Request", CHANGE)
_AT_REST = {None, "", "New", "Cancelled", "Closed"}
_NUMBER = re.compile(r"e-(CS|CHG)\d+")


@dataclass(frozen=True)
class Comment:
    """One comment by the client."""

    at: float
    body: str
    commenter: str = ""
    comment_time: str = ""
    commenter_email: str = ""
    commenter_phone: str = ""


@dataclass(frozen=True)
class Approval:
    """One external approver who was asked.

    Attributes:
        round: which Assess of the change it belongs to: 1 for the first.
    """

    approval_id: str
    approver_name: str
    approver_email: str
    round: int


@dataclass(frozen=True)
class Decision:
    """One approve or reject that was answered 200.

    Attributes:
        verb: `approve` or `reject`.
        comment: word for word, as a person reads it.
        counted: only the first of a change and round counts, and none for an approval that was withdrawn.
    """

    at: float
    verb: str
    approval_id: str
    approver: str
    comment: str
    round: int
    counted: bool


@dataclass(frozen=True)
class ClientFile:
    """One file by the client; `refused` says why it was not added to the ticket, empty where it was."""

    at: float
    name: str
    content_type: str
    size: int
    refused: str = ""


@dataclass
class Ticket:
    """One incident, request or change.

    Attributes:
        number: `e-CS…` or `e-CHG…`.
        company: the client that it belongs to, by its clientName.
        client_ticket_number: what the client returned last; empty: nothing yet.
        fields: by the guide's names, as they stand now, in the order in which the guide's samples show them.
        contact: contactName and the like, where the client opened it.
        returned_numbers: every client ticket number returned, in order.
        round: how often the change was assessed; 0 for anything but a change.
        withdrawn: approvalIds that Ensono doesn't wait for any more.
    """

    number: str
    ticket_type: str
    company: str
    client_ticket_number: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    contact: dict[str, str] = field(default_factory=dict)
    returned_numbers: list[str] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    files: list[ClientFile] = field(default_factory=list)
    round: int = 0
    approvals: list[Approval] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)
    decisions: list[Decision] = field(default_factory=list)

    @property
    def is_change(self) -> bool:
        """Whether the change chapter of the guide applies."""
        return self.ticket_type == CHANGE

    def approval(self, approval_id: str) -> Approval | None:
        """The approval of this id."""
        return next((each for each in self.approvals if each.approval_id == approval_id), None)

    def decide(self, at: float, verb: str, approval: Approval, approver: str, comment: str) -> Decision:
        """Note a decision; the first of the present round counts and is the change's approval from now on."""
        is_open = approval.round == self.round and approval.approval_id not in self.withdrawn
        counted = is_open and not any(each.counted and each.round == self.round for each in self.decisions)
        decision = Decision(at, verb, approval.approval_id, approver, comment, approval.round, counted)
        self.decisions.append(decision)
        if counted:
            self.fields["approval"] = "approved" if verb == "approve" else "rejected"
        return decision

    def enter_state(self, state: str) -> None:
        """Move a change: out of New, Cancelled or into Assess begins a round; what leads out of a round withdraws its approvals."""
        before = self.fields.get("state")
        self.fields["state"] = state
        ends = state in _AT_REST
        begins = not ends and (before in _AT_REST or (state == "Assess" and before != "Assess"))
        if ends or begins:
            self.withdrawn |= {each.approval_id for each in self.approvals}
        if begins:
            self.round += 1
            self.fields["approval"] = "requested" if state == "Assess" else "not requested"
        if state == "New":
            self.fields["approval"] = "not requested"

    def as_json(self) -> dict[str, Any]:
        """For `GET /_simulator/tickets`."""
        listed = ("comments", "files", "approvals", "decisions")
        shown = {name: [vars(each) for each in getattr(self, name)] for name in listed}
        return {**vars(self), **shown, "withdrawn": sorted(self.withdrawn)}


class Records:
    """The tickets, by number; new numbers and ids are the same for the same seed."""

    def __init__(self, company: str, seed: int = 0) -> None:
        self.company = company
        self.tickets: dict[str, Ticket] = {}
        self._random = random.Random(seed)
        self._last_number = {"CS": 900000 + 1000 * seed, "CHG": 40000 + 1000 * seed}

    def open(self, ticket_type: str, fields: Mapping[str, str], *, number: str | None = None) -> Ticket:
        """Add a ticket of the client's; `number` None: the next free one.

        Raises:
            ValueError: no such ticket type, or the number is taken.
        """
        if ticket_type not in TICKET_TYPES:
            raise ValueError(f"ticketType is one of {', '.join(TICKET_TYPES)}, not {ticket_type!r}")
        number = number or self._next_number("CHG" if ticket_type == CHANGE else "CS")
        if number in self.tickets:
            raise ValueError(f"{number} exists already")
        return self._add(Ticket(number, ticket_type, self.company, fields=dict(fields)))

    def add_foreign(self, number: str, ticket_type: str = "Incident") -> Ticket:
        """Add a ticket of another company."""
        return self._add(Ticket(number, ticket_type, "another company"))

    def know(self, body: Any) -> None:
        """Take over what a foreign message says of a ticket, as far as its body can be read; adds the ticket where it is unknown."""
        if not isinstance(body, dict):
            return
        number, ticket_type = body.get("ticketNumber"), body.get("ticketType")
        if not isinstance(number, str) or ticket_type not in TICKET_TYPES:
            return
        ticket = self.tickets.get(number) or self._add(Ticket(number, ticket_type, self.company))
        texts = {name: value for name, value in body.items() if isinstance(value, str)}
        state = texts.pop("state", None)
        if state is not None and ticket.is_change:
            ticket.enter_state(state)
        ticket.fields |= {name: value for name, value in texts.items() if name not in _NO_FIELDS}
        if "approvalId" in texts and ticket.approval(texts["approvalId"]) is None:
            asked = texts["approvalId"], texts.get("approverName", ""), texts.get("approverEmail", "")
            ticket.approvals.append(Approval(*asked, ticket.round))

    def new_id(self) -> str:
        """A sys_id: 32 hexadecimal digits."""
        return f"{self._random.getrandbits(128):032x}"

    def _next_number(self, kind: str) -> str:
        self._last_number[kind] += 1
        return f"e-{kind}{self._last_number[kind]:07d}"

    def _add(self, ticket: Ticket) -> Ticket:
        self.tickets[ticket.number] = ticket
        return ticket


_NO_FIELDS = frozenset(
    {"clientName", "ticketNumber", "clientTicketNumber", "ticketType", "updatedOn", "updateOn", "updatedAt"}
    | {"closeCode", "closeNotes", "approvalState", "approvalId", "approverName", "approverEmail", "ensonogroup"}
    | {"attachment", "attachmentName", "attachmentInfo", "attachmentSize", "attachmentType"}
)


def is_ticket_number(text: str) -> bool:
    """Whether it looks like one of Ensono's numbers."""
    return _NUMBER.fullmatch(text) is not None


def utc(moment: float) -> str:
    """Seconds since 1970 as the guide writes times: `2023-01-27T22:24:53Z`."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
