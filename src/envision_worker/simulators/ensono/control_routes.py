"""How a running simulator is driven over HTTP, beside what every simulator offers (see `control`).

| control call                          | does                                                                           |
|---------------------------------------|--------------------------------------------------------------------------------|
| `POST /_simulator/messages`           | puts a message, or a list of them, into the queue; the queue stamps them       |
| `POST /_simulator/messages/verbatim`  | the same, but every value is delivered as given                                |
| `POST /_simulator/scenario`           | `{"do": "incident_create", "shortDescription": "…"}`: any action of `Scenario` |
| `GET /_simulator/tickets`             | every ticket with its comments, files, approvals and decisions                 |
| `GET /_simulator/queue`               | the queue, its failure queue, what expired; every receive and delete           |
| `GET`, `PUT /_simulator/settings`     | shows, changes while it runs: see `SETTINGS`                                   |
"""

from collections.abc import Callable
from typing import Any

from envision_worker.simulators.control import ControlRefused, ControlRoute
from envision_worker.simulators.ensono.announcements import Dialect
from envision_worker.simulators.ensono.environment import Environment
from envision_worker.simulators.ensono.queue_api import snapshot
from envision_worker.simulators.ensono.scenario import Scenario


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"true or false is wanted, not {value!r}")  # noqa: TRY004 (one kind of error for bad input)
    return value


SETTINGS: dict[str, Callable[[Any], Any]] = {
    "visibility_s": float,
    "max_receives": int,
    "retention_s": float,
    "lenient_old_handles": _flag,
    "nested_messages": _flag,
    "error_status": int,
    "dialect": Dialect,
}
"""What `settings` takes: see `FifoQueue`, `QueueApi` and `Announcer`; `error_status` is for queue and tickets API alike."""


def control_routes(environment: Environment) -> dict[tuple[str, str], ControlRoute]:
    """The control calls of one environment."""

    def push(given: Any, *, verbatim: bool) -> Any:
        messages = given if isinstance(given, list) else [given]
        return [environment.scenario.push(message, verbatim=verbatim) for message in messages]

    return {
        ("POST", "messages"): lambda given: push(given, verbatim=False),
        ("POST", "messages/verbatim"): lambda given: push(given, verbatim=True),
        ("POST", "scenario"): lambda given: _act(environment.scenario, given),
        ("GET", "tickets"): lambda _: {
            number: ticket.as_json() for number, ticket in environment.records.tickets.items()
        },
        ("GET", "queue"): lambda _: snapshot(environment.queue),
        ("GET", "settings"): lambda _: _settings(environment),
        ("PUT", "settings"): lambda given: _set(environment, given),
    }


def _act(scenario: Scenario, given: Any) -> Any:
    arguments = dict(given) if isinstance(given, dict) else {}
    name = arguments.pop("do", None)
    actions = {each for each in vars(Scenario) if not each.startswith("_")}
    if not isinstance(name, str) or name not in actions:
        raise ControlRefused(f"do is one of {', '.join(sorted(actions))}")
    action = getattr(scenario, name)
    try:
        return action(**arguments)
    except (TypeError, ValueError) as exc:
        raise ControlRefused(f"{name}: {exc}") from exc


def _holders(environment: Environment, name: str) -> list[Any]:
    parts = [environment.queue, environment.queue_api, environment.tickets, environment.announcer]
    return [part for part in parts if hasattr(part, name)]


def _settings(environment: Environment) -> dict[str, Any]:
    return {name: getattr(_holders(environment, name)[0], name) for name in SETTINGS}


def _set(environment: Environment, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict) or not given.keys() <= SETTINGS.keys():
        raise ControlRefused(f"settings are {', '.join(SETTINGS)}")
    try:
        read = {name: SETTINGS[name](value) for name, value in given.items()}
    except (TypeError, ValueError) as exc:
        raise ControlRefused(str(exc)) from exc
    for name, value in read.items():
        for holder in _holders(environment, name):
            setattr(holder, name, value)
    return _settings(environment)
