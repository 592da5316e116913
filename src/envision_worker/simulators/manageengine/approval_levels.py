"""Levels of approval of a change, and how they are told, added and withdrawn.

Sources: the pages about change approval levels of both documentations, the user guide (ten levels a stage, ten approvers
a level), and what was seen on live servers.
"""

from typing import Any

from envision_worker.simulators.http import Response
from envision_worker.simulators.manageengine import answers, approval_forms, listing, refusals
from envision_worker.simulators.manageengine.approval_shapes import listed_levels, shown_level
from envision_worker.simulators.manageengine.calls import Call
from envision_worker.simulators.manageengine.listing import Listing
from envision_worker.simulators.manageengine.tickets import Approval, Level
from envision_worker.simulators.manageengine.world import World

MAX_APPROVERS = 10
MAX_LEVELS = 10
_FIELDS = frozenset(
    {"id", "level", "name", "status", "rule", "stage", "change_stage", "created_on", "created_time", "deleted"}
)


def summary(call: Call) -> Response:
    """`GET …/approval_levels/approval_summary`, on premises: safe where a change has no level."""
    call.expect_nothing()
    has_approvals = any(not level.deleted for level in call.subject.levels)
    return answers.entity("approval_summary", {"has_approvals": has_approvals})


def list_levels(call: Call) -> Response:
    """`GET …/approval_levels`: on premises an internal error where the change has none (seen)."""
    world, ticket = call.world, call.subject
    levels = listed_levels(call.subject, call.world)
    broken = world.switches.levels_of_a_change_without == "internal_error" and not world.flavour.is_cloud
    if not levels and broken:
        raise refusals.Refusal(refusals.Complaint(refusals.INTERNAL, "Internal Error"))
    listed = Listing("approval_levels", fields=_FIELDS)
    return listing.answer(call, listed, lambda: [shown_level(each, ticket, world) for each in levels])


def add_level(call: Call) -> Response:
    """`POST …/approval_levels`: on premises with its approvers, in the cloud without."""
    world, ticket = call.world, call.subject
    given = call.entity(
        "approval_level", approval_forms.level_fields(world), mandatory=approval_forms.level_mandatory(world)
    )
    approvers = [each["approver"] for each in given.get("approvals") or []]
    if not world.flavour.is_cloud and world.switches.level_needs_approver and not approvers:
        raise refusals.invalid("", "Approvers are unavailable")
    check_room(len(approvers), MAX_APPROVERS, "approvals")
    for approver in approvers:
        approval_forms.check_approver(world, approver)
    stage = given["change_stage" if world.flavour.is_cloud else "stage"]
    beside = [level for level in ticket.levels if level.stage == stage and not level.deleted]
    check_room(len(beside) + 1, MAX_LEVELS, "approval_levels")
    rule, percent = approval_forms.read_rule(world, given["rule"])
    level = Level(
        world.ids.new("approval_levels"),
        _number(world, beside, given),
        _name(world, beside, given),
        stage,
        rule,
        percent,
        world.now_ms,
        world.key_owner.id,
    )
    ticket.levels.append(level)
    told = [append(world, level, approver).approver for approver in approvers]
    emails = [world.setup.users[each].email for each in told]
    world.record("add_level", ticket, id=level.id, name=level.name, rule=rule, percent=percent, approvers=emails)
    return answers.entity("approval_level", shown_level(level, ticket, world, whole=True), status=answers.CREATED)


def read_level(call: Call) -> Response:
    """`GET …/approval_levels/{level}`."""
    call.expect_nothing()
    shown = shown_level(level_of(call, removed=True), call.subject, call.world, whole=True)
    return answers.entity("approval_level", shown)


def remove_level(call: Call) -> Response:
    """`DELETE …/approval_levels/{level}`, with its approvals."""
    call.expect_nothing()
    level = level_of(call)
    level.deleted = True
    for approval in level.approvals:
        approval.deleted = True
    call.world.record("remove_level", call.subject, id=level.id)
    return answers.done("Deleted successfully")


def level_of(call: Call, *, removed: bool = False) -> Level:
    """The level in the path; with `removed` also one that is only still listed.

    Raises:
        Refusal: there is none.
    """
    levels = (
        listed_levels(call.subject, call.world)
        if removed
        else [each for each in call.subject.levels if not each.deleted]
    )
    for level in levels:
        if level.id == call.ids["level"]:
            return level
    raise refusals.not_found()


def append(world: World, level: Level, approver: str) -> Approval:
    """One more approver on a level, who is not told yet."""
    approval = Approval(world.ids.new("approvals"), approver, world.now_ms)
    level.approvals.append(approval)
    return approval


def check_room(wanted: int, most: int, field: str) -> None:
    """Refuses more than there is room for."""
    if wanted > most:
        raise refusals.invalid(field, f"Maximum of {most} allowed")


def _number(world: World, beside: list[Level], given: dict[str, Any]) -> int:
    if not world.flavour.is_cloud:
        return len(beside) + 1
    number = int(given["level"])
    if world.switches.unique_level_numbers and any(level.number == number for level in beside):
        raise refusals.Refusal(refusals.Complaint(refusals.NOT_UNIQUE, "Value should be unique", "level"))
    return number


def _name(world: World, beside: list[Level], given: dict[str, Any]) -> str:
    name: str = given.get("name") or ""
    if world.switches.unique_level_names and not world.flavour.is_cloud and any(level.name == name for level in beside):
        raise refusals.Refusal(refusals.Complaint(refusals.NOT_UNIQUE, "Value should be unique", "name"))
    return name
