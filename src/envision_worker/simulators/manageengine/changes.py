"""Changes: create, read, list, change, close.

Sources: the pages about changes of both documentations. The body of `close_change` is documented as plain; new builds
want another form, so which is taken is a switch.
"""

from typing import Any

from envision_worker.simulators.http import Response
from envision_worker.simulators.manageengine import answers, forms, listing, refusals, stages
from envision_worker.simulators.manageengine.calls import Call
from envision_worker.simulators.manageengine.fields import HTML, Listed, Nested, Text, taken
from envision_worker.simulators.manageengine.listing import Listing
from envision_worker.simulators.manageengine.lookup_fields import Choice, StageStatus
from envision_worker.simulators.manageengine.requests import set_fields, settle_categories
from envision_worker.simulators.manageengine.shapes import field_names, shown_ticket, told_fields
from envision_worker.simulators.manageengine.tickets import Ticket
from envision_worker.simulators.manageengine.world import World

COLUMNS = (
    "id", "title", "stage", "status", "change_type", "priority", "created_time", "scheduled_start_time",
    "scheduled_end_time", "completed_time", "change_requester", "change_owner",
)  # fmt: skip
SORTABLE = (
    "created_time", "completed_time", "scheduled_start_time", "scheduled_end_time", "id", "title", "priority", "status",
    "stage",
)  # fmt: skip
OUTCOMES = {"completed": "Completed", "canceled": "Canceled"}


def create(call: Call) -> Response:
    """`POST /changes`."""
    world = call.world
    documented = world.flavour.change_create_mandatory
    mandatory = (*documented, *sorted(world.switches.change_template_mandatory - set(documented)))
    given = call.entity("change", forms.writable(world, "change"), mandatory=mandatory)
    _check_template(world, given)
    stage, status = stages.first(world, given.get("stage"), given.get("status"))
    _check_times(given)
    fields = {name: value for name, value in given.items() if value is not None and name not in forms.NOT_KEPT}
    fields |= {"stage": stage, "status": status}
    settle_categories(world, {}, fields)
    ticket = world.add("change", fields, told_fields(fields, world, "change"))
    return _answer(call, ticket, status=answers.CREATED)


def read(call: Call) -> Response:
    """`GET /changes/{id}`."""
    call.expect_nothing()
    return _answer(call, call.subject)


def show_list(call: Call) -> Response:
    """`GET /changes`: the oldest first."""
    world = call.world
    listed = Listing(
        "changes",
        fields=field_names(world, "change"),
        columns=(*COLUMNS, "display_id") if world.flavour.is_cloud else COLUMNS,
        sortable=SORTABLE,
        sort_field="created_time",
    )
    udfs = frozenset(world.setup.udfs["change"])
    return listing.answer(
        call, listed, lambda: [shown_ticket(each, world) for each in world.listed("change")], udfs=udfs
    )


def update(call: Call) -> Response:
    """`PUT /changes/{id}`: only what is given; null clears. In the cloud a new status needs a comment."""
    world, ticket = call.world, call.subject
    given = call.entity("change", forms.writable(world, "change"))
    cleared = [name for name in ("title", "stage", "status") if name in given and given[name] in (None, "")]
    if cleared:
        raise refusals.missing(*cleared)
    _check_template(world, given)
    _check_times({**ticket.fields, **given})
    move = stages.planned(world, ticket, given.get("stage"), given.get("status"))
    if move is not None and world.flavour.comment_mandatory and not given.get("comment"):
        raise refusals.missing("comment")
    new = {name: value for name, value in given.items() if name not in (forms.NOT_KEPT | {"stage", "status"})}
    settle_categories(world, ticket.fields, new)
    set_fields(world, ticket, new)
    if move is not None:
        stages.carry_out(world, ticket, move, comment=given.get("comment") or "")
    return _answer(call, ticket)


def close(call: Call) -> Response:
    """`PUT /changes/{id}/close_change`, only on premises; its body is not wrapped in `change`."""
    world, ticket = call.world, call.subject
    given = call.input_data()
    status_name, comment, details, code = _closing(world, given)
    closed = world.status_of(ticket)
    if closed.closes and world.switches.reclose_change_refused:
        raise refusals.invalid("", "Change is already closed")
    stage = world.setup.named("change_stages", "Close").id
    row = next((row for row in world.setup.find("change_statuses", name=status_name) if row.parent == stage), None)
    if row is None:
        raise refusals.invalid("status")
    stages.check_workflow(world, ticket, row.name)
    ticket.fields["close_details"] = {"description": details}
    ticket.fields["closure_code"] = code
    ticket.fields |= {"stage": stage, "status": row.id}
    ticket.completed = world.now_ms
    world.record(
        "close", ticket, status=row.name, comment=comment, details=details, closure_code=_code_name(world, code)
    )
    shown = dict(shown_ticket(ticket, world))
    shown["close_details"] = {"description": details, "id": ticket.id}
    return answers.entity("change", shown)


def _closing(world: World, given: dict[str, Any]) -> tuple[str, str, str, str | None]:
    """Status, comment, details and closure code of a closing, in whichever form they came."""
    forms_taken = world.switches.close_change_forms
    if isinstance(given.get("status"), str):
        if "plain" not in forms_taken:
            raise refusals.wrong_type("status")
        plain = taken({"comment": Text(limit=None), "status": Text()}, given, world, mandatory=("comment", "status"))
        if plain["status"] not in OUTCOMES:
            raise refusals.invalid("status")
        return OUTCOMES[plain["status"]], plain["comment"], "", None
    if "object" not in forms_taken:
        raise refusals.missing("status") if "status" not in given else refusals.wrong_type("status")
    full = taken(
        {
            "status": StageStatus(),
            "comment": Text(limit=None),
            "close_details": Nested({"description": HTML}),
            "closure_code": Choice("closure_codes"),
            "attachments": Listed(forms.ATTACHMENT),
        },
        given,
        world,
        mandatory=("status", "comment"),
    )
    name = world.setup.row("change_statuses", full["status"][0]).name
    return name, full["comment"], (full.get("close_details") or {}).get("description") or "", full.get("closure_code")


def _code_name(world: World, row_id: str | None) -> str | None:
    return None if row_id is None else world.setup.row("closure_codes", row_id).name


def _check_template(world: World, given: dict[str, Any]) -> None:
    absent = sorted(world.switches.not_on_change_template & given.keys())
    if absent:
        raise refusals.Refusal(*(each for name in absent for each in refusals.invalid(name).complaints))


def _check_times(fields: dict[str, Any]) -> None:
    start, end = fields.get("scheduled_start_time"), fields.get("scheduled_end_time")
    if start is not None and end is not None and end < start:
        raise refusals.Refusal(refusals.Complaint(refusals.CLASH, "Time mismatch", "scheduled_end_time"))


def _answer(call: Call, ticket: Ticket, *, status: int = 200) -> Response:
    return answers.entity("change", dict(shown_ticket(ticket, call.world)), status=status)
