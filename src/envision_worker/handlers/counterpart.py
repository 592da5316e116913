"""The counterpart: which desk ticket stands for an Ensono ticket, found or made (contract, section 6)."""

from dataclasses import replace

from envision_worker.desks.desk import DeskRef, DeskTicket, Life
from envision_worker.ensono.messages import Create, Redraft, ReturnEnsonoNum, Transaction, Update
from envision_worker.handlers.approval_notes import restore_approvals
from envision_worker.handlers.approval_withdrawal import leave_earlier
from envision_worker.handlers.beginnings import Beginning
from envision_worker.handlers.copied_links import holds, is_from_a_copy, replaces
from envision_worker.handlers.fields_update import complete
from envision_worker.handlers.finding import candidates_of, newest, put_number, read
from envision_worker.handlers.making import create_key, link_of_made, link_to, made_before, make
from envision_worker.handlers.returning import return_number
from envision_worker.handlers.values import GONE_STATES, is_status
from envision_worker.handlers.work import Counterpart, Work
from envision_worker.handlers.yet_to_come import will_be_gone
from envision_worker.ledger.records import Link
from envision_worker.vocabulary import DeskKind, TicketType

LIVING_STATES = frozenset({"assess", "authorize", "scheduled"})
"""Change states that open a new change where the last one was cancelled or redrafted."""


async def counterpart(work: Work) -> Counterpart | None:
    """The desk ticket to work on: the one there is, else a new one, else None where this transaction may not make one.

    A new one's number has gone to Ensono when this returns.

    Raises:
        AppliedBefore: by a ledger that was lost.
    """
    link = await work.peers.ledger.links.current(work.transaction.ticket)
    found = await (_follow(work, link) if link else _adopt(work))
    if found is not None and found.link.adopted and work.is_from_before and _was_applied(work.transaction, found):
        raise AppliedBefore
    if found is None or _is_over(work.transaction, found):
        if not may_create(work.transaction) or (found and await _was_over_before(work, found)):
            work.adopted = found is not None and found.link.adopted
            return found
        found = await make(work, after=found.link if found else link)
        await work.peers.ledger.links.save(found.link)
    work.adopted = found.link.adopted
    return await return_number(work, await _completed(work, found))


class AppliedBefore(Exception):
    """Of what stands on the desk it is known that a ledger that was lost had settled this: order was kept."""


def _was_applied(transaction: Transaction, found: Counterpart) -> bool:
    beginning = Beginning.read(found.ticket.description, transaction.ticket)
    return beginning is not None and (beginning.is_after(transaction) or beginning.is_repeated_by(transaction))


async def _was_over_before(work: Work, found: Counterpart) -> bool:
    """Whether a ledger that was lost had cancelled it, by a message that comes again, too: then it needs no new one now.

    Raises:
        AppliedBefore: a state is all that the transaction brings.
    """
    if not found.link.adopted or found.link.state in GONE_STATES or not await will_be_gone(work):
        return False
    if isinstance(work.transaction, Create | Update):
        raise AppliedBefore
    return True


def may_create(transaction: Transaction) -> bool:
    """Never for ReturnEnsonoNum, nor for Redraft and a change's states New and Cancelled."""
    if isinstance(transaction, ReturnEnsonoNum | Redraft):
        return False
    return transaction.ticket_type is not TicketType.CHANGE or not is_status(transaction.fields.state, *GONE_STATES)


def _is_over(transaction: Transaction, found: Counterpart) -> bool:
    """A change that was cancelled or redrafted, while Ensono's lives again: whatever the transaction, it needs a new one."""
    if found.ticket.ref.kind is not DeskKind.CHANGE or not is_status(transaction.fields.state, *LIVING_STATES):
        return False
    return found.ticket.life is Life.CANCELLED or found.link.state in GONE_STATES


async def _follow(work: Work, link: Link) -> Counterpart | None:
    """The linked ticket as it stands now; its parent where it was merged; None where it is deleted or in the trash."""
    ref = DeskRef(link.kind, link.desk_id)
    ticket = work.recalled(ref) or await read(work, ref)
    if is_from_a_copy(link, work.peers.settings.born):
        link, ticket = await _caught_up(work, link, ticket)
    if ticket is None or ticket.trashed:
        return None
    if ticket.ref.id == link.desk_id:
        return Counterpart(link, ticket)
    await put_number(work, ticket)
    merged = replace(link, desk_id=ticket.ref.id, number=ticket.number, adopted=True, returned=None)
    await work.peers.ledger.links.save(merged)
    return Counterpart(merged, ticket)


async def _caught_up(work: Work, link: Link, ticket: DeskTicket | None) -> tuple[Link, DeskTicket | None]:
    """A link that a copy of the ledger held, and its ticket as it stands now; or what took its place since the copy was made."""
    peers = work.peers
    found = None if holds(link, ticket) else newest(await candidates_of(work), work.transaction.ticket)
    if found is not None and replaces(found, link, ticket):
        await put_number(work, found)
        link, ticket = replace(link_to(work, found, link.generation + 1), adopted=True), found
    if ticket is not None and not ticket.trashed:
        await restore_approvals(peers.desk, peers.ledger, peers.facts, link, ticket.life, now=work.now())
        await leave_earlier(peers.ledger, peers.facts, link, now=work.now())
    link = replace(link, created=work.now())  # from now on it is this ledger's own
    await peers.ledger.links.save(link)
    return link, ticket


async def _adopt(work: Work) -> Counterpart | None:
    """Where the ledger knows none: what the desk shows under Ensono's number, or under ours that the message names."""
    begun = await work.peers.ledger.effects.find(work.transaction.ticket, create_key(1))
    if begun and begun.outcome is None and may_create(work.transaction):
        return None  # its answer was lost: making it begins with a look
    made = await made_before(work, 1)
    if made:  # but the process ended before the link was kept
        await put_number(work, made)  # of what it was merged into meanwhile
        link = await link_of_made(work, made, 1)
    else:
        found = newest(await candidates_of(work), work.transaction.ticket)
        if found is None:
            return None
        await put_number(work, found)
        made, link = found, replace(link_to(work, found, 1), adopted=True)
        peers = work.peers
        await restore_approvals(peers.desk, peers.ledger, peers.facts, link, found.life, now=work.now())
    await work.peers.ledger.links.save(link)
    return Counterpart(link, made)


async def _completed(work: Work, found: Counterpart) -> Counterpart:
    """A ticket made from a message without title gets it from the first that has one."""
    fields = work.transaction.fields
    if found.link.complete or fields.short_description is None:
        return found
    await complete(work, found)
    link = replace(found.link, complete=True)
    await work.peers.ledger.links.save(link)
    return Counterpart(link, found.ticket)
