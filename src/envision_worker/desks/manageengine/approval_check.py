"""What the documents leave open about approvals, found out on a level that stands on the desk (`check --connect`). Reads only.

Only levels can show it, and only a write shows how one is added and its approvers are written to; what can't be known is said.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from envision_worker.desks.approval import ApprovalChecked
from envision_worker.desks.desk import DeskRef
from envision_worker.desks.manageengine.approvals import TO_BE_SENT, Approvals
from envision_worker.desks.manageengine.client import Client
from envision_worker.desks.manageengine.fields import UDF
from envision_worker.desks.manageengine.flavour import Flavour
from envision_worker.desks.manageengine.shapes import Json, name, part, text
from envision_worker.desks.manageengine.tickets import Tickets
from envision_worker.errors import KeyRefused, Refused
from envision_worker.vocabulary import DeskKind, DeskTicketId

NEWEST = 10
"""How many changes are looked at for a level; each costs a call or two."""
_LEVELS, _APPROVALS = "approval_levels", "approvals"
_STAGE_KEYS = ("stage", "change_stage")
_CONTENT_PATHS = ("get_notification_content", "_get_notification_content")
BY_WRITING = (
    "approver_key, approvers_with_level, approval_level_named, approval_level_numbered, approval_rule_anyone, "
    "approval_rule_everyone, notify_path, notify_content"
)
BY_READING = "approval_level_path, approval_stage_key, notify_content_path"


@dataclass(frozen=True, slots=True)
class _Seen:
    """A level of approval on a change, and whether that change is one of Ensono's."""

    change: DeskRef
    level: Json
    is_ensonos: bool


@dataclass(slots=True)
class ApprovalCheck:
    """Compares `[desk.flavour]` with the levels of approval of the newest changes."""

    client: Client
    flavour: Flavour
    tickets: Tickets
    approvals: Approvals
    number_field: str
    _faults: list[str] = field(default_factory=list)

    async def carry_out(self) -> ApprovalChecked:
        """Look. Raises what a desk that can't be asked raises."""
        self._faults = []
        try:
            seen = await self._level()
        except (Refused, KeyRefused) as exc:
            return ApprovalChecked(remarks=(f"nothing found out: {exc.detail}",))
        if seen is None:
            none = (
                f"none of the {NEWEST} newest changes has a level, so the first Approval Request shows whether it fits"
            )
            return ApprovalChecked(remarks=(f"{none} ({BY_READING}, {BY_WRITING})",))
        remarks = [remark async for remark in self._found_out(seen)]
        return ApprovalChecked(tuple(self._faults), tuple(remarks))

    # --- finding a level -----------------------------------------------------------------------------------------------

    async def _level(self) -> _Seen | None:
        """One that the worker made, if there is one; else the newest."""
        wanted = ["id", self.flavour.number, f"{UDF}.{self.number_field}"]
        list_info = {"row_count": NEWEST, "sort_field": "created_time", "sort_order": "desc", "fields_required": wanted}
        changes = await self.client.rows("find_any_change", "changes", keys=["changes"], list_info=list_info, enough=1)
        seen = [found for row in changes[:NEWEST] if (found := await self._on(row)) is not None]
        return max(seen, key=lambda each: each.is_ensonos, default=None)

    async def _on(self, change: Json) -> _Seen | None:
        ref = DeskRef(DeskKind.CHANGE, DeskTicketId(text(change.get("id"))))
        levels = await self.approvals.level_rows(ref) if ref.id else []
        is_ensonos = bool(text(part(change, UDF, self.number_field)))
        return _Seen(ref, levels[0], is_ensonos) if levels else None

    # --- what it shows --------------------------------------------------------------------------------------------------

    async def _found_out(self, seen: _Seen) -> AsyncIterator[str]:
        asked = await self._asked(seen)
        self._stage(seen.level)
        self._rule(seen.level)
        async for remark in self._content(seen):
            yield remark
        if not self._faults:
            yield f"a level stands on change {seen.change.id} and is read as configured ({BY_READING})"
        if seen.is_ensonos and any(name(each.get("status")).strip().lower() != TO_BE_SENT for each in asked):
            yield f"it is one of Ensono's, and its mail went out: adding works as configured ({BY_WRITING})"
        else:
            yield f"the first Approval Request shows whether a level is added as configured ({BY_WRITING})"

    async def _asked(self, seen: _Seen) -> list[Json]:
        """The approvals on it; what stands for a level in addresses is its id or its number."""
        ways = ("id", "level") if self.flavour.approval_level_path == "id" else ("level", "id")
        there = {way: await self._approvals_at(seen.change, text(seen.level.get(way))) for way in ways}
        asked = there[ways[0]]
        if asked is None:
            hint = f", but by its {ways[1]!r}" if there[ways[1]] is not None else ""
            self._faults.append(
                f"desk.flavour.approval_level_path: a level's approvals are not found by its {ways[0]!r}{hint}"
            )
        return asked or []

    async def _approvals_at(self, change: DeskRef, address: str) -> list[Json] | None:
        if not address:
            return None
        path = self.tickets.path(change, _LEVELS, address, _APPROVALS)
        try:
            return await self.client.rows("list_approvals", *path, keys=[_APPROVALS])
        except Refused:
            return None

    def _stage(self, level: Json) -> None:
        key = self.flavour.approval_stage_key
        there = next((each for each in _STAGE_KEYS if each in level), None)
        if key not in level and there is not None:
            self._faults.append(f"desk.flavour.approval_stage_key: levels have {there!r} here, not {key!r}")

    def _rule(self, level: Json) -> None:
        rule = level.get("rule")
        if not isinstance(rule, Mapping) or not rule:
            return
        configured: tuple[tuple[str, Mapping[str, Any]], ...] = (
            ("approval_rule_anyone", self.flavour.approval_rule_anyone),
            ("approval_rule_everyone", self.flavour.approval_rule_everyone),
        )
        for key, wanted in configured:
            if not wanted.keys() <= rule.keys():
                self._faults.append(f"desk.flavour.{key}: rules consist of {', '.join(sorted(rule))} here")

    async def _content(self, seen: _Seen) -> AsyncIterator[str]:
        """Where the mail's content comes from; without one the desk sends its own words."""
        configured = self.flavour.notify_content_path
        if self.flavour.notify_content == "none":
            return
        others = [each for each in _CONTENT_PATHS if each != configured]
        if await self._is_there(seen, configured):
            return
        there = [each for each in others if await self._is_there(seen, each)]
        if there:
            self._faults.append(f"desk.flavour.notify_content_path: the mail's content is at {there[0]!r} here")
        else:
            yield "the mail's content is not told for changes (notify_content_path), so the desk writes its own"

    async def _is_there(self, seen: _Seen, content_path: str) -> bool:
        address = text(seen.level.get(self.flavour.approval_level_path))
        path = self.tickets.path(seen.change, _LEVELS, address, _APPROVALS, content_path)
        try:
            await self.client.get("read_approval_mail", *path)
        except Refused:
            return False
        return True
