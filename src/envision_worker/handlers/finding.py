"""What on the desk may stand for an Ensono ticket, read by id (contract, section 6, Counterpart)."""

from collections.abc import Sequence

from envision_worker.desks.desk import DeskRef, DeskTicket, Fields, Life
from envision_worker.ensono.messages import Transaction
from envision_worker.errors import Refused, RefusedFor
from envision_worker.handlers.beginnings import Beginning
from envision_worker.handlers.work import Work
from envision_worker.handlers.writing import set_fields
from envision_worker.vocabulary import DeskTicketId, EnsonoTicketNumber

_MAX_MERGES = 10


async def read(work: Work, ref: DeskRef) -> DeskTicket | None:
    """A desk ticket, or the one that it was merged into; None where it is gone."""
    for _ in range(_MAX_MERGES):
        try:
            return await work.peers.desk.read(ref)
        except Refused as exc:
            if exc.why is RefusedFor.MERGED and exc.merged_into:
                ref = DeskRef(ref.kind, DeskTicketId(exc.merged_into))
            elif exc.why is RefusedFor.NOT_FOUND:
                return None
            else:
                raise
    return None


async def put_number(work: Work, ticket: DeskTicket) -> None:
    """Let a ticket that bears no number bear Ensono's; a closed one that takes no fields goes without, the ledger knows it."""
    if ticket.ensono_number:
        return
    number = Fields(ensono_number=work.transaction.ticket)
    try:
        await set_fields(work, ticket.ref, number, key=f"number:{ticket.ref.id}")
    except Refused as exc:
        if exc.why is not RefusedFor.CLOSED:
            raise
        work.peers.facts.field_dropped(ticket=work.transaction.ticket, fields=sorted(number.names()), detail=exc.detail)


async def candidates_of(work: Work) -> list[DeskTicket]:
    """Each hit read by id: lists may lag, and searches have been seen to widen."""
    transaction = work.transaction
    ids = list(await work.peers.desk.find(work.kind, transaction.ticket))
    if transaction.client_ticket_number:
        named = await work.peers.desk.locate(work.kind, transaction.client_ticket_number)
        ids += [named] if named and named not in ids else []
    work.bearing = frozenset(map(str, ids))
    tickets = [(desk_id, await read(work, DeskRef(work.kind, desk_id))) for desk_id in ids]
    return [
        ticket for desk_id, ticket in tickets if ticket and not ticket.trashed and _may_be(transaction, desk_id, ticket)
    ]


def _may_be(transaction: Transaction, desk_id: str, ticket: DeskTicket) -> bool:
    """Its field is empty or equal. What one was merged into stands for it, whatever other number that bears."""
    return ticket.ensono_number in ("", transaction.ticket) or ticket.ref.id != desk_id


def newest(candidates: Sequence[DeskTicket], number: EnsonoTicketNumber) -> DeskTicket | None:
    """The newest that is not cancelled; else the newest: whether that is over is decided afterwards.

    One that another continues is not among them, whatever became of that other.
    """
    beginnings = [Beginning.read(ticket.description, number) for ticket in candidates]
    continued = {beginning.after for beginning in beginnings if beginning}
    last = [ticket for ticket in candidates if ticket.number not in continued] or candidates
    living = [ticket for ticket in last if ticket.life is not Life.CANCELLED]
    return max(living or last, key=age, default=None)


def age(ticket: DeskTicket) -> tuple[float, int]:
    """What sorts desk tickets by when they came into being."""
    created = ticket.created.timestamp() if ticket.created else 0.0
    return created, int(ticket.ref.id) if ticket.ref.id.isdigit() else 0
