"""The guide's nouns as types, so that an Ensono number is never passed for a partner number."""

from enum import StrEnum
from typing import NewType

MessageId = NewType("MessageId", str)
"""`MessageId` of a queue message; unchanged between deliveries of the same message."""
ReceiptHandle = NewType("ReceiptHandle", str)
"""`ReceiptHandle` of one delivery; new with every delivery, good for one visibility window."""
EnsonoTicketNumber = NewType("EnsonoTicketNumber", str)
"""Ensono's number of a ticket (`e-CS…`, `e-CHG…`); equals the MessageGroupId."""
PartnerTicketNumber = NewType("PartnerTicketNumber", str)
"""The counterpart's number as people see it; sent to Ensono with `returnptn`."""
DeskTicketId = NewType("DeskTicketId", str)
"""The desk's own id of a ticket, as its API wants it."""


class TransactionType(StrEnum):
    """`Attributes.TransactionType`, spelled as the guide spells it."""

    CREATE = "Create"
    UPDATE = "Update"
    NOTES = "Notes"
    CLOSURE = "Closure"
    ATTACHMENT = "Attachment"
    REDRAFT = "Redraft"
    RETURN_ENSONO_NUM = "ReturnEnsonoNum"
    APPROVAL_REQUEST = "Approval Request"


class TicketType(StrEnum):
    """`Body.ticketType`, spelled as the guide spells it."""

    INCIDENT = "Incident"
    REQUEST = "Request"
    CHANGE = "Change"


class DeskKind(StrEnum):
    """What a counterpart is on the desk: incidents and requests are requests there, changes are changes."""

    REQUEST = "request"
    CHANGE = "change"


def desk_kind(ticket_type: TicketType) -> DeskKind:
    """The kind of desk ticket that stands for an Ensono ticket of this type."""
    return DeskKind.CHANGE if ticket_type is TicketType.CHANGE else DeskKind.REQUEST
