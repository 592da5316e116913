"""Which fields a request and a change have: what can be written, and what is shown but read-only.

Sources: the attribute lists of both documentations, and the complete request of a live server on premises.
"""

from collections.abc import Mapping

from envision_worker.simulators.manageengine.fields import (
    HTML,
    Field,
    Flag,
    Listed,
    Moment,
    Nested,
    Opaque,
    ReadOnly,
    Text,
    Texts,
)
from envision_worker.simulators.manageengine.flavour import Kind
from envision_worker.simulators.manageengine.lookup_fields import Choice, Person, StageStatus
from envision_worker.simulators.manageengine.udfs import Udfs
from envision_worker.simulators.manageengine.world import World

ID = Text()
ATTACHMENT = Nested({"id": ID}, mandatory=("id",))

CLOSURE_INFO = Nested(
    {
        "requester_ack_resolution": Flag(),
        "requester_ack_comments": Text(),
        "closure_comments": Text(),
        "closure_code": Choice("closure_codes"),
    }
)
RESOLUTION = Nested({"content": HTML, "add_to_linked_requests": Flag()})

_REQUEST: Mapping[str, Field] = {
    "subject": Text(),
    "description": HTML,
    "requester": Person(creates=True),
    "on_behalf_of": Person(),
    "editor": Person(),
    "technician": Person(technician=True),
    "status": Choice("statuses"),
    "mode": Choice("modes"),
    "request_type": Choice("request_types"),
    "priority": Choice("priorities"),
    "urgency": Choice("urgencies"),
    "impact": Choice("impacts"),
    "level": Choice("levels"),
    "category": Choice("categories"),
    "subcategory": Choice("subcategories"),
    "item": Choice("items"),
    "group": Choice("groups", parent_key="site"),
    "site": Choice("sites"),
    "template": Choice("request_templates"),
    "service_category": Choice("service_categories"),
    "impact_details": Text(),
    "update_reason": Text(),
    "status_change_comments": Text(),
    "email_ids_to_notify": Texts(),
    "due_by_time": Moment(),
    "first_response_due_by_time": Moment(),
    "scheduled_start_time": Moment(),
    "scheduled_end_time": Moment(),
    "assets": Opaque(),
    "resources": Opaque(),
    "service_approvers": Opaque(),
    "onhold_scheduler": Nested(
        {"scheduled_time": Moment(), "change_to_status": Choice("statuses"), "comments": Text()},
    ),
    "resolution": RESOLUTION,
    "closure_info": CLOSURE_INFO,
    "attachments": Listed(ATTACHMENT),
    "udf_fields": Udfs("request"),
}
REQUEST_READ_ONLY = (
    "id", "created_time", "created_by", "last_updated_time", "completed_time", "resolved_time", "responded_time",
    "assigned_time", "deleted_time", "is_reopened", "is_trashed", "is_service_request", "has_notes", "has_attachments",
    "short_description", "sla", "approval_status", "display_id", "is_overdue", "is_read", "time_elapsed",
)  # fmt: skip

_CHANGE: Mapping[str, Field] = {
    "title": Text(),
    "description": HTML,
    "template": Choice("change_templates"),
    "change_type": Choice("change_types"),
    "stage": Choice("change_stages"),
    "status": StageStatus(),
    "comment": Text(limit=None),
    "impact": Choice("impacts"),
    "urgency": Choice("urgencies"),
    "priority": Choice("priorities"),
    "risk": Choice("change_risks"),
    "category": Choice("categories"),
    "subcategory": Choice("subcategories"),
    "item": Choice("items"),
    "group": Choice("groups", parent_key="site"),
    "site": Choice("sites"),
    "change_requester": Person(),
    "change_owner": Person(technician=True),
    "change_manager": Person(technician=True),
    "reason_for_change": Choice("reason_for_changes"),
    "scheduled_start_time": Moment(),
    "scheduled_end_time": Moment(),
    "next_review_on": Moment(),
    "emergency": Flag(),
    "retrospective": Flag(),
    "services": Opaque(),
    "assets": Opaque(),
    "roles": Opaque(),
    "close_details": Nested({"description": HTML}),
    "udf_fields": Udfs("change"),
}
_CLOUD_CHANGE: Mapping[str, Field] = {
    "roll_out_plan": Nested({"roll_out_plan_description": HTML}),
    "back_out_plan": Nested({"back_out_plan_description": HTML}),
}
CHANGE_READ_ONLY = (
    "id", "workflow", "completed_time", "created_time", "created_by", "sla_violation", "approval_status", "display_id",
    "is_trashed", "deleted_time", "attachments", "has_attachments",
)  # fmt: skip

NOT_KEPT = frozenset({"comment", "update_reason", "status_change_comments", "resolution", "attachments", "editor"})
"""What goes with a write and is no property of the ticket afterwards."""


def fields(kind: Kind, *, cloud: bool) -> Mapping[str, Field]:
    """The fields that can be written at all."""
    if kind == "request":
        return _REQUEST
    return {**_CHANGE, **_CLOUD_CHANGE} if cloud else _CHANGE


def writable(world: World, kind: Kind) -> Mapping[str, Field]:
    """The fields that a write may name; a read-only one is known and refused as such."""
    read_only = REQUEST_READ_ONLY if kind == "request" else CHANGE_READ_ONLY
    known = {**{name: ReadOnly() for name in read_only}, **fields(kind, cloud=world.flavour.is_cloud)}
    if kind == "change" and not (world.flavour.is_cloud or world.switches.change_comment_accepted):
        del known["comment"]
    return known
