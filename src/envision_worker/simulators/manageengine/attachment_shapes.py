"""How a file on a ticket is told: exactly by new builds, with a rounded size by old ones (page about attachment changes)."""

from typing import Any

from envision_worker.simulators.manageengine.shown import shown_time, shown_user
from envision_worker.simulators.manageengine.tickets import Attachment, Ticket
from envision_worker.simulators.manageengine.world import World

KILOBYTE = 1024


def shown(attachment: Attachment, ticket: Ticket, world: World) -> dict[str, Any]:
    """One entry of a list of files."""
    if world.flavour.is_cloud:
        url = f"/app/portal/api/v3/{ticket.kind}s/{ticket.id}/_uploads/{attachment.id}/download"
        return _exact(attachment, ticket, url)
    url = f"/api/v3/{ticket.kind}s/{ticket.id}/attachments/{attachment.id}/{world.switches.download_path}"
    if world.switches.attachment_form == "old":
        return {
            "size": _rounded(len(attachment.content)),
            "file_name": attachment.name,
            "content_url": f"/api/v3/attachments/{attachment.id}",
            "id": attachment.id,
            "attachment_key": None,
        }
    author = shown_user(world.setup.users[attachment.by], cloud=False)
    told = {
        "attached_by": author,
        "attached_on": shown_time(attachment.added),
        "description": attachment.description or None,
    }
    return _exact(attachment, ticket, url) | told


def _exact(attachment: Attachment, ticket: Ticket, url: str) -> dict[str, Any]:
    size = len(attachment.content)
    return {
        "id": attachment.id,
        "name": attachment.name,
        "size": {"display_value": _rounded(size), "value": str(size)},
        "content_type": attachment.content_type,
        "module": ticket.kind,
        "content_url": url,
    }


def _rounded(size: int) -> str:
    return f"{size / KILOBYTE:.2f}KB"
