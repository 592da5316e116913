"""Changed fields of an incident or a request, without its status: set what has a field on the desk, tell the rest in a note."""

from dataclasses import replace

from envision_worker.desks.desk import Life
from envision_worker.ensono.fields import TicketFields
from envision_worker.errors import Refused, RefusedFor
from envision_worker.handlers import texts
from envision_worker.handlers.values import mapped
from envision_worker.handlers.work import Counterpart, Work
from envision_worker.handlers.writing import add_remark, set_fields

_NOT_TOLD = frozenset({"status", "short_description", "description"})
_NAME_HERE = {"change_type": "type", "change_risk": "risk"}


async def apply_fields(
    work: Work, found: Counterpart, changed: TicketFields, *, but: frozenset[str] = frozenset()
) -> None:
    """Set the changed fields; what the desk has no field for, or refused, becomes one note.

    Args:
        but: fields that are applied elsewhere.
    """
    given = mapped(work, changed)
    wanted = given.fields
    if changed.short_description is not None:
        wanted = replace(wanted, title=changed.short_description)
    if changed.description is not None:
        wanted = replace(wanted, description=texts.description(work.transaction, work.peers.settings.zone))
    try:
        refused = await set_fields(work, found.ticket.ref, wanted, key=f"{work.transaction.message_id}:fields")
    except Refused as exc:
        if exc.why is not RefusedFor.CLOSED and found.ticket.life is not Life.CLOSED:
            raise
        await tell(work, found, changed)  # closed tickets take no fields, but notes
        return
    set_here = frozenset(_NAME_HERE.get(name, name) for name in wanted.names())
    told = texts.lines(changed, work.peers.settings.zone, but=_NOT_TOLD | set_here | but)
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
