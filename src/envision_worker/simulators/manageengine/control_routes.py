"""How a person or a process test drives the running desk; the table of calls stands in `simulator`."""

import inspect
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

from envision_worker.simulators.control import ControlRefused, ControlRoute
from envision_worker.simulators.manageengine.habits import Habit, Habits
from envision_worker.simulators.manageengine.people import Impossible, People
from envision_worker.simulators.manageengine.shapes import shown_ticket, told_fields
from envision_worker.simulators.manageengine.throttle import Throttle
from envision_worker.simulators.manageengine.tickets import Level, Note, Ticket
from envision_worker.simulators.manageengine.world import World


def control_routes(
    world: World, people: People, habits: Habits, throttle: Throttle
) -> dict[tuple[str, str], ControlRoute]:
    """The control calls beside those that every simulator has."""

    def tickets(_: Any) -> Any:
        habits.act()
        return [shown_for_control(each, world) for kind in world.tickets.values() for each in kind.values()]

    def effects(_: Any) -> Any:
        habits.act()
        return [asdict(effect) for effect in world.effects]

    def switches(given: Any) -> Any:
        try:
            world.switches.turn(given)
        except ValueError as exc:
            raise ControlRefused(str(exc)) from exc
        return world.switches.as_json()

    return {
        ("GET", "tickets"): tickets,
        ("GET", "effects"): effects,
        ("GET", "switches"): lambda _: world.switches.as_json(),
        ("PUT", "switches"): switches,
        ("POST", "people"): _people(people),
        ("POST", "throttle"): _throttle(world, throttle),
        ("PUT", "habits"): _habits(habits),
    }


def shown_for_control(ticket: Ticket, world: World) -> dict[str, Any]:
    """Everything about a ticket, in a form made for people and tests, not the API's."""
    place = dict(shown_ticket(ticket, world))
    return {
        "kind": ticket.kind,
        "id": ticket.id,
        "number": ticket.number,
        "title": ticket.fields["subject" if ticket.kind == "request" else "title"],
        "status": place["status"]["name"],
        "stage": place["stage"]["name"] if ticket.kind == "change" else None,
        "fields": told_fields(ticket.fields, world, ticket.kind),
        "resolution": ticket.resolution[0] if ticket.resolution else None,
        "notes": [_note(each, world) for each in ticket.notes],
        "attachments": [
            {"id": each.id, "name": each.name, "size": len(each.content), "sha256": each.sha256}
            for each in ticket.attachments
        ],
        "approvals": [_level(each, world) for each in ticket.levels],
        "trashed": ticket.trashed,
        "deleted": ticket.deleted,
        "merged_into": ticket.merged_into,
    }


def _note(note: Note, world: World) -> dict[str, Any]:
    public = bool(note.flags.get("show_to_requester"))
    return {"id": note.id, "text": note.text, "public": public, "author": world.setup.users[note.author].email}


def _level(level: Level, world: World) -> dict[str, Any]:
    return {
        "id": level.id,
        "name": level.name,
        "status": level.status,
        "deleted": level.deleted,
        "approvals": [
            {
                "id": each.id,
                "approver": world.setup.users[each.approver].email,
                "status": each.status,
                "comments": each.comments,
                "mails": len(each.mails),
                "deleted": each.deleted,
            }
            for each in level.approvals
        ],
    }


def _people(people: People) -> ControlRoute:
    def act(given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("do"), str):
            raise ControlRefused('an object such as {"do": "approve", "change": "7"} is wanted')
        arguments = {name: value for name, value in given.items() if name != "do"}
        action: Callable[..., Any] | None = None
        if not given["do"].startswith("_"):
            action = getattr(people, given["do"], None)
        if action is None:
            raise ControlRefused(f"nobody can {given['do']}")
        try:
            parameters = inspect.signature(action).bind(**arguments).signature.parameters
            for name, value in arguments.items():
                _check_type(name, value, parameters[name].annotation)
            return {"done": given["do"], "id": action(**arguments)}
        except (TypeError, Impossible) as exc:
            raise ControlRefused(str(exc)) from exc

    return act


def _check_type(name: str, value: Any, annotation: Any) -> None:
    wanted: Any = dict if "dict" in str(annotation) else str
    if annotation in (bool, float):
        wanted = bool if annotation is bool else int | float
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise ControlRefused(f"{name} can't be {value!r}")


def _throttle(world: World, throttle: Throttle) -> ControlRoute:
    def block(given: Any) -> Any:
        if given in (None, {}):
            throttle.lift()
            return {"blocked": []}
        if not isinstance(given, dict) or not isinstance(given.get("path"), str):
            raise ControlRefused('an object such as {"path": "*", "seconds": 60} is wanted')
        seconds = given.get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float | None):
            raise ControlRefused(f"seconds can't be {seconds!r}")
        throttle.block(given["path"], None if seconds is None else world.now() + seconds)
        return {"blocked": sorted(throttle.blocks)}

    return block


def _habits(habits: Habits) -> ControlRoute:
    types: dict[str, Any] = {each.name: each.type for each in fields(Habit)}

    def replace_habits(given: Any) -> Any:
        if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
            raise ControlRefused("a JSON list of habits is wanted")
        for each in given:
            unknown = sorted(each.keys() - types.keys())
            if unknown or each.get("decision") not in ("approve", "reject"):
                raise ControlRefused(f"this is no habit: {each!r}")
            for name, value in each.items():
                _check_type(name, value, types[name])
        habits.habits = [Habit(**each) for each in given]
        return [asdict(each) for each in habits.habits]

    return replace_habits
