"""Update: only what changed; for changes, their state."""

from envision_worker.ensono.fields import TicketFields
from envision_worker.ensono.messages import Update
from envision_worker.handlers.change_state import apply_state
from envision_worker.handlers.counterpart import counterpart
from envision_worker.handlers.fields_update import apply_fields, tell
from envision_worker.handlers.status import apply_next_action, apply_status
from envision_worker.handlers.values import ENDED, is_status
from envision_worker.handlers.work import Counterpart, Work
from envision_worker.outcome import Applied
from envision_worker.vocabulary import DeskKind

CLOSING_FIELDS = frozenset({"close_code", "close_notes", "closure_category"})


async def apply(work: Work, transaction: Update) -> Applied:
    """Apply the fields in `changed`; a message without them changes nothing."""
    if work.kind is DeskKind.CHANGE:
        return await apply_state(work, transaction.fields.state)
    found = await counterpart(work)
    changed = transaction.changed
    if found is None or changed is None or not changed.given().keys() - {"updated_on"}:
        return Applied()
    if found.link.comments_only:
        await tell(work, found, changed)
    else:
        await apply_changed(work, found, changed)
    if changed.status is None:
        work.saw(found.ticket)
    return Applied()


async def apply_changed(work: Work, found: Counterpart, changed: TicketFields) -> None:
    """Fields and status, in the order in which the desk takes them: a closed ticket takes no fields."""
    ends = is_status(changed.status, *ENDED)
    if found.is_made_by(work.transaction):  # it carries everything already, but no end
        if ends:
            await apply_status(work, found, changed)
    elif ends:
        await apply_fields(work, found, changed, but=CLOSING_FIELDS)
        await apply_status(work, found, changed)
    elif changed.status is None:
        await apply_fields(work, found, changed)
        await apply_next_action(work, found, changed)
    else:
        await _apply_open(work, found, changed)


async def _apply_open(work: Work, found: Counterpart, changed: TicketFields) -> None:
    now = await apply_status(work, found, changed)
    if now.link.comments_only:
        await tell(work, now, changed)
    elif not now.is_made_by(work.transaction):
        await apply_fields(work, now, changed)
