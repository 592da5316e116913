"""How a person or a process test drives a running simulator: what it observed, its faults, and what else it offers.

| call                         | does                                                                |
|------------------------------|---------------------------------------------------------------------|
| `GET /_simulator/journal`    | every call so far, in order of arrival                              |
| `GET /_simulator/faults`     | the faults that are switched on                                     |
| `PUT /_simulator/faults`     | replace them by the JSON list in the body (see `faults.Fault`)       |
| `DELETE /_simulator/faults`  | switch all off                                                      |

None of these calls is journalled, and no fault hits them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from envision_worker.simulators.faults import Fault, Faults, with_faults
from envision_worker.simulators.http import Application, Now, Request, Response, Sleep, json_response

PREFIX = "/_simulator/"
MAX_KEPT_BODY = 1024 * 1024  # bytes of a body that the journal keeps; a file of 50 MB needn't stay in memory


@dataclass
class ObservedCall:
    """One call as the simulator saw it.

    Attributes:
        at: seconds since 1970 of its arrival.
        path: the raw path as on the wire.
        query: the raw query.
        headers: as sent, but in place of a secret only `matches` or `does not match`.
        body: at most `MAX_KEPT_BODY` bytes of it.
        body_length: all of its bytes.
        status: what the caller was answered; None: not yet, or the connection was lost.
        effect_status: what the simulator itself answered; None: not yet, or it wasn't reached.
        fault: the kind of fault that hit the call.
    """

    at: float
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    body_length: int
    status: int | None = None
    effect_status: int | None = None
    fault: str | None = None

    def json(self) -> Any:
        """The body decoded as JSON.

        Raises:
            ValueError: it is no JSON.
        """
        return json.loads(self.body)

    def as_json(self) -> dict[str, Any]:
        """For `GET /_simulator/journal`: a JSON body as what it says, any other as text."""
        try:
            body = self.json()
        except (ValueError, RecursionError):
            body = self.body.decode("utf-8", "replace")
        return {**vars(self), "body": body}


@dataclass
class Journal:
    """Everything that was observed, in order of arrival.

    Attributes:
        now: seconds since 1970.
        secret_headers: header names in small letters, each with what tells whether its value is right.
    """

    now: Now
    secret_headers: Mapping[str, Callable[[str], bool]] = field(default_factory=dict)
    calls: list[ObservedCall] = field(default_factory=list)

    def observe(self, request: Request) -> ObservedCall:
        """Note a call that has just come in."""
        call = ObservedCall(
            self.now(),
            request.method,
            request.raw_path,
            request.query,
            {name: self._shown(name, value) for name, value in request.headers.items()},
            request.body[:MAX_KEPT_BODY],
            len(request.body),
        )
        self.calls.append(call)
        return call

    def _shown(self, name: str, value: str) -> str:
        is_right = self.secret_headers.get(name)
        if is_right is None:
            return value
        return "matches" if is_right(value) else "does not match"


def with_journal(application: Application, journal: Journal) -> Application:
    """The same application, with every call noted; goes around `with_faults`, so that it sees what the caller sees."""

    async def answer(request: Request) -> Response:
        call = journal.observe(request)
        try:
            response = await application(request)
            call.status = response.status
        finally:
            call.fault = request.marks.get("fault")
            call.effect_status = request.marks.get("effect_status")
        return response

    return answer


class ControlRefused(Exception):
    """A control call that makes no sense; answered 400 with what this says."""


ControlRoute = Callable[[Any], Any]
"""Takes the call's JSON body (None where there is none) and returns the JSON to answer; may raise `ControlRefused`."""


def assemble(
    application: Application,
    *,
    journal: Journal,
    faults: Faults,
    sleep: Sleep,
    routes: Mapping[tuple[str, str], ControlRoute] | None = None,
) -> Application:
    """The whole simulator: faults around the application, the journal around both, the control calls beside them.

    Args:
        routes: further control calls by method and name: `("GET", "queue")` is `GET /_simulator/queue`.
    """
    inner = with_journal(with_faults(application, faults, sleep), journal)
    known = {**_standard_routes(journal, faults), **(routes or {})}

    async def answer(request: Request) -> Response:
        if request.raw_path.startswith(PREFIX):
            return _control(known, request)
        return await inner(request)

    return answer


def _standard_routes(journal: Journal, faults: Faults) -> dict[tuple[str, str], ControlRoute]:
    def replace_faults(given: Any) -> Any:
        if not isinstance(given, list):
            raise ControlRefused("a JSON list of faults is wanted")
        try:
            read = [Fault.from_json(each) for each in given]
        except ValueError as exc:
            raise ControlRefused(str(exc)) from exc
        faults.clear()
        for fault in read:
            faults.add(fault)
        return show_faults(None)

    def show_faults(_: Any) -> Any:
        return [fault.as_json() for fault in faults]

    def clear_faults(_: Any) -> Any:
        faults.clear()
        return []

    return {
        ("GET", "journal"): lambda _: [call.as_json() for call in journal.calls],
        ("GET", "faults"): show_faults,
        ("PUT", "faults"): replace_faults,
        ("DELETE", "faults"): clear_faults,
    }


def _control(routes: Mapping[tuple[str, str], ControlRoute], request: Request) -> Response:
    name = request.raw_path.removeprefix(PREFIX)
    route = routes.get((request.method, name))
    if route is None:
        offered = [f"{method} {PREFIX}{each}" for method, each in routes]
        return json_response({"error": f"no {request.method} {request.raw_path}", "offered": offered}, 404)
    try:
        given = json.loads(request.body) if request.body else None
    except (ValueError, RecursionError) as exc:
        return json_response({"error": f"the body is no JSON: {exc}"}, 400)
    try:
        return json_response(route(given))
    except ControlRefused as exc:
        return json_response({"error": str(exc)}, 400)
