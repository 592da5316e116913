"""Fields of an incident or a request, without its status: set what has a field on the desk, tell the rest in a note."""

from dataclasses import replace

from envision_worker.desks.desk import Fields, Life
from envision_worker.ensono.fields import TicketFields
from envision_worker.errors import Refused, RefusedFor
from envision_worker.handlers import texts
from envision_worker.handlers.beginnings import Beginning
from envision_worker.handlers.values import mapped
from envision_worker.handlers.work import Counterpart, Work
from envision_worker.handlers.writing import add_remark, set_fields

_NOT_TOLD = frozenset({"status", "short_description", "description"})
_NAME_HERE = {"change_type": "type", "change_risk": "risk"}
_OVER = frozenset({Life.CLOSED, Life.CANCELLED})


async def apply_fields(
    work: Work, found: Counterpart, changed: TicketFields, *, but: frozenset[str] = frozenset()
) -> None:
    """Set the changed fields; what the desk has no field for, or refused, becomes one note.

    Args:
        but: fields that are applied elsewhere.
    """
    wanted = _wanted(work, found, changed, describe=changed.description is not None)
    await _set(
        work,
        found,
        changed,
        wanted,
        key=f"{work.transaction.message_id}:fields:{found.ticket.ref.id}",
        but=_NOT_TOLD | but,
    )


async def complete(work: Work, found: Counterpart) -> None:
    """Set title, description and every field that the desk has; the description tells them all."""
    fields = work.transaction.fields
    wanted = _wanted(work, found, fields, describe=True)
    key = f"complete:{found.link.generation}"
    await _set(work, found, fields, wanted, key=key, but=frozenset(fields.given()))


def _wanted(work: Work, found: Counterpart, given: TicketFields, *, describe: bool) -> Fields:
    beginning = Beginning.read(found.ticket.description, work.transaction.ticket)
    remarks = [beginning.line] if beginning else []  # what this ticket began with stays on it
    text = texts.description(work.transaction, work.peers.settings.zone, remarks) if describe else None
    return replace(mapped(work, given).fields, title=given.short_description, description=text)


async def _set(
    work: Work, found: Counterpart, given: TicketFields, wanted: Fields, *, key: str, but: frozenset[str]
) -> None:
    try:
        refused = await set_fields(work, found.ticket.ref, wanted, key=key)
    except Refused as exc:
        if exc.why is not RefusedFor.CLOSED and found.ticket.life not in _OVER:
            raise
        await tell(work, found, given)  # closed tickets take no fields, but notes
        return
    set_here = frozenset(_NAME_HERE.get(name, name) for name in wanted.names())
    told = texts.lines(given, work.peers.settings.zone, but=set_here | but)
    told += [f"Not accepted by the desk: {line}" for line in refused]
    if told:
        await add_remark(work, found.ticket.ref, "Changed at Ensono", told, key="changed")


async def tell(work: Work, found: Counterpart, changed: TicketFields) -> None:
    """All changes as a note, where they can't or must not be set."""
    told = texts.lines(changed, work.peers.settings.zone)
    told += [f"Title: {changed.short_description}"] if changed.short_description else []
    told += ["Description:", *changed.description.split("\n")] if changed.description else []
    if told:
        await add_remark(work, found.ticket.ref, "Changed at Ensono", told, key="changed")
