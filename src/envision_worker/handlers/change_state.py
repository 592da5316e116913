"""The state of a change on the desk: moved, closed, cancelled, or begun anew (guide, Normal change scenarios)."""

from collections.abc import Sequence
from dataclasses import replace

from envision_worker.config.mapping import ChangeStep, MappingKind, fold
from envision_worker.desks.desk import Life
from envision_worker.ensono.messages import Create
from envision_worker.errors import Refused, RefusedFor
from envision_worker.handlers.approval_withdrawal import withdraw_approvals
from envision_worker.handlers.counterpart import counterpart
from envision_worker.handlers.making import make
from envision_worker.handlers.returning import return_number
from envision_worker.handlers.values import GONE_STATES
from envision_worker.handlers.work import Counterpart, Work
from envision_worker.handlers.writing import add_remark
from envision_worker.ledger.records import ApprovalStatus
from envision_worker.outcome import Applied

CLOSED = "closed"
_ASSESS = "assess"
_LATER_STATES = frozenset({"authorize", "scheduled", "implement", "review", "closed"})
WORKFLOW_SAYS_NO = frozenset({RefusedFor.FIELDS, RefusedFor.OTHER, RefusedFor.CLOSED})
"""How a desk refuses what a change's stage does not allow, notes on one that has ended included."""
_ENDED = frozenset({Life.CLOSED, Life.CANCELLED})


async def apply_state(work: Work, state: str | None) -> Applied:
    """Bring the counterpart of a change to this state of Ensono's; None: the message carries none, nothing to do."""
    found = await counterpart(work)
    if found is None or state is None:
        return Applied()
    wanted = fold(state)
    if wanted in GONE_STATES:
        await cancel(work, found, wanted)
        return Applied()
    if wanted == _ASSESS and await _is_another_round(work, found):
        found = await _begin_anew(work, found)
    made_now = found.is_made_by(work.transaction)
    if isinstance(work.transaction, Create) and found.link.state == wanted and not made_now:
        return Applied(already=True)
    if wanted == CLOSED:
        await _close(work, found)
    elif found.link.state != wanted or made_now:
        await _move(work, found, state)
    await _remember(work, found, wanted)
    return Applied()


# --- cancelled, and begun anew ---------------------------------------------------------------------------------------


async def cancel(work: Work, found: Counterpart, state: str) -> None:
    """Cancel the counterpart and withdraw what waits for a decision. A refusal is the caller's: a dead letter."""
    await withdraw_approvals(work, found, f"Ensono moved {work.transaction.ticket} to {state}")
    closed_by_rejection = state == "cancelled" and found.ticket.life is Life.CLOSED  # guide: do nothing
    if found.ticket.life is not Life.CANCELLED and not closed_by_rejection:
        await _lead_up(work, found, state)
        await _send_cancel(work, found, state)
    await _remember(work, found, state)


async def _send_cancel(work: Work, found: Counterpart, state: str) -> None:
    """Cancel it on the desk. One that the desk has ended itself (rejected, say) may refuse: then there is nothing to cancel."""
    ref = found.ticket.ref
    comment = f"{'Cancelled' if state == 'cancelled' else 'Redrafted'} by Ensono"
    try:
        await work.effects.set(
            f"{work.transaction.message_id}:cancel:{ref.id}",
            "cancel change",
            lambda: work.peers.desk.cancel_change(ref, comment=comment),
        )
    except Refused as exc:
        has_ended = exc.why is RefusedFor.ALREADY or (found.ticket.life is Life.CLOSED and exc.why in WORKFLOW_SAYS_NO)
        if not has_ended:
            raise
        await _say_on_ended(work, found, comment, [f"It had ended here before: {found.ticket.status}"], key="cancel")


async def _is_another_round(work: Work, found: Counterpart) -> bool:
    """Whether an Assess means that Ensono assesses the change again, though no Redraft came (guide, Normal change scenarios).

    So it is after a later state, and after a decision that Ensono had confirmed when it sent this: a rejected change left Assess
    by that. A Create in the state that an approved change has is the same one once more.
    """
    if found.is_made_by(work.transaction):
        return False
    if found.link.state in _LATER_STATES:
        return True
    repeats = isinstance(work.transaction, Create)
    if found.link.state in ("", _ASSESS) and found.ticket.life is Life.CLOSED and not repeats:
        return True
    over = {ApprovalStatus.REJECTED} if repeats else {ApprovalStatus.REJECTED, ApprovalStatus.APPROVED}
    sent = work.transaction.sent.timestamp()
    records = await work.peers.ledger.approvals.of_ticket(work.transaction.ticket)
    return found.link.state == _ASSESS and any(
        record.round == found.link.generation
        and record.status in over
        and record.sent is not None
        and record.sent < sent
        for record in records
    )


