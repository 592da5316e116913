"""The envelope of a queue message. Reading it never fails, so that anything received can be kept."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from envision_worker.ensono.fields import lowered, text
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId, ReceiptHandle, TransactionType

MILLISECOND_DIGITS = 14  # reaches the year 5138
_SEQUENCE_DIGITS = 39
_COUNT_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Delivery:
    """One element of `messages[]`, as far as it can be read.

    Attributes:
        receipt_handle: exactly as sent; None where there is none, so that it can't be deleted.
        ticket: the MessageGroupId; a message without one is a group of its own.
        transaction_type: as the guide spells it, else as sent; ticket_type: as sent. Trimmed; empty where missing.
        sent_ms: SentTimestamp, epoch milliseconds. sequence: SequenceNumber, up to 128 bits.
        receive_count: ApproximateReceiveCount.
        content_key: equal for messages that say the same, whatever their MessageId.
        raw: the message as JSON without its receipt handle.
        faults: (field, problem) of what is wrong with the delivery; what is wrong with the transaction shows when it is parsed.
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
        message = element if isinstance(element, dict) else {}
        attributes = _object(message.get("Attributes"))
        body = body_of(message)
        kept = {key: value for key, value in message.items() if key != "ReceiptHandle"} if message else element
        message_id = _string(message.get("MessageId")) or _stand_in_id(kept)
        handle = message.get("ReceiptHandle")
        kind = _string(attributes.get("TransactionType"))
        return cls(
            message_id=MessageId(message_id),
            receipt_handle=ReceiptHandle(handle) if isinstance(handle, str) and handle.strip() else None,
            ticket=EnsonoTicketNumber(_string(attributes.get("MessageGroupId")) or f"message {message_id}"),
            transaction_type=known_type(kind) or kind,
            ticket_type=text(body.get("tickettype")) or "",
            sent_ms=integer(attributes.get("SentTimestamp"), digits=MILLISECOND_DIGITS)
            or round(received.timestamp() * 1000),
            sequence=integer(attributes.get("SequenceNumber"), digits=_SEQUENCE_DIGITS) or 0,
            receive_count=integer(attributes.get("ApproximateReceiveCount"), digits=_COUNT_DIGITS) or 1,
            content_key=_content_key(attributes, body),
            raw=_as_json(kept),
            faults=tuple(_faults(message, attributes)),
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


def known_type(given: str) -> TransactionType | None:
    """The transaction type that this spelling means: case and blanks don't tell them apart; None where it is none."""
    return _TYPES.get(_squeezed(given))


def integer(value: object, *, digits: int) -> int | None:
    """A whole number of at most so many digits, given as text or as a number; None where it is none."""
    said = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return int(said) if said.isascii() and said.isdigit() and len(said) <= digits else None


def kind_of(value: object) -> str:
    """What a JSON value is, for people."""
    names = {dict: "an object", list: "a list", str: "text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def _squeezed(value: str) -> str:
    return "".join(value.lower().split())


_TYPES = {_squeezed(kind): kind for kind in TransactionType}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _string(value: object) -> str:
    return text(value) or "" if isinstance(value, str) else ""


def _faults(message: dict[str, Any], attributes: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("MessageId", "ReceiptHandle"):
        value = message.get(name)
        if not isinstance(value, str) or not value.strip():
            yield name, "is missing" if value is None or isinstance(value, str) else f"is {kind_of(value)}, not text"
    for name, digits in (("SequenceNumber", _SEQUENCE_DIGITS), ("ApproximateReceiveCount", _COUNT_DIGITS)):
        if name in attributes and integer(attributes[name], digits=digits) is None:
            yield f"Attributes.{name}", "is no whole number"


def _content_key(attributes: dict[str, Any], body: dict[str, Any]) -> str:
    """The attachment's address is signed anew each time; everything else tells one transaction from another."""
    said = {key: value for key, value in body.items() if key not in {"attachment", "clientticketnumber"}}
    return _digest([attributes.get("TransactionType"), said])


def _stand_in_id(kept: object) -> str:
    """An id for a message without one: the same at each delivery, so without what a delivery counts."""
    if isinstance(kept, dict) and isinstance(kept.get("Attributes"), dict):
        stable = {key: value for key, value in kept["Attributes"].items() if not key.startswith("Approximate")}
        kept = {**kept, "Attributes": stable}
    return f"sha256:{_digest(kept)}"


def _digest(value: object) -> str:
    return hashlib.sha256(_as_json(value, sort_keys=True).encode()).hexdigest()[:32]


def _as_json(value: object, *, sort_keys: bool = False) -> str:
    """JSON; what is nested too deeply to be written again becomes a word in its place."""
    try:
        return json.dumps(value, sort_keys=sort_keys, separators=(",", ":"))
    except RecursionError:
        return json.dumps(_shallow(value), sort_keys=sort_keys, separators=(",", ":"))


def _shallow(value: object, depth: int = 3) -> object:
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        return "nested too deeply"
    if isinstance(value, list):
        return [_shallow(each, depth - 1) for each in value]
    return {key: _shallow(each, depth - 1) for key, each in value.items()}
