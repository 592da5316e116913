"""How a request and a change look: every field with what makes it, so that a list makes only those it needs."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from envision_worker.simulators.manageengine import attachment_shapes, forms
from envision_worker.simulators.manageengine.fields import HTML, Field, shown
from envision_worker.simulators.manageengine.flavour import Kind
from envision_worker.simulators.manageengine.shown import shown_time, shown_user
from envision_worker.simulators.manageengine.tickets import Ticket
from envision_worker.simulators.manageengine.udfs import Udfs, udf_type
from envision_worker.simulators.manageengine.world import World

Maker = Callable[[Ticket, World], Any]
UDF_PREFIX = "udf_fields."  # so that a search by one of them need not make all
SHORT = 100  # characters of a description in a list


class Shown(Mapping[str, Any]):
    """A ticket as JSON; a field is made when it is looked at, and `udf_fields.<name>` gives one of them alone."""

    def __init__(self, makers: Mapping[str, Maker], ticket: Ticket, world: World) -> None:
        self._makers = makers
        self._ticket = ticket
        self._world = world

    def __getitem__(self, name: str) -> Any:
        if name.startswith(UDF_PREFIX):
            return self._udf(name.removeprefix(UDF_PREFIX))
        return self._makers[name](self._ticket, self._world)

    def _udf(self, name: str) -> Any:
        held = self._ticket.fields.get("udf_fields") or {}
        return shown(udf_type(name), held.get(name), self._world)

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def shown_ticket(ticket: Ticket, world: World) -> Shown:
    """A ticket with all of its fields."""
    return Shown(_OWN[ticket.kind, world.flavour.is_cloud], ticket, world)


def told_fields(fields: Mapping[str, Any], world: World, kind: Kind) -> dict[str, Any]:
    """Fields as a reader of the record wants them: names, addresses and milliseconds in place of ids."""
    types = forms.fields(kind, cloud=world.flavour.is_cloud)
    return {
        name: value if name == "udf_fields" else _plain(shown(types[name], value, world))
        for name, value in fields.items()
        if name in types
    }


def _plain(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    for key in ("email_id", "name", "value"):
        if value.get(key):
            return value[key]
    return value


def field_names(world: World, kind: Kind) -> frozenset[str]:
    """The fields that a kind of ticket is shown with."""
    return frozenset(_OWN[kind, world.flavour.is_cloud])


def _kept(name: str, of_type: Field) -> Maker:
    return lambda ticket, world: shown(of_type, ticket.fields.get(name), world)


def _always(value: Any) -> Maker:
    return lambda _ticket, _world: value


def _closed(ticket: Ticket, _world: World) -> Any:
    return shown_time(ticket.completed)


def _resolution(ticket: Ticket, world: World) -> Any:
    if ticket.resolution is None:
        return None if world.flavour.is_cloud else {"resolution_attachments": [], "content": None}
    text, moment, author = ticket.resolution
    return {
        "submitted_on": shown_time(moment),
        "submitted_by": _user(author, world),
        "resolution_attachments": [],
        "content": HTML.show(text, world),
    }


def _user(user_id: str, world: World) -> Any:
    return shown_user(world.setup.users[user_id], cloud=world.flavour.is_cloud)


def _short_description(ticket: Ticket, _world: World) -> str:
    return str(ticket.fields.get("description") or "")[:SHORT]


def _template(ticket: Ticket, world: World) -> Any:
    row_id = ticket.fields.get("template") or next(world.setup.rows("request_templates")).id
    row = world.setup.row("request_templates", row_id)
    return {"is_service_template": False, "service_category": None, "name": row.name, "id": row.id}


_COMMON: dict[str, Maker] = {
    "id": lambda ticket, _: ticket.id,
    "created_time": lambda ticket, _: shown_time(ticket.created),
    "created_by": lambda ticket, world: _user(ticket.by, world),
    "is_trashed": lambda ticket, _: ticket.trashed,
    "has_attachments": lambda ticket, _: bool(ticket.attachments),
    "attachments": lambda ticket, world: [attachment_shapes.shown(each, ticket, world) for each in ticket.attachments],
}
_REQUEST: dict[str, Maker] = {
    **{name: _always(None) for name in (
        "linked_to_request", "onhold_time", "reason_for_cancel", "approval_status", "sla", "callback_url",
        "notification_status", "unreplied_count", "assigned_time", "time_elapsed", "response_time_elapsed", "lifecycle",
        "department", "ola_due_by_time",
    )},
    **{name: _always(False) for name in (
        "is_service_request", "is_read", "is_overdue", "is_first_response_overdue", "is_shared", "has_conversation",
        "has_linked_requests", "has_draft", "has_problem", "has_project", "has_dependency",
    )},
    **{name: _always([]) for name in ("email_to", "email_cc", "tags")},
    "last_updated_time": lambda ticket, _: shown_time(ticket.updated),
    "is_reopened": lambda ticket, _: ticket.reopened,
    "has_notes": lambda ticket, _: bool(ticket.notes),
    "short_description": _short_description,
}  # fmt: skip
_REQUEST_ON_PREMISES: dict[str, Maker] = {
    "cancel_requested": _always(False),
    "cancel_requested_is_pending": _always(False),
    "cancel_requested_by": _always(None),
    "cancel_requested_time": _always(None),
}
_REQUEST_CLOUD: dict[str, Maker] = {
    "display_id": lambda ticket, _: ticket.number,
    "cancellation_requested": _always(False),
    "cancel_flag_comments": _always(None),
    "deleted_time": _always(None),
    "resolved_time": _always(None),
    "responded_time": _always(None),
    "completed_time": _closed,
    "is_escalated": _always(False),
    "is_fcr": _always(False),
    "email_bcc": _always([]),
}
_CHANGE: dict[str, Maker] = {
    "workflow": _always(None),
    "sla_violation": _always(False),
    "approval_status": _always(None),
    "completed_time": _closed,
}
_CHANGE_CLOUD: dict[str, Maker] = {
    "display_id": lambda ticket, _: {"display_value": f"CH-{ticket.number}", "value": ticket.number},
}


def _written(kind: Kind, *, cloud: bool) -> dict[str, Maker]:
    fields = forms.fields(kind, cloud=cloud)
    made = {name: _kept(name, of_type) for name, of_type in fields.items() if name not in forms.NOT_KEPT}
    return made | {"udf_fields": lambda ticket, world: Udfs(kind).show(ticket.fields.get("udf_fields") or {}, world)}


_OWN: dict[tuple[Kind, bool], dict[str, Maker]] = {
    ("request", cloud): {
        **_written("request", cloud=cloud),
        **_COMMON,
        **_REQUEST,
        **(_REQUEST_CLOUD if cloud else _REQUEST_ON_PREMISES),
        "resolution": _resolution,
        "template": _template,
    }
    for cloud in (False, True)
}
_OWN |= {
    ("change", cloud): {
        **_written("change", cloud=cloud),
        **_COMMON,
        **_CHANGE,
        **(_CHANGE_CLOUD if cloud else {}),
    }
    for cloud in (False, True)
}
