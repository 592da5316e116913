"""ReturnEnsonoNum: Ensono's number for a ticket that the desk created. It links, and never creates."""

from envision_worker.desks.desk import DeskRef, DeskTicket, Fields
from envision_worker.ensono.messages import ReturnEnsonoNum
from envision_worker.handlers.finding import read
from envision_worker.handlers.work import Work
from envision_worker.handlers.writing import set_fields
from envision_worker.ledger.records import Link
from envision_worker.outcome import Applied, DeadLetter, DeadLetterReason


async def apply(work: Work, transaction: ReturnEnsonoNum) -> Applied | DeadLetter:
    """Put Ensono's number on the desk ticket named by `clientTicketNumber` and link the two.

    Told again after its counterpart has gone, or been replaced by another, it finds nothing to link: that was done when it came first.
    """
    outcome = await _linked(work, transaction)
    return Applied(already=True) if isinstance(outcome, DeadLetter) and work.said_before else outcome


async def _linked(work: Work, transaction: ReturnEnsonoNum) -> Applied | DeadLetter:
    number = transaction.client_ticket_number
    if number is None:
        return _no("Body.clientTicketNumber is empty: there is no desk ticket to link")
    desk_id = await work.peers.desk.locate(work.kind, number)
    ticket = await read(work, DeskRef(work.kind, desk_id)) if desk_id else None
    if ticket is None or ticket.trashed:
        return _no(f"the desk has no {work.kind.value} {number}")
    taken = await _taken(work, ticket)
    if taken:
        return DeadLetter(DeadLetterReason.COUNTERPART_TAKEN, taken)
    link = await work.peers.ledger.links.current(transaction.ticket)
    if ticket.ensono_number != transaction.ticket:
        await set_fields(work, ticket.ref, Fields(ensono_number=transaction.ticket), key=f"number:{ticket.ref.id}")
    if link is None:
        await work.peers.ledger.links.save(_link(work, ticket))
    return Applied(already=link is not None)


async def _taken(work: Work, ticket: DeskTicket) -> str | None:
    """What contradicts this link, if anything does."""
    mine = work.transaction.ticket
    if ticket.ensono_number not in ("", mine):
        return f"{work.kind.value} {ticket.number} bears {ticket.ensono_number} already"
    link = await work.peers.ledger.links.current(mine)
    if link and not await _stands_for(work, link, ticket):
        return f"{mine} is linked to {link.number} already"
    other = await work.peers.ledger.links.of_desk_ticket(work.kind, ticket.ref.id)
    if other and other.ticket != mine:
        return f"{work.kind.value} {ticket.number} is linked to {other.ticket} already"
    elsewhere = [desk_id for desk_id in await work.peers.desk.find(work.kind, mine) if desk_id != ticket.ref.id]
    if link is None and elsewhere:
        return f"{mine} stands on another {work.kind.value} already (id {elsewhere[0]})"
    return None


async def _stands_for(work: Work, link: Link, ticket: DeskTicket) -> bool:
    """Whether the link leads to this ticket, if need be by a merger."""
    if link.desk_id == ticket.ref.id:
        return True
    linked = await read(work, DeskRef(link.kind, link.desk_id))
    return linked is not None and linked.ref.id == ticket.ref.id


def _link(work: Work, ticket: DeskTicket) -> Link:
    return Link(
        ticket=work.transaction.ticket,
        generation=1,
        kind=work.kind,
        desk_id=ticket.ref.id,
        number=ticket.number,
        created=work.now(),
        created_by=work.transaction.message_id,
        adopted=True,
        returned=work.now(),  # Ensono named it
    )


def _no(detail: str) -> DeadLetter:
    return DeadLetter(DeadLetterReason.NO_COUNTERPART, detail)
