"""The work: five messages for each ticket, from its creation to its resolution, and what they must have done to the desk."""

import hashlib
import json
from typing import Any

PER_TICKET = 5
EFFECTS = ("create #0", "note #1", "update #2", "note #3", "resolution #4", "status Resolved")
"""What the five messages of a ticket do to the desk, in this order and each once."""

READ_S, DELETE_S, DESK_S = 0.060, 0.040, 0.120
CLIENT, API_KEY, AUTH_TOKEN = "benchClient", "bench-api-key", "bench-authtoken"
NUMBER_FIELD = "udf_sline_301"

_TYPES = ("Create", "Notes", "Update", "Notes", "Closure")
_OPENED, _UPDATED = "2026-11-01T08:00:00Z", "2026-11-01T08:{:02}:00Z"


def ticket_number(ticket: int) -> str:
    return f"e-CS{1000000 + ticket}"


def tickets_of(messages: int) -> int:
    return max(messages // PER_TICKET, 1)


def message(ticket: int, place: int, sent_ms: int) -> dict[str, Any]:
    """The message at this place of a ticket, without receipt handle and receive count."""
    number = ticket_number(ticket)
    body = _ticket(number) | _own(number, place)
    text = json.dumps(body)
    return {
        "MessageId": _uuid(f"{number} {place}"),
        "MD5OfBody": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
        "Body": body,
        "Attributes": {
            "SenderId": "AROAYCQITFFPPLPIRNUQG:envxsn2qdev1SN2QBridge",
            "ApproximateFirstReceiveTimestamp": str(sent_ms),
            "SentTimestamp": str(sent_ms),
            "SequenceNumber": str(18_875_507_807_458_288_128 + (ticket * PER_TICKET + place) * 256_000),
            "MessageDeduplicationId": hashlib.sha256(f"{number} {place}".encode()).hexdigest(),
            "MessageGroupId": number,
            "ClientReferenceAvailable": False,
            "TransactionType": _TYPES[place],
        },
    }


def attachment(url: str, size: int, sent_ms: int) -> dict[str, Any]:
    """A message that brings a file."""
    made = message(0, 1, sent_ms)
    del made["Body"]["notes"]
    made["Body"] |= {
        "attachmentName": "export.bin",
        "attachmentInfo": "https://ensono.example.com/api/now/attachment/22aac7831bb02d1026a2da49b04bcb36",
        "attachmentSize": str(size),
        "attachmentType": "application/octet-stream",
        "attachment": url,
    }
    made["Attributes"]["TransactionType"] = "Attachment"
    return made


def _ticket(number: str) -> dict[str, Any]:
    return {
        "clientName": CLIENT,
        "ticketNumber": number,
        "clientTicketNumber": "",
        "ticketType": "Incident",
        "status": "open",
        "description": "The export of last night's bookings stopped half-way. " * 8,
        "shortDescription": f"Export stopped #0 {number}",
        "group": "Ensono Support",
        "ensonoGroup": "CS - 1st Line",
        "priority": "4",
        "impact": "3",
        "urgency": "3",
        "openedTime": _OPENED,
        "category": "Private Cloud",
        "origin": "Web",
        "cis": "",
    }


def _own(number: str, place: int) -> dict[str, Any]:
    updated = {"updatedOn": _UPDATED.format(place)}
    match _TYPES[place]:
        case "Notes":
            note = {
                "type": "comment",
                "id": hashlib.md5(f"{number} note {place}".encode(), usedforsecurity=False).hexdigest(),
                "body": f"We looked at #{place}: the disk was full. It is being cleared.",
                "commenter": "Ensono User",
                "commenterEmail": "Ensono.User@Ensono.com",
            }
            return updated | {"notes": note}
        case "Update":
            title = {"shortDescription": f"Export stopped: disk full #{place} {number}"}
            return updated | title | {"changed": updated | title}
        case "Closure":
            closing = {"status": "resolved", "closeNotes": f"Cleared #{place}", "closeCode": "resolved*"}
            return updated | closing | {"changed": updated | closing}
        case _:
            return {}


def _uuid(text: str) -> str:
    digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"
