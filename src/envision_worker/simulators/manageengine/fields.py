"""The types of fields: what each takes as input, strictly, and how it is shown.

A field's `take` turns the JSON given into what the ticket keeps, or raises a `Refusal`; `show` turns that back into JSON.
All values are shown as strings except booleans (the page about migrating to v3).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from envision_worker.simulators.manageengine import refusals
from envision_worker.simulators.manageengine.refusals import Complaint, Refusal
from envision_worker.simulators.manageengine.shown import shown_time
from envision_worker.simulators.manageengine.world import World

MAX_TEXT = 250
BASIC_PLANE_END = 0xFFFF
MAX_MOMENT_DIGITS = 14  # of milliseconds since 1970: until the year 5138


class Field(Protocol):
    """A type of field."""

    def take(self, name: str, given: Any, world: World) -> Any:
        """What the ticket keeps of `given`, which is not null; raises `Refusal`."""
        ...

    def show(self, kept: Any, world: World) -> Any:
        """The JSON for what is kept, which is not None."""
        ...


@dataclass(frozen=True)
class Text:
    """A text: plain and on one line up to `limit` characters, or HTML of any length."""

    limit: int | None = MAX_TEXT
    html: bool = False

    def take(self, name: str, given: Any, world: World) -> str:
        """The text as given."""
        if not isinstance(given, str):
            raise refusals.wrong_type(name)
        if self.limit is not None and len(given) > self.limit:
            raise refusals.invalid(name, f"Length should not exceed {self.limit} characters")
        if not self.html and any(sign in given for sign in "\r\n"):
            raise refusals.invalid(name)
        if not world.switches.four_byte_characters and any(ord(sign) > BASIC_PLANE_END for sign in given):
            raise refusals.invalid(name)
        return given

    def show(self, kept: str, world: World) -> str:
        """The text, perhaps wrapped as the desk's editor does."""
        if self.html and world.switches.rich_text_wrapped:
            return f'<div class="sdp-ze-default-wrapper" style="font-size:13px"><div>{kept}</div></div>'
        return kept


HTML = Text(limit=None, html=True)


@dataclass(frozen=True)
class Flag:
    """A boolean; a text that says true is none."""

    def take(self, name: str, given: Any, _world: World) -> bool:
        """As given."""
        if not isinstance(given, bool):
            raise refusals.wrong_type(name)
        return given

    def show(self, kept: bool, _world: World) -> bool:  # noqa: FBT001 (the contract of all fields)
        """As kept."""
        return kept


@dataclass(frozen=True)
class Moment:
    """A time, as `{"value": "<milliseconds since 1970>"}`."""

    def take(self, name: str, given: Any, _world: World) -> int:
        """The milliseconds."""
        value = checked_object(name, given, {"value"}).get("value")
        digits = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
        if not (digits.isascii() and digits.isdigit() and len(digits) <= MAX_MOMENT_DIGITS):
            raise refusals.wrong_type(name)
        return int(digits)

    def show(self, kept: int, _world: World) -> Any:
        """With the text that people see; its form depends on the reader's settings, so nobody should parse it."""
        return shown_time(kept)


@dataclass(frozen=True)
class Number:
    """A number, as JSON number or as text; a whole one unless `fraction`."""

    fraction: bool = False

    def take(self, name: str, given: Any, _world: World) -> str:
        """The number as a text."""
        pattern = r"-?\d{1,18}(\.\d{1,9})?" if self.fraction else r"-?\d{1,18}"
        if isinstance(given, bool) or not re.fullmatch(pattern, str(given), re.ASCII):
            raise refusals.wrong_type(name)
        return str(given)

    def show(self, kept: str, _world: World) -> str:
        """As a text."""
        return kept


@dataclass(frozen=True)
class Texts:
    """A list of texts, such as addresses."""

    def take(self, name: str, given: Any, _world: World) -> list[str]:
        """As given."""
        if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
            raise refusals.wrong_type(name)
        return given

    def show(self, kept: list[str], _world: World) -> list[str]:
        """As kept."""
        return kept


@dataclass(frozen=True)
class Nested:
    """An object with fields of its own."""

    fields: Mapping[str, Field]
    mandatory: tuple[str, ...] = ()

    def take(self, name: str, given: Any, world: World) -> dict[str, Any]:
        """What is kept of each field."""
        if not isinstance(given, dict):
            raise refusals.wrong_type(name)
        return taken(self.fields, given, world, mandatory=self.mandatory)

    def show(self, kept: dict[str, Any], world: World) -> Any:
        """The object with the fields that were set."""
        return {name: shown(self.fields[name], value, world) for name, value in kept.items()}


@dataclass(frozen=True)
class Listed:
    """A list of things of one type."""

    of: Field

    def take(self, name: str, given: Any, world: World) -> list[Any]:
        """What is kept of each."""
        if not isinstance(given, list):
            raise refusals.wrong_type(name)
        return [self.of.take(name, each, world) for each in given]

    def show(self, kept: list[Any], world: World) -> list[Any]:
        """Each of them."""
        return [self.of.show(each, world) for each in kept]


@dataclass(frozen=True)
class Opaque:
    """An object or list of a part of the product that isn't simulated: kept and shown as it is."""

    def take(self, name: str, given: Any, _world: World) -> Any:
        """As given."""
        if not isinstance(given, dict | list):
            raise refusals.wrong_type(name)
        return given

    def show(self, kept: Any, _world: World) -> Any:
        """As kept."""
        return kept


@dataclass(frozen=True)
class ReadOnly:
    """A field that is shown but can't be set."""

    def take(self, name: str, _given: Any, _world: World) -> Any:
        """Never."""
        raise Refusal(Complaint(refusals.READ_ONLY, "Read only field cannot be edited", name))

    def show(self, kept: Any, _world: World) -> Any:
        """As kept."""
        return kept


def taken(
    fields: Mapping[str, Field], given: Mapping[str, Any], world: World, *, mandatory: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What is kept of an object: its fields by name, None where null was given (null clears).

    Raises:
        Refusal: with everything that is wrong with it, keys that the object does not have included.
    """
    kept: dict[str, Any] = {}
    complaints: list[Complaint] = []
    for name, value in given.items():
        try:
            kept[name] = _taken(fields, name, value, world)
        except Refusal as refusal:
            complaints.extend(refusal.complaints)
    absent = tuple(name for name in mandatory if given.get(name) in (None, ""))
    if absent:
        complaints.extend(refusals.missing(*absent).complaints)
    if complaints:
        raise Refusal(*complaints)
    return kept


def _taken(fields: Mapping[str, Field], name: str, value: Any, world: World) -> Any:
    if name not in fields:
        raise refusals.extra_key(name)
    if value is None and not isinstance(fields[name], ReadOnly):
        return None
    return fields[name].take(name, value, world)


def shown(of_type: Field, kept: Any, world: World) -> Any:
    """The JSON for what is kept, null where nothing is."""
    return None if kept is None else of_type.show(kept, world)


def checked_object(name: str, given: Any, known: set[str]) -> dict[str, Any]:
    """An object that has no keys but these.

    Raises:
        Refusal: it is none, or has others.
    """
    if not isinstance(given, dict):
        raise refusals.wrong_type(name)
    for key in given:
        if key not in known:
            raise refusals.extra_key(key)
    return given
