"""Ensono's values as the desk's: what is mapped is set, what has no mapping is written on the ticket, logged, and never costs it."""

from dataclasses import dataclass
from typing import Any

from envision_worker.config.mapping import MappingKind, fold
from envision_worker.desks.desk import Fields
from envision_worker.ensono.fields import TicketFields
from envision_worker.handlers.texts import as_time, label
from envision_worker.handlers.work import Work
from envision_worker.vocabulary import DeskKind

RESOLVED, CLOSED, CANCELLED = "resolved", "closed", "cancelled"
ENDED = frozenset({RESOLVED, CLOSED, CANCELLED})
GONE_STATES = frozenset({"new", CANCELLED})
"""Change states after which the desk change is cancelled."""

_MAPPED = {
    "priority": MappingKind.PRIORITY,
    "impact": MappingKind.IMPACT,
    "urgency": MappingKind.URGENCY,
    "group": MappingKind.GROUP,
    "category": MappingKind.CATEGORY,
    "type": MappingKind.CHANGE_TYPE,
    "risk": MappingKind.CHANGE_RISK,
}
_DESK_FIELD = {"type": "change_type", "risk": "change_risk"}


@dataclass(frozen=True, slots=True)
class Mapped:
    """Fields for the desk, and what has no mapping, as `label: value` for people."""

    fields: Fields
    unmapped: tuple[str, ...]


def mapped(work: Work, given: TicketFields) -> Mapped:
    """What of these fields can be set on the desk. Title, description and status are not this function's business."""
    values: dict[str, Any] = {}
    unmapped: list[str] = []
    for name, value in given.given().items():
        kind = _MAPPED.get(name)
        if kind is None or name in _not_sent(work):
            continue
        found = work.peers.settings.mapping.lookup(kind, value)
        if found is None:
            unmapped.append(f"{label(name)}: {value}")
            work.peers.facts.value_unmapped(ticket=work.transaction.ticket, kind=kind.value, value=value)
        else:
            values[_DESK_FIELD.get(name, name)] = found
    times = _times(given) if work.kind is DeskKind.CHANGE else {}
    return Mapped(Fields(**values, **times), tuple(unmapped))


def _not_sent(work: Work) -> frozenset[str]:
    """Either the priority or what it is computed from is sent, never both (`desk.priority_from`)."""
    either = frozenset({"impact", "urgency"}) if work.peers.settings.by_priority else frozenset({"priority"})
    return either if work.kind is DeskKind.CHANGE else either | {"type", "risk"}


def _times(given: TicketFields) -> dict[str, Any]:
    times = {"start": as_time(given.start_date or ""), "end": as_time(given.end_date or "")}
    return {name: moment for name, moment in times.items() if moment is not None}


def is_status(value: str | None, *wanted: str) -> bool:
    """Whether a status of Ensono's is one of these, trimmed and in any case."""
    return value is not None and fold(value) in wanted


def open_status(work: Work, given: TicketFields) -> str | None:
    """The desk's name for an open status: looked up by `statusNextAction`, then by `status`; None where it has no line."""
    mapping = work.peers.settings.mapping
    for value in (given.status_next_action, given.status):
        found = mapping.lookup(MappingKind.STATUS, value) if value else None
        if found is not None:
            return found
    return None


def status_name(work: Work, ended: str) -> str:
    """The desk's name for resolved, closed or cancelled; the defaults have one for each."""
    return work.peers.settings.mapping.lookup(MappingKind.STATUS, ended) or ended.capitalize()
