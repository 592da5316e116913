"""Approvals that Ensono no longer wants are taken off the desk, and their decisions are not sent any more."""

from dataclasses import replace

from envision_worker.desks.desk import DeskRef
from envision_worker.errors import Refused, RefusedFor
from envision_worker.handlers.work import Counterpart, Work
from envision_worker.handlers.writing import add_remark
from envision_worker.ledger.ledger import Ledger
from envision_worker.ledger.records import ApprovalRecord, ApprovalStatus, Link
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import DeskKind, DeskTicketId

_DECIDED = frozenset({ApprovalStatus.APPROVED, ApprovalStatus.REJECTED})


async def withdraw_approvals(work: Work, found: Counterpart, reason: str) -> None:
    """Withdraw what waits, and what was decided but never reached Ensono; what Ensono has confirmed stays as it is."""
    records = await work.peers.ledger.approvals.of_ticket(work.transaction.ticket)
    waiting = [record for record in records if record.status is ApprovalStatus.WAITING]
    for desk_id, level_id in dict.fromkeys((record.desk_id, record.level_id) for record in waiting):
        await _remove_level(work, found, desk_id, level_id, reason)
    withdrawn = [_withdrawn(record, reason, work.now()) for record in [*waiting, *filter(_never_sent, records)]]
    if withdrawn:
        await work.peers.ledger.approvals.save(*withdrawn)
    for record in withdrawn:
        work.peers.facts.approval_withdrawn(ticket=record.ticket, approval_id=record.approval_id, reason=reason)


async def leave_earlier(ledger: Ledger, facts: Facts, link: Link, *, now: float) -> None:
    """Nobody waits for a change that was replaced while a copy of the ledger lay aside. Nothing is done on the desk: that was done then."""
    reason = f"Ensono goes on with {link.number}"
    records = [each for each in await ledger.approvals.of_ticket(link.ticket) if each.desk_id != link.desk_id]
    left = [each for each in records if each.status is ApprovalStatus.WAITING or _never_sent(each)]
    if left:
        await ledger.approvals.save(*(_withdrawn(record, reason, now) for record in left))
    for record in left:
        facts.approval_withdrawn(ticket=record.ticket, approval_id=record.approval_id, reason=reason)


def _never_sent(record: ApprovalRecord) -> bool:
    return record.status in _DECIDED and record.sent is None


def _withdrawn(record: ApprovalRecord, reason: str, now: float) -> ApprovalRecord:
    if not _never_sent(record):
        return replace(record, status=ApprovalStatus.WITHDRAWN, decided=now, comment=reason)
    comment = f"{reason} ({record.status.value} here before, but never confirmed by Ensono: {record.comment})"
    return replace(record, status=ApprovalStatus.WITHDRAWN, comment=comment)


async def _remove_level(work: Work, found: Counterpart, desk_id: DeskTicketId, level_id: str, reason: str) -> None:
    ref = DeskRef(DeskKind.CHANGE, desk_id)
    try:
        await work.effects.set(
            f"withdraw:{desk_id}:{level_id}",
            "withdraw approval",
            lambda: work.peers.desk.remove_approval_level(ref, level_id),
        )
    except Refused as exc:
        if exc.why in {RefusedFor.NOT_FOUND, RefusedFor.MERGED}:
            return
        lines = [reason, "The approval could not be taken off the desk; its decision will not be sent to Ensono."]
        await add_remark(work, found.ticket.ref, "Approval withdrawn", lines, key=f"withdraw:{level_id}")
