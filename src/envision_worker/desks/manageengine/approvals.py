"""Approvals of changes: levels, approvers, the desk's mails to them (the API's "Change approval level" and "Change approval" pages)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from envision_worker.desks.approval import ApprovalLevel, ApprovalRule, ApprovalState, DeskApproval
from envision_worker.desks.desk import DeskRef
from envision_worker.desks.manageengine.answers import PEER
from envision_worker.desks.manageengine.client import Client
from envision_worker.desks.manageengine.fields import plain
from envision_worker.desks.manageengine.flavour import Flavour
from envision_worker.desks.manageengine.lookups import Lookups
from envision_worker.desks.manageengine.shapes import Json, flag, moment, name, part, text, whole
from envision_worker.desks.manageengine.tickets import Tickets
from envision_worker.errors import Malformed, PeerError, Refused, RefusedFor, Unsure
from envision_worker.vocabulary import DeskKind

MAX_LEVEL = 5
_STATES = {"approved": ApprovalState.APPROVED, "rejected": ApprovalState.REJECTED, "denied": ApprovalState.REJECTED}
TO_BE_SENT = "to be sent"
_PEOPLE = ("approver", "original_approver", "action_by")
_LEVELS, _APPROVALS = "approval_levels", "approvals"


class Approvals:
    """Levels of approval of one desk's changes."""

    def __init__(self, client: Client, flavour: Flavour, tickets: Tickets, lookups: Lookups) -> None:
        self._client = client
        self._flavour = flavour
        self._tickets = tickets
        self._lookups = lookups

    async def listed(self, ref: DeskRef) -> Sequence[ApprovalLevel]:
        """All levels with their approvals; requests are not asked, Ensono wants approvals of changes only."""
        if ref.kind is not DeskKind.CHANGE:
            return ()
        rows = [row for row in await self.level_rows(ref) if not flag(row.get("deleted"))]
        return tuple([self._level(row, await self._approval_rows(ref, self._address(row))) for row in rows])

    async def of_level(self, ref: DeskRef, level_id: str) -> Sequence[DeskApproval]:
        """One level's approvals, without a look at the levels."""
        path = self._tickets.path(ref, _LEVELS, level_id, _APPROVALS)
        try:
            rows = await self._client.rows("list_approvals", *path, keys=[_APPROVALS])
        except Refused as exc:
            if exc.why is not RefusedFor.NOT_FOUND:
                raise
            await self._tickets.read(ref)  # tells where the change itself is gone
            return ()
        return _approvals(await self._with_people(rows))

    async def add_level(self, ref: DeskRef, title: str, rule: ApprovalRule, approvers: Sequence[str]) -> ApprovalLevel:
        """A level in the change's present stage."""
        body = {"approval_level": await self._new_level(ref, title, rule)}
        named = [{"approver": await self._named(each)} for each in approvers]
        if self._flavour.approvers_with_level:
            body["approval_level"][_APPROVALS] = named
        path = self._tickets.path(ref, _LEVELS)
        call = self._client.write("add_approval_level", "POST", *path, body=body)
        answer = await self._tickets.checked(ref, call)
        made = _made("add_approval_level", answer, "approval_level")
        added = [] if self._flavour.approvers_with_level else await self._fill(ref, made, named)
        told = part(made, _APPROVALS)
        return self._level(made, added or (told if isinstance(told, list) else []))

    async def add_approver(self, ref: DeskRef, level_id: str, approver: str) -> DeskApproval:
        """One more approver on a level."""
        return _approval(await self._add(ref, level_id, {"approver": await self._named(approver)}))

    async def notify(self, ref: DeskRef, level_id: str, only: Collection[str] | None) -> None:
        """Mail those of the level who have not decided; nobody left, no call."""
        approvals = _approvals(await self._approval_rows(ref, level_id))
        ids = [each.id for each in approvals if each.is_to_be_asked(only)]
        if not ids:
            return
        path = self._tickets.path(ref, _LEVELS, level_id, _APPROVALS, self._flavour.notify_path)
        body = await self._mail(ref, level_id)
        call = self._client.write("notify_approvers", "PUT", *path, body=body, query={"ids": ",".join(ids)})
        await self._tickets.checked(ref, call)

    async def remove_level(self, ref: DeskRef, level_id: str) -> None:
        """Withdraw a level; one that is gone is a success."""
        path = self._tickets.path(ref, _LEVELS, level_id)
        try:
            await self._client.write("remove_approval_level", "DELETE", *path)
        except Refused as exc:
            if exc.why is not RefusedFor.NOT_FOUND:
                raise

    async def level_rows(self, ref: DeskRef) -> list[Json]:
        """The levels as the desk shows them; none where the summary says so, because the list of none is answered 500 on premises."""
        if self._flavour.approval_summary and await self._has_none(ref):
            return []
        ask_levels = self._client.rows("list_approval_levels", *self._tickets.path(ref, _LEVELS), keys=[_LEVELS])
        return [row for row in await self._tickets.checked(ref, ask_levels) if self._address(row)]

    async def _has_none(self, ref: DeskRef) -> bool:
        """Whether the summary says that there is no level. A build without a summary leaves it to the list."""
        ask = self._client.get("read_approval_summary", *self._tickets.path(ref, _LEVELS), "approval_summary")
        try:
            return _has_approvals(await self._tickets.checked(ref, ask)) is False
        except Refused as exc:
            if exc.why is not RefusedFor.CONFIGURATION:
                raise
            return False

    async def _approval_rows(self, ref: DeskRef, level_id: str) -> list[Json]:
        path = self._tickets.path(ref, _LEVELS, level_id, _APPROVALS)
        call = self._client.rows("list_approvals", *path, keys=[_APPROVALS])
        return await self._with_people(await self._tickets.checked(ref, call, otherwise=RefusedFor.OTHER))

    async def _with_people(self, rows: Sequence[Json]) -> list[Json]:
        """The same rows; people of whom no more than the id is shown are looked up."""
        return [
            {**row, **{key: await self._person(row[key]) for key in _PEOPLE if row.get(key) is not None}}
            for row in rows
        ]

    async def _person(self, shown: Any) -> Any:
        identifier = text(part(shown, "id"))
        if not identifier or "email_id" in shown:
            return shown
        try:
            return {**(await self._lookups.person(identifier) or {}), **shown}
        except Refused:
            return shown

    async def _new_level(self, ref: DeskRef, title: str, rule: ApprovalRule) -> dict[str, Any]:
        flavour = self._flavour
        stage = _stage(await self._tickets.raw(ref))
        asked = flavour.approval_rule_anyone if rule is ApprovalRule.ANYONE else flavour.approval_rule_everyone
        level: dict[str, Any] = {"rule": dict(asked), flavour.approval_stage_key: stage}
        if flavour.approval_level_named:
            level["name"] = plain(title)
        if flavour.approval_level_numbered:
            level["level"] = await self._free_number(ref, stage.get("id", ""))
        return level

    def _address(self, row: Json) -> str:
        """What stands for a level in addresses, and so for us: its id, or on some builds its number."""
        return text(row.get(self._flavour.approval_level_path))

    def _level(self, row: Json, approvals: Sequence[Any]) -> ApprovalLevel:
        return ApprovalLevel(
            self._address(row), text(row.get("name")), _state(row.get("status")), _approvals(approvals)
        )

    async def _free_number(self, ref: DeskRef, stage: str) -> int:
        """The next number in this stage: levels are decided one after the other."""
        rows = await self.level_rows(ref)
        of_stage = [row for row in rows if text(part(row, self._flavour.approval_stage_key, "id")) in ("", stage)]
        taken = {whole(row.get("level")) for row in of_stage}
        free = max((number for number in taken if number is not None), default=0) + 1
        if free > MAX_LEVEL:
            detail = f"the change has had {MAX_LEVEL} levels of approval, more can't be made"
            raise Refused(PEER, "add_approval_level", detail)
        return free

    async def _named(self, approver: str) -> dict[str, str]:
        """An approver as this flavour names one.

        Raises:
            Refused: `FIELDS` with `approvers`: no user has this address.
        """
        if self._flavour.approver_key == "email_id":
            return {"email_id": approver}
        identifier = await self._lookups.user_id(approver)
        if identifier is None:
            detail = f"the desk has no user {approver!r}"
            raise Refused(PEER, "find_user", detail, why=RefusedFor.FIELDS, fields=("approvers",))
        return {"id": identifier}

    async def _fill(self, ref: DeskRef, level: Json, named: list[dict[str, dict[str, str]]]) -> list[Json]:
        """Put approvers on a level just made. Where one is refused, the level goes again: nothing happened, as a refusal says."""
        level_id = self._address(level)
        try:
            return [await self._add(ref, level_id, each) for each in named]
        except Refused:
            await self._undo(ref, level_id)
            raise
        except PeerError as exc:
            raise Unsure(PEER, exc.operation, f"the level stands, its approvers may not: {exc.detail}") from exc

    async def _undo(self, ref: DeskRef, level_id: str) -> None:
        try:
            await self.remove_level(ref, level_id)
        except PeerError as exc:
            raise Unsure(PEER, exc.operation, f"a level may stand without approvers: {exc.detail}") from exc

    async def _add(self, ref: DeskRef, level_id: str, named: dict[str, dict[str, str]]) -> Json:
        path = self._tickets.path(ref, _LEVELS, level_id, _APPROVALS)
        call = self._client.write("add_approver", "POST", *path, body={"approval": named})
        answer = await self._tickets.checked(ref, call, otherwise=RefusedFor.OTHER)
        return _made("add_approver", answer, "approval")

    async def _mail(self, ref: DeskRef, level_id: str) -> dict[str, Any] | None:
        if self._flavour.notify_content == "none":
            return None
        path = self._tickets.path(ref, _LEVELS, level_id, _APPROVALS, self._flavour.notify_content_path)
        call = self._client.get("read_approval_mail", *path)
        try:
            told = await self._tickets.checked(ref, call)
        except Refused as exc:
            if exc.why is not RefusedFor.CONFIGURATION:
                raise
            return None  # seen with requests only: a build may lack it for changes, and has words of its own
        content = {"notification": told.get("notification") or {}}
        return {"approval": content} if self._flavour.notify_content == "wrapped" else content


