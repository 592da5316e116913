"""What Ensono's users do: each method changes a ticket as a person there would, and the messages follow by themselves.

Fields of a ticket go by the guide's names (`shortDescription="…"`); whatever is not given has a plain value. Methods that send one message return its
MessageId, those that open a ticket its number. The ticket's state is kept, so every message carries every field.
"""

import base64
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from envision_worker.simulators.ensono.announcements import Announcer, Dialect
from envision_worker.simulators.ensono.bucket import Bucket, StoredFile
from envision_worker.simulators.ensono.guide_samples import samples
from envision_worker.simulators.ensono.plain_fields import DAY_S, plain_change, plain_ticket
from envision_worker.simulators.ensono.queue import FifoQueue
from envision_worker.simulators.ensono.records import CHANGE, Approval, Records, Ticket, utc
from envision_worker.simulators.http import Now

FIRST_STATE = {"Normal": "Assess", "Standard": "Scheduled", "Emergency": "Authorize"}
DEFAULT_COMMENTER = "Ensono User"
DEFAULT_COMMENTER_EMAIL = "Ensono.User@Ensono.com"
Approvers = Iterable[tuple[str, str]]
"""External approvers: name and e-mail address."""


class Scenario:
    """Ensono's users."""

    def __init__(self, records: Records, queue: FifoQueue, announcer: Announcer, bucket: Bucket, now: Now) -> None:
        self.records = records
        self.announcer = announcer
        self._queue = queue
        self._bucket = bucket
        self._now = now

    # Incidents and requests

    def incident_create(self, *, number: str | None = None, **fields: str) -> str:
        """Open an incident; returns its number."""
        return self._open("Incident", fields, number)

    def request_create(self, *, number: str | None = None, **fields: str) -> str:
        """Open a request; returns its number."""
        return self._open("Request", fields, number)

    def ticket_update(self, number: str, **changed: str) -> str:
        """Change fields, the status included: an Update with exactly these in `changed`."""
        ticket = self._ticket(number)
        if changed.get("status", "pending") != "pending":
            for name in ("statusNextAction", "offHoldDate"):
                ticket.fields.pop(name, None)
        ticket.fields |= changed
        return self.announcer.update(ticket, changed)

    def ticket_pend(self, number: str, next_action: str | None = None) -> str:
        """Put a ticket on hold for a day; `next_action` None: the dialect's (`pending-caller` or `pending-client`)."""
        by_samples = self.announcer.dialect is Dialect.SAMPLES
        action = next_action or ("pending-caller" if by_samples else "pending-client")
        until = utc(self._now() + DAY_S)
        self._ticket(number).fields["offHoldDate"] = until  # shown before the action in a body, after it in `changed`
        return self.ticket_update(number, status="pending", statusNextAction=action, offHoldDate=until)

    def ticket_reopen(self, number: str, status: str = "open") -> str:
        """Reject a resolution: an Update back to an open status."""
        return self.ticket_update(number, status=status)

    def ticket_resolve(self, number: str, *, close_notes: str = "done", close_code: str = "resolved*") -> str:
        """Resolve: a Closure."""
        return self._close(number, "resolved", {"closeNotes": close_notes, "closeCode": close_code})

    def ticket_close(self, number: str, *, close_notes: str = "done", close_code: str = "resolved*") -> str:
        """Close: a Closure."""
        return self._close(number, "closed", {"closeNotes": close_notes, "closeCode": close_code})

    def ticket_cancel(self, number: str, *, close_notes: str = "not needed", close_code: str = "cancelled") -> str:
        """Cancel: a Closure."""
        return self._close(number, "cancelled", {"closeNotes": close_notes, "closeCode": close_code})

    def return_ensono_num(self, client_ticket_number: str, *, ticket_type: str = "Incident") -> str:
        """A create of the client's timed out, but the ticket exists: tell its number, which is also returned here."""
        ticket = self.records.open(ticket_type, plain_ticket(self._now()))
        ticket.client_ticket_number = client_ticket_number
        self.announcer.return_ensono_num(ticket)
        return ticket.number

    # Any ticket

    def notes(
        self,
        number: str,
        body: str,
        *,
        commenter: str = DEFAULT_COMMENTER,
        commenter_email: str = DEFAULT_COMMENTER_EMAIL,
        kind: str = "comment",
        note_id: str | None = None,
    ) -> str:
        """Comment; `kind` is the guide's `notes.type`."""
        note = {
            "type": kind,
            "id": note_id or self.records.new_id(),
            "body": body,
            "commenter": commenter,
            "commenterEmail": commenter_email,
        }
        return self.announcer.notes(self._ticket(number), note)

    def attachment(
        self,
        number: str,
        name: str,
        content: str | bytes = b"",
        content_type: str = "application/octet-stream",
        *,
        content_base64: str | None = None,
        link: str | None = None,
    ) -> str:
        """Make a file public.

        Args:
            content: a text is taken as UTF-8; `content_base64` comes first where both are given.
            link: shown in place of the signed link to the bytes.
        """
        data = content.encode() if isinstance(content, str) else content
        if content_base64 is not None:
            data = base64.b64decode(content_base64, validate=True)
        ticket = self._ticket(number)
        file_id = self.records.new_id()
        signed = self._bucket.download_link(f"{file_id}/{quote(name, safe='')}", StoredFile(data, content_type))
        info = f"https://envisiontest.service-now.com/api/now/attachment/{file_id}"
        return self.announcer.attachment(ticket, name, content_type, len(data), link or signed, info)

    def resend(self, message_id: str) -> str:
        """Send a message once more, as after a lost answer: swallowed within five minutes, later under a new MessageId."""
        return self.announcer.again(message_id)

    def push(self, message: Any, *, verbatim: bool = False) -> str:
        """Put any message into the queue, also a bad one (see `FifoQueue.push`); its ticket is known from then on."""
        self.records.know(message.get("Body") if isinstance(message, dict) else None)
        return self._queue.push(message, verbatim=verbatim)

    def push_samples(self, names: Collection[str] = ()) -> list[str]:
        """Put the guide's samples into the queue, in order of SentTimestamp; no names: all of them.

        Returns:
            Their MessageIds.
        """
        known = samples()
        unknown = sorted(set(names) - known.keys())
        if unknown:
            raise ValueError(f"no samples {', '.join(unknown)}; there are {', '.join(known)}")
        return [self.push(known[name]) for name in known if name in names or not names]

    # Changes

    def change_create(
        self,
        *,
        change_type: str = "Normal",
        approvers: Approvers = (),
        number: str | None = None,
        **fields: str,
    ) -> str:
        """Move a draft on: a Create in the first state of its type, then a request to each approver; returns its number."""
        draft = {**plain_change(self._now()), **fields, "type": change_type, "state": ""}
        ticket = self.records.open(CHANGE, draft, number=number)
        ticket.enter_state(fields.get("state", FIRST_STATE.get(change_type, "Assess")))
        self.announcer.create(ticket)
        self._ask(ticket, approvers)
        return ticket.number

    def change_state(
        self, number: str, state: str, *, approvers: Approvers = (), transaction_type: str = "Update"
    ) -> str:
        """Move a change, then ask approvers; `transaction_type` is Create, Update, Closure or Redraft."""
        ticket = self._ticket(number)
        ticket.enter_state(state)
        message_id = self._announce_state(ticket, transaction_type)
        self._ask(ticket, approvers)
        return message_id

    def change_close(self, number: str, *, close_code: str = "Successful", close_notes: str = "done") -> str:
        """Close: a Closure in state Closed."""
        ticket = self._ticket(number)
        ticket.enter_state("Closed")
        return self.announcer.closure(ticket, {"closeNotes": close_notes, "closeCode": close_code})

    def change_cancel(self, number: str, *, transaction_type: str = "Closure") -> str:
        """Cancel: by a Closure, or by an Update."""
        return self.change_state(number, "Cancelled", transaction_type=transaction_type)

    def change_redraft(self, number: str) -> str:
        """Move back to New: a Redraft."""
        return self.change_state(number, "New", transaction_type="Redraft")

    def approval_request(
        self,
        number: str,
        *,
        approver_name: str = "Default User",
        approver_email: str = "noreply@client.com",
    ) -> str:
        """Ask one external approver; returns the approvalId."""
        ticket = self._ticket(number)
        approval = Approval(self.records.new_id(), approver_name, approver_email, ticket.round)
        ticket.approvals.append(approval)
        self.announcer.approval_request(ticket, approval)
        return approval.approval_id

    def _ask(self, ticket: Ticket, approvers: Approvers) -> None:
        for name, email in approvers:
            self.approval_request(ticket.number, approver_name=name, approver_email=email)

    def _announce_state(self, ticket: Ticket, transaction_type: str) -> str:
        match transaction_type:
            case "Create":
                return self.announcer.create(ticket)
            case "Update":
                return self.announcer.update(ticket, {})
            case "Closure":
                return self.announcer.closure(ticket, {})
            case "Redraft":
                return self.announcer.redraft(ticket)
        raise ValueError(f"a change's state is told by Create, Update, Closure or Redraft, not by {transaction_type}")

    def _ticket(self, number: str) -> Ticket:
        ticket = self.records.tickets.get(number)
        if ticket is None:
            raise ValueError(f"there is no ticket {number}")
        return ticket

    def _open(self, ticket_type: str, fields: Mapping[str, str], number: str | None) -> str:
        ticket = self.records.open(ticket_type, {**plain_ticket(self._now()), **fields}, number=number)
        self.announcer.create(ticket)
        return ticket.number

    def _close(self, number: str, status: str, close_facts: Mapping[str, str]) -> str:
        ticket = self._ticket(number)
        ticket.fields["status"] = status
        return self.announcer.closure(ticket, close_facts)
