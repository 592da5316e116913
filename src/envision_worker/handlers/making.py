"""A counterpart comes into being from what a transaction carries (contract, section 6)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from envision_worker.config.mapping import fold
from envision_worker.desks.desk import DeskRef, DeskTicket
from envision_worker.handlers import texts
from envision_worker.handlers.beginnings import Beginning
from envision_worker.handlers.finding import put_number, read
from envision_worker.handlers.values import ENDED, is_status, mapped, open_status
from envision_worker.handlers.work import Counterpart, Work
from envision_worker.handlers.writing import creating
from envision_worker.ledger.records import Link
from envision_worker.vocabulary import DeskKind, DeskTicketId


def create_key(generation: int) -> str:
    """The effect that makes the so many-th counterpart."""
    return f"create:{generation}"


async def make(work: Work, *, after: Link | None) -> Counterpart:
    """A new counterpart from what the transaction carries. The caller keeps its link, as the last step of what it replaces.

    Args:
        after: the link of the counterpart that it replaces.
    """
    generation = after.generation + 1 if after else 1
    while await work.effects.answer(create_key(generation)):
        made = await made_before(work, generation)
        if made:
            await put_number(work, made)
            return Counterpart(await link_of_made(work, made, generation), made)
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
    ticket = await creating(work, wanted, describe, key=create_key(generation), known=work.bearing)
    return Counterpart(await link_of_made(work, ticket, generation), ticket)


async def made_before(work: Work, generation: int) -> DeskTicket | None:
    """The counterpart that this ledger knows to have made, or what that was merged into, if it is still there."""
    created = await work.effects.answer(create_key(generation))
    ticket = await read(work, DeskRef(work.kind, DeskTicketId(created["id"]))) if created else None
    return ticket if ticket and not ticket.trashed else None


async def link_of_made(work: Work, ticket: DeskTicket, generation: int) -> Link:
    """Of what this message made; or one before it, which was given up after it had: then this one still has all to say.

    What it was merged into meanwhile was made by nobody here.
    """
    link = link_to(work, ticket, generation)
    created = await work.peers.ledger.effects.find(work.transaction.ticket, create_key(generation))
    if created is not None and created.answer.get("id", ticket.ref.id) != ticket.ref.id:
        return replace(link, adopted=True)
    if created is not None and created.message_id != work.transaction.message_id:
        return replace(link, created_by=created.message_id, complete=False)
    complete = work.transaction.fields.short_description is not None
    return replace(link, complete=complete, state=_state_reached(work))


def link_to(work: Work, ticket: DeskTicket, generation: int) -> Link:
    """The transaction's ticket stands there from now on."""
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
