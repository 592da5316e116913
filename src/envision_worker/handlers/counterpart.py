"""The counterpart: which desk ticket stands for an Ensono ticket, found or made (contract, section 6)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from envision_worker.config.mapping import fold
from envision_worker.desks.desk import DeskRef, DeskTicket, Fields, Life
from envision_worker.ensono.messages import Create, Redraft, ReturnEnsonoNum, Transaction, Update
from envision_worker.errors import Refused, RefusedFor
from envision_worker.handlers import texts
from envision_worker.handlers.approval_notes import restore_approvals
from envision_worker.handlers.beginnings import Beginning
from envision_worker.handlers.fields_update import complete
from envision_worker.handlers.returning import return_number
from envision_worker.handlers.values import ENDED, GONE_STATES, is_status, mapped, open_status
from envision_worker.handlers.work import Counterpart, Work
from envision_worker.handlers.writing import creating, set_fields
from envision_worker.handlers.yet_to_come import will_be_gone
from envision_worker.ledger.records import Link
from envision_worker.vocabulary import DeskKind, DeskTicketId, EnsonoTicketNumber, TicketType

LIVING_STATES = frozenset({"assess", "authorize", "scheduled"})
"""Change states that open a new change where the last one was cancelled or redrafted."""
_MAX_MERGES = 10


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


# --- finding ---------------------------------------------------------------------------------------------------------


async def _follow(work: Work, link: Link) -> Counterpart | None:
    """The linked ticket as it stands now; its parent where it was merged; None where it is deleted or in the trash."""
    ref = DeskRef(link.kind, link.desk_id)
    ticket = work.recalled(ref) or await read(work, ref)
    if ticket is None or ticket.trashed:
        return None
    if ticket.ref.id == link.desk_id:
        return Counterpart(link, ticket)
    await _put_number(work, ticket)
    merged = replace(link, desk_id=ticket.ref.id, number=ticket.number, adopted=True, returned=None)
    await work.peers.ledger.links.save(merged)
    return Counterpart(merged, ticket)


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


async def _adopt(work: Work) -> Counterpart | None:
    """Where the ledger knows none: what the desk shows under Ensono's number, or under ours that the message names."""
    begun = await work.peers.ledger.effects.find(work.transaction.ticket, _create_key(1))
    if begun and begun.outcome is None and may_create(work.transaction):
        return None  # its answer was lost: making it begins with a look
    made = await _made_before(work, 1)
    if made:  # but the process ended before the link was kept
        await _put_number(work, made)  # of what it was merged into meanwhile
        link = await _link_of_made(work, made, 1)
    else:
        found = newest(await _candidates(work), work.transaction.ticket)
        if found is None:
            return None
        await _put_number(work, found)
        made, link = found, replace(_link(work, found, 1), adopted=True)
        peers = work.peers
        await restore_approvals(peers.desk, peers.ledger, peers.facts, link, found.life, now=work.now())
    await work.peers.ledger.links.save(link)
    return Counterpart(link, made)


async def _made_before(work: Work, generation: int) -> DeskTicket | None:
    """The counterpart that this ledger knows to have made, or what that was merged into, if it is still there."""
    created = await work.effects.answer(_create_key(generation))
    ticket = await read(work, DeskRef(work.kind, DeskTicketId(created["id"]))) if created else None
    return ticket if ticket and not ticket.trashed else None


async def _put_number(work: Work, ticket: DeskTicket) -> None:
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


async def _candidates(work: Work) -> list[DeskTicket]:
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
    return max(living or last, key=_age, default=None)


def _age(ticket: DeskTicket) -> tuple[float, int]:
    created = ticket.created.timestamp() if ticket.created else 0.0
    return created, int(ticket.ref.id) if ticket.ref.id.isdigit() else 0


# --- making ----------------------------------------------------------------------------------------------------------


def _create_key(generation: int) -> str:
    return f"create:{generation}"


