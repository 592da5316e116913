"""Closure: resolved, closed or cancelled, as the status says."""

from envision_worker.ensono.fields import MalformedMessage, TicketFields
from envision_worker.ensono.messages import Closure
from envision_worker.handlers.change_state import CLOSED, apply_state
from envision_worker.handlers.counterpart import counterpart
from envision_worker.handlers.update import CLOSING_FIELDS, apply_changed
from envision_worker.handlers.work import Work
from envision_worker.outcome import Applied
from envision_worker.vocabulary import DeskKind


async def apply(work: Work, transaction: Closure) -> Applied:
    """Apply the status with close code and notes, and whatever else changed with it.

    Raises:
        MalformedMessage: an incident's or request's closure that does not say which status.
    """
    if work.kind is DeskKind.CHANGE:
        return await apply_state(work, transaction.fields.state or CLOSED)
    closing = _closing(transaction)
    found = await counterpart(work)
    if found is not None:
        await apply_changed(work, found, closing)
    return Applied()


def _closing(transaction: Closure) -> TicketFields:
    """What changed, completed by what the message says of the closing elsewhere."""
    changed = transaction.changed or TicketFields()
    told = {name: getattr(transaction.fields, name) for name in ("status", *sorted(CLOSING_FIELDS))}
    closing = changed.model_copy(
        update={k: v for k, v in told.items() if v is not None and getattr(changed, k) is None}
    )
    if closing.status is None:
        raise MalformedMessage("Body.status", "is missing: resolved, closed and cancelled are told apart by it")
    return closing
