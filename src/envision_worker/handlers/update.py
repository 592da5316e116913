"""Update: only what changed; for changes, their state."""

from envision_worker.ensono.fields import TicketFields
from envision_worker.ensono.messages import Update
from envision_worker.handlers.change_state import apply_state
from envision_worker.handlers.counterpart import counterpart
from envision_worker.handlers.fields_update import apply_fields, tell
from envision_worker.handlers.status import apply_status
from envision_worker.handlers.values import ENDED, is_status
from envision_worker.handlers.work import Counterpart, Work
from envision_worker.outcome import Applied
from envision_worker.vocabulary import DeskKind

CLOSING_FIELDS = frozenset({"close_code", "close_notes"})


async def apply(work: Work, transaction: Update) -> Applied:
    """Apply the fields in `changed`; a message without them changes nothing."""
    if work.kind is DeskKind.CHANGE:
        return await apply_state(work, transaction.fields.state)
    if transaction.changed is None or not transaction.changed.given().keys() - {"updated_on"}:
        return Applied()
    found = await counterpart(work)
    if found is not None:
        await apply_changed(work, found, transaction.changed)
    return Applied()


async def apply_changed(work: Work, found: Counterpart, changed: TicketFields) -> None:
    """Fields and status, in the order in which the desk takes them: a closed ticket takes no fields."""
    if found.link.comments_only:
        await tell(work, found, changed)
    elif changed.status is None:
        await apply_fields(work, found, changed)
    elif is_status(changed.status, *ENDED):
        await apply_fields(work, found, changed, but=CLOSING_FIELDS)
        await apply_status(work, found, changed)
    else:
        await _apply_open(work, found, changed)


async def _apply_open(work: Work, found: Counterpart, changed: TicketFields) -> None:
    now = await apply_status(work, found, changed)
    if now.link.comments_only:
        await tell(work, now, changed)
    elif now.link.generation == found.link.generation:  # a new ticket carries everything already
        await apply_fields(work, now, changed)
