"""What only changes have: stages, a comment on every step, and several ways to be closed or cancelled."""

from html import escape
from typing import Any

from envision_worker.desks.desk import DeskRef, Life
from envision_worker.desks.manageengine.client import Client
from envision_worker.desks.manageengine.fields import lookup, plain
from envision_worker.desks.manageengine.flavour import Flavour
from envision_worker.desks.manageengine.flavour_settings import ChangeEnd
from envision_worker.desks.manageengine.tickets import Tickets
from envision_worker.errors import Refused, RefusedFor

CLOSE, CANCEL = "close_change", "cancel_change"
_NO_COMMENT = "Set by Ensono."  # the cloud demands a comment with every status
_GONE = frozenset({RefusedFor.NOT_FOUND, RefusedFor.MERGED, RefusedFor.CONFIGURATION})


class Changes:
    """Moves changes through their life."""

    def __init__(self, client: Client, flavour: Flavour, tickets: Tickets) -> None:
        self._client = client
        self._flavour = flavour
        self._tickets = tickets

    async def move(self, ref: DeskRef, stage: str | None, status: str | None, comment: str) -> None:
        """Stage and status; neither given, no call."""
        await self._step("move_change", ref, stage, status, comment)

    async def close(self, ref: DeskRef, closure_code: str | None, comments: str) -> None:
        """Close as completed."""
        flavour = self._flavour
        names = (flavour.change_closed_stage, flavour.change_closed_status)
        await self._end(CLOSE, ref, Life.CLOSED, "completed", names, closure_code, comments)

    async def cancel(self, ref: DeskRef, comment: str) -> None:
        """Cancel."""
        flavour = self._flavour
        names = (flavour.change_cancelled_stage, flavour.change_cancelled_status)
        await self._end(CANCEL, ref, Life.CANCELLED, "canceled", names, None, comment)

    async def _end(
        self,
        operation: str,
        ref: DeskRef,
        life: Life,
        word: str,
        names: tuple[str, str],
        closure_code: str | None,
        comment: str,
    ) -> None:
        """End a change in the way of this flavour. Refused because it has ended so before is a success."""
        stage, status = names
        try:
            match self._flavour.change_end:
                case ChangeEnd.STAGE_AND_STATUS:
                    await self._step(operation, ref, stage, status, with_code(comment, closure_code))
                case ChangeEnd.ACTION:
                    await self._act(
                        operation, ref, {"comment": _said(with_code(comment, closure_code)), "status": word}
                    )
                case ChangeEnd.ACTION_WITH_DETAILS:
                    await self._act(operation, ref, _detailed(status, closure_code, comment))
        except Refused as exc:
            if exc.why in _GONE or (await self._tickets.read(ref)).life is not life:
                raise

    async def _act(self, operation: str, ref: DeskRef, body: dict[str, Any]) -> None:
        path = self._tickets.path(ref, self._flavour.change_end_path)
        await self._tickets.checked(ref, self._client.write(operation, "PUT", *path, body=body))

    async def _step(self, operation: str, ref: DeskRef, stage: str | None, status: str | None, comment: str) -> None:
        sent: dict[str, Any] = {key: lookup(value) for key, value in (("stage", stage), ("status", status)) if value}
        if not sent:
            return
        if self._flavour.change_comments:
            sent["comment"] = _said(comment)
        await self._tickets.put(operation, ref, sent)


def with_code(comment: str, closure_code: str | None) -> str:
    """The comment with the closure code before it, for the ways to close that have no place of their own for a code."""
    return f"Closure code: {closure_code}. {comment}" if closure_code else comment


def _said(comment: str) -> str:
    return plain(comment) or _NO_COMMENT


def _detailed(status: str, closure_code: str | None, comment: str) -> dict[str, Any]:
    body: dict[str, Any] = {"status": lookup(status), "comment": _said(comment)}
    if comment:
        body["close_details"] = {"description": escape(comment).replace("\n", "<br>")}
    return body | ({"closure_code": lookup(closure_code)} if closure_code else {})
