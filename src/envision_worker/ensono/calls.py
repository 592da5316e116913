"""The tickets API as a table, and what its calls carry (guide, Using the API - inbound to Ensono)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from envision_worker.ensono.text import escaped, identifier
from envision_worker.vocabulary import PartnerTicketNumber, TicketType

_LONGEST_SEGMENT = 8000  # characters; receipt handles have about 400, ticket numbers about 12


@dataclass(frozen=True, slots=True)
class TicketCall:
    """A row of the guide's "Client to Ensono API methods": `method /tickets/{number}{tail}`."""

    operation: str
    method: str
    tail: str

    @property
    def writes(self) -> bool:
        """Whether it changes anything at Ensono."""
        return self.method != "GET"


GET_TICKET = TicketCall("get_ticket", "GET", "")
UPLOAD_URL = TicketCall("upload_url", "GET", "/attachments/probe.txt")
RETURN_PTN = TicketCall("return_ptn", "PUT", "/returnptn")
APPROVE = TicketCall("approve", "PUT", "/approve")
REJECT = TicketCall("reject", "PUT", "/reject")


def identity(ticket_type: TicketType, number: PartnerTicketNumber) -> dict[str, Any]:
    """The fields that every write carries beside `clientName`."""
    return {"ticketType": ticket_type.value, "clientTicketNumber": identifier(number)}


def decision(number: PartnerTicketNumber, *, approver: str, approval_id: str, comment: str) -> Mapping[str, Any]:
    """The fields of approve and reject; unlike elsewhere a comment has nothing but its body here."""
    return {
        **identity(TicketType.CHANGE, number),
        "approver": identifier(approver),
        "approvalId": identifier(approval_id),
        "comments": [{"body": escaped(comment)}],
    }


def path_segment(text: str) -> str | None:
    """Untrusted text as exactly one segment of a path, percent-encoded once; None where it can't be one.

    `.` and `..` can't: every client resolves them before sending, and the call would go elsewhere.
    """
    segment = quote(text, safe="", errors="replace")
    return None if segment in {"", ".", ".."} or len(segment) > _LONGEST_SEGMENT else segment