async def _begin_anew(work: Work, old: Counterpart) -> Counterpart:
    """The old change is cancelled unless it has ended, a new one made and its number returned."""
    if old.ticket.life is Life.OPEN:
        await cancel(work, old, "new")
    else:
        await withdraw_approvals(work, old, f"Ensono assesses {work.transaction.ticket} again")
    new = await make(work, after=old.link)
    await work.peers.ledger.links.save(new.link)
    return await return_number(work, new)


# --- moved -----------------------------------------------------------------------------------------------------------


async def _move(work: Work, found: Counterpart, state: str) -> None:
    """Through the configured steps; a state without steps, or that the workflow refuses, becomes a note."""
    steps = work.peers.settings.mapping.steps(state)
    if not steps:
        work.peers.facts.value_unmapped(ticket=work.transaction.ticket, kind="change_state", value=state)
        lines = [f"State: {state}"]
        await _say_on_ended(work, found, "State at Ensono (no mapping)", lines, key="state")
        return
    first = 1 if found.is_made_by(work.transaction) else 0  # it came into being there
    refused = await _walk(work, found, state, steps[first:])
    if refused:
        lines = [f"State: {state}", f"Not accepted by the desk: {refused}"]
        await _say_on_ended(work, found, "State at Ensono", lines, key="state")


async def _walk(work: Work, found: Counterpart, state: str, steps: Sequence[ChangeStep]) -> str:
    """Take these steps; returns where the desk's workflow did not let it go, empty where it went all the way."""
    ref = found.ticket.ref
    for number, step in enumerate(steps):

        async def take(step: ChangeStep = step) -> None:
            comment = f"Ensono moved it to {state}"
            await work.peers.desk.move_change(ref, stage=step.stage, status=step.status, comment=comment)

        try:
            await work.effects.set(f"{work.transaction.message_id}:state:{ref.id}:{number}", f"state {state}", take)
        except Refused as exc:
            if exc.why not in WORKFLOW_SAYS_NO:
                raise
            return " / ".join(name for name in (step.stage, step.status) if name)
    return ""


async def _lead_up(work: Work, found: Counterpart, state: str) -> None:
    """Where Closed, New or Cancelled is mapped to several steps: all but the last, which is the end itself.

    What the workflow refuses of them is left out: the end decides.
    """
    steps = work.peers.settings.mapping.steps(state)
    if found.ticket.life is Life.OPEN:
        await _walk(work, found, state, steps[:-1])


# --- closed ----------------------------------------------------------------------------------------------------------


async def _close(work: Work, found: Counterpart) -> None:
    """Close with the mapped code. What Ensono wrote stands in a note: the desk's field for it is short."""
    fields, ref = work.transaction.fields, found.ticket.ref
    await withdraw_approvals(work, found, f"Ensono closed {work.transaction.ticket}")
    code = (
        work.peers.settings.mapping.lookup(MappingKind.CLOSURE_CODE, fields.close_code) if fields.close_code else None
    )
    if fields.close_code and code is None:
        work.peers.facts.value_unmapped(ticket=work.transaction.ticket, kind="closure_code", value=fields.close_code)
    lines = [fields.close_notes] if fields.close_notes else []
    lines += [f"Close code: {fields.close_code}"] if fields.close_code else []
    if lines:
        await _say_on_ended(work, found, "Closed by Ensono", lines, key="closed")
    if found.ticket.life in _ENDED:
        return
    comments = " - ".join(lines) or "Closed by Ensono"
    await _lead_up(work, found, CLOSED)
    try:
        await _send_close(work, found, code, comments)
    except Refused as exc:
        if code is None or exc.why not in {RefusedFor.FIELDS, RefusedFor.OTHER}:
            raise
        told = [f"Not accepted by the desk: closure code {code}"]
        await add_remark(work, ref, "Closed by Ensono", told, key="closure code")
        await _send_close(work, found, None, comments)


async def _send_close(work: Work, found: Counterpart, code: str | None, comments: str) -> None:
    ref = found.ticket.ref
    await work.effects.set(
        f"{work.transaction.message_id}:close:{ref.id}:{code or ''}",
        "close change",
        lambda: work.peers.desk.close_change(ref, closure_code=code, comments=comments),
    )


# --- both ------------------------------------------------------------------------------------------------------------


async def _say_on_ended(work: Work, found: Counterpart, title: str, lines: Sequence[str], *, key: str) -> None:
    """A note, which a change that has ended may refuse: then the log has to do."""
    try:
        await add_remark(work, found.ticket.ref, title, lines, key=key)
    except Refused as exc:
        if found.ticket.life not in _ENDED or exc.why not in WORKFLOW_SAYS_NO:
            raise
        work.peers.facts.field_dropped(ticket=work.transaction.ticket, fields=["note"], detail=f"{title}: {exc.detail}")


async def _remember(work: Work, found: Counterpart, state: str) -> None:
    if found.link.state != state:
        await work.peers.ledger.links.save(replace(found.link, state=state))
