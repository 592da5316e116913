"""Status of incidents and requests: the status decides, not the transaction type (contract, section 6)."""

from dataclasses import replace

from envision_worker.config.mapping import MappingKind
from envision_worker.config.sections import Reopen
from envision_worker.desks.desk import Fields, Life
from envision_worker.ensono.fields import TicketFields
from envision_worker.errors import Refused, RefusedFor
from envision_worker.handlers.dropping import ABOUT_VALUES
from envision_worker.handlers.making import make
from envision_worker.handlers.returning import return_number
from envision_worker.handlers.texts import escaped, is_cut, rare_named
from envision_worker.handlers.values import CANCELLED, CLOSED, RESOLVED, is_status, open_status, status_name
from envision_worker.handlers.work import Counterpart, Work
from envision_worker.handlers.writing import add_remark, in_any_characters

_OVER = frozenset({Life.CLOSED, Life.CANCELLED})


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


async def apply_next_action(work: Work, found: Counterpart, given: TicketFields) -> None:
    """Only the next action changed: where it has a status of its own on the desk, that is set while the ticket is open."""
    name = open_status(work, given)
    if name is not None and found.ticket.life is Life.OPEN:
        await _set_open(work, found, given, name)


async def _resolve(work: Work, found: Counterpart, given: TicketFields) -> None:
    """Resolution and status; what is closed already stays closed and gets the text as a note."""
    if found.ticket.life is Life.CLOSED:
        await add_remark(work, found.ticket.ref, "Resolved by Ensono", _closing_lines(given), key="resolved")
        return
    await _set_resolution(work, found, given)
    name = status_name(work, RESOLVED)
    await work.effects.set(
        _key(work, found, "resolved"), f"status {name}", lambda: work.peers.desk.set_status(found.ticket.ref, name)
    )


async def _set_resolution(work: Work, found: Counterpart, given: TicketFields) -> None:
    text = "".join(f"<div>{escaped(line)}</div>" for line in _closing_lines(given))

    async def send(html: str) -> None:
        await work.effects.set(
            _key(work, found, "resolution"),
            "resolution",
            lambda: work.peers.desk.set_resolution(found.ticket.ref, html),
        )

    await in_any_characters(send, text)


async def _close(work: Work, found: Counterpart, given: TicketFields) -> None:
    """Close with closure code. Closing rules often want a resolution, so what Ensono wrote becomes it where there is none."""
    if found.ticket.life in _OVER:
        await _close_again(work, found, given)
        return
    resolves = found.ticket.life is Life.OPEN and bool(given.close_notes)
    if resolves:
        await _set_resolution(work, found, given)
    code = _closure_code(work, given)
    code_is_lost = given.close_code is not None and code is None
    if code_is_lost or (not resolves and is_cut(given.close_notes)):
        await add_remark(work, found.ticket.ref, "Closed by Ensono", _closing_lines(given), key="closed")
    await _send_close(work, found, given, code)


async def _close_again(work: Work, found: Counterpart, given: TicketFields) -> None:
    """Closed by this very message, whose end was cut off; or before it, and then what Ensono wrote becomes a note."""
    if await work.peers.ledger.effects.find(work.transaction.ticket, _key(work, found, "close")):
        await _send_close(work, found, given, _closure_code(work, given))
    else:
        await add_remark(work, found.ticket.ref, "Closed by Ensono", _closing_lines(given), key="closed")


async def _send_close(work: Work, found: Counterpart, given: TicketFields, code: str | None) -> None:
    """Close; on a desk that refuses the code, without it; on one that refuses rare characters, with these written out."""
    comments = given.close_notes or "Closed by Ensono"
    try:
        await _try_close(work, found, code, comments)
    except Refused as exc:
        simple = rare_named(comments)
        if exc.why not in ABOUT_VALUES or (code is None and simple == comments):
            raise
        if code is not None:
            line = f"Not accepted by the desk: closure code {code}"
            lines = [*_closing_lines(given), line]
            await add_remark(work, found.ticket.ref, "Closed by Ensono", lines, key="closure code")
        await _try_close(work, found, None, simple)


async def _try_close(work: Work, found: Counterpart, code: str | None, comments: str) -> None:
    status = status_name(work, CLOSED)
    await work.effects.set(
        _key(work, found, "close"),
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
    if found.ticket.life not in _OVER:
        name = status_name(work, CANCELLED)
        await work.effects.set(
            _key(work, found, "cancelled"), f"status {name}", lambda: work.peers.desk.set_status(found.ticket.ref, name)
        )
    await add_remark(work, found.ticket.ref, "Cancelled by Ensono", _closing_lines(given), key="cancelled")


async def _open(work: Work, found: Counterpart, given: TicketFields) -> Counterpart:
    name = open_status(work, given)
    if name is None:
        await _tell_unmapped(work, found, given)
        return found
    if found.ticket.life is not Life.OPEN and not found.is_made_by(work.transaction):
        policy = work.peers.settings.reopen
        if policy is Reopen.NEW_TICKET:
            found = await _new_ticket(work, found)
            if found.is_made_by(work.transaction):
                return found
        elif policy is Reopen.COMMENTS:
            return await _only_comments_from_now(work, found)
    await _set_open(work, found, given, name)
    return found


async def _set_open(work: Work, found: Counterpart, given: TicketFields, name: str) -> None:
    try:
        await work.effects.set(
            _key(work, found, "status"), f"status {name}", lambda: work.peers.desk.set_status(found.ticket.ref, name)
        )
    except Refused as exc:
        if exc.why not in ABOUT_VALUES | {RefusedFor.CLOSED}:
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
    new = await make(work, after=old.link)
    await _take_number_off(work, old)
    lines = [f"{work.transaction.ticket} was opened again by Ensono. It goes on as {new.link.number}."]
    await add_remark(work, old.ticket.ref, "Opened again", lines, key="opened again")
    await work.peers.ledger.links.save(new.link)
    return await return_number(work, new)


async def _take_number_off(work: Work, old: Counterpart) -> None:
    """A closed ticket may take no fields; then both bear the number, and the newer one counts."""
    try:
        await work.effects.set(
            f"number-off:{old.ticket.ref.id}",
            "take the Ensono number off",
            lambda: work.peers.desk.update(old.ticket.ref, Fields(ensono_number="")),
        )
    except Refused as exc:
        if exc.why is not RefusedFor.CLOSED and old.ticket.life not in _OVER:
            raise
        work.peers.facts.field_dropped(ticket=work.transaction.ticket, fields=["ensono_number"], detail=exc.detail)


async def _only_comments_from_now(work: Work, found: Counterpart) -> Counterpart:
    link = replace(found.link, comments_only=True)
    await work.peers.ledger.links.save(link)
    return Counterpart(link, found.ticket)


def _closing_lines(given: TicketFields) -> list[str]:
    lines = [given.close_notes] if given.close_notes else []
    lines += [f"Close code: {given.close_code}"] if given.close_code else []
    lines += [f"Closure category: {given.closure_category}"] if given.closure_category else []
    return lines or ["No close notes."]


def _key(work: Work, found: Counterpart, what: str) -> str:
    return f"{work.transaction.message_id}:{what}:{found.ticket.ref.id}"
