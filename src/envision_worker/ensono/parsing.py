"""A kept message's text as the transaction that it asks for; `fields.py` knows the guide's spellings, `delivery.py` the envelope."""

import hashlib
import json
from datetime import datetime
from typing import Any, assert_never
from urllib.parse import unquote, urlsplit

from envision_worker.clock import from_epoch_ms
from envision_worker.ensono.delivery import MILLISECOND_DIGITS, body_of, integer, kind_of, known_type
from envision_worker.ensono.fields import MalformedMessage, TicketFields, lowered, text
from envision_worker.ensono.messages import (
    Approval,
    ApprovalRequest,
    Attachment,
    Closure,
    Create,
    Note,
    Notes,
    Redraft,
    RemoteFile,
    ReturnEnsonoNum,
    Transaction,
    Update,
)
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId, PartnerTicketNumber, TicketType, TransactionType

_SIZE_DIGITS = 15  # petabytes


def parse(raw: str, *, ticket: EnsonoTicketNumber, message_id: MessageId, content_key: str) -> Transaction:
    """The transaction that a kept message asks for.

    Raises:
        MalformedMessage: what a handler needs is missing or of a wrong type.
    """
    message = _loaded(raw)
    attributes = message.get("Attributes")
    if not isinstance(attributes, dict):
        raise MalformedMessage("Attributes", "is missing or no object")
    if text(attributes.get("MessageGroupId")) != ticket:
        raise MalformedMessage(
            "Attributes.MessageGroupId", "is missing: without it the ticket and its order are unknown"
        )
    body = body_of(message)
    if not body:
        raise MalformedMessage("Body", "is missing, empty, or no JSON object")
    kind = _transaction_type(attributes)
    common: dict[str, Any] = {
        "message_id": message_id,
        "ticket": _ticket_number(body, ticket),
        "ticket_type": _ticket_type(body, ticket),
        "sent": _sent(attributes),
        "client_ticket_number": _partner_number(body),
        "reference_available": _reference_available(attributes),
        "fields": TicketFields.of(body),
        "content_key": content_key,
    }
    return _typed(kind, body, common)


def _typed(kind: TransactionType, body: dict[str, Any], common: dict[str, Any]) -> Transaction:
    match kind:
        case TransactionType.CREATE:
            return Create(**common)
        case TransactionType.UPDATE:
            return Update(**common, changed=_changed(body))
        case TransactionType.NOTES:
            return Notes(**common, note=_note(body))
        case TransactionType.CLOSURE:
            return Closure(**common, changed=_changed(body))
        case TransactionType.ATTACHMENT:
            return Attachment(**common, file=_file(body, common["message_id"]))
        case TransactionType.REDRAFT:
            return Redraft(**common)
        case TransactionType.RETURN_ENSONO_NUM:
            return ReturnEnsonoNum(**common)
        case TransactionType.APPROVAL_REQUEST:
            return ApprovalRequest(**common, approval=_approval(body))
    assert_never(kind)


def _loaded(raw: str) -> dict[str, Any]:
    try:
        message = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise MalformedMessage("messages[]", "can't be read back: it is nested too deeply") from exc
    if not isinstance(message, dict):
        raise MalformedMessage("messages[]", f"is {kind_of(message)}, not an object")
    return message


def _transaction_type(attributes: dict[str, Any]) -> TransactionType:
    given = text(attributes.get("TransactionType"), "Attributes.TransactionType") or ""
    kind = known_type(given)
    if kind is None:
        raise MalformedMessage(
            "Attributes.TransactionType", f"is {given[:60]!r}; known are {', '.join(TransactionType)}"
        )
    return kind


def _ticket_type(body: dict[str, Any], ticket: EnsonoTicketNumber) -> TicketType:
    given = text(body.get("tickettype"), "Body.ticketType") or ""
    for kind in TicketType:
        if kind.lower() == given.lower():
            return kind
    if not given and ticket.lower().startswith("e-chg"):
        return TicketType.CHANGE
    raise MalformedMessage("Body.ticketType", f"is {given[:60]!r}; known are {', '.join(TicketType)}")


