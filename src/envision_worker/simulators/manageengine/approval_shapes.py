"""How levels of approval and approvals are told, and what of the removed ones still is."""

from typing import Any

from envision_worker.simulators.manageengine.approval_rules import APPROVED, CLOUD_RULES, REJECTED
from envision_worker.simulators.manageengine.shown import shown_time, shown_user
from envision_worker.simulators.manageengine.tickets import Approval, Level, Ticket
from envision_worker.simulators.manageengine.world import World

_STATUS_IDS = {"To Be Sent": "1", "Pending Approval": "2", APPROVED: "3", REJECTED: "4"}


def is_listed(approval: Approval, world: World) -> bool:
    """On premises what was removed after its mail had gone out is still shown, as deleted."""
    if not approval.deleted:
        return True
    return bool(approval.mails) and world.switches.removed_approvals_listed and not world.flavour.is_cloud


def listed_levels(ticket: Ticket, world: World) -> list[Level]:
    """The levels that are shown: those that were not removed, and those of which something still is shown."""
    return [
        level for level in ticket.levels if not level.deleted or any(is_listed(each, world) for each in level.approvals)
    ]


def shown_level(level: Level, ticket: Ticket, world: World, *, whole: bool = False) -> dict[str, Any]:
    """A level; `whole`: with its approvals, as only an answer about one level has them."""
    if world.flavour.is_cloud:
        return _cloud_level(level, ticket, world)
    stage = world.setup.row("change_stages", level.stage)
    shown = {
        "id": level.id,
        "level": str(level.number),
        "name": level.name,
        "status": _status(level.status, world),
        "comments": None,
        "action_taken_by": _user(level.decided_by, world),
        "action_taken_on": shown_time(level.decided),
        "created_by": _user(level.by, world),
        "created_on": shown_time(level.created),
        "rule": _rule(level),
        "stage": {"name": stage.name, "id": stage.id},
        "deleted": level.deleted,
        "is_current": level is _current(ticket, level.stage),
    }
    if whole:
        shown["approvals"] = [shown_approval(each, level, world) for each in level.approvals if is_listed(each, world)]
    return shown


def shown_approval(approval: Approval, level: Level, world: World) -> dict[str, Any]:
    """An approval."""
    if world.flavour.is_cloud:
        return _cloud_approval(approval, level, world)
    shown = {
        "id": approval.id,
        "approver": _user(approval.approver, world),
        "sent_on": shown_time(approval.mails[-1] if approval.mails else None),
        "sent_by": _user(approval.sent_by, world),
        "comments": approval.comments,
        "action_taken_on": shown_time(approval.decided),
        "status": _status(approval.status, world),
        "deleted": approval.deleted,
    }
    if world.switches.shows_action_by:
        shown |= {
            "action_by": _user(approval.decided_by, world),
            "rule": _rule(level),
            "approval_level": {"name": level.name, "id": level.id},
        }
    return shown


def _cloud_level(level: Level, ticket: Ticket, world: World) -> dict[str, Any]:
    stage = world.setup.row("change_stages", level.stage)
    names = list(CLOUD_RULES)
    name = next(name for name, kind in CLOUD_RULES.items() if kind == level.rule)
    return {
        "id": level.id,
        "level": str(level.number),
        "change_stage": {"name": stage.name, "id": stage.id},
        "rule": {"name": name, "id": str(names.index(name) + 1)},
        "status": _status(level.status, world),
        "created_time": shown_time(level.created),
        "associated_entity": "change",
        "change": {"title": ticket.fields["title"], "id": ticket.id},
    }


def _cloud_approval(approval: Approval, level: Level, world: World) -> dict[str, Any]:
    return {
        "id": approval.id,
        "approver": _short_user(approval.delegate or approval.approver, world),
        "original_approver": _short_user(approval.approver, world) if approval.delegate else None,
        "xpath": None,
        "comments": approval.comments,
        "status": _status(approval.status, world),
        "approval_level": {"id": level.id},
        "created_time": shown_time(approval.created),
    }


def _current(ticket: Ticket, stage: str) -> Level | None:
    """The level whose turn it is: the first of the stage that is not approved."""
    open_levels = [
        each for each in ticket.levels if each.stage == stage and not each.deleted and each.outcome != APPROVED
    ]
    return min(open_levels, key=lambda each: each.number, default=None)


def _rule(level: Level) -> dict[str, str]:
    if level.rule == "percent":
        return {"type": "percent", "value": str(level.percent)}
    return {"type": "condition", "value": "anyone_approves"}


def _status(name: str, world: World) -> dict[str, str]:
    told = world.switches.rejected_name if name == REJECTED else name
    return {"name": told, "id": _STATUS_IDS[name]}


def _user(user_id: str | None, world: World) -> dict[str, Any] | None:
    return None if user_id is None else shown_user(world.setup.users[user_id], cloud=False)


def _short_user(user_id: str, world: World) -> dict[str, Any]:
    user = world.setup.users[user_id]
    return {"email_id": user.email, "name": user.name, "id": user.id}
