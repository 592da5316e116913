"""Desk-neutral fields as the JSON of requests and changes, and back.

Plain texts take no line ends and at most 250 characters (subject, comments; the API's pages of requests and changes); a lookup
is `{"name": …}`, a time `{"value": "<epoch ms>"}`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from datetime import datetime
from typing import Any, assert_never

from envision_worker.clock import epoch_ms
from envision_worker.desks.desk import DeskRef, DeskTicket, Fields
from envision_worker.desks.life import LifeNames
from envision_worker.desks.manageengine.answers import PEER
from envision_worker.desks.manageengine.flavour import Flavour
from envision_worker.desks.manageengine.settings import ManageEngineSettings
from envision_worker.desks.manageengine.shapes import Json, flag, moment, name, part, text
from envision_worker.errors import Malformed, Refused, RefusedFor
from envision_worker.vocabulary import DeskKind, DeskTicketId, PartnerTicketNumber

PLAIN_LIMIT = 250
UDF = "udf_fields"
NUMBER = "ensono_number"

_BOTH = {
    "description": "description",
    "status": "status",
    "priority": "priority",
    "impact": "impact",
    "urgency": "urgency",
    "group": "group",
    "category": "category",
    "start": "scheduled_start_time",
    "end": "scheduled_end_time",
}
_KEYS: Mapping[DeskKind, Mapping[str, str]] = {
    DeskKind.REQUEST: {**_BOTH, "title": "subject", "requester": "requester"},
    DeskKind.CHANGE: {
        **_BOTH,
        "title": "title",
        "requester": "change_requester",
        "stage": "stage",
        "change_type": "change_type",
        "change_risk": "risk",
    },
}
"""The desk's key of each field, by what a counterpart is there."""
_NAMED = tuple(each.name for each in dataclass_fields(Fields) if each.name not in {NUMBER, "extra"})
_WRAPPERS = frozenset({"request", "change", "closure_info", "close_details", "list_info"})


def _renamed(refused: Refused, names: Iterable[str]) -> Refused:
    return Refused(
        refused.peer,
        refused.operation,
        refused.detail,
        status=refused.status,
        why=refused.why,
        fields=tuple(dict.fromkeys(names)),
        merged_into=refused.merged_into,
    )


def plain(value: str, limit: int = PLAIN_LIMIT) -> str:
    """A text for a field that takes neither line ends nor more than `limit` characters; one that is cut ends in an ellipsis."""
    line = " ".join(value.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def lookup(called: str) -> dict[str, str]:
    """A lookup by name."""
    return {"name": called}


def time_value(at: datetime) -> dict[str, str]:
    """A time as the API takes it."""
    return {"value": str(epoch_ms(at))}


_FORMS: Mapping[str, Callable[[Any], Any]] = {
    "title": plain,
    "description": str,
    "requester": dict,
    "start": time_value,
    "end": time_value,
}


def number_field(settings: ManageEngineSettings, kind: DeskKind) -> str:
    """The UDF that holds Ensono's number."""
    match kind:
        case DeskKind.REQUEST:
            return settings.ensono_number_field
        case DeskKind.CHANGE:
            return settings.ensono_change_number_field
        case _:
            assert_never(kind)


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Reads and writes tickets of one kind. `number_field` is the UDF that holds Ensono's number."""

    kind: DeskKind
    number_field: str
    flavour: Flavour
    life: LifeNames

    def to_json(self, operation: str, wanted: Fields) -> dict[str, Any]:
        """The body of a create or an update, without its outer key; an empty Ensono number becomes null, which clears.

        Raises:
            Refused: `FIELDS`, before any call, where tickets of this kind don't have such a field.
        """
        keys = _KEYS[self.kind]
        given = {key: value for key in _NAMED if (value := getattr(wanted, key)) is not None}
        unknown = tuple(sorted(given.keys() - keys.keys()))
        if unknown:
            detail = f"a {self.kind} has no {', '.join(unknown)}"
            raise Refused(PEER, operation, detail, why=RefusedFor.FIELDS, fields=unknown)
        body = {**wanted.extra}
        body |= {keys[key]: _FORMS.get(key, lookup)(value) for key, value in given.items()}
        if wanted.ensono_number is not None:
            body[UDF] = {**(body.get(UDF) or {}), self.number_field: wanted.ensono_number or None}
        return body

    def neutral(self, refused: Refused, sent: Json) -> Refused:
        """The same refusal with the fields named as `Fields` names them.

        A path loses its wrapper and its end (`request.priority.name`); what has no such name keeps the desk's top-level key,
        a UDF is `udf_fields.<name>`.
        """
        return _renamed(refused, (self._neutral(each, sent) for each in refused.fields))

    def by_own_key(self, refused: Refused, wanted: Fields) -> Refused:
        """The same error, but what the configuration sent as a raw field is named by its own key."""
        keys = _KEYS[self.kind]

        def own(told: str) -> str:
            raw = keys.get(told, told)
            return raw if getattr(wanted, told, None) is None and raw in wanted.extra else told

        return _renamed(refused, (own(each) for each in refused.fields))

    def _neutral(self, told: str, sent: Json) -> str:
        parts = told.split(".")
        while len(parts) > 1 and parts[0] in _WRAPPERS:
            parts.pop(0)
        head, rest = parts[0], parts[1:]
        udf = rest[0] if head == UDF and rest else head
        if udf == self.number_field:
            return NUMBER
        if (head == UDF and rest) or head.startswith("udf_") or udf in (part(sent, UDF) or {}):
            return f"{UDF}.{udf}" if udf != UDF else UDF
        return next((key for key, used in _KEYS[self.kind].items() if used == head), head)

    def ticket(self, operation: str, entity: Any) -> DeskTicket:
        """A ticket as the desk shows it.

        Raises:
            Malformed: it has no id.
        """
        identifier = text(part(entity, "id"))
        if not identifier:
            raise Malformed(PEER, operation, f"an answer without a {self.kind} and its id")
        is_change = self.kind is DeskKind.CHANGE
        status = name(part(entity, "status"))
        stage = name(part(entity, "stage"))
        return DeskTicket(
            ref=DeskRef(self.kind, DeskTicketId(identifier)),
            number=PartnerTicketNumber(self.shown_number(entity)),
            ensono_number=self.ensono_number(entity) or "",
            title=text(part(entity, "title" if is_change else "subject")),
            status=status,
            life=self.life.of_change(stage, status) if is_change else self.life.of_request(status),
            stage=stage if is_change else None,
            trashed=bool(flag(part(entity, "is_trashed"))) or part(entity, "deleted_time") is not None,
            created=moment(part(entity, "created_time")),
            description=text(part(entity, "description")),
        )

    def shown_number(self, entity: Any) -> str:
        """What people call it by; empty where the answer doesn't tell. In the cloud a change has an object for it."""
        shown = part(entity, self.flavour.number)
        return text(part(shown, "display_value")) if isinstance(shown, Mapping) else text(shown)

    def ensono_number(self, entity: Any) -> str | None:
        """What stands in the number field; None where the answer doesn't show the field, as lists may not."""
        fields = part(entity, UDF)
        if not isinstance(fields, Mapping) or self.number_field not in fields:
            return None
        return text(fields[self.number_field]).strip()
