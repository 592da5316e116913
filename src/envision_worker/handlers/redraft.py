"""Redraft: a change goes back to New, so its counterpart is cancelled."""

from envision_worker.ensono.messages import Redraft
from envision_worker.handlers.change_state import cancel
from envision_worker.handlers.counterpart import counterpart
from envision_worker.handlers.work import Work
from envision_worker.outcome import Applied, DeadLetter, DeadLetterReason
from envision_worker.vocabulary import DeskKind


async def apply(work: Work, transaction: Redraft) -> Applied | DeadLetter:
    """Cancel the counterpart; where there is none, there is nothing to do."""
    if work.kind is not DeskKind.CHANGE:
        detail = f"Redraft is for changes, and {transaction.ticket} is no change: {transaction.ticket_type}"
        return DeadLetter(DeadLetterReason.NOT_FOR_THIS_TICKET_TYPE, detail)
    found = await counterpart(work)
    if found is not None:
        await cancel(work, found, "new")
    return Applied()
