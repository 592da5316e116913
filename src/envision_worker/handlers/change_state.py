"""The state of a change on the desk: moved, closed, cancelled, or begun anew (guide, Normal change scenarios)."""

from dataclasses import replace

from envision_worker.config.mapping import MappingKind, fold
from envision_worker.desks.desk import Life
from envision_worker.ensono.messages import Create
from envision_worker.errors import Refused, RefusedFor
from envision_worker.handlers.approval_levels import withdraw_approvals
from envision_worker.handlers.counterpart import GONE_STATES, counterpart, make, return_number
from envision_worker.handlers.work import Counterpart, Work
from envision_worker.handlers.writing import add_remark
from envision_worker.outcome import Applied

CLOSED = "closed"
_ASSESS = "assess"
_LATER_STATES = frozenset({"authorize", "scheduled", "implement", "review", "closed"})
_WORKFLOW_SAYS_NO = frozenset({RefusedFor.FIELDS, RefusedFor.OTHER, RefusedFor.CLOSED})


async def apply_state(work: Work, state: str | None) -> Applied:
    """Bring the counterpart of a change to this state of Ensono's; None: the message carries none, nothing to do."""
    found = await counterpart(work)
    if found is None or state is None:
        return Applied()
    wanted = fold(state)
    if wanted in GONE_STATES:
        await cancel(work, found, wanted)
        return Applied()
    if wanted == _ASSESS and found.link.state in _LATER_STATES:
        found = await _begin_anew(work, found)
    if isinstance(work.transaction, Create) and found.link.state == wanted and not _made_now(work, found):
        return Applied(already=True)
    if wanted == CLOSED:
        await _close(work, found)
    elif found.link.state != wanted or _made_now(work, found):
        await _move(work, found, state)
    await _remember(work, found, wanted)
    return Applied()


def _made_now(work: Work, found: Counterpart) -> bool:
    """Whether this very transaction made it: then further steps of its state may be left to go."""
    return found.link.created_by == work.transaction.message_id


async def cancel(work: Work, found: Counterpart, state: str) -> None:
    """Cancel the counterpart and withdraw what waits for a decision. A refusal is the caller's: a dead letter."""
    await withdraw_approvals(work, found, f"Ensono moved {work.transaction.ticket} to {state}")
    rejected_and_cancelled = (
        state == "cancelled" and found.ticket.life is Life.CLOSED
    )  # guide: do nothing, it is closed
    if found.ticket.life is not Life.CANCELLED and not rejected_and_cancelled:
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
        if found.ticket.life is not Life.CLOSED or exc.why not in _WORKFLOW_SAYS_NO:
            raise
        await add_remark(work, ref, comment, [f"It had ended here before: {found.ticket.status}"], key="cancel")


async def _begin_anew(work: Work, old: Counterpart) -> Counterpart:
    """Assess after a later state without a Redraft: the old change is cancelled, a new one made and its number returned."""
    if old.ticket.life is Life.OPEN:
        await cancel(work, old, "new")
    new = await make(work, old.link.generation + 1)
    await work.peers.ledger.links.save(new.link)
    return await return_number(work, new)


async def _move(work: Work, found: Counterpart, state: str) -> None:
    """Through the configured steps; a state without steps, or that the workflow refuses, becomes a note."""
    ref = found.ticket.ref
    steps = work.peers.settings.mapping.steps(state)
    if not steps:
        work.peers.facts.value_unmapped(ticket=work.transaction.ticket, kind="change_state", value=state)
        await add_remark(work, ref, "State at Ensono (no mapping)", [f"State: {state}"], key="state")
        return
    for number, step in enumerate(steps):
        if number == 0 and _made_now(work, found):
            continue  # it came into being there
        try:
            await work.effects.set(
                f"{work.transaction.message_id}:state:{ref.id}:{number}",
                f"state {state}",
                lambda step=step: work.peers.desk.move_change(  # type: ignore[misc]
                    ref, stage=step.stage, status=step.status, comment=f"Ensono moved it to {state}"
                ),
            )
        except Refused as exc:
            if exc.why not in _WORKFLOW_SAYS_NO:
                raise
            where = " / ".join(name for name in (step.stage, step.status) if name)
            lines = [f"State: {state}", f"Not accepted by the desk: {where}"]
            await add_remark(work, ref, "State at Ensono", lines, key="state")
            return


async def _close(work: Work, found: Counterpart) -> None:
    fields, ref = work.transaction.fields, found.ticket.ref
    if found.ticket.life in {Life.CLOSED, Life.CANCELLED}:
        return
    await withdraw_approvals(work, found, f"Ensono closed {work.transaction.ticket}")
    code = (
        work.peers.settings.mapping.lookup(MappingKind.CLOSURE_CODE, fields.close_code) if fields.close_code else None
    )
    if fields.close_code and code is None:
        work.peers.facts.value_unmapped(ticket=work.transaction.ticket, kind="closure_code", value=fields.close_code)
    lines = [fields.close_notes] if fields.close_notes else []
    lines += [f"Close code: {fields.close_code}"] if fields.close_code else []
    if lines:  # the desk's field for it is short
        await add_remark(work, ref, "Closed by Ensono", lines, key="closed")
    comments = " - ".join(lines) or "Closed by Ensono"
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


async def _remember(work: Work, found: Counterpart, state: str) -> None:
    if found.link.state != state:
        await work.peers.ledger.links.save(replace(found.link, state=state))
