"""Requests: create, read, list, change.

Sources: the pages about requests of both documentations; error texts as seen on live servers.
"""

from typing import Any

from envision_worker.simulators.http import Response
from envision_worker.simulators.manageengine import answers, closing, forms, listing, refusals
from envision_worker.simulators.manageengine.calls import Call
from envision_worker.simulators.manageengine.listing import Listing
from envision_worker.simulators.manageengine.shapes import field_names, shown_ticket, told_fields
from envision_worker.simulators.manageengine.tickets import Ticket
from envision_worker.simulators.manageengine.world import World

COLUMNS = (
    "requester", "template", "short_description", "created_time", "subject", "time_elapsed", "is_overdue", "technician",
    "priority", "created_by", "due_by_time", "response_time_elapsed", "site", "is_service_request",
    "cancel_requested_is_pending", "cancel_requested", "id", "status", "group",
)  # fmt: skip
CLOUD_COLUMNS = (
    "requester", "template", "created_time", "subject", "technician", "priority", "created_by", "due_by_time", "site",
    "is_service_request", "has_notes", "cancellation_requested", "id", "display_id", "status", "group",
)  # fmt: skip
SORTABLE = (
    "created_time", "due_by_time", "first_response_due_by_time", "last_updated_time", "scheduled_start_time",
    "scheduled_end_time", "subject", "id", "priority", "status",
)  # fmt: skip
MANDATORY = ("subject", "requester")
WITH_A_STATUS = frozenset({"status", "status_change_comments", "update_reason", "closure_info", "onhold_scheduler"})


def create(call: Call) -> Response:
    """`POST /requests`."""
    world = call.world
    mandatory = (*MANDATORY, *sorted(world.switches.template_mandatory - set(MANDATORY)))
    given = call.entity("request", forms.writable(world, "request"), mandatory=mandatory)
    _check_template(world, given)
    fields = {name: value for name, value in given.items() if value is not None and name not in forms.NOT_KEPT}
    fields.setdefault("status", world.setup.named("statuses", "Open").id)
    settle_categories(world, {}, fields)
    _set_priority(world, fields, fields)
    if world.setup.row("statuses", fields["status"]).closes:
        closing.check_rules(world, fields, has_resolution=given.get("resolution") is not None)
    ticket = world.add("request", fields, told_fields(fields, world, "request"))
    if world.status_of(ticket).closes:
        ticket.completed = world.now_ms
    if given.get("resolution"):
        closing.resolve(world, ticket, given["resolution"].get("content") or "")
    return _answer(call, ticket, status=answers.CREATED)


def read(call: Call) -> Response:
    """`GET /requests/{id}`."""
    call.expect_nothing()
    return _answer(call, call.subject)


def show_list(call: Call) -> Response:
    """`GET /requests`."""
    world = call.world
    listed = Listing(
        "requests",
        fields=field_names(world, "request"),
        columns=CLOUD_COLUMNS if world.flavour.is_cloud else COLUMNS,
        sortable=SORTABLE,
        sort_field="created_time",
        sort_order="desc",
    )
    udfs = frozenset(world.setup.udfs["request"])
    return listing.answer(
        call, listed, lambda: [shown_ticket(each, world) for each in world.listed("request")], udfs=udfs
    )


def update(call: Call) -> Response:
    """`PUT /requests/{id}`: only what is given; null clears."""
    world, ticket = call.world, call.subject
    given = call.entity("request", forms.writable(world, "request"))
    cleared = [name for name in (*MANDATORY, "status") if name in given and given[name] in (None, "")]
    if cleared:
        raise refusals.missing(*cleared)
    _check_template(world, given)
    if world.switches.closed_is_locked and world.status_of(ticket).closes and given.keys() - WITH_A_STATUS:
        raise refusals.forbidden("User does not have this permission")
    new = {name: value for name, value in given.items() if name not in forms.NOT_KEPT and name != "status"}
    settle_categories(world, ticket.fields, new)
    if {"impact", "urgency"} & new.keys():
        _set_priority(world, {**ticket.fields, **new}, new)
    status_id = given.get("status")
    if status_id is not None and world.setup.row("statuses", status_id).closes:
        closing.check_rules(
            world, {**ticket.fields, **new}, has_resolution=bool(given.get("resolution") or ticket.resolution)
        )
    if given.get("resolution"):
        closing.resolve(world, ticket, given["resolution"].get("content") or "")
    set_fields(world, ticket, new)
    if status_id is not None:
        closing.set_status(world, ticket, status_id)
    return _answer(call, ticket)


