"""`[mapping]`: Ensono's values as the desk calls them (guide, Client responsibilities, Mapping)."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from envision_worker.config.frozen import Section

T = TypeVar("T")


class MappingKind(StrEnum):
    """A field whose values are mapped one to one; each has a table of its own, `[mapping.<kind>]`."""

    STATUS = "status"
    PRIORITY = "priority"
    IMPACT = "impact"
    URGENCY = "urgency"
    GROUP = "group"
    CATEGORY = "category"
    CLOSURE_CODE = "closure_code"
    CHANGE_TYPE = "change_type"
    CHANGE_RISK = "change_risk"


DEFAULT_STATUSES: Mapping[str, str] = MappingProxyType(
    {
        "open": "Open",
        "workingprogress": "In Progress",
        "pending": "On Hold",
        "resolved": "Resolved",
        "closed": "Closed",
        "cancelled": "Cancelled",
    }
)
"""What the guide's statuses are called on a desk as it comes; a line of `[mapping.status]` wins."""

_SAME_NAME = frozenset({MappingKind.GROUP, MappingKind.CATEGORY})


def fold(value: str) -> str:
    """A value of Ensono's as it is compared: trimmed, in any case."""
    return value.strip().casefold()


def _folded(lines: Mapping[str, T]) -> Mapping[str, T]:
    """The lines with folded keys. Two keys that fold to the same are a fault, an empty one too."""
    folded = {fold(key): value for key, value in lines.items()}
    if len(folded) < len(lines):
        raise ValueError("names a value twice: upper and lower case and blanks at the ends make no difference here")
    if "" in folded:
        raise ValueError("has a line for an empty value, which is never sent: remove it")
    return folded


DeskName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
"""A name as the desk spells it."""
Lines = Annotated[Mapping[str, DeskName], AfterValidator(_folded)]
"""Ensono's value = the desk's name; keys are folded."""


class ChangeStep(Section):
    """A stage, a status, or both, to which a change is moved in one call."""

    stage: DeskName | None = Field(default=None, description="The stage's name on the desk.")
    status: DeskName | None = Field(default=None, description="The status's name on the desk.")

    @model_validator(mode="after")
    def _says_something(self) -> "ChangeStep":
        if self.stage is None and self.status is None:
            raise ValueError(
                'is empty: give stage, status or both, for example { stage = "Review", status = "In Review" }'
            )
        return self


def _as_steps(value: Any) -> Any:
    if value == []:
        raise ValueError("is empty: give a step, or remove the line")
    return tuple(value) if isinstance(value, list) else (value,)


Steps = Annotated[
    tuple[ChangeStep, ...],
    BeforeValidator(
        _as_steps, json_schema_input_type=ChangeStep | Annotated[tuple[ChangeStep, ...], Field(min_length=1)]
    ),
]
"""One step, or a list of steps to go through one after the other."""


def _lines(field: str, more: str = "any other value is not sent but written on the ticket") -> Any:
    return Field(
        default_factory=dict,
        description=f"Ensono's {field} = the desk's name; trimmed, any case; {more}.",
    )


class MappingSettings(Section):
    """All tables of `[mapping]`."""

    status: Lines = _lines(
        "statusNextAction or status", "these lines come on top of the defaults for the guide's statuses"
    )
    priority: Lines = _lines("priority")
    impact: Lines = _lines("impact")
    urgency: Lines = _lines("urgency")
    group: Lines = _lines("group", "a group without a line goes as it is")
    category: Lines = _lines("category", "a category without a line goes as it is")
    closure_code: Lines = _lines("closeCode")
    change_type: Lines = _lines("type of a change")
    change_risk: Lines = _lines("risk of a change")
    change_state: Annotated[Mapping[str, Steps], AfterValidator(_folded)] = _lines("state of a change")

    def table(self, kind: MappingKind) -> Mapping[str, str]:
        """The lines of one kind with folded keys; for the status the defaults are under them."""
        lines: Mapping[str, str] = getattr(self, kind.value)
        return {**DEFAULT_STATUSES, **lines} if kind is MappingKind.STATUS else lines

    def lookup(self, kind: MappingKind, value: str) -> str | None:
        """The desk's name for a value of Ensono's; None: it has no line and is not sent but written on the ticket.

        A group or category without a line goes as it is, trimmed. A blank value never has a name. The caller asks for the status
        by `statusNextAction` first, then by `status`.
        """
        same = value.strip() or None if kind in _SAME_NAME else None
        return self.table(kind).get(fold(value), same)

    def steps(self, state: str) -> tuple[ChangeStep, ...]:
        """The steps that bring a change on the desk into Ensono's state, in order; empty: the state has no line."""
        return self.change_state.get(fold(state), ())
