"""Ensono is told our number of a ticket (contract, returnptn)."""

from dataclasses import replace

from envision_worker.ensono.messages import Transaction
from envision_worker.handlers.effects import ENSONO
from envision_worker.handlers.work import Counterpart, Work
from envision_worker.ledger.records import Link

RETURN_AGAIN_AFTER_S = 60.0


async def return_number(work: Work, found: Counterpart) -> Counterpart:
    """`returnptn` after a create, and again where a later message shows that Ensono still does not know the number."""
    link, transaction = found.link, work.transaction
    if not _wants_number(link, transaction, in_this_read=work.turn.number_returned):
        return found
    work.turn.number_returned = True
    await work.effects.set(
        f"returnptn:{link.generation}:{link.number}:{transaction.message_id}",
        f"return number {link.number}",
        lambda: work.peers.ensono.return_ptn(transaction.ticket, transaction.ticket_type, link.number),
        peer=ENSONO,
    )
    returned = replace(link, returned=work.now())
    await work.peers.ledger.links.save(returned)
    return Counterpart(returned, found.ticket)


def _wants_number(link: Link, transaction: Transaction, *, in_this_read: bool) -> bool:
    """A number that was never returned is, whatever else was in this read; one that was, at most once in a read."""
    unknown = not transaction.reference_available or transaction.client_ticket_number is None
    if link.returned is None:
        return not link.adopted or unknown or transaction.client_ticket_number != link.number
    return unknown and not in_this_read and transaction.sent.timestamp() > link.returned + RETURN_AGAIN_AFTER_S
