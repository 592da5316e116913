"""Messages as Ensono writes them: a ticket's present state in the shape of the guide's samples, put into the queue.

The guide contradicts itself, so there are two dialects. `SAMPLES` writes what its samples show, where they show it: `updatedOn`, with
a trailing blank on a change's Create and empty on its later ones, `ensonogroup` and a trailing blank on attachments, no `ensonoGroup` on
an incident's Closure, a trailing blank in the clientName of ReturnEnsonoNum. `TABLES` writes what its field tables say:
`updatedAt` for incidents and requests, `updateOn` for changes, every field on every message.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from envision_worker.simulators.ensono.queue import FifoQueue
from envision_worker.simulators.ensono.records import Approval, Ticket, utc
from envision_worker.simulators.http import Now

_APPROVAL_BY_TABLES = {
    "approved": "Approved",
    "rejected": "Rejected",
    "requested": "Requested",
    "not requested": "Not Yet Requested",
}
_WITHOUT_MD5 = {("Attachment", "Change"), ("Closure", "Change")}  # the guide's samples of them show none


class Dialect(StrEnum):
    """Which side of the guide's contradictions is written."""

    SAMPLES = "samples"
    TABLES = "tables"


@dataclass(frozen=True)
class Announced:
    """One message that was sent, to compare with what became of it."""

    message_id: str
    ticket: str
    transaction_type: str
    body: dict[str, Any]
    client_reference_available: bool
    deduplication_id: str