def set_fields(world: World, ticket: Ticket, new: dict[str, Any], *, by: str = "api") -> None:
    """Set fields of a ticket and note those that changed."""
    udfs = new.get("udf_fields")
    if udfs is not None:
        new = {**new, "udf_fields": {**(ticket.fields.get("udf_fields") or {}), **udfs}}
    changed = {name: value for name, value in new.items() if ticket.fields.get(name) != value}
    if not changed:
        return
    ticket.fields.update(changed)
    world.touch(ticket)
    world.record("update", ticket, by=by, fields=told_fields(changed, world, ticket.kind))


def settle_categories(world: World, held: dict[str, Any], new: dict[str, Any]) -> None:
    """A subcategory must belong to its category and an item to its subcategory; what no longer fits is cleared."""
    for child, parent in (("subcategory", "category"), ("item", "subcategory")):
        child_id = new.get(child, held.get(child))
        if child_id is None or not {child, parent} & new.keys():
            continue
        table = "subcategories" if child == "subcategory" else "items"
        name = world.setup.row(table, child_id).name
        parent_id = new.get(parent, held.get(parent))
        fitting = [row.id for row in world.setup.find(table, name=name) if row.parent == parent_id]
        if not fitting and child in new:
            raise refusals.invalid(child)
        new[child] = fitting[0] if fitting else None


def trash(call: Call) -> Response:
    """To the trash: `DELETE …/move_to_trash` on premises, a plain `DELETE` in the cloud. For changes too."""
    call.expect_nothing()
    ticket = call.subject
    if ticket.trashed:
        raise refusals.Refusal(refusals.Complaint(refusals.CLASH, "Already in trash"))
    ticket.trashed = True
    call.world.record("trash", ticket)
    return answers.done("Moved to trash")


def restore(call: Call) -> Response:
    """`PUT …/restore_from_trash`, which takes no body. For changes too."""
    call.expect_nothing()
    ticket = call.subject
    if not ticket.trashed:
        raise refusals.Refusal(refusals.Complaint(refusals.GENERIC, "Not in trash"))
    ticket.trashed = False
    call.world.record("restore", ticket)
    return answers.done("Restored from trash")


def delete(call: Call) -> Response:
    """`DELETE …/{id}` on premises: for good. For changes too."""
    call.expect_nothing()
    call.subject.deleted = True
    call.world.record("delete", call.subject)
    return answers.done("Deleted successfully")


def _answer(call: Call, ticket: Ticket, *, status: int = 200) -> Response:
    return answers.entity("request", dict(shown_ticket(ticket, call.world)), status=status)


def _check_template(world: World, given: dict[str, Any]) -> None:
    """Fields that the template lacks, and a priority that the matrix computes, can't be given."""
    if world.switches.priority_matrix and given.get("priority") is not None:
        raise refusals.forbidden("Cannot give value for priority", "priority")
    absent = sorted(world.switches.not_on_template & given.keys())
    if absent:
        raise refusals.Refusal(*(each for name in absent for each in refusals.invalid(name).complaints))


def _set_priority(world: World, fields: dict[str, Any], target: dict[str, Any]) -> None:
    """What the priority matrix makes of impact and urgency; without a matrix nothing."""
    if not world.switches.priority_matrix:
        return
    tables = ("impacts", "urgencies")
    chosen = [fields.get(name) for name in ("impact", "urgency")]
    if None in chosen:
        return
    names = {world.setup.row(table, row_id).name for table, row_id in zip(tables, chosen, strict=True) if row_id}
    high = bool(names & {"High", "Urgent", "Affects Business"})
    target["priority"] = world.setup.named("priorities", "High" if high else "Low").id
