"""What a copy of the ledger that was put back holds of counterparts may have been overtaken since it was made (contract, P12)."""

from envision_worker.desks.desk import DeskTicket, Life
from envision_worker.handlers.finding import age
from envision_worker.ledger.records import Link


def is_from_a_copy(link: Link, born: float) -> bool:
    """Whether it was taken over with a copy, and nobody has looked since whether it still holds. `born`: when this ledger was made."""
    return link.adopted and link.created < born


def holds(link: Link, ticket: DeskTicket | None) -> bool:
    """Whether the linked ticket, as it stands on the desk now (None: gone), can't have been replaced by another since.

    Only what has ended, was deleted or gave its number away is ever replaced. A ticket that was merged is its parent by now.
    """
    if ticket is None or ticket.trashed or ticket.life is not Life.OPEN:
        return False
    return ticket.ref.id != link.desk_id or ticket.ensono_number == link.ticket


def replaces(found: DeskTicket, link: Link, ticket: DeskTicket | None) -> bool:
    """Whether what was found has taken the place of the linked ticket: it is another, and newer."""
    if ticket is None:
        return found.ref.id != link.desk_id
    return found.ref.id != ticket.ref.id and age(found) > age(ticket)
