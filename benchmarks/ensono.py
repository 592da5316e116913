"""Ensono for the benchmark: a FIFO queue and `returnptn`, with the latencies of the work, and a look at what was done.

Groups are closed while a message of theirs is in flight, as in SQS; a handle is taken only where it was encoded once and whole.
"""

import argparse
import base64
import hashlib
import heapq
import json
import time
from collections import deque
from typing import Any
from urllib.parse import quote, unquote

from benchmarks import work
from benchmarks.lean import Answer, Asked, serve

_REQUEST_ID = {"RequestId": "b80c8fef-a677-5340-85fb-2c162d75df03"}
_DELETED = {"DeleteMessageResponse": {"ResponseMetadata": _REQUEST_ID}}
_EMPTY = {
    "ReceiveMessageResponse": {
        "ReceiveMessageResult": {"ResponseMetadata": _REQUEST_ID, "ReceiveMessageResult": {"messages": None}}
    }
}


class Group:
    """One ticket's messages. `out` are those in flight, by place."""

    def __init__(self, ticket: int, places: int) -> None:
        self.ticket = ticket
        self.waiting = list(range(places))
        self.out: set[int] = set()


class Queue:
    """The queue. Nothing is in it before `open`."""

    def __init__(self, visible_s: float) -> None:
        self._visible_s = visible_s
        self.messages: dict[tuple[int, int], dict[str, Any]] = {}
        self.receives: dict[tuple[int, int], int] = {}
        self.handles: dict[str, tuple[int, int, float]] = {}
        self.groups: dict[int, Group] = {}
        self.ready: deque[Group] = deque()
        self.hidden: list[tuple[float, int, int, str]] = []
        self.deleted: dict[tuple[int, int], float] = {}
        self.faults: list[str] = []
        self.calls = {"read_queue": 0, "read_empty": 0, "delete": 0, "returnptn": 0}
        self.returned: dict[str, int] = {}
        self.opened = self.first_read = 0.0
        self.asked_first = 0.0
        self.in_flight = self.most_in_flight = 0

    def open(self, messages: dict[tuple[int, int], dict[str, Any]]) -> None:
        self.opened = time.time()
        self.messages = messages
        for ticket, place in messages:
            group = self.groups.setdefault(ticket, Group(ticket, 0))
            group.waiting.append(place)
        self.ready.extend(self.groups.values())

    def receive(self) -> list[dict[str, Any]]:
        now = time.time()
        self._show_again(now)
        out: list[dict[str, Any]] = []
        while self.ready and len(out) < 10:
            group = self.ready.popleft()
            taken, group.waiting = group.waiting[: 10 - len(out)], group.waiting[10 - len(out) :]
            out += [self._given(group, place, now) for place in taken]
        if out and not self.first_read:
            self.first_read = now
        return out

    def delete(self, segment: str) -> Answer:
        handle = unquote(segment)
        if handle.startswith("envision-worker-asks"):  # its probe, which deletes nothing
            return _error(
                "ReceiptHandleIsInvalid", f'The input receipt handle "{handle}" is not a valid receipt handle.'
            )
        if quote(handle, safe="") != segment or handle not in self.handles:
            self.faults.append(f"a receipt handle that is none: {segment[:40]}")
            return _error(
                "ReceiptHandleIsInvalid", f'The input receipt handle "{handle}" is not a valid receipt handle.'
            )
        ticket, place, until = self.handles[handle]
        if time.time() >= until:
            return _error(
                "InvalidParameterValue",
                "Value x for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
            )
        group = self.groups[ticket]
        if place in group.out:
            group.out.discard(place)
            self.in_flight -= 1
            self.deleted[ticket, place] = time.time()
            if not group.out and group.waiting:
                self.ready.appendleft(group)
        return Answer(200, _DELETED, work.DELETE_S)

    def _given(self, group: Group, place: int, now: float) -> dict[str, Any]:
        key = group.ticket, place
        self.receives[key] = self.receives.get(key, 0) + 1
        seed = hashlib.sha512(f"{key} {self.receives[key]}".encode()).digest()
        handle = "AQEB" + base64.b64encode(seed * 4 + seed[:26]).decode()
        self.handles[handle] = *key, now + self._visible_s
        heapq.heappush(self.hidden, (now + self._visible_s, group.ticket, place, handle))
        group.out.add(place)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        message = self.messages[key]
        attributes = message["Attributes"] | {"ApproximateReceiveCount": str(self.receives[key])}
        return message | {"ReceiptHandle": handle, "Attributes": attributes}

    def _show_again(self, now: float) -> None:
        while self.hidden and self.hidden[0][0] <= now:
            _, ticket, place, _ = heapq.heappop(self.hidden)
            group = self.groups[ticket]
            if place in group.out:
                group.out.discard(place)
                self.in_flight -= 1
                group.waiting = sorted({*group.waiting, place})
                if not group.out:
                    self.ready.appendleft(group)

    # --- what was done -----------------------------------------------------------------------------------------------

    def report(self) -> dict[str, Any]:
        waits = sorted(at - self.opened for at in self.deleted.values())
        return {
            "messages": len(self.messages),
            "deleted": len(self.deleted),
            "asked_first": self.asked_first,
            "opened": self.opened,
            "first_read": self.first_read,
            "last_delete": max(self.deleted.values(), default=0.0),
            "p50_s": waits[len(waits) // 2] if waits else 0.0,
            "p99_s": waits[int(len(waits) * 0.99)] if waits else 0.0,
            "received_again": sum(count - 1 for count in self.receives.values()),
            "most_in_flight": self.most_in_flight,
            "calls": self.calls,
            "returned": len(self.returned),
            "returned_again": sum(count - 1 for count in self.returned.values()),
            "faults": self.faults[:5],
        }


def _error(code: str, text: str) -> Answer:
    return Answer(400, {"Error": {"Code": code, "Message": text, "Type": "Sender"}}, work.DELETE_S)


class Ensono:
    """The calls."""

    def __init__(self, messages: int, visible_s: float, file_bytes: int) -> None:
        self._count = messages
        self._file_bytes = file_bytes
        self.queue = Queue(visible_s)

    def __call__(self, asked: Asked) -> Answer:
        parts = asked.target.partition("?")[0].split("/")
        if parts[1] == "bench":
            return self._bench(parts[2], asked)
        if parts[1] == "file":
            return Answer(200, filler=self._file_bytes)
        if work.API_KEY.encode() not in asked.head:
            return Answer(403, {"message": "Forbidden"})
        match asked.method, parts[2:]:
            case "GET", ["queue"]:
                return self._read()
            case "DELETE", ["queue", handle]:
                self.queue.calls["delete"] += 1
                return self.queue.delete(handle)
            case "PUT", ["tickets", number, "returnptn"]:
                return self._returned(number, json.loads(asked.body))
            case _:
                return Answer(403, {"message": "Missing Authentication Token"})

    def _read(self) -> Answer:
        self.queue.asked_first = self.queue.asked_first or time.time()
        self.queue.calls["read_queue"] += 1
        messages = self.queue.receive()
        if not messages:
            self.queue.calls["read_empty"] += 1
            return Answer(200, _EMPTY, work.READ_S)
        result = {"ResponseMetadata": _REQUEST_ID, "ReceiveMessageResult": {"messages": messages}}
        return Answer(200, {"ReceiveMessageResponse": result}, work.READ_S)

    def _returned(self, number: str, sent: Any) -> Answer:
        self.queue.calls["returnptn"] += 1
        if not str(sent["payload"]["clientTicketNumber"]).isdigit():
            self.queue.faults.append(f"{number}: returned without a number")
        self.queue.returned[number] = self.queue.returned.get(number, 0) + 1
        return Answer(200, {"Response": "PTN added"}, work.DELETE_S)

    def _bench(self, what: str, asked: Asked) -> Answer:
        if what == "open":
            self.queue.open(self._messages(_host(asked)))
        left = len(self.queue.messages) - len(self.queue.deleted)
        return Answer(200, left if what == "left" else self.queue.report())

    def _messages(self, host: str) -> dict[tuple[int, int], dict[str, Any]]:
        now_ms = int(time.time() * 1000)
        if self._file_bytes:
            return {(0, 0): work.attachment(f"http://{host}/file/export.bin", self._file_bytes, now_ms)}
        tickets = work.tickets_of(self._count)
        return {(t, p): work.message(t, p, now_ms) for t in range(tickets) for p in range(work.PER_TICKET)}


def _host(asked: Asked) -> str:
    fields = asked.head.decode("latin-1").split("\r\n")
    return next(field[5:].strip() for field in fields if field.lower().startswith("host:"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--visible-s", type=float, default=30.0)
    parser.add_argument("--file-bytes", type=int, default=0)
    given = parser.parse_args()
    serve(Ensono(given.messages, given.visible_s, given.file_bytes))


if __name__ == "__main__":
    main()
