"""Approval Request: someone on the desk is asked to decide; the decision goes back by `relay.approvals`."""

from collections.abc import Sequence

from envision_worker.ensono.fields import MalformedMessage
from envision_worker.ensono.messages import Approval, ApprovalRequest
from envision_worker.errors import Refused
from envision_worker.handlers.approval_levels import Asking, ask_for
from envision_worker.handlers.approval_notes import TITLE, note_lines
from envision_worker.handlers.change_state import WORKFLOW_SAYS_NO
from envision_worker.handlers.counterpart import counterpart
from envision_worker.handlers.said_before import asked_before
from envision_worker.handlers.values import GONE_STATES, is_status
from envision_worker.handlers.work import Counterpart, Work
from envision_worker.handlers.writing import add_remark
from envision_worker.ledger.records import ApprovalRecord, ApprovalStatus
from envision_worker.outcome import Applied, DeadLetter, DeadLetterReason
from envision_worker.vocabulary import DeskKind

_OVER = frozenset({ApprovalStatus.APPROVED, ApprovalStatus.REJECTED})


async def apply(work: Work, transaction: ApprovalRequest) -> Applied | DeadLetter:
    """An approval for the approver on the change, which is created first where it is not there.

    Raises:
        MalformedMessage: its approvalId is that of another change's approval.
    """
    if work.kind is not DeskKind.CHANGE:
        detail = f"Approval Request is for changes, and {transaction.ticket} is no change: {transaction.ticket_type}"
        return DeadLetter(DeadLetterReason.NOT_FOR_THIS_TICKET_TYPE, detail)
    if await _is_known(work, transaction.approval) or await asked_before(work, transaction.approval):
        return Applied(already=True)
    found = await counterpart(work)
    if found is None or is_status(transaction.fields.state, *GONE_STATES):  # nobody waits for a decision any more
        return Applied()
    if await _is_known(work, transaction.approval):  # since its change was found again
        return Applied(already=True)
    records = await work.peers.ledger.approvals.of_ticket(transaction.ticket)
    of_round = [record for record in records if record.round == found.link.generation]
    decided = next((record for record in of_round if record.status in _OVER), None)
    if decided is not None:  # Ensono considers no decision after the first
        who = decided.decided_by[0] or decided.decided_by[1]
        await _tell_too_late(work, found, transaction.approval, f"was {decided.status.value} by {who}")
        await _keep(work, found, transaction.approval, (), "", ApprovalStatus.SUPERSEDED)
        return Applied()
    return await _ask(work, found, transaction.approval, of_round)


async def _is_known(work: Work, approval: Approval) -> bool:
    known = await work.peers.ledger.approvals.get(approval.id)
    if known is not None and known.ticket != work.transaction.ticket:
        raise MalformedMessage("Body.approvalId", f"is that of an approval of {known.ticket}")
    return known is not None


async def _ask(
    work: Work, found: Counterpart, approval: Approval, of_round: Sequence[ApprovalRecord]
) -> Applied | DeadLetter:
    settings = work.peers.settings.approvals
    asking = Asking(
        desk=work.peers.desk,
        effects=work.effects,
        ref=found.ticket.ref,
        rule=settings.rule,
        round=found.link.generation,
        look_first=work.may_be_repeated,
    )
    asked, not_asked = await ask_for(asking, settings, approval.approver_email, of_round)
    if asked.decided and of_round:  # on the desk, just now; the next look there makes this one void, too
        await _tell_too_late(work, found, approval, "has just been decided")
        await _keep(work, found, approval, (), asked.level_id, ApprovalStatus.WAITING)
        return Applied()
    if not asked.approvers:
        detail = (
            f"the desk has nobody to ask for {approval.approver_email} ({'; '.join(not_asked)}): name its approvers "
            f'under [approvals.approvers], or set approvals.fallback_approver = {{ email_id = "…" }}'
        )
        return DeadLetter(DeadLetterReason.REFUSED_BY_DESK, detail)
    if not asked.decided:  # else it was this one that asked, before the process ended; what is missing follows
        await asking.notify(asked, approval.id)
    lines = note_lines(approval, asked.approvers, not_asked, asked.level_id)
    await add_remark(work, found.ticket.ref, TITLE, lines, key=f"approval:{approval.id}")
    await _keep(work, found, approval, asked.approvers, asked.level_id, ApprovalStatus.WAITING)
    work.peers.facts.approval_requested(
        ticket=work.transaction.ticket, approval_id=approval.id, approver=", ".join(asked.approvers)
    )
    return Applied()


async def _tell_too_late(work: Work, found: Counterpart, approval: Approval, why: str) -> None:
    lines = [
        f"{approval.approver_name} <{approval.approver_email}> is asked by Ensono, too, but nobody is asked here:",
        f"this change {why}.",
        f"Ensono approval {approval.id}",
    ]
    try:
        await add_remark(work, found.ticket.ref, TITLE, lines, key=f"approval:{approval.id}")
    except (
        Refused
    ) as exc:  # the decision may have ended the change, and one that has ended refuse notes: then the log has to do
        if exc.why not in WORKFLOW_SAYS_NO:
            raise
        work.peers.facts.field_dropped(ticket=work.transaction.ticket, fields=["note"], detail=f"{TITLE}: {exc.detail}")


async def _keep(
    work: Work,
    found: Counterpart,
    approval: Approval,
    approvers: tuple[str, ...],
    level_id: str,
    status: ApprovalStatus,
) -> None:
    record = ApprovalRecord(
        approval_id=approval.id,
        ticket=work.transaction.ticket,
        round=found.link.generation,
        desk_id=found.link.desk_id,
        approver=approval.approver_email,
        approver_name=approval.approver_name,
        desk_approvers=approvers,
        level_id=level_id,
        requested=work.now(),
        status=status,
    )
    await work.peers.ledger.approvals.save(record)
