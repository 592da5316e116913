"""Files on requests and changes.

Sources: the page about attachment changes (on premises: one file in a call, part `input_file`) and cloud clients (part
`filename` with the form value `addtoattachment`). No limit is documented, so size and answer are switches.
"""

import hashlib
from typing import Any

from envision_worker.simulators.http import Response, json_response
from envision_worker.simulators.manageengine import answers, attachment_shapes, listing, refusals
from envision_worker.simulators.manageengine.calls import Call
from envision_worker.simulators.manageengine.listing import Listing
from envision_worker.simulators.manageengine.multipart import Part
from envision_worker.simulators.manageengine.tickets import Attachment

TOO_LARGE_PAGE = (
    b"<html><head><title>413 Request Entity Too Large</title></head><body>Request Entity Too Large</body></html>"
)
MAX_NAME = 255


def upload(call: Call) -> Response:
    """`PUT …/upload` on premises, `POST …/_uploads` in the cloud."""
    flavour = call.world.flavour
    _check_place(call)
    if flavour.is_cloud:
        call.query("addtoattachment")
        part = call.upload(flavour.upload_part, values=("addtoattachment",))
        return _cloud_answer(call, _attach(call, part, ""))
    description = call.query("description").get("description", "")
    attachment = _attach(call, call.upload(flavour.upload_part), description)
    shown = attachment_shapes.shown(attachment, call.subject, call.world)
    return answers.entity("attachment", shown)


def show_list(call: Call) -> Response:
    """`GET …/attachments`, on premises."""
    rows = [attachment_shapes.shown(each, call.subject, call.world) for each in call.subject.attachments]
    fields = frozenset({"id", "name", "file_name", "size", "content_type"})
    return listing.answer(call, Listing("attachments", fields=fields), lambda: rows)


def download(call: Call) -> Response:
    """`GET …/attachments/{attachment}/_download`."""
    call.expect_nothing()
    found = _attachment(call)
    return Response(200, found.content, "application/x-download")


def remove(call: Call) -> Response:
    """`DELETE …/attachments/{attachment}`."""
    call.expect_nothing()
    found = _attachment(call)
    call.subject.attachments.remove(found)
    call.world.record("detach", call.subject, id=found.id, name=found.name)
    return answers.done("Attachment deleted successfully")


def _check_place(call: Call) -> None:
    world, ticket = call.world, call.subject
    if ticket.kind != "change":
        return
    if not world.flavour.is_cloud and not world.switches.change_uploads:
        raise refusals.not_found()
    most = world.flavour.max_change_attachments
    if most is not None and len(ticket.attachments) >= most:
        raise refusals.invalid("attachments", f"Maximum of {most} attachments allowed")


def _attach(call: Call, part: Part, description: str) -> Attachment:
    world = call.world
    most = world.switches.max_attachment_bytes
    if most is not None and len(part.content) > most:
        if world.switches.oversize_answer == "413":
            raise refusals.Page(Response(413, TOO_LARGE_PAGE, "text/html"))
        raise refusals.invalid("", "The file is larger than the maximum attachment size")
    if not part.filename or len(part.filename) > MAX_NAME:
        raise refusals.invalid("file_name")
    digest = hashlib.sha256(part.content).hexdigest()
    attachment = Attachment(
        world.ids.new("attachments"),
        part.filename,
        part.content,
        part.content_type,
        digest,
        world.now_ms,
        world.key_owner.id,
        description,
    )
    call.subject.attachments.append(attachment)
    world.record(
        "attach",
        call.subject,
        id=attachment.id,
        name=part.filename,
        size=len(part.content),
        sha256=digest,
        content_type=part.content_type,
    )
    return attachment


def _cloud_answer(call: Call, attachment: Attachment) -> Response:
    shown: dict[str, Any] = attachment_shapes.shown(attachment, call.subject, call.world)
    return json_response(
        {
            "file_id": attachment.id,
            "content_url": shown["content_url"],
            "response_status": {"status_code": 2000, "status": "success"},
        },
        answers.CREATED,
    )


def _attachment(call: Call) -> Attachment:
    for each in call.subject.attachments:
        if each.id == call.ids["attachment"]:
            return each
    raise refusals.not_found()
