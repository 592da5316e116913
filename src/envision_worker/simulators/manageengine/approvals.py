"""Approvals on a level: who is asked, whether the mail went out, and the decision.

Sources: the pages about change approvals of both documentations; for the calls that they leave out, the same calls on
requests as seen on a live server, and the calls that the product's own pages make for changes.
"""

from envision_worker.simulators.http import Response, json_response
from envision_worker.simulators.manageengine import answers, approval_forms, listing, refusals
from envision_worker.simulators.manageengine.approval_levels import MAX_APPROVERS, append, check_room, level_of
from envision_worker.simulators.manageengine.approval_rules import APPROVED, REJECTED, decide
from envision_worker.simulators.manageengine.approval_shapes import is_listed, shown_approval
from envision_worker.simulators.manageengine.calls import Call, wrapped
from envision_worker.simulators.manageengine.fields import taken
from envision_worker.simulators.manageengine.listing import Listing
from envision_worker.simulators.manageengine.tickets import Approval, Level

_FIELDS = frozenset({"id", "approver", "status", "comments", "sent_on", "action_taken_on", "created_time", "deleted"})


def list_approvals(call: Call) -> Response:
    """`GET …/approval_levels/{level}/approvals`."""
    world = call.world
    level = level_of(call, removed=True)
    shown = [each for each in level.approvals if is_listed(each, world)]
    listed = Listing("approvals", fields=_FIELDS)
    return listing.answer(call, listed, lambda: [shown_approval(each, level, world) for each in shown])


def read_approval(call: Call) -> Response:
    """`GET …/approvals/{approval}`."""
    call.expect_nothing()
    level = level_of(call, removed=True)
    return answers.entity("approval", shown_approval(_approval(call, level, removed=True), level, call.world))


def add_approver(call: Call) -> Response:
    """`POST …/approval_levels/{level}/approvals`: until the level is approved."""
    world, level = call.world, level_of(call)
    given = call.entity("approval", approval_forms.approval_fields(world), mandatory=("approver",))
    approval_forms.check_approver(world, given["approver"])
    if level.outcome == APPROVED:
        raise refusals.forbidden("The level is already approved")
    check_room(len([each for each in level.approvals if not each.deleted]) + 1, MAX_APPROVERS, "approvals")
    approval = append(world, level, given["approver"])
    email = world.setup.users[approval.approver].email
    world.record("add_approver", call.subject, level=level.id, id=approval.id, approver=email)
    return answers.entity("approval", shown_approval(approval, level, world), status=answers.CREATED)


def remove_approver(call: Call) -> Response:
    """`DELETE …/approvals/{approval}`."""
    call.expect_nothing()
    approval = _approval(call, level_of(call))
    approval.deleted = True
    call.world.record("remove_approver", call.subject, id=approval.id)
    return answers.done("Deleted successfully")


def notification_content(call: Call) -> Response:
    """`GET …/approvals/get_notification_content`: what the mail would say."""
    call.expect_nothing()
    title = call.subject.fields["title"]
    return answers.entity(
        "notification", {"title": f"Approval required for {title}", "description": "<div>$ApprovalLink</div>"}
    )


def send_notification(call: Call) -> Response:
    """`PUT …/approvals/send_notification?ids=1,2`: sends real mail, and only then can an approver decide."""
    world, level = call.world, level_of(call)
    given = call.input_data("ids")
    if world.flavour.is_cloud:
        inner = wrapped(given, "notification")
    else:
        inner = wrapped(wrapped(given, "approval"), "notification")
    content = taken(approval_forms.NOTIFICATION, inner, world, mandatory=("title", "description"))
    ids = call.query("ids").get("ids", "")
    if not ids:
        raise refusals.missing("ids")
    asked = [_find(level, each) for each in ids.split(",")]
    if any(not each.is_open for each in asked):
        raise refusals.invalid("ids")
    for approval in asked:
        approval.status = "Pending Approval"
        approval.sent_by = world.key_owner.id
        approval.mails.append(world.now_ms)
    emails = [world.setup.users[each.delegate or each.approver].email for each in asked]
    world.record(
        "notify", call.subject, level=level.id, ids=[each.id for each in asked], to=emails, title=content["title"]
    )
    shown = [shown_approval(each, level, world) for each in asked]
    return json_response({"approvals": shown, "response_status": {"status_code": 2000, "status": "success"}})


def approve(call: Call) -> Response:
    """`PUT …/approvals/{approval}/_approve`."""
    return _decide(call, APPROVED)


def reject(call: Call) -> Response:
    """`PUT …/approvals/{approval}/_reject`."""
    return _decide(call, REJECTED)


def _decide(call: Call, outcome: str) -> Response:
    world, level = call.world, level_of(call)
    approval = _approval(call, level)
    given = call.entity("approval", approval_forms.DECISION)
    if approval.status == "To Be Sent":
        raise refusals.invalid("", "Recommendation mail is not yet sent")
    if level.outcome == APPROVED:
        raise refusals.forbidden("The level is already approved")
    decider = approval.delegate or approval.approver
    if decider != world.key_owner.id and not world.switches.key_may_decide:
        raise refusals.forbidden("User does not have this permission")
    comments = given.get("comments") or ""
    decide(world, call.subject, level, approval, outcome, comments=comments, decided_by=world.key_owner.id)
    return answers.entity("approval", shown_approval(approval, level, world))


def _approval(call: Call, level: Level, *, removed: bool = False) -> Approval:
    approval = _find(level, call.ids["approval"])
    if approval.deleted and not (removed and is_listed(approval, call.world)):
        raise refusals.not_found()
    return approval


def _find(level: Level, approval_id: str) -> Approval:
    for approval in level.approvals:
        if approval.id == approval_id:
            return approval
    raise refusals.not_found()
