"""What only requests have: a status that is set by name, a resolution, a way to be closed."""

from typing import Any

from envision_worker.desks.desk import DeskRef, Life
from envision_worker.desks.manageengine.client import Client
from envision_worker.desks.manageengine.fields import lookup, plain
from envision_worker.desks.manageengine.flavour import Flavour
from envision_worker.desks.manageengine.tickets import Tickets
from envision_worker.errors import Refused, RefusedFor

CLOSE = "close_request"
CLOSE_BY_STATUS = "status"
"""The value of `desk.flavour.close_path` that closes by setting the status in place of calling an address of its own."""
_OTHER_PATH = {"_close": "close"}
"""For the cloud the sources disagree about it."""
_CLOSED_BEFORE = frozenset({RefusedFor.ALREADY, RefusedFor.CLOSED})


class Requests:
    """Moves requests through their life."""

    def __init__(self, client: Client, flavour: Flavour, tickets: Tickets) -> None:
        self._client = client
        self._flavour = flavour
        self._tickets = tickets
        self._close_path = flavour.close_path

    async def set_status(self, ref: DeskRef, status: str, comment: str) -> None:
        """The status by name; the comment only where this build takes one."""
        sent: dict[str, Any] = {"status": lookup(status)}
        if comment and self._flavour.status_comments:
            sent["status_change_comments"] = plain(comment)
        await self._tickets.put("set_status", ref, sent)

    async def set_resolution(self, ref: DeskRef, html: str) -> None:
        """The resolution; there is one, which this makes or replaces."""
        body = {"resolution": {"content": html, "add_to_linked_requests": False}}
        path = self._tickets.path(ref, "resolutions")
        await self._tickets.checked(ref, self._client.write("set_resolution", "POST", *path, body=body))

    async def close(self, ref: DeskRef, status: str, closure_code: str | None, comments: str) -> None:
        """Close; that it was closed before is believed once the request says so itself."""
        closure: dict[str, Any] = {"requester_ack_resolution": True}
        if comments:
            closure["closure_comments"] = plain(comments)
        if closure_code is not None:
            closure["closure_code"] = lookup(closure_code)
        try:
            await self._send_close(ref, status, {"closure_info": closure})
        except Refused as exc:
            if exc.why not in _CLOSED_BEFORE or (await self._tickets.read(ref)).life is not Life.CLOSED:
                raise

    async def _send_close(self, ref: DeskRef, status: str, sent: dict[str, Any]) -> None:
        path = self._close_path
        if path == CLOSE_BY_STATUS:
            await self._tickets.put(CLOSE, ref, sent | {"status": lookup(status)})
            return
        try:
            await self._tickets.put(CLOSE, ref, sent, path)
        except Refused as exc:
            if exc.why is not RefusedFor.CONFIGURATION or path not in _OTHER_PATH:
                raise
            await self._tickets.put(CLOSE, ref, sent, _OTHER_PATH[path])
            self._close_path = _OTHER_PATH[path]
