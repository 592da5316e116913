"""The envelope of a queue message. Reading it never fails, so that anything received can be kept."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from envision_worker.ensono.fields import lowered, text
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId, ReceiptHandle

MILLISECOND_DIGITS = 14  # reaches the year 5138


@dataclass(frozen=True, slots=True)
class Delivery:
    """One element of `messages[]`, as far as it can be read; what is missing or wrong stands in `faults`.

    Attributes:
        ticket: the MessageGroupId; a message without one is a group of its own.
        transaction_type, ticket_type: as sent, trimmed; empty where missing.
        sent_ms: SentTimestamp, epoch milliseconds. sequence: SequenceNumber, up to 128 bits.
        receive_count: ApproximateReceiveCount.
        content_key: equal for messages that say the same, whatever their MessageId.
        raw: the message as JSON without its receipt handle.
        faults: (field, problem) of the envelope.
    """

    message_id: MessageId
    receipt_handle: ReceiptHandle | None = field(repr=False)
    ticket: EnsonoTicketNumber
    transaction_type: str
    ticket_type: str
    sent_ms: int
    sequence: int
    receive_count: int
    content_key: str
    raw: str = field(repr=False)
    faults: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, element: object, *, received: datetime) -> "Delivery":
        """Read an envelope. `received` stands in for a SentTimestamp that is missing."""
        faults: list[tuple[str, str]] = []
        message = element if isinstance(element, dict) else {}
        if not isinstance(element, dict):
            faults.append(("messages[]", f"is {kind_of(element)}, not an object"))
        attributes = message.get("Attributes")
        if not isinstance(attributes, dict):
            faults.append(
                ("Attributes", "is missing" if attributes is None else f"is {kind_of(attributes)}, not an object")
            )
            attributes = {}
        kept = {key: value for key, value in message.items() if key != "ReceiptHandle"} if message else element
        raw = json.dumps(kept, separators=(",", ":"))
        message_id = _string(message, "MessageId", faults) or _stand_in_id(kept)
        handle = _string(message, "ReceiptHandle", faults)
        body = body_of(message)
        return cls(
            message_id=MessageId(message_id),
            receipt_handle=ReceiptHandle(handle) if handle else None,
            ticket=EnsonoTicketNumber(_string(attributes, "MessageGroupId", faults) or f"message {message_id}"),
            transaction_type=_string(attributes, "TransactionType", faults),
            ticket_type=text(body.get("tickettype")) or "",
            sent_ms=integer(attributes, "SentTimestamp", faults, digits=MILLISECOND_DIGITS)
            or round(received.timestamp() * 1000),
            sequence=integer(attributes, "SequenceNumber", faults, digits=39) or 0,
            receive_count=integer(attributes, "ApproximateReceiveCount", faults, digits=9) or 1,
            content_key=_content_key(attributes, body),
            raw=raw,
            faults=tuple(faults),
        )


def body_of(message: dict[str, Any]) -> dict[str, Any]:
    """The body with lower-case keys; SQS itself holds it as a string, and a bridge may pass that on."""
    body = message.get("Body")
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            return {}
    return lowered(body) if isinstance(body, dict) else {}


def integer(source: dict[str, Any], key: str, faults: list[tuple[str, str]], *, digits: int) -> int | None:
    """A whole number of at most so many digits, given as text or as a number."""
    value = source.get(key)
    said = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if said.isascii() and said.isdigit() and len(said) <= digits:
        return int(said)
    faults.append((key, "is missing or no whole number"))
    return None


def kind_of(value: object) -> str:
    """What a JSON value is, for people."""
    names = {dict: "an object", list: "a list", str: "text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def _content_key(attributes: dict[str, Any], body: dict[str, Any]) -> str:
    """The attachment's address is signed anew each time; everything else tells one transaction from another."""
    said = {key: value for key, value in body.items() if key not in {"attachment", "clientticketnumber"}}
    canonical = json.dumps([attributes.get("TransactionType"), said], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _string(source: dict[str, Any], key: str, faults: list[tuple[str, str]]) -> str:
    value = source.get(key)
    if isinstance(value, str) and value.strip():
        return text(value) or ""
    faults.append((key, "is missing" if value is None or isinstance(value, str) else f"is {kind_of(value)}, not text"))
    return ""


def _stand_in_id(kept: object) -> str:
    """An id for a message without one: the same at each delivery, so without what a delivery counts."""
    if isinstance(kept, dict) and isinstance(kept.get("Attributes"), dict):
        stable = {key: value for key, value in kept["Attributes"].items() if not key.startswith("Approximate")}
        kept = {**kept, "Attributes": stable}
    return "sha256:" + hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:32]
