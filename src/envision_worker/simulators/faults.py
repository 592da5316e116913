"""What can be made to go wrong at a simulator, call by call and always the same way."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Self

from envision_worker.simulators.http import Application, ConnectionLost, Request, Response, Sleep

LOGIN_PAGE = (
    b"<!DOCTYPE html><html><head><title>Log in</title></head>"
    b'<body><form action="/login" method="post"><input name="user"><input name="password" type="password"></form>'
    b"</body></html>"
)


class FaultKind(StrEnum):
    """What happens to a call."""

    REFUSE = "refuse"
    """The connection is dropped before anything happened."""
    LOSE_ANSWER = "lose_answer"
    """It happens; the connection is dropped before the answer."""
    HANG_BEFORE = "hang_before"
    """`seconds` pass, then it happens and is answered."""
    HANG_AFTER = "hang_after"
    """It happens, `seconds` pass, then it is answered."""
    STATUS = "status"
    """Nothing happens; the fault's own answer comes back."""
    STATUS_AFTER = "status_after"
    """It happens; the fault's own answer comes back."""
    HTML = "html"
    """Nothing happens; a login page comes back with 200."""
    TRUNCATED = "truncated"
    """It happens; the first half of the answer's body comes back."""
    EMPTY = "empty"
    """It happens; 200 with no body comes back."""
    SLOW = "slow"
    """`seconds` pass; then the call goes on to the faults behind this one in the list."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: what happens.
        method: glob on the method.
        path: glob on the raw path, without the query; `*` also matches slashes.
        times: how many calls it hits; None: all.
        skip: how many matching calls it lets pass first.
        seconds: for the kinds that wait.
        status: with `body`, `content_type` and `headers` the answer of `status` and `status_after`.
    """

    kind: FaultKind
    method: str = "*"
    path: str = "*"
    times: int | None = 1
    skip: int = 0
    seconds: float = 0.0
    status: int = 500
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def matches(self, request: Request) -> bool:
        """Whether it is meant for this call."""
        return fnmatchcase(request.method, self.method) and fnmatchcase(request.raw_path, self.path)

    @property
    def answer(self) -> Response:
        """What `status` and `status_after` send back."""
        return Response(self.status, self.body, self.content_type, self.headers)

    @classmethod
    def from_json(cls, given: Any) -> Self:
        """Read a fault as a person writes it: `{"kind": "status", "path": "*/queue", "status": 503, "times": null}`.

        `body` is a text, or any other JSON value, which is then sent as JSON.

        Raises:
            ValueError: it is no fault; says what is wrong with it.
        """
        if not isinstance(given, dict):
            raise ValueError(f"a fault is an object, not {given!r}")  # noqa: TRY004 (one kind of error for bad input)
        unknown = sorted(given.keys() - {each.name for each in fields(cls)})
        if unknown:
            raise ValueError(f"a fault has no {', '.join(map(repr, unknown))}")
        values = {name: value for name, value in given.items() if _fits(name, value)}
        if "kind" not in values:
            raise ValueError("a fault needs its kind")
        if "body" in values:
            values["body"] = _body(values["body"])
        return cls(**values | {"kind": FaultKind(values["kind"])})

    def as_json(self) -> dict[str, Any]:
        """The same form that `from_json` reads."""
        shown = {each.name: getattr(self, each.name) for each in fields(self)}
        return shown | {
            "kind": str(self.kind),
            "body": self.body.decode("utf-8", "replace"),
            "headers": {**self.headers},
        }


class Faults:
    """The faults that are switched on, in order: the first that is due decides about a call."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._entries = [_Entry(fault) for fault in faults]

    def __iter__(self) -> Iterator[Fault]:
        """The faults that are switched on, also those that are used up."""
        return iter([entry.fault for entry in self._entries])

    def add(self, fault: Fault) -> None:
        """Switch one more on, behind the others."""
        self._entries.append(_Entry(fault))

    def clear(self) -> None:
        """Switch all off."""
        self._entries.clear()

    def take(self, request: Request) -> tuple[float, Fault | None]:
        """What happens to this call; counts it.

        Returns:
            Seconds of latency by the `slow` faults passed on the way, and the fault that hits, None where none does.
            A fault behind the one that hits doesn't see the call.
        """
        latency = 0.0
        for entry in self._entries:
            if not entry.takes(request):
                continue
            if entry.fault.kind is not FaultKind.SLOW:
                return latency, entry.fault
            latency += entry.fault.seconds
        return latency, None


class _Entry:
    """A fault and how often it was met."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._met = 0

    def takes(self, request: Request) -> bool:
        """Count a matching call and say whether the fault hits it."""
        if not self.fault.matches(request):
            return False
        self._met += 1
        hits = self._met - self.fault.skip
        return hits > 0 and (self.fault.times is None or hits <= self.fault.times)


def with_faults(application: Application, faults: Faults, sleep: Sleep) -> Application:
    """The same application, with things going wrong; notes `fault` and `effect_status` in the request's marks."""

    async def effect(request: Request) -> Response:
        answer = await application(request)
        request.marks["effect_status"] = answer.status
        return answer

    async def answer(request: Request) -> Response:
        latency, fault = faults.take(request)
        if latency:
            request.marks["fault"] = FaultKind.SLOW
            await sleep(latency)
        if fault is None:
            return await effect(request)
        request.marks["fault"] = fault.kind
        return await _spoiled(fault, request, effect, sleep)

    return answer


async def _spoiled(fault: Fault, request: Request, effect: Application, sleep: Sleep) -> Response:
    match fault.kind:
        case FaultKind.REFUSE:
            raise ConnectionLost
        case FaultKind.STATUS:
            return fault.answer
        case FaultKind.HTML:
            return Response(200, LOGIN_PAGE, "text/html; charset=utf-8")
        case FaultKind.HANG_BEFORE | FaultKind.SLOW:
            await sleep(fault.seconds)
            return await effect(request)
    answer = await effect(request)
    match fault.kind:
        case FaultKind.LOSE_ANSWER:
            raise ConnectionLost
        case FaultKind.HANG_AFTER:
            await sleep(fault.seconds)
            return answer
        case FaultKind.TRUNCATED:
            return Response(answer.status, answer.body[: len(answer.body) // 2], answer.content_type, answer.headers)
        case FaultKind.EMPTY:
            return Response(200, b"", answer.content_type)
        case FaultKind.STATUS_AFTER:
            return fault.answer


_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "kind": str,
    "method": str,
    "path": str,
    "times": (int, type(None)),
    "skip": int,
    "seconds": (int, float),
    "status": int,
    "body": object,
    "content_type": str,
    "headers": dict,
}


def _fits(name: str, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, _TYPES[name]):
        raise ValueError(f"{name} can't be {value!r}")  # noqa: TRY004 (one kind of error for bad input)
    return True


def _body(given: Any) -> bytes:
    return given.encode() if isinstance(given, str) else json.dumps(given).encode()
