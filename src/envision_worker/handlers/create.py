"""Create: a ticket comes into being on the desk and its number goes to Ensono."""

from envision_worker.ensono.messages import Create
from envision_worker.handlers.change_state import apply_state
from envision_worker.handlers.counterpart import counterpart
from envision_worker.handlers.status import apply_status
from envision_worker.handlers.values import ENDED, is_status
from envision_worker.handlers.work import Work
from envision_worker.outcome import Applied
from envision_worker.vocabulary import DeskKind


async def apply(work: Work, transaction: Create) -> Applied:
    """Make the counterpart where there is none; one that is there stays as it is."""
    if work.kind is DeskKind.CHANGE:
        return await apply_state(work, transaction.fields.state)
    found = await counterpart(work)
    if found is None or found.link.created_by != transaction.message_id:
        return Applied(already=True)
    if is_status(transaction.fields.status, *ENDED):
        await apply_status(work, found, transaction.fields)
    else:
        work.saw(found.ticket)
    return Applied()
