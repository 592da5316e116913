"""What only changes have: stages, a comment on every step, and several ways to be closed or cancelled.

Which of them a build on premises takes is told by no document, and a refusal changes nothing. So where the way of the flavour is
refused, the other one is tried, and kept for as long as the process lives once it went through.
"""

from dataclasses import dataclass
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
_OTHER_WAY = {
    ChangeEnd.ACTION: ChangeEnd.ACTION_WITH_DETAILS,
    ChangeEnd.ACTION_WITH_DETAILS: ChangeEnd.ACTION,
}
"""The two bodies of one address; the cloud has one way only."""


@dataclass(frozen=True, slots=True)
class _End:
    """How a change shall end: `word` is the documented status, `stage` and `status` are the desk's names."""

    operation: str
    life: Life
    word: str
    stage: str
    status: str
    closure_code: str | None
    comment: str


class Changes:
    """Moves changes through their life."""

    def __init__(self, client: Client, flavour: Flavour, tickets: Tickets) -> None:
        self._client = client
        self._flavour = flavour
        self._tickets = tickets
        self._way = flavour.change_end
        self._comments = flavour.change_comments

    async def move(self, ref: DeskRef, stage: str | None, status: str | None, comment: str) -> None:
        """Stage and status; neither given, no call."""
        await self._step("move_change", ref, stage, status, comment)

    async def close(self, ref: DeskRef, closure_code: str | None, comments: str) -> None:
        """Close as completed."""
        stage, status = self._flavour.change_closed_stage, self._flavour.change_closed_status
        await self._end(ref, _End(CLOSE, Life.CLOSED, "completed", stage, status, closure_code, comments))

    async def cancel(self, ref: DeskRef, comment: str) -> None:
        """Cancel."""
        stage, status = self._flavour.change_cancelled_stage, self._flavour.change_cancelled_status
        await self._end(ref, _End(CANCEL, Life.CANCELLED, "canceled", stage, status, None, comment))

    async def _end(self, ref: DeskRef, end: _End) -> None:
        """End a change. Refused because it has ended so before is a success."""
        try:
            await self._send_end(ref, end, self._way)
        except Refused as exc:
            if exc.why in _GONE:
                raise
            now = await self._tickets.read(ref)
            told = exc.why is RefusedFor.ALREADY and now.status.casefold() == end.status.casefold()
            if now.life is end.life or told:
                return
            if now.life is not Life.OPEN or exc.why is not RefusedFor.FIELDS or self._way not in _OTHER_WAY:
                raise
            await self._end_otherwise(ref, end, exc)

    async def _end_otherwise(self, ref: DeskRef, end: _End, refused: Refused) -> None:
        """The other body; where it is refused for its fields too, what the first was refused for is what matters."""
        way = _OTHER_WAY[self._way]
        try:
            await self._send_end(ref, end, way)
        except Refused as exc:
            raise (refused if exc.why is RefusedFor.FIELDS else exc) from exc
        self._way = way

    async def _send_end(self, ref: DeskRef, end: _End, way: ChangeEnd) -> None:
        comment = with_code(end.comment, end.closure_code)
        match way:
            case ChangeEnd.STAGE_AND_STATUS:
                await self._step(end.operation, ref, end.stage, end.status, comment)
            case ChangeEnd.ACTION:
                await self._act(end.operation, ref, {"comment": _said(comment), "status": end.word})
            case ChangeEnd.ACTION_WITH_DETAILS:
                await self._act(end.operation, ref, _detailed(end.status, end.closure_code, end.comment))

    async def _act(self, operation: str, ref: DeskRef, body: dict[str, Any]) -> None:
        path = self._tickets.path(ref, self._flavour.change_end_path)
        await self._tickets.checked(ref, self._client.write(operation, "PUT", *path, body=body))

    async def _step(self, operation: str, ref: DeskRef, stage: str | None, status: str | None, comment: str) -> None:
        sent: dict[str, Any] = {key: lookup(value) for key, value in (("stage", stage), ("status", status)) if value}
        if not sent:
            return
        if not self._comments:
            await self._tickets.put(operation, ref, sent)
            return
        try:
            await self._tickets.put(operation, ref, sent | {"comment": _said(comment)})
        except Refused as exc:
            if exc.why is not RefusedFor.FIELDS or "comment" not in exc.fields:
                raise
            await self._tickets.put(operation, ref, sent)
            self._comments = False


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
