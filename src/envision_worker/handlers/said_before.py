"""What was said on an earlier counterpart that is cancelled by now is no reason to say it on another, or to open one (contract, P12)."""

from collections.abc import AsyncIterator

from envision_worker.desks.desk import DeskRef, Life
from envision_worker.ensono.messages import Approval, Note
from envision_worker.handlers import texts
from envision_worker.handlers.approval_notes import told_on
from envision_worker.handlers.counterpart import read
from envision_worker.handlers.work import Work
from envision_worker.handlers.writing import find_note
from envision_worker.vocabulary import DeskKind


async def asked_before(work: Work, approval: Approval) -> bool:
    """Whether a ledger that was lost had asked this on a change that was cancelled since: nobody waits for it any more."""
    async for ref in _cancelled(work):
        if any(told.approval_id == approval.id for told in await told_on(work.peers.desk, ref)):
            return True
    return False


async def noted_before(work: Work, note: Note) -> bool:
    """Whether a ledger that was lost had written this comment on a change that was cancelled since."""
    words = texts.plain(texts.comment(note, work.peers.settings.zone))
    async for ref in _cancelled(work):
        if await find_note(work, ref, texts.mark_of(note.id), words=words):
            return True
    return False


async def _cancelled(work: Work) -> AsyncIterator[DeskRef]:
    """The ticket's cancelled changes, where a ledger that was lost may have known them. Raises the desk's errors."""
    if work.kind is not DeskKind.CHANGE or not work.is_from_before:
        return
    for desk_id in await work.peers.desk.find(work.kind, work.transaction.ticket):
        ticket = await read(work, DeskRef(work.kind, desk_id))
        if ticket and ticket.life is Life.CANCELLED and ticket.ensono_number == work.transaction.ticket:
            yield ticket.ref