def _made(operation: str, body: Json, key: str) -> Json:
    made = body.get(key)
    if not isinstance(made, Mapping) or not text(made.get("id")):
        raise Malformed(PEER, operation, f"an answer without the {key} and its id")
    return made


def _stage(change: Json) -> dict[str, str]:
    """The change's stage as a lookup, by id where the desk tells one."""
    stage = change.get("stage")
    if identifier := text(part(stage, "id")):
        return {"id": identifier}
    if called := name(stage):
        return {"name": called}
    raise Malformed(PEER, "add_approval_level", "the change shows no stage for the level to belong to")


def _has_approvals(summary: Json) -> bool | None:
    told = flag(summary.get("has_approvals"))
    return flag(part(summary, "approval_summary", "has_approvals")) if told is None else told


def _state(status: Any) -> ApprovalState:
    return _STATES.get(name(status).strip().lower(), ApprovalState.WAITING)


def _approvals(rows: Sequence[Any]) -> tuple[DeskApproval, ...]:
    """Those that were not taken away: on premises these stay listed as `deleted`."""
    return tuple(_approval(each) for each in rows if isinstance(each, Mapping) and not flag(each.get("deleted")))


def _approval(row: Json) -> DeskApproval:
    """One approval.

    Where it was delegated, `action_by` decided on premises; in the cloud the delegate is `approver` and `original_approver` was asked.
    """
    approver, original = row.get("approver"), row.get("original_approver")
    state = _state(row.get("status"))
    decider = (row.get("action_by") or approver) if state is not ApprovalState.WAITING else None
    return DeskApproval(
        id=text(row.get("id")),
        approver=text(part(original or approver, "email_id")),
        state=state,
        sent=name(row.get("status")).strip().lower() != TO_BE_SENT,
        decided_by_name=name(decider),
        decided_by_email=text(part(decider, "email_id")),
        decided_by_phone=text(part(decider, "phone")) or text(part(decider, "mobile")),
        decided_at=moment(row.get("action_taken_on")) if decider else None,
        comments=text(row.get("comments")) if decider else "",
    )
