"""Approval Request: someone on the desk is asked to decide; the decision goes back by `relay.approvals`."""

from envision_worker.ensono.messages import ApprovalRequest
from envision_worker.handlers.approval_levels import ask_on_desk, desk_approvers, note_line
from envision_worker.handlers.counterpart import counterpart
from envision_worker.handlers.work import Counterpart, Work
from envision_worker.handlers.writing import add_remark
from envision_worker.ledger.records import ApprovalRecord, ApprovalStatus
from envision_worker.outcome import Applied, DeadLetter, DeadLetterReason
from envision_worker.vocabulary import DeskKind


async def apply(work: Work, transaction: ApprovalRequest) -> Applied | DeadLetter:
    """An approval for the approver on the change, which is created first where it is not there."""
    if work.kind is not DeskKind.CHANGE:
        detail = f"Approval Request is for changes, and {transaction.ticket} is no change: {transaction.ticket_type}"
        return DeadLetter(DeadLetterReason.NOT_FOR_THIS_TICKET_TYPE, detail)
    found = await counterpart(work)
    if found is None:  # New or Cancelled: nobody waits for a decision any more
        return Applied()
    if await work.peers.ledger.approvals.get(transaction.approval.id):
        return Applied(already=True)
    if await _decided(work, found):
        await _keep(work, found, transaction, (), "", ApprovalStatus.SUPERSEDED)
        return Applied()
    approvers, unknown = await desk_approvers(work, transaction.approval)
    if not approvers:
        detail = (
            f"the desk knows no approver for {transaction.approval.approver_email}: see approvals.fallback_approver"
        )
        return DeadLetter(DeadLetterReason.REFUSED_BY_DESK, detail)
    level_id = await ask_on_desk(work, found, approvers)
    await _tell(work, found, transaction, approvers, unknown)
    await _keep(work, found, transaction, tuple(approvers), level_id, ApprovalStatus.WAITING)
    work.peers.facts.approval_requested(
        ticket=transaction.ticket, approval_id=transaction.approval.id, approver=", ".join(approvers)
    )
    return Applied()


async def _decided(work: Work, found: Counterpart) -> bool:
    """Whether this round has its decision: Ensono considers none after the first."""
    records = await work.peers.ledger.approvals.of_ticket(work.transaction.ticket)
    over = {ApprovalStatus.APPROVED, ApprovalStatus.REJECTED}
    return any(record.round == found.link.generation and record.status in over for record in records)


async def _tell(
    work: Work, found: Counterpart, transaction: ApprovalRequest, approvers: list[str], unknown: list[str]
) -> None:
    approval = transaction.approval
    lines = [f"{approval.approver_name} <{approval.approver_email}> is asked by Ensono to decide."]
    lines.append(f"Asked here: {', '.join(approvers)}")
    lines += [f"Not known here: {', '.join(unknown)}"] if unknown else []
    lines.append(note_line(approval))
    await add_remark(work, found.ticket.ref, "Approval", lines, key=f"approval:{approval.id}")


async def _keep(
    work: Work,
    found: Counterpart,
    transaction: ApprovalRequest,
    approvers: tuple[str, ...],
    level_id: str,
    status: ApprovalStatus,
) -> None:
    record = ApprovalRecord(
        approval_id=transaction.approval.id,
        ticket=transaction.ticket,
        round=found.link.generation,
        desk_id=found.link.desk_id,
        approver=transaction.approval.approver_email,
        approver_name=transaction.approval.approver_name,
        desk_approvers=approvers,
        level_id=level_id,
        requested=work.now(),
        status=status,
    )
    await work.peers.ledger.approvals.save(record)
