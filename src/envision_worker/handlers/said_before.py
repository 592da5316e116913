"""What a ledger that was lost had said on an earlier counterpart is no reason to say it on another, or to open one (contract, P12)."""

from collections.abc import AsyncIterator

from envision_worker.desks.desk import DeskRef, DeskTicket, Life
from envision_worker.ensono.messages import Approval, Note
from envision_worker.handlers import texts
from envision_worker.handlers.approval_notes import is_told_on
from envision_worker.handlers.beginnings import Beginning
from envision_worker.handlers.finding import newest, read
from envision_worker.handlers.work import Work
from envision_worker.handlers.writing import find_note
from envision_worker.vocabulary import DeskTicketId


async def asked_before(work: Work, approval: Approval) -> bool:
    """Whether a ledger that was lost had asked this on an earlier change: nobody waits for it any more."""
    async for ref in _earlier(work):
        if await is_told_on(work.peers.desk, ref, approval.id):
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
    """Where a ledger that was lost may have said it: all that ever stood for the ticket, but the present one. Raises the desk's errors."""
    link = await work.peers.ledger.links.current(work.transaction.ticket)
    is_first = link is not None and link.generation == 1 and not link.adopted
    if is_first or not work.is_from_before:
        return
    tickets = await _all_that_stood(work)
    current = newest([each for each in tickets if each.ensono_number], work.transaction.ticket)
    present = link.desk_id if link else current and current.ref.id
    for ticket in tickets:
        if ticket.life is Life.CANCELLED or ticket.ref.id != present:
            yield ticket.ref


async def _all_that_stood(work: Work) -> list[DeskTicket]:
    """What bears the number, and what that says it continues: a ticket that was opened again elsewhere lost its number."""
    desk, number = work.peers.desk, work.transaction.ticket
    ids: list[DeskTicketId | None] = list(await desk.find(work.kind, number))
    asked: set[DeskTicketId] = set()
    tickets: dict[str, DeskTicket] = {}
    while ids:
        desk_id = ids.pop()
        if desk_id is None or desk_id in asked:  # merged tickets may lead to one another
            continue
        asked.add(desk_id)
        ticket = await read(work, DeskRef(work.kind, desk_id))
        if ticket is None or ticket.trashed or ticket.ensono_number not in ("", number):
            continue
        tickets[ticket.ref.id] = ticket
        beginning = Beginning.read(ticket.description, number)
        ids += [await desk.locate(work.kind, beginning.after)] if beginning else []
    return list(tickets.values())
