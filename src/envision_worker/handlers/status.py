"""Status of incidents and requests: the status decides, not the transaction type (contract, section 6)."""

from dataclasses import replace

from envision_worker.config.mapping import MappingKind
from envision_worker.config.sections import Reopen
from envision_worker.desks.desk import Fields, Life
from envision_worker.ensono.fields import TicketFields
from envision_worker.errors import Refused, RefusedFor
from envision_worker.handlers.counterpart import make, return_number
from envision_worker.handlers.texts import escaped
from envision_worker.handlers.values import CANCELLED, CLOSED, RESOLVED, is_status, open_status, status_name
from envision_worker.handlers.work import Counterpart, Work
from envision_worker.handlers.writing import add_remark


async def apply_status(work: Work, found: Counterpart, given: TicketFields) -> Counterpart:
    """Bring the counterpart to this status; returns the counterpart, another one where reopening made a new ticket.

    Args:
        given: status, next action, close code and notes as the message has them.
    """
    if is_status(given.status, RESOLVED):
        await _resolve(work, found, given)
    elif is_status(given.status, CLOSED):
        await _close(work, found, given)
    elif is_status(given.status, CANCELLED):
        await _cancel(work, found, given)
    else:
        return await _open(work, found, given)
    return found


async def _resolve(work: Work, found: Counterpart, given: TicketFields) -> None:
    """Resolution and status; what is closed already stays closed and gets the text as a note."""
    if found.ticket.life is Life.CLOSED:
        await add_remark(work, found.ticket.ref, "Resolved by Ensono", _closing_lines(given), key="resolved")
        return
    await _set_resolution(work, found, given)
    name = status_name(work, RESOLVED)
    await work.effects.set(
        _key(work, "resolved"), f"status {name}", lambda: work.peers.desk.set_status(found.ticket.ref, name)
    )


async def _set_resolution(work: Work, found: Counterpart, given: TicketFields) -> None:
    text = "".join(f"<div>{escaped(line)}</div>" for line in _closing_lines(given))
    await work.effects.set(
        _key(work, "resolution"), "resolution", lambda: work.peers.desk.set_resolution(found.ticket.ref, text)
    )


async def _close(work: Work, found: Counterpart, given: TicketFields) -> None:
    """Close with closure code. Closing rules often want a resolution, so what Ensono wrote becomes it where there is none."""
    if found.ticket.life is Life.CLOSED:
        return
    if found.ticket.life is not Life.RESOLVED and given.close_notes:
        await _set_resolution(work, found, given)
    code = _closure_code(work, given)
    if given.close_code and code is None:
        await add_remark(work, found.ticket.ref, "Closed by Ensono", _closing_lines(given), key="closed")
    try:
        await _send_close(work, found, given, code, "close")
    except Refused as exc:
        if code is None or exc.why not in {RefusedFor.FIELDS, RefusedFor.OTHER}:
            raise
        line = f"Not accepted by the desk: closure code {code}"
        await add_remark(work, found.ticket.ref, "Closed by Ensono", [*_closing_lines(given), line], key="closure code")
        await _send_close(work, found, given, None, "close without code")


async def _send_close(work: Work, found: Counterpart, given: TicketFields, code: str | None, key: str) -> None:
    status, comments = status_name(work, CLOSED), given.close_notes or "Closed by Ensono"
    await work.effects.set(
        _key(work, key),
        "close",
        lambda: work.peers.desk.close(found.ticket.ref, status=status, closure_code=code, comments=comments),
    )


def _closure_code(work: Work, given: TicketFields) -> str | None:
    if not given.close_code:
        return None
    found = work.peers.settings.mapping.lookup(MappingKind.CLOSURE_CODE, given.close_code)
    if found is None:
        work.peers.facts.value_unmapped(ticket=work.transaction.ticket, kind="closure_code", value=given.close_code)
    return found


async def _cancel(work: Work, found: Counterpart, given: TicketFields) -> None:
    if found.ticket.life in {Life.OPEN, Life.RESOLVED}:
        name = status_name(work, CANCELLED)
        await work.effects.set(
            _key(work, "cancelled"), f"status {name}", lambda: work.peers.desk.set_status(found.ticket.ref, name)
        )
    await add_remark(work, found.ticket.ref, "Cancelled by Ensono", _closing_lines(given), key="cancelled")


async def _open(work: Work, found: Counterpart, given: TicketFields) -> Counterpart:
    name = open_status(work, given)
    if name is None:
        await _tell_unmapped(work, found, given)
        return found
    if found.ticket.life is not Life.OPEN:
        policy = work.peers.settings.reopen
        if policy is Reopen.NEW_TICKET:
            return await _new_ticket(work, found)
        if policy is Reopen.COMMENTS:
            return await _only_comments_from_now(work, found)
    await _set_open(work, found, given, name)
    return found


async def _set_open(work: Work, found: Counterpart, given: TicketFields, name: str) -> None:
    try:
        await work.effects.set(
            _key(work, "status"), f"status {name}", lambda: work.peers.desk.set_status(found.ticket.ref, name)
        )
    except Refused as exc:
        if exc.why not in {RefusedFor.FIELDS, RefusedFor.OTHER, RefusedFor.CLOSED}:
            raise
        work.peers.facts.field_dropped(ticket=work.transaction.ticket, fields=["status"], detail=exc.detail)
        lines = [f"Status: {given.status}", f'Not accepted by the desk: status "{name}"']
        await add_remark(work, found.ticket.ref, "Status at Ensono", lines, key="status")


async def _tell_unmapped(work: Work, found: Counterpart, given: TicketFields) -> None:
    work.peers.facts.value_unmapped(ticket=work.transaction.ticket, kind="status", value=given.status or "")
    lines = [f"Status: {given.status}"]
    lines += [f"Next action: {given.status_next_action}"] if given.status_next_action else []
    await add_remark(work, found.ticket.ref, "Status at Ensono (no mapping)", lines, key="status")


async def _new_ticket(work: Work, old: Counterpart) -> Counterpart:
    """Guide, Re-open: a new ticket whose number goes to Ensono; the old one keeps a note that says where it goes on."""
    new = await make(work, old.link.generation + 1)
    await work.effects.set(
        f"number-off:{old.ticket.ref.id}",
        "take the Ensono number off",
        lambda: work.peers.desk.update(old.ticket.ref, Fields(ensono_number="")),
    )
    lines = [f"{work.transaction.ticket} was opened again by Ensono. It goes on as {new.link.number}."]
    await add_remark(work, old.ticket.ref, "Opened again", lines, key="opened again")
    await work.peers.ledger.links.save(new.link)
    return await return_number(work, new)


async def _only_comments_from_now(work: Work, found: Counterpart) -> Counterpart:
    link = replace(found.link, comments_only=True)
    await work.peers.ledger.links.save(link)
    return Counterpart(link, found.ticket)


def _closing_lines(given: TicketFields) -> list[str]:
    lines = [given.close_notes] if given.close_notes else []
    lines += [f"Close code: {given.close_code}"] if given.close_code else []
    return lines or ["No close notes."]


def _key(work: Work, what: str) -> str:
    return f"{work.transaction.message_id}:{what}"
