"""What pydantic finds wrong, in our words: `should be …`, never with the value."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from envision_worker.config.faults import Finding, KeyPath, did_you_mean
from envision_worker.config.shape import FILE_SUFFIX, Shape

_WANTED: Mapping[str, str] = {
    "string_type": "text in quotes",
    "string_sub_type": "text in quotes",
    "path_type": "text in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a table",
    "mapping_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (str, "text"),
    (int, "a whole number"),
    (float, "a fraction"),
    (list, "a list"),
    (dict, "a table"),
)


def findings(error: ValidationError, tables: Mapping[str, Any], shape: Shape) -> Iterator[Finding]:
    """One finding for each thing that is wrong."""
    for detail in error.errors(include_url=False, include_input=False):
        path = _path(detail["loc"], tables, shape)
        yield Finding(path, _problem(detail, path, _value(tables, path), _shape(shape, path[:-1])))


def _path(location: KeyPath, tables: Any, shape: Shape) -> KeyPath:
    """Where it is: pydantic's location without union members, `[key]` and other steps that are neither in the file nor known keys."""
    path: KeyPath = ()
    for part in location:
        around = _shape(shape, path)
        known = isinstance(tables, dict) and around is not None and part in around.keys
        if known or _has(tables, part):
            path, tables = (*path, part), tables[part] if _has(tables, part) else None
    return path


def _has(value: Any, part: str | int) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def _value(tables: Any, path: KeyPath) -> Any:
    for part in path:
        tables = tables[part] if _has(tables, part) else None
    return tables


def _shape(shape: Shape, path: KeyPath) -> Shape | None:
    below: Shape | None = shape
    for part in path:
        below = below.at(part) if below else None
    return below


def _problem(detail: ErrorDetails, path: KeyPath, value: Any, around: Shape | None) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key{did_you_mean(str(path[-1]), around.keys if around else ())}"
    if kind == "missing":
        return f"missing: {_how_to_give(str(path[-1]), around)}"
    if kind == "value_error":
        return _said(str(context.get("error", "is wrong")), path, around)
    if kind in _WANTED:
        return f"should be {_WANTED[kind]}, not {_kind_of(value)}"
    message = detail["msg"].replace("Input should be", "should be").replace("String should", "should")
    return message[:1].lower() + message[1:] + _suggestion(context.get("expected", ""), value)


def _how_to_give(key: str, around: Shape | None) -> str:
    secret = around is not None and key in around.secrets
    how = f'give {key}{FILE_SUFFIX} = "<a file that holds it>"' if secret else f"give {key} = …"
    shape = around.at(key) if around else None
    return f"{how} ({shape.description.rstrip('.')})" if shape and shape.description else how


def _said(problem: str, path: KeyPath, around: Shape | None) -> str:
    """What a model's own check says; where it misses a key, with how to give it."""
    return f"{problem}: {_how_to_give(str(path[-1]), around)}" if problem.startswith("missing") and path else problem


def _suggestion(expected: str, value: Any) -> str:
    """`; did you mean …?` where the value is nearly one of those that were expected (`'a', 'b' or 'c'`)."""
    words = [word for word in expected.split("'") if word.strip(", ") not in {"", "or"}]
    hint = did_you_mean(value, words) if isinstance(value, str) else ""
    return hint if "did you mean" in hint else ""


def _kind_of(value: Any) -> str:
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "nothing")
