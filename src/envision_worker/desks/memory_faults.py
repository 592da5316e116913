"""What can go wrong with the reference desk, and how its journal tells what really happened."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from envision_worker.desks.desk import DeskRef


class Moment(StrEnum):
    """When something interferes with a call."""

    BEFORE = "before"
    AFTER = "after"


Interfere = Callable[[str, Moment], Awaitable[None]]
"""Called with each verb before and after its effect; may wait, or raise in place of the desk's answer."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One write that was carried out: the verb, the ticket (the one it made, for `create`), what it was called with."""

    verb: str
    ref: DeskRef
    what: Mapping[str, Any]


@dataclass(slots=True)
class Fault:
    """One failure that is to come; `late_s`: its effect happens so many seconds after the call failed."""

    verb: str
    error: Exception
    moment: Moment
    times: int
    late_s: float