async def make(work: Work, *, after: Link | None) -> Counterpart:
    """A new counterpart from what the transaction carries. The caller keeps its link, as the last step of what it replaces.

    Args:
        after: the link of the counterpart that it replaces.
    """
    generation = after.generation + 1 if after else 1
    while await work.effects.answer(_create_key(generation)):
        made = await _made_before(work, generation)
        if made:
            await _put_number(work, made)
            return Counterpart(await _link_of_made(work, made, generation), made)
        generation += 1  # made, and gone again before its link was kept
    transaction, settings = work.transaction, work.peers.settings
    given = mapped(work, transaction.fields)
    wanted = replace(
        given.fields,
        title=transaction.fields.short_description or f"Ensono {transaction.ticket}",
        requester=_requester(work),
        ensono_number=transaction.ticket,
        extra=settings.create.get(transaction.ticket_type, {}),
    )
    wanted = replace(wanted, **_standing(work))
    remarks = [f"No mapping for {line}" for line in given.unmapped]
    if after:
        remarks.append(Beginning.of(transaction, after.number).line)

    def describe(dropped: Sequence[str]) -> str:
        told = remarks + [f"Not accepted by the desk: {line}" for line in dropped]
        return texts.description(transaction, settings.zone, told)

    if work.bearing is None:
        work.bearing = frozenset(map(str, await work.peers.desk.find(work.kind, transaction.ticket)))
    ticket = await creating(work, wanted, describe, key=_create_key(generation), known=work.bearing)
    return Counterpart(await _link_of_made(work, ticket, generation), ticket)


async def _link_of_made(work: Work, ticket: DeskTicket, generation: int) -> Link:
    """Of what this message made; or one before it, which was given up after it had: then this one still has all to say.

    What it was merged into meanwhile was made by nobody here.
    """
    link = _link(work, ticket, generation)
    created = await work.peers.ledger.effects.find(work.transaction.ticket, _create_key(generation))
    if created is not None and created.answer.get("id", ticket.ref.id) != ticket.ref.id:
        return replace(link, adopted=True)
    if created is not None and created.message_id != work.transaction.message_id:
        return replace(link, created_by=created.message_id, complete=False)
    complete = work.transaction.fields.short_description is not None
    return replace(link, complete=complete, state=_state_reached(work))


def _link(work: Work, ticket: DeskTicket, generation: int) -> Link:
    return Link(
        ticket=work.transaction.ticket,
        generation=generation,
        kind=work.kind,
        desk_id=ticket.ref.id,
        number=ticket.number,
        created=work.now(),
        created_by=work.transaction.message_id,
    )


def _requester(work: Work) -> dict[str, str]:
    email = work.transaction.fields.contact_email
    return {"email_id": email} if email else dict(work.peers.settings.default_requester)


def _standing(work: Work) -> dict[str, Any]:
    """Status, or stage and status, with which it comes into being. Resolved, closed and cancelled have steps of their own."""
    fields = work.transaction.fields
    if work.kind is DeskKind.REQUEST:
        status = None if is_status(fields.status, *ENDED) else open_status(work, fields)
        return {"status": status} if status else {}
    if is_status(fields.state, *ENDED):
        return {}
    steps = work.peers.settings.mapping.steps(fields.state) if fields.state else ()
    first = steps[0] if steps else None
    named = {"stage": first.stage, "status": first.status} if first else {}
    return {name: value for name, value in named.items() if value}


def _state_reached(work: Work) -> str:
    """The change state that creating reached; empty where the mapping has further steps to go."""
    state = work.transaction.fields.state
    return fold(state) if state and len(work.peers.settings.mapping.steps(state)) <= 1 else ""


async def _completed(work: Work, found: Counterpart) -> Counterpart:
    """A ticket made from a message without title gets it from the first that has one."""
    fields = work.transaction.fields
    if found.link.complete or fields.short_description is None:
        return found
    await complete(work, found)
    link = replace(found.link, complete=True)
    await work.peers.ledger.links.save(link)
    return Counterpart(link, found.ticket)
