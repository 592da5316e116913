"""An SQS FIFO queue as the bridge shows it: receive up to ten, delete one; no way to extend a window or to ask a length."""

import copy
import heapq
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from envision_worker.simulators.ensono.queued import Deleted, QueuedMessage, Received, Stamps
from envision_worker.simulators.ensono.quota import Quota
from envision_worker.simulators.ensono.receipts import ReceiptHandles
from envision_worker.simulators.http import Now

MAX_BATCH = 10
MAX_MESSAGE_BYTES = 1024 * 1024
DEDUPLICATION_S = 300.0


class ReceiptHandleExpired(Exception):
    """The handle's visibility window has passed: a FIFO queue refuses the delete."""


class ReceiptHandleIsInvalid(Exception):
    """This was never a receipt handle."""


@dataclass
class _Group:
    """The messages of one MessageGroupId that are still here, in order of sending."""

    name: str
    messages: OrderedDict[int, QueuedMessage] = field(default_factory=OrderedDict)
    in_flight: int = 0


class FifoQueue:
    """The queue.

    Args:
        now: seconds since 1970.
        visibility_s: for how long a delivered message is hidden.
        max_receives: deliveries after which the next receive moves a message to the failure queue.
        retention_s: age at which a message is dropped, also one in flight.
        max_in_flight: from there on a receive returns nothing, without an error.
        calls_per_second: quota of each action; None: no quota.
        lenient_old_handles: a delete with an expired handle is answered as if it had worked, and does nothing: AWS's text on the
            action allows that for old handles, its FIFO queues refuse it.
        seed: of MessageIds and receipt handles.

    Attributes:
        failure_queue: messages moved there, in order.
        expired: messages dropped for their age, in order.
        journal: receives and deletes, in order.
    """

    def __init__(
        self,
        now: Now,
        *,
        visibility_s: float = 30.0,
        max_receives: int = 20,
        retention_s: float = 4 * 86400.0,
        max_in_flight: int = 120_000,
        calls_per_second: int | None = None,
        lenient_old_handles: bool = False,
        seed: int = 0,
    ) -> None:
        self.visibility_s = visibility_s
        self.max_receives = max_receives
        self.retention_s = retention_s
        self.max_in_flight = max_in_flight
        self.lenient_old_handles = lenient_old_handles
        self.failure_queue: list[QueuedMessage] = []
        self.expired: list[QueuedMessage] = []
        self.journal: list[Received | Deleted] = []
        self.quota = Quota(now, calls_per_second)
        self._now = now
        self._stamps = Stamps(seed)
        self._handles = ReceiptHandles(seed)
        self._serial = 0
        self._ids: dict[int, str] = {}  # by serial, of all that ever were here
        self._here: OrderedDict[int, QueuedMessage] = OrderedDict()  # by serial, oldest first
        self._groups: dict[str, _Group] = {}
        self._open: list[tuple[int, str]] = []  # heap of (first serial, group); outdated entries are left in it
        self._windows: list[tuple[float, int]] = []  # heap of (hidden_until, serial); outdated entries are left in it
        self._in_flight = 0
        self._sent_lately: OrderedDict[str, tuple[float, str]] = OrderedDict()  # by deduplication id, oldest first

    def send(
        self,
        group: str,
        body: Any,
        sender_attributes: Mapping[str, Any],
        *,
        deduplication_id: str | None = None,
        with_md5: bool = True,
    ) -> str:
        """Put a message in.

        Args:
            sender_attributes: what the sender adds to the queue's own attributes (TransactionType…).
            deduplication_id: the same one within five minutes is accepted and never delivered, even after the first was
                deleted; None: different from all others.
            with_md5: False leaves out MD5OfBody, as some of the guide's samples do.

        Returns:
            The MessageId; for a duplicate that of the first.

        Raises:
            QueueThrottled: more calls than the quota.
            ValueError: larger than a message may be.
        """
        self.quota.count("send")
        size = len(json.dumps(body))
        if size > MAX_MESSAGE_BYTES:
            raise ValueError(f"a message may have {MAX_MESSAGE_BYTES} bytes, this one has {size}")
        now = self._refresh()
        if deduplication_id is not None and deduplication_id in self._sent_lately:
            return self._sent_lately[deduplication_id][1]
        message_id = self._stamps.new_id()
        if deduplication_id is not None:
            self._sent_lately[deduplication_id] = (now, message_id)
        content = self._stamps.content(
            message_id, group, body, sender_attributes, now, deduplication_id, with_md5=with_md5
        )
        self._enter(message_id, group, content, now)
        return message_id

    def push(self, content: Any, *, verbatim: bool = False) -> str:
        """Put a ready message in, however wrong it is; nothing is deduplicated or measured.

        Args:
            content: an element of `messages[]`; without a MessageGroupId it is a group of its own.
            verbatim: every value that it holds is delivered as given, and nothing is added but a ReceiptHandle and, where it
                has Attributes, the receive count. Otherwise the queue writes its own attributes: SentTimestamp,
                SequenceNumber, receive count.

        Returns:
            The MessageId that the journal shows: its own, else a new one, which it also bears unless `verbatim`.
        """
        now = self._refresh()
        own_id = content.get("MessageId") if isinstance(content, dict) else None
        message_id = own_id if isinstance(own_id, str) else self._stamps.new_id()
        attributes = content.get("Attributes") if isinstance(content, dict) else None
        group = attributes.get("MessageGroupId") if isinstance(attributes, dict) else None
        kept = copy.deepcopy(content) if verbatim else self._stamps.restamped(content, message_id, now)
        self._enter(message_id, group if isinstance(group, str) else f"none {message_id}", kept, now, verbatim=verbatim)
        return message_id

    def receive(self) -> list[Any]:
        """Up to ten messages: of the group with the oldest one as many as there are, in order, then of the next group.

        Nothing comes of a group while one of its messages is in flight. What was delivered `max_receives` times before goes to
        the failure queue instead.

        Raises:
            QueueThrottled: more calls than the quota.
        """
        self.quota.count("receive")
        now = self._refresh()
        batch: list[QueuedMessage] = []
        moved: list[QueuedMessage] = []
        while (room := min(MAX_BATCH - len(batch), self.max_in_flight - self._in_flight)) > 0:
            group = self._next_open_group()
            if group is None:
                break
            moved += self._move_exhausted(group, now)
            batch += [self._hide(message, group, now) for message in list(islice(group.messages.values(), room))]
        ids = tuple(message.message_id for message in batch)
        counts = tuple(message.receives for message in batch)
        self.journal.append(Received(now, ids, counts, tuple(message.message_id for message in moved)))
        expires_at = now + self.visibility_s
        return [each.delivered(self._handles.issue(each.serial, each.receives, expires_at)) for each in batch]

    def delete(self, handle: str) -> None:
        """Take a message out; deleting again within the window does no harm.

        Raises:
            ReceiptHandleIsInvalid: this was never a handle.
            ReceiptHandleExpired: its window has passed, whether or not the message was received again.
            QueueThrottled: more calls than the quota.
        """
        self.quota.count("delete")
        now = self._refresh()
        issued = self._handles.read(handle)
        if issued is None or issued[0] not in self._ids:
            self.journal.append(Deleted(now, handle, None, "invalid"))
            raise ReceiptHandleIsInvalid(handle)
        serial, expires_at = issued
        message = self._here.get(serial)
        outcome = "deleted" if message else "already_deleted"
        if now >= expires_at:
            outcome = "ignored" if self.lenient_old_handles else "expired"
        self.journal.append(Deleted(now, handle, self._ids[serial], outcome))
        if outcome == "expired":
            raise ReceiptHandleExpired(handle)
        if message and outcome == "deleted":
            self._leave(message, now)

    def messages(self) -> list[QueuedMessage]:
        """What is in the queue, in flight or not, oldest first."""
        self._refresh()
        return list(self._here.values())

    def _refresh(self) -> float:
        """Let windows end, messages grow too old and deduplication ids be forgotten; returns the present moment."""
        now = self._now()
        while self._windows and self._windows[0][0] <= now:
            _, serial = heapq.heappop(self._windows)
            if serial in self._here:
                self._show(self._here[serial])
        while self._here and next(iter(self._here.values())).sent_at + self.retention_s <= now:
            message = next(iter(self._here.values()))
            self._leave(message, now)
            self.expired.append(message)
        while self._sent_lately and next(iter(self._sent_lately.values()))[0] + DEDUPLICATION_S <= now:
            self._sent_lately.popitem(last=False)
        return now

    def _enter(self, message_id: str, group_name: str, content: Any, now: float, *, verbatim: bool = False) -> None:
        self._serial += 1
        message = QueuedMessage(message_id, group_name, content, self._serial, now, verbatim)
        self._ids[self._serial] = message_id
        self._here[self._serial] = message
        group = self._groups.setdefault(group_name, _Group(group_name))
        group.messages[self._serial] = message
        if len(group.messages) == 1:
            self._note_open(group)

    def _note_open(self, group: _Group) -> None:
        if group.messages and not group.in_flight:
            heapq.heappush(self._open, (next(iter(group.messages)), group.name))

    def _next_open_group(self) -> _Group | None:
        while self._open:
            serial, name = heapq.heappop(self._open)
            group = self._groups.get(name)
            if group is not None and not group.in_flight and serial in group.messages:
                return group
        return None

    def _move_exhausted(self, group: _Group, now: float) -> list[QueuedMessage]:
        """Move those at the head of an open group whose receives are used up; no later one can have more than they."""
        moved: list[QueuedMessage] = []
        while group.messages and (first := next(iter(group.messages.values()))).receives >= self.max_receives:
            self._leave(first, now)
            moved.append(first)
        self.failure_queue += moved
        return moved

    def _hide(self, message: QueuedMessage, group: _Group, now: float) -> QueuedMessage:
        message.receives += 1
        message.first_received_at = message.first_received_at or now
        message.hidden_until = now + self.visibility_s
        heapq.heappush(self._windows, (message.hidden_until, message.serial))
        group.in_flight += 1
        self._in_flight += 1
        return message

    def _show(self, message: QueuedMessage) -> None:
        """End a message's window; with the last one of its group the group opens."""
        message.hidden_until = None
        self._in_flight -= 1
        group = self._groups[message.group]
        group.in_flight -= 1
        self._note_open(group)

    def _leave(self, message: QueuedMessage, now: float) -> None:
        message.left_at = now
        del self._here[message.serial]
        group = self._groups[message.group]
        del group.messages[message.serial]
        if message.hidden_until is not None:
            self._show(message)
        else:
            self._note_open(group)
        if not group.messages:
            del self._groups[group.name]
