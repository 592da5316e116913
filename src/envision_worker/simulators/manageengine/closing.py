"""How a request is resolved, closed and reopened.

Sources: the samples of both documentations for `close` and `resolutions`, and answers of a live server.
"""

from typing import Any

from envision_worker.simulators.http import Response
from envision_worker.simulators.manageengine import answers, forms, refusals
from envision_worker.simulators.manageengine.calls import Call
from envision_worker.simulators.manageengine.fields import HTML
from envision_worker.simulators.manageengine.refusals import Complaint, Refusal
from envision_worker.simulators.manageengine.shown import shown_time, shown_user
from envision_worker.simulators.manageengine.tickets import Ticket
from envision_worker.simulators.manageengine.world import World


def close(call: Call) -> Response:
    """`PUT /requests/{id}/close`, `/_close` in the cloud."""
    world, ticket = call.world, call.subject
    given = call.entity("request", {"closure_info": forms.CLOSURE_INFO})
    if world.status_of(ticket).closes:
        raise refusals.invalid("", "Request is already closed")
    info = given.get("closure_info") or {}
    check_rules(world, {**ticket.fields, "closure_info": info}, has_resolution=ticket.resolution is not None)
    ticket.fields["closure_info"] = info
    ticket.fields["status"] = next(row.id for row in world.setup.rows("statuses") if row.closes and not row.cancels)
    ticket.completed = world.now_ms
    world.touch(ticket)
    world.record("close", ticket, closure_info=info)
    return answers.done("Request(s) closed successfully.")


def check_rules(world: World, fields: dict[str, Any], *, has_resolution: bool) -> None:
    """The closing rules that are set up.

    Raises:
        Refusal: a field that a closed request must have is empty.
    """
    absent = sorted(
        name
        for name in world.switches.closing_needs
        if not (has_resolution if name == "resolution" else fields.get(name))
    )
    if absent:
        raise Refusal(Complaint(refusals.CLOSURE_RULE, "Closure rules are violated", fields=tuple(absent)))


def set_status(world: World, ticket: Ticket, status_id: str, *, by: str = "api") -> None:
    """Another status for a request; a closed one that gets an open status is reopened."""
    before, after = world.status_of(ticket), world.setup.row("statuses", status_id)
    if before.id == after.id:
        return
    ticket.fields["status"] = after.id
    if before.closes and not after.closes:
        ticket.reopened = True
    ticket.completed = world.now_ms if after.closes else None
    world.touch(ticket)
    world.record("status", ticket, by=by, before=before.name, after=after.name)


def read_resolution(call: Call) -> Response:
    """`GET /requests/{id}/resolutions`, which refuses any parameter."""
    call.expect_nothing()
    world, ticket = call.world, call.subject
    if ticket.resolution is None:
        return answers.entity("resolution", {"resolution_attachments": [], "content": None})
    text, moment, author = ticket.resolution
    shown = {
        "submitted_on": shown_time(moment),
        "submitted_by": shown_user(world.setup.users[author], cloud=world.flavour.is_cloud),
        "resolution_attachments": [],
        "content": HTML.show(text, world),
    }
    return answers.entity("resolution", shown)


def write_resolution(call: Call) -> Response:
    """`POST` or `PUT /requests/{id}/resolutions`: a request has one, a second replaces it."""
    world, ticket = call.world, call.subject
    given = call.entity("resolution", forms.RESOLUTION.fields, mandatory=("content",))
    if world.switches.closed_is_locked and world.status_of(ticket).closes:
        raise refusals.forbidden("User does not have this permission")
    resolve(world, ticket, given["content"])
    status = answers.CREATED if call.request.method == "POST" else 200
    return answers.done("Resolution added successfully.", status=status)


def resolve(world: World, ticket: Ticket, text: str, *, by: str = "api") -> None:
    """Set the resolution's text."""
    if ticket.resolution is not None and ticket.resolution[0] == text:
        return
    ticket.resolution = (text, world.now_ms, world.key_owner.id)
    world.touch(ticket)
    world.record("resolve", ticket, by=by, text=text)
