"""What lies in the queue: messages as they are stamped on entry and shown at each delivery, and notes of each receive and delete."""

import copy
import hashlib
import json
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SENDER_ID = "AROAYCQITFFPPLPIRNUQG:envxsn2qdev1SN2QBridge"
_SEQUENCE_START = 1 << 64  # with 256 for each microsecond this gives the numbers of the guide's samples
_SEQUENCE_STEP = 256


@dataclass
class QueuedMessage:
    """One message and what became of it.

    Attributes:
        group: its message group.
        content: what is delivered, without what changes from delivery to delivery.
        verbatim: what `content` holds is never written over, however wrong it is.
        serial: 1, 2, 3… in order of sending.
        sent_at: seconds since 1970, as are `left_at`, `first_received_at` and `hidden_until`.
        receives: how often it was delivered.
        hidden_until: end of the window of its last delivery; None: not in flight.
        left_at: when it was deleted, moved or dropped; None: still here.
    """

    message_id: str
    group: str
    content: Any
    serial: int
    sent_at: float
    verbatim: bool = False
    receives: int = 0
    first_received_at: float | None = None
    hidden_until: float | None = None
    left_at: float | None = None

    @property
    def transaction_type(self) -> Any:
        """Its TransactionType as it stands there; None where it has none."""
        attributes = self.content.get("Attributes") if isinstance(self.content, dict) else None
        return attributes.get("TransactionType") if isinstance(attributes, dict) else None

    def delivered(self, handle: str) -> Any:
        """The element of `messages[]` for its last delivery."""
        if not isinstance(self.content, dict):
            return self.content
        shown = self._with(self.content, {"ReceiptHandle": handle})
        if isinstance(shown.get("Attributes"), dict):
            counts = {
                "ApproximateFirstReceiveTimestamp": _milliseconds(self.first_received_at or 0.0),
                "ApproximateReceiveCount": str(self.receives),
            }
            shown["Attributes"] = self._with(shown["Attributes"], counts)
        return shown

    def _with(self, given: dict[str, Any], added: dict[str, str]) -> dict[str, Any]:
        return {**added, **given} if self.verbatim else {**given, **added}


@dataclass(frozen=True)
class Received:
    """One receive: what it returned, with the count that each message then had, and what it moved to the failure queue."""

    at: float
    message_ids: tuple[str, ...]
    receive_counts: tuple[int, ...]
    moved: tuple[str, ...]


@dataclass(frozen=True)
class Deleted:
    """One delete.

    Attributes:
        message_id: None where the handle is none.
        outcome: `deleted`, `already_deleted`, `ignored` (see `FifoQueue`), `expired` or `invalid`.
    """

    at: float
    handle: str
    message_id: str | None
    outcome: str


class Stamps:
    """Writes what the queue itself knows of a message; the same seed gives the same MessageIds."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._sequence = 0

    def new_id(self) -> str:
        """A MessageId."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def content(
        self,
        message_id: str,
        group: str,
        body: Any,
        sender_attributes: Mapping[str, Any],
        now: float,
        deduplication_id: str | None,
        *,
        with_md5: bool,
    ) -> dict[str, Any]:
        """A message with its keys in the order of the guide's samples; what a delivery fills in is still empty."""
        text = json.dumps(body)
        unique = hashlib.sha256(f"{message_id}{text}".encode()).hexdigest()
        md5 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        return {
            "MessageId": message_id,
            "ReceiptHandle": "",
            **({"MD5OfBody": md5} if with_md5 else {}),
            "Body": json.loads(text),
            "Attributes": {
                "SenderId": SENDER_ID,
                "ApproximateFirstReceiveTimestamp": "",
                "ApproximateReceiveCount": "",
                **self._times(now),
                "MessageDeduplicationId": deduplication_id or unique,
                "MessageGroupId": group,
                **sender_attributes,
            },
        }

    def restamped(self, content: Any, message_id: str, now: float) -> Any:
        """A copy of a foreign message with times of this queue, and an id where it had none."""
        content = copy.deepcopy(content)
        if not isinstance(content, dict):
            return content
        content = {"MessageId": message_id, **content}
        if isinstance(content.get("Attributes"), dict):
            content["Attributes"] |= self._times(now)
        return content

    def _times(self, now: float) -> dict[str, str]:
        wanted = _SEQUENCE_START + _SEQUENCE_STEP * int(now * 1000) * 1000
        self._sequence = max(wanted, self._sequence + _SEQUENCE_STEP)
        return {"SentTimestamp": _milliseconds(now), "SequenceNumber": str(self._sequence)}


def _milliseconds(moment: float) -> str:
    return str(int(moment * 1000))
