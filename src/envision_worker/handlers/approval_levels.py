"""Levels of approval on a desk change: one for each round of a change, with one approver or several."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from envision_worker.config.sections import ApprovalsSettings
from envision_worker.desks.approval import ApprovalLevel, ApprovalRule, ApprovalState, DeskApproval
from envision_worker.desks.desk import Desk, DeskRef
from envision_worker.errors import Refused, RefusedFor
from envision_worker.handlers.effects import Answer, Effects
from envision_worker.ledger.records import ApprovalRecord

LEVEL_NAME = "Ensono approval"
"""How every level of the worker's is named; the change says what it is about."""
_NOT_ACCEPTED = frozenset({RefusedFor.FIELDS, RefusedFor.OTHER})
_KEY = "approval level:"


@dataclass(frozen=True, slots=True)
class Asked:
    """Who is on which level, and who could not be put on it, with why: `address: reason`. `decided`: it was too late for anybody."""

    level_id: str
    approvers: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    decided: bool = False


def decider(approvals: Sequence[DeskApproval], rule: ApprovalRule, level: ApprovalState) -> DeskApproval | None:
    """Whose decision counts, if there is one: under `anyone` the first; under `everyone` who made the level what it is.

    Args:
        level: where the level itself stands; only `everyone` goes by it.
    """
    decided = [each for each in approvals if each.state is not ApprovalState.WAITING]
    decided.sort(key=lambda each: (each.decided_at is None, each.decided_at, each.id))
    if rule is ApprovalRule.ANYONE:
        return decided[0] if decided else None
    if not decided or level is ApprovalState.WAITING:
        return None
    deciding = [each for each in decided if each.state is level]
    if not deciding:  # who made the level what it is has changed his mind since; his words are about that
        return replace(decided[-1], state=level, comments="")
    return deciding[0] if level is ApprovalState.REJECTED else deciding[-1]


@dataclass(frozen=True, slots=True)
class Asking:
    """Puts approvers on one change of the desk.

    Attributes:
        effects: those of the change's ticket. round: which of the ticket's rounds it is.
        look_first: a ledger before this one may have made the level.
    """

    desk: Desk
    effects: Effects
    ref: DeskRef
    rule: ApprovalRule
    round: int
    look_first: bool = False

    async def ask(self, approvers: Sequence[str], before: Sequence[ApprovalRecord]) -> Asked:
        """Put these on the round's level, which is made where there is none (any more).

        Args:
            before: the round's records so far.
        """
        levels = await self.desk.approvals(self.ref)
        made = {record.level_id for record in before if record.level_id}
        made |= await self.effects.claimed(f"{_KEY}{self.round}:")
        level = next((each for each in reversed(levels) if each.id in made), None)
        if level and decider(level.approvals, self.rule, level.state):
            return Asked(level.id, tuple(each.approver for each in level.approvals), decided=True)
        level_id = level.id if level else ""
        accepted: list[str] = []
        refused: list[str] = []
        for email in approvers:
            try:
                level_id = level_id or await self._level(email, levels, len(made))
                await self._put(level_id, email)
            except Refused as exc:
                if exc.why not in _NOT_ACCEPTED:
                    raise
                refused.append(f"{email}: {exc.detail}")
            else:
                accepted.append(email)
        return Asked(level_id, tuple(accepted), tuple(refused))

    async def _level(self, email: str, levels: Sequence[ApprovalLevel], number: int) -> str:
        """A level with this approver on it; the next ones follow, since a desk refuses all for one."""
        name = f"{LEVEL_NAME} {number + 1}" if number else LEVEL_NAME

        async def write() -> Answer:
            level = await self.desk.add_approval_level(self.ref, name=name, rule=self.rule, approvers=[email])
            return {"id": level.id}

        async def look(known: Mapping[str, Any]) -> Answer | None:
            taken = {*known.get("ids", ()), *await self.effects.claimed(_KEY)}
            found = [each for each in await self.desk.approvals(self.ref) if each.id not in taken]
            return next(({"id": each.id} for each in reversed(found) if _is_ours(each, name, email)), None)

        known = {"ids": [each.id for each in levels]}
        key, what = f"{_KEY}{self.round}:{number}", "add approval level"
        made = await self.effects.add(key, what, write, look, known=known, look_first=self.look_first)
        return str(made["id"])

    async def _put(self, level_id: str, email: str) -> None:
        async def write() -> Answer:
            return {"id": (await self.desk.add_approver(self.ref, level_id, email)).id}

        async def look(_: Mapping[str, Any]) -> Answer | None:
            there = await self._of(level_id, [email])
            return {"id": there[0].id} if there else None

        key = f"approver:{level_id}:{email.casefold()}"
        await self.effects.add(key, f"add approver {email}", write, look, look_first=True)

    async def notify(self, asked: Asked, key: str) -> None:
        """Let the desk send its mail to those who were put on the level."""

        async def write() -> Answer:
            await self.desk.notify_approvers(self.ref, asked.level_id, only=asked.approvers)
            return {}

        async def look(_: Mapping[str, Any]) -> Answer | None:
            there = await self._of(asked.level_id, asked.approvers)
            return {} if there and all(each.sent for each in there) else None

        await self.effects.add(f"notify:{asked.level_id}:{key}", "notify approvers", write, look)

    async def _of(self, level_id: str, emails: Collection[str]) -> list[DeskApproval]:
        wanted = {each.casefold() for each in emails}
        there = await self.desk.approvals_of_level(self.ref, level_id)
        return [each for each in there if each.approver.casefold() in wanted]


async def ask_for(
    asking: Asking, settings: ApprovalsSettings, approver: str, before: Sequence[ApprovalRecord]
) -> tuple[Asked, list[str]]:
    """Ask on the desk for an approver of Ensono: whom the configuration names as far as the desk takes them, else the fallback.

    Returns:
        Who was asked, and who could not be, with why: `address: reason`.
    """
    wanted = settings.approvers_for(approver)
    known = [email for email in wanted if await asking.desk.knows_user(email)]
    not_asked = [f"{email}: not known here" for email in wanted if email not in known]
    asked = await asking.ask(known, before)
    not_asked += asked.refused
    if asked.decided or asked.approvers or settings.fallback_approver is None:
        return asked, not_asked
    email = settings.fallback_approver.email_id
    if not await asking.desk.knows_user(email):
        return asked, [*not_asked, f"{email}: not known here"]
    asked = await asking.ask([email], before)
    return asked, [*not_asked, *asked.refused]


def _is_ours(level: ApprovalLevel, name: str, email: str) -> bool:
    """Whether a level that stands on the desk is the one that was to be made: in the cloud levels have no names."""
    on_it = {each.approver.casefold() for each in level.approvals}
    return level.name in ("", name) and (not on_it or email.casefold() in on_it)
