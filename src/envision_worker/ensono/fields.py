"""The ticket's fields in a message body, whatever their spelling, as clean text."""

import re
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

# Control characters that neither a desk nor a terminal should meet; lone surrogates can't be encoded at all.
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_SURROGATES = re.compile("[\ud800-\udfff]")


class MalformedMessage(ValueError):
    """A message that can't be read. `field` is the path of what is wrong, `problem` says what."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


def text(value: object, path: str = "") -> str | None:
    """A field as clean, trimmed text; None where it is missing, null or blank.

    Raises:
        MalformedMessage: it is an object or a list (only where `path` is given; else None).
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return text(", ".join(str(item) for item in value))
    if not isinstance(value, str):
        if path:
            raise MalformedMessage(path, "is an object or a mixed list, not text")
        return None
    return _SURROGATES.sub("\ufffd", _UNWANTED.sub("", value)).strip() or None


def lowered(body: dict[str, Any]) -> dict[str, Any]:
    """The same with lower-case keys: the guide writes `ensonogroup` and `ensonoGroup`, `Impact` and `impact`."""
    return {str(key).strip().lower(): value for key, value in body.items()}


class TicketFields(BaseModel):
    """Every field that a body can hold of its ticket, for incidents, requests and changes alike; None where it holds none.

    Times stay text as sent: they are shown, and read as times only where the desk has a field for them.
    Source: guide, "Incident/Request Message Body and Fields" and "Ensono Change Message Body and Fields".
    """

    model_config = ConfigDict(frozen=True)

    short_description: str | None = None
    description: str | None = None
    status: str | None = None
    status_next_action: str | None = None
    off_hold_date: str | None = None
    priority: str | None = None
    impact: str | None = None
    urgency: str | None = None
    group: str | None = None
    ensono_group: str | None = None
    category: str | None = None
    origin: str | None = None
    cis: str | None = None
    opened_time: str | None = None
    updated_on: str | None = None
    close_code: str | None = None
    close_notes: str | None = None
    closure_category: str | None = None
    contact_name: str | None = None
    contact_email: str | None = None
    contact_phone: str | None = None
    # changes only
    state: str | None = None
    type: str | None = None
    approval: str | None = None
    requested_by_name: str | None = None
    start_date: str | None = None
    end_date: str | None = None
    risk: str | None = None
    justification: str | None = None
    pre_change_checks: str | None = None
    implementation_plan: str | None = None
    test_plan: str | None = None
    backout_plan: str | None = None

    @classmethod
    def of(cls, body: dict[str, Any], path: str = "Body") -> Self:
        """Read them from a body with lower-case keys."""
        values = {}
        for name, spellings in _SPELLINGS.items():
            found = (text(body.get(key), f"{path}.{key}") for key in spellings)
            values[name] = next((value for value in found if value is not None), None)
        return cls(**values)

    def given(self) -> dict[str, str]:
        """The fields that are there."""
        return {name: value for name, value in self if value is not None}


_MORE_SPELLINGS = {
    "updated_on": ("updatedon", "updateon", "updatedat"),
    "opened_time": ("openedtime", "openedat"),
}
_SPELLINGS = {name: _MORE_SPELLINGS.get(name, (name.replace("_", ""),)) for name in TicketFields.model_fields}