def _ticket_number(body: dict[str, Any], ticket: EnsonoTicketNumber) -> EnsonoTicketNumber:
    given = text(body.get("ticketnumber"), "Body.ticketNumber")
    if given is not None and given != ticket:
        raise MalformedMessage("Body.ticketNumber", f"is {given[:60]!r}, but the message group is {ticket!r}")
    return ticket


def _partner_number(body: dict[str, Any]) -> PartnerTicketNumber | None:
    given = text(body.get("clientticketnumber"), "Body.clientTicketNumber")
    return PartnerTicketNumber(given) if given else None


def _reference_available(attributes: dict[str, Any]) -> bool:
    given = attributes.get("ClientReferenceAvailable")
    return given is True or (isinstance(given, str) and given.strip().lower() == "true")


def _sent(attributes: dict[str, Any]) -> datetime:
    milliseconds = integer(attributes.get("SentTimestamp"), digits=MILLISECOND_DIGITS)
    if not milliseconds:
        raise MalformedMessage("Attributes.SentTimestamp", "is missing or no number: without it the order is unknown")
    return from_epoch_ms(milliseconds)


def _changed(body: dict[str, Any]) -> TicketFields | None:
    given = body.get("changed")
    if given is None or given in ("", []):
        return None
    if not isinstance(given, dict):
        raise MalformedMessage("Body.changed", f"is {kind_of(given)}, not an object")
    return TicketFields.of(lowered(given), "Body.changed")


def _note(body: dict[str, Any]) -> Note:
    given = body.get("notes")
    if not isinstance(given, dict):
        raise MalformedMessage("Body.notes", "is missing" if given is None else f"is {kind_of(given)}, not an object")
    notes = lowered(given)
    words = text(notes.get("body"), "Body.notes.body") or ""
    who = text(notes.get("commenter"), "Body.notes.commenter") or ""
    when = TicketFields.of(body).updated_on or text(notes.get("commenttime"), "Body.notes.commentTime") or ""
    fallback = hashlib.sha256(f"{words}\0{who}\0{when}".encode()).hexdigest()[:32]
    return Note(
        id=text(notes.get("id"), "Body.notes.id") or fallback,
        public=(text(notes.get("type"), "Body.notes.type") or "").lower() == "comment",
        body=words,
        commenter=who,
        commenter_email=text(notes.get("commenteremail"), "Body.notes.commenterEmail") or "",
        time=text(notes.get("commenttime"), "Body.notes.commentTime") or when,
    )


def _file(body: dict[str, Any], message_id: MessageId) -> RemoteFile:
    url = text(body.get("attachment"), "Body.attachment")
    if not url:
        raise MalformedMessage("Body.attachment", "is missing: it is the address to fetch the file from")
    info = text(body.get("attachmentinfo"), "Body.attachmentInfo") or ""
    size = text(body.get("attachmentsize"), "Body.attachmentSize") or ""
    name = text(body.get("attachmentname"), "Body.attachmentName") or unquote(_last_segment(url)) or "attachment"
    return RemoteFile(
        name=name,
        url=url,
        info=info,
        content_type=text(body.get("attachmenttype"), "Body.attachmentType") or "application/octet-stream",
        size=integer(size, digits=_SIZE_DIGITS),
        key=hashlib.sha256(f"{info}\0{name}\0{size}".encode()).hexdigest()[:32] if info else message_id,
    )


def _approval(body: dict[str, Any]) -> Approval:
    approval_id = text(body.get("approvalid"), "Body.approvalId")
    email = text(body.get("approveremail"), "Body.approverEmail")
    if not approval_id:
        raise MalformedMessage("Body.approvalId", "is missing: the decision can't go back without it")
    if not email:
        raise MalformedMessage("Body.approverEmail", "is missing: the decision can't go back without it")
    name = text(body.get("approvername"), "Body.approverName") or email
    return Approval(id=approval_id, approver_name=name, approver_email=email)


def _last_segment(url: str) -> str:
    try:
        return urlsplit(url).path.rstrip("/").rpartition("/")[2]
    except ValueError:
        return ""
