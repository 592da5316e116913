"""What of the ticket's later messages is here already, and tells what became of its counterpart before the ledger was lost (P12)."""

from envision_worker.ensono.fields import MalformedMessage
from envision_worker.ensono.parsing import parse
from envision_worker.handlers.values import GONE_STATES, is_status
from envision_worker.handlers.work import Work
from envision_worker.ledger.records import Kept


async def will_be_gone(work: Work) -> bool:
    """Whether a later message takes the change back or cancels it: one that is cancelled on the desk by now was, most likely, by that."""
    if not work.is_from_before:
        return False
    sent_ms = work.transaction.sent.timestamp() * 1000
    kept = await work.peers.ledger.messages.undone(work.transaction.ticket)
    return any(_takes_back(each) for each in kept if each.sent_ms > sent_ms)


def _takes_back(kept: Kept) -> bool:
    try:
        later = parse(kept.raw, ticket=kept.ticket, message_id=kept.message_id, content_key=kept.content_key)
    except MalformedMessage:
        return False
    return is_status(later.fields.state, *GONE_STATES)
