"""Approval levels on a desk change: one for each round, one approver or several, and the approvalId where people can read it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from envision_worker.desks.desk import ApprovalState, DeskRef
from envision_worker.ensono.messages import Approval
from envision_worker.errors import Refused, RefusedFor
from envision_worker.handlers.effects import Answer
from envision_worker.handlers.work import Counterpart, Work
from envision_worker.handlers.writing import add_remark
from envision_worker.ledger.records import ApprovalStatus

LEVEL_NAME = "Ensono approval"
"""How every level of the worker's is named; the change says what it is about."""


def note_line(approval: Approval) -> str:
    """How an approval stands on the desk, so that a ledger that was lost can be told again; read back by `relay.restore`."""
    return f"Ensono approval {approval.id} for {approval.approver_email}"


async def desk_approvers(work: Work, approval: Approval) -> tuple[list[str], list[str]]:
    """Who is asked on the desk: the configured approvers that the desk knows, else the fallback; and those it doesn't know."""
    settings = work.peers.settings.approvals
    wanted = settings.approvers_for(approval.approver_email)
    known = [email for email in wanted if await work.peers.desk.knows_user(email)]
    unknown = [email for email in wanted if email not in known]
    fallback = settings.fallback_approver
    if not known and fallback and await work.peers.desk.knows_user(fallback.email_id):
        known = [fallback.email_id]
    return known, unknown


async def ask_on_desk(work: Work, found: Counterpart, approvers: Sequence[str]) -> str:
    """The round's level with these approvers on it, its mail sent; returns the level's id."""
    level_id = await _level(work, found, approvers)
    ref = found.ticket.ref
    for email in approvers:
        await _on_level(work, found, level_id, email)
    await work.effects.set(
        f"{work.transaction.message_id}:notify",
        "notify approvers",
        lambda: work.peers.desk.notify_approvers(ref, level_id),
    )
    return level_id


async def _level(work: Work, found: Counterpart, approvers: Sequence[str]) -> str:
    ref = found.ticket.ref

    async def write() -> Answer:
        level = await work.peers.desk.add_approval_level(
            ref, name=LEVEL_NAME, rule=work.peers.settings.approvals.rule, approvers=approvers
        )
        return {"id": level.id}

    async def look(_: Mapping[str, Any]) -> Answer | None:
        levels = await work.peers.desk.approvals(ref)
        ours = [level for level in levels if level.name == LEVEL_NAME and level.state is ApprovalState.WAITING]
        return {"id": ours[0].id} if ours else None

    key = f"approval level:{found.link.generation}"
    made = await work.effects.add(key, "add approval level", write, look, look_first=work.may_be_repeated)
    return str(made["id"])


async def _on_level(work: Work, found: Counterpart, level_id: str, email: str) -> None:
    ref = found.ticket.ref

    async def write() -> Answer:
        approval = await work.peers.desk.add_approver(ref, level_id, email)
        return {"id": approval.id}

    async def look(_: Mapping[str, Any]) -> Answer | None:
        return await _approval_of(work, ref, level_id, email)

    key = f"approver:{found.link.generation}:{email.casefold()}"
    if await work.effects.answer(key) is None:
        await work.effects.add(key, f"add approver {email}", write, look, look_first=True)


async def _approval_of(work: Work, ref: DeskRef, level_id: str, email: str) -> Answer | None:
    for level in await work.peers.desk.approvals(ref):
        for approval in level.approvals if level.id == level_id else ():
            if approval.approver.casefold() == email.casefold():
                return {"id": approval.id}
    return None


async def withdraw_approvals(work: Work, found: Counterpart, reason: str) -> None:
    """Take what Ensono no longer wants off the desk; what was decided stays as it is."""
    records = await work.peers.ledger.approvals.of_ticket(work.transaction.ticket)
    waiting = [record for record in records if record.status is ApprovalStatus.WAITING]
    for level_id in dict.fromkeys(record.level_id for record in waiting):
        await _remove_level(work, found, level_id, reason)
    withdrawn = [
        replace(record, status=ApprovalStatus.WITHDRAWN, decided=work.now(), comment=reason) for record in waiting
    ]
    if withdrawn:
        await work.peers.ledger.approvals.save(*withdrawn)
    for record in withdrawn:
        work.peers.facts.approval_withdrawn(ticket=record.ticket, approval_id=record.approval_id, reason=reason)


async def _remove_level(work: Work, found: Counterpart, level_id: str, reason: str) -> None:
    ref = found.ticket.ref
    try:
        await work.effects.set(
            f"withdraw:{ref.id}:{level_id}",
            "withdraw approval",
            lambda: work.peers.desk.remove_approval_level(ref, level_id),
        )
    except Refused as exc:
        if exc.why is RefusedFor.NOT_FOUND:
            return
        lines = [reason, "The approval could not be taken off the desk; its decision will not be sent to Ensono."]
        await add_remark(work, ref, "Approval withdrawn", lines, key=f"withdraw:{level_id}")