class Announcer:
    """Writes a ticket's messages.

    Attributes:
        dialect: may be changed at any time.
        announced: every message sent, in order.
    """

    def __init__(self, queue: FifoQueue, now: Now, dialect: Dialect = Dialect.SAMPLES) -> None:
        self.dialect = dialect
        self.announced: list[Announced] = []
        self._queue = queue
        self._now = now

    def create(self, ticket: Ticket) -> str:
        """The ticket is new to the client."""
        return self._send(ticket, "Create", self._whole(ticket, "Create"))

    def update(self, ticket: Ticket, changed: Mapping[str, str]) -> str:
        """Fields of an incident or request changed; or a change's state, which has no `changed`."""
        return self._send(ticket, "Update", self._whole(ticket, "Update", changed))

    def closure(self, ticket: Ticket, close_facts: Mapping[str, str]) -> str:
        """Resolved, closed or cancelled; `close_facts` are closeNotes and closeCode as far as given."""
        if ticket.is_change:
            return self._send(ticket, "Closure", {**self._whole(ticket, "Closure"), **close_facts})
        changed = {"status": ticket.fields["status"], **close_facts}
        return self._send(ticket, "Closure", self._whole(ticket, "Closure", changed, close_facts))

    def redraft(self, ticket: Ticket) -> str:
        """A change went back to New."""
        return self._send(ticket, "Redraft", self._whole(ticket, "Redraft"))

    def notes(self, ticket: Ticket, note: Mapping[str, str]) -> str:
        """A comment was made; `note` is the guide's `notes` object."""
        return self._send(ticket, "Notes", {**self._whole(ticket, "Notes"), "notes": dict(note)})

    def attachment(self, ticket: Ticket, name: str, content_type: str, size: int, link: str, info: str) -> str:
        """A file was made public."""
        by_samples = self.dialect is Dialect.SAMPLES
        body = self._identity(ticket) | {
            "group": ticket.fields.get("group", ""),
            "ensonogroup" if by_samples else "ensonoGroup": ticket.fields.get("ensonoGroup", ""),
            "attachmentName": name,
            "attachmentInfo": info,
            "attachmentSize": str(size),
            "attachmentType": content_type,
            "attachment": f"{link} " if by_samples and ticket.is_change else link,
        }
        return self._send(ticket, "Attachment", body)

    def approval_request(self, ticket: Ticket, approval: Approval) -> str:
        """An external approver is asked."""
        body = self._identity(ticket) | {
            "group": ticket.fields.get("group", ""),
            "ensonoGroup": ticket.fields.get("ensonoGroup", ""),
            "description": ticket.fields.get("description", ""),
            "state": ticket.fields.get("state", ""),
            "approvalState": "Requested",
            "approvalId": approval.approval_id,
            "approverName": approval.approver_name,
            "approverEmail": approval.approver_email,
        }
        return self._send(ticket, "Approval Request", body)

    def return_ensono_num(self, ticket: Ticket) -> str:
        """The client's create timed out; this is the number that it did not get."""
        identity = self._identity(ticket)
        blank = " " if self.dialect is Dialect.SAMPLES else ""
        return self._send(ticket, "ReturnEnsonoNum", identity | {"clientName": f"{identity['clientName']}{blank}"})

    def again(self, message_id: str) -> str:
        """Send the same once more, with the same deduplication id: swallowed within five minutes, later a new message.

        Raises:
            ValueError: never announced.
        """
        known = next((each for each in self.announced if each.message_id == message_id), None)
        if known is None:
            raise ValueError(f"{message_id} was never announced")
        return self._queue.send(
            known.ticket,
            known.body,
            {"ClientReferenceAvailable": known.client_reference_available, "TransactionType": known.transaction_type},
            deduplication_id=known.deduplication_id,
        )

    def _send(self, ticket: Ticket, transaction_type: str, body: dict[str, Any]) -> str:
        available = bool(ticket.client_ticket_number)
        deduplication_id = hashlib.sha256(f"{ticket.number} {len(self.announced)}".encode()).hexdigest()
        message_id = self._queue.send(
            ticket.number,
            body,
            {"ClientReferenceAvailable": available, "TransactionType": transaction_type},
            deduplication_id=deduplication_id,
            with_md5=(transaction_type, ticket.ticket_type) not in _WITHOUT_MD5,
        )
        sent = Announced(message_id, ticket.number, transaction_type, body, available, deduplication_id)
        self.announced.append(sent)
        return message_id

    def _identity(self, ticket: Ticket) -> dict[str, Any]:
        """The four fields that every body has, in the order of the samples."""
        number = {"ticketNumber": ticket.number}
        client = {"clientTicketNumber": ticket.client_ticket_number}
        kind = {"ticketType": ticket.ticket_type}
        rest = {**kind, **client, **number} if ticket.is_change else {**number, **client, **kind}
        return {"clientName": ticket.company, **rest}

    def _whole(
        self,
        ticket: Ticket,
        transaction_type: str,
        changed: Mapping[str, str] | None = None,
        close_facts: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Every field of the ticket, `changed` where there is one, and when it was updated."""
        if ticket.is_change:
            return self._identity(ticket) | self._change_fields(ticket, transaction_type)
        fields: dict[str, Any] = dict(ticket.fields)
        if self.dialect is Dialect.TABLES and transaction_type != "Create":
            fields["closureCategory"] = ""
        if self.dialect is Dialect.SAMPLES and transaction_type == "Closure":
            fields.pop("ensonoGroup", None)
        body = self._identity(ticket) | fields | dict(close_facts or {})
        if transaction_type == "Create":
            return body
        stamp = {"updatedOn" if self.dialect is Dialect.SAMPLES else "updatedAt": utc(self._now())}
        if changed is not None:
            body["changed"] = {**stamp, **changed}
        return body | stamp

    def _change_fields(self, ticket: Ticket, transaction_type: str) -> dict[str, str]:
        fields = dict(ticket.fields)
        if self.dialect is Dialect.TABLES:
            fields["approval"] = _APPROVAL_BY_TABLES.get(fields.get("approval", ""), "")
            stamp = {"updateOn": utc(self._now())}
        else:
            by_sample = {"Create": f"{utc(self._now())} ", "Notes": utc(self._now())}
            stamp = {"updatedOn": by_sample.get(transaction_type, "")}
        first = {name: fields.pop(name) for name in ("group", "ensonoGroup", "openedAt") if name in fields}
        return first | stamp | fields
