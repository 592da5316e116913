"""Keys from the environment: `ENVISION_WORKER__ENSONO__API_KEY` stands over `api_key` of `[ensono]` in the file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from envision_worker.config.faults import Finding, KeyPath, did_you_mean
from envision_worker.config.shape import FILE_SUFFIX, Shape
from envision_worker.config.toml import parse

PREFIX = "ENVISION_WORKER__"
_SEPARATOR = "__"
_QUOTED = ("{", "[", '"', "'")


@dataclass(frozen=True, slots=True)
class Overlay:
    """What the environment did to the tables.

    Attributes:
        sources: the variable that set a path.
        findings: variables that could not be used; the problem names them.
    """

    sources: dict[KeyPath, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def variable(self, path: KeyPath) -> str | None:
        """The variable that set this path or a table above it; None: it stands in the file."""
        return next((self.sources[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.sources), None)


class _Unusable(Exception):
    """A variable that can't be used."""

    def __init__(self, path: KeyPath, problem: str) -> None:
        super().__init__(problem)
        self.path = path
        self.problem = problem


def overlay(tables: dict[str, Any], environ: Mapping[str, str], shape: Shape) -> Overlay:
    """Set in the tables what the environment says; a variable replaces what the file has under its key, narrower ones come last."""
    done = Overlay()
    names = [name for name in environ if name.startswith(PREFIX)]
    for name in sorted(names, key=lambda name: (name.count(_SEPARATOR), name)):
        try:
            place = _place(tables, name.removeprefix(PREFIX).split(_SEPARATOR), shape)
            _put(tables, place, _value(environ[name], place), done)
        except _Unusable as unusable:
            done.sources[unusable.path] = name
            done.findings.append(Finding(unusable.path, unusable.problem))
        else:
            done.sources[place.path] = name
    return done


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a variable's value goes, what is taken there, and what the table around it takes."""

    path: tuple[str, ...]
    shape: Shape
    around: Shape


def _place(tables: Mapping[str, Any], segments: list[str], shape: Shape) -> _Place:
    path: tuple[str, ...] = ()
    around, table = shape, tables
    for segment in segments:
        if not isinstance(table, dict):
            raise _Unusable(path, "is no table, so that no key in it can be set")
        around = shape
        key, shape = _step(table, segment, around, path)
        path, table = (*path, key), table.get(key, {})
    return _Place(path, shape, around)


def _put(tables: dict[str, Any], place: _Place, value: Any, done: Overlay) -> None:
    """Set the value. A secret from the environment, however given, wins over the file's, however given."""
    *above, leaf = place.path
    table = tables
    for key in above:
        table = table.setdefault(key, {})
    table[leaf] = value
    for name in place.around.secrets:
        pair = {name: name + FILE_SUFFIX, name + FILE_SUFFIX: name}
        if leaf in pair and (*above, pair[leaf]) not in done.sources:
            table.pop(pair[leaf], None)


def _step(table: Mapping[str, Any], segment: str, shape: Shape, path: KeyPath) -> tuple[str, Shape]:
    """The key that a segment of a variable's name means, and what it takes. Keys of free tables keep the file's spelling."""
    for key in (*shape.keys, *table):
        below = shape.at(key)
        if below is not None and key.strip().casefold() == segment.casefold():
            return key, below
    if shape.free_value is None or not segment:
        raise _Unusable((*path, segment.lower()), f"unknown key{did_you_mean(segment, shape.keys)}")
    return segment.lower(), shape.free_value


def _value(text: str, place: _Place) -> Any:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise _Unusable(place.path, "is no UTF-8 text")
    if place.shape.takes_text_only or (place.shape.takes_anything and not _is_toml(text)):
        return text
    try:
        return _toml(text)
    except ValueError:
        raise _Unusable(place.path, "should be a TOML value: a number, true, false, [a list] or {a table}") from None


def _is_toml(text: str) -> bool:
    """Whether a text for a key that takes anything is to be read as TOML; what opens a list, a table or a quotation has to be."""
    if text.startswith(_QUOTED):
        return True
    try:
        _toml(text)
    except ValueError:
        return False
    return True


def _toml(text: str) -> Any:
    tables = parse(f"value = {text}")
    if tables.keys() != {"value"}:
        raise ValueError("more than a value")
    return tables["value"]
