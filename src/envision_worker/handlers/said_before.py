"""What a ledger that was lost had said on an earlier counterpart is no reason to say it on another, or to open one (contract, P12)."""

from collections.abc import AsyncIterator

from envision_worker.desks.desk import DeskRef, Life
from envision_worker.ensono.messages import Approval, Note
from envision_worker.handlers import texts
from envision_worker.handlers.approval_notes import told_on
from envision_worker.handlers.counterpart import newest, read
from envision_worker.handlers.work import Work
from envision_worker.handlers.writing import find_note


async def asked_before(work: Work, approval: Approval) -> bool:
    """Whether a ledger that was lost had asked this on an earlier change: nobody waits for it any more."""
    async for ref in _earlier(work):
        if any(told.approval_id == approval.id for told in await told_on(work.peers.desk, ref)):
            return True
    return False


async def noted_before(work: Work, note: Note) -> bool:
    """Whether a ledger that was lost had written this comment on an earlier ticket."""
    words = texts.plain(texts.comment(note, work.peers.settings.zone))
    async for ref in _earlier(work):
        if await find_note(work, ref, texts.mark_of(note.id), words=words):
            return True
    return False


async def _earlier(work: Work) -> AsyncIterator[DeskRef]:
    """Where a ledger that was lost may have said it: all that bear the number, but the present one. Raises the desk's errors."""
    link = await work.peers.ledger.links.current(work.transaction.ticket)
    is_first = link is not None and link.generation == 1 and not link.adopted
    if is_first or not work.is_from_before:
        return
    hits = [DeskRef(work.kind, each) for each in await work.peers.desk.find(work.kind, work.transaction.ticket)]
    bearing = [ticket for ticket in [await read(work, ref) for ref in hits] if ticket and not ticket.trashed]
    current = newest(bearing)
    present = link.desk_id if link else current and current.ref.id
    for ticket in bearing:
        is_over = ticket.life is Life.CANCELLED or ticket.ref.id != present
        if is_over and ticket.ensono_number == work.transaction.ticket:
            yield ticket.ref
