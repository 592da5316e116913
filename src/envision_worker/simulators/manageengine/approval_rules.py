"""When a level of approval is approved or rejected.

Sources: on premises the share of those who were asked, and a level that is approved can't be decided any more (user
guide, multi-level approval of a change stage); in the cloud the four rules of the change approval level's page.
"""

from envision_worker.simulators.manageengine.tickets import Approval, Level, Ticket
from envision_worker.simulators.manageengine.world import World

APPROVED = "Approved"
REJECTED = "Rejected"
CLOUD_RULES = {
    "Anyone to Approve": "anyone",
    "Everyone to approve": "everyone",
    "First response action": "first",
    "% to approve": "percent",
}


def decide(
    world: World,
    ticket: Ticket,
    level: Level,
    approval: Approval,
    outcome: str,
    *,
    comments: str,
    decided_by: str,
    by: str = "api",
) -> None:
    """One approver's decision, and what follows from it."""
    approval.status = outcome
    approval.comments = comments or None
    approval.decided_by = decided_by
    approval.decided = world.now_ms
    approval.decisions += 1
    who = world.setup.users[decided_by]
    world.record(
        "decide", ticket, by=by, level=level.id, id=approval.id, outcome=outcome, comments=comments, who=who.email
    )
    if level.outcome is None:
        _settle(world, ticket, level, approval, by=by)


def outcome_of(level: Level) -> str | None:
    """What the approvals of a level come to so far; None: nothing yet."""
    asked = [each for each in level.approvals if each.mails and not each.deleted]
    approved = sum(each.status == APPROVED for each in asked)
    rejected = sum(each.status == REJECTED for each in asked)
    if not approved + rejected:
        return None
    if level.rule == "first":
        first = min((each for each in asked if each.decided is not None), key=lambda each: each.decided or 0)
        return first.status
    wanted = {"anyone": 1, "everyone": 100}.get(level.rule, level.percent)
    if approved and approved * 100 >= wanted * len(asked):
        return APPROVED
    reachable = (len(asked) - rejected) * 100
    return REJECTED if reachable == 0 or reachable < wanted * len(asked) else None


def _settle(world: World, ticket: Ticket, level: Level, last: Approval, *, by: str) -> None:
    level.outcome = outcome_of(level)
    if level.outcome is None:
        return
    level.decided, level.decided_by = last.decided, last.decided_by
    if not world.switches.approval_moves_change or ticket.fields["stage"] != level.stage:
        return
    levels = [each for each in ticket.levels if each.stage == level.stage and not each.deleted]
    if level.outcome == APPROVED and any(each.outcome != APPROVED for each in levels):
        return
    for row in world.setup.find("change_statuses", name=level.outcome):
        if row.parent == level.stage:
            before = world.status_of(ticket).name
            ticket.fields["status"] = row.id
            world.record("status", ticket, by=by, before=before, after=row.name, comment="by the approvals")
