"""Notes: one comment, once, with its author and time."""

from envision_worker.ensono.messages import Notes
from envision_worker.handlers import texts
from envision_worker.handlers.counterpart import counterpart
from envision_worker.handlers.said_before import noted_before
from envision_worker.handlers.work import Work
from envision_worker.handlers.writing import add_note
from envision_worker.outcome import Applied


async def apply(work: Work, transaction: Notes) -> Applied:
    """Only `notes` is applied: public where its type is `comment`; a comment applied before is not applied again."""
    if await noted_before(work, transaction.note):
        return Applied(already=True)
    found = await counterpart(work)
    if found is None:  # a comment on a change that is gone and whose state makes no new one
        return Applied()
    note = transaction.note
    key = f"comment:{note.id}"
    already = await work.effects.answer(f"note:{key}") is not None
    html = texts.comment(note, work.peers.settings.zone)
    await add_note(work, found.ticket.ref, html, public=note.public, key=key, mark=texts.mark_of(note.id))
    work.saw(found.ticket)
    return Applied(already=already)
