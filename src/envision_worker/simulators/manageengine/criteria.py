"""`search_criteria` of a list: which rows it keeps.

Source: the pages about input data: `{"field", "condition", "value" | "values", "logical_operator", "children"}`, an
object or an array of them; conditions as words or in short form; times as milliseconds since 1970.
"""

from collections.abc import Callable, Mapping
from typing import Any

from envision_worker.simulators.manageengine import refusals
from envision_worker.simulators.manageengine.switches import Switches

Row = Mapping[str, Any]
Predicate = Callable[[Row], bool]
Known = Callable[[str], bool]

_KEYS = {"field", "condition", "value", "values", "logical_operator", "children"}
_SHORT = {
    "eq": "is",
    "neq": "is not",
    "gt": "greater than",
    "gte": "greater or equal",
    "lt": "lesser than",
    "lte": "lesser or equal",
}
_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "is": lambda held, wanted: held == wanted,
    "starts with": lambda held, wanted: held.startswith(wanted),
    "ends with": lambda held, wanted: held.endswith(wanted),
    "contains": lambda held, wanted: wanted in held,
}
_NUMBER_TESTS: dict[str, Callable[[float, list[float]], bool]] = {
    "greater than": lambda held, wanted: held > wanted[0],
    "greater or equal": lambda held, wanted: held >= wanted[0],
    "lesser than": lambda held, wanted: held < wanted[0],
    "lesser or equal": lambda held, wanted: held <= wanted[0],
    "between": lambda held, wanted: wanted[0] <= held <= wanted[-1],
}
_NEGATIONS = {"is not": "is", "not contains": "contains", "not between": "between"}
_TIMES = ("_time", "_on")


def predicate(given: Any, known: Known, switches: Switches) -> Predicate:
    """What `search_criteria` keep.

    Args:
        known: whether a field can be searched by.

    Raises:
        Refusal: they can't be understood, or name a field that there isn't.
    """
    as_array = isinstance(given, list)
    if switches.criteria_form != "any" and as_array != (switches.criteria_form == "array"):
        raise refusals.wrong_type("search_criteria")
    criteria = given if isinstance(given, list) else [given]
    fields = list(_fields(criteria))
    if not switches.dates_in_many_criteria and len(fields) > 1 and any(each.endswith(_TIMES) for each in fields):
        raise refusals.invalid("search_criteria")
    return _all_of(criteria, known, switches)


def value_of(row: Row, path: str) -> str | None:
    """What a row holds under a dotted name, as a text: of a time its milliseconds, of a lookup its name."""
    held: Any = row.get(path)
    if held is None and "." in path:
        held = row
        for part in path.split("."):
            held = held.get(part) if isinstance(held, Mapping) else None
    if isinstance(held, Mapping):
        held = held.get("value", held.get("name"))
    if isinstance(held, bool):
        return str(held).lower()
    return None if held is None else str(held)


def _fields(criteria: list[Any]) -> Any:
    for each in criteria:
        if not isinstance(each, dict):
            raise refusals.wrong_type("search_criteria")
        if isinstance(each.get("field"), str):
            yield each["field"]
        children = each.get("children", [])
        yield from _fields(children if isinstance(children, list) else [children])


def _all_of(criteria: list[Any], known: Known, switches: Switches) -> Predicate:
    """Several criteria, joined from left to right by the operator that each but the first brings."""
    tests = [(_operator(each), _one(each, known, switches)) for each in criteria]

    def keeps(row: Row) -> bool:
        kept = True
        for index, (operator, test) in enumerate(tests):
            if index == 0:
                kept = test(row)
            elif operator == "OR":
                kept = kept or test(row)
            else:
                kept = kept and test(row)
        return kept

    return keeps


def _operator(criterion: Mapping[str, Any]) -> str:
    operator = str(criterion.get("logical_operator", "AND")).upper()
    if operator not in ("AND", "OR"):
        raise refusals.invalid("logical_operator")
    return operator


def _one(criterion: Mapping[str, Any], known: Known, switches: Switches) -> Predicate:
    for key in criterion:
        if key not in _KEYS:
            raise refusals.extra_key(key)
    children = criterion.get("children", [])
    nested = children if isinstance(children, list) else [children]
    if "field" not in criterion and nested:
        return _all_of(nested, known, switches)
    own = _condition(criterion, known, switches)
    tests = [(_operator(each), _one(each, known, switches)) for each in nested]

    def keeps(row: Row) -> bool:
        kept = own(row)
        for operator, test in tests:
            kept = (kept or test(row)) if operator == "OR" else (kept and test(row))
        return kept

    return keeps


def _condition(criterion: Mapping[str, Any], known: Known, switches: Switches) -> Predicate:
    path = criterion.get("field")
    if not isinstance(path, str) or not known(path):
        raise refusals.invalid(path if isinstance(path, str) else "field")
    given = criterion.get("condition")
    condition = _SHORT.get(str(given), str(given))
    positive = _NEGATIONS.get(condition, condition)
    wanted = _wanted(criterion)
    if positive in _NUMBER_TESTS:
        test = _number_test(positive, path, wanted)
    elif positive in _TEXT_TESTS:
        test = _text_test(positive, path, wanted, ignore_case=switches.search_ignores_case)
    else:
        raise refusals.invalid("condition")
    return (lambda row: not test(row)) if condition in _NEGATIONS else test


def _wanted(criterion: Mapping[str, Any]) -> list[str]:
    values = criterion["values"] if "values" in criterion else [criterion.get("value")]
    if not isinstance(values, list):
        raise refusals.wrong_type("values")
    if "values" not in criterion and values == [None]:
        raise refusals.missing("value")
    return [_plain(value) for value in values]


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("id", value.get("name", value.get("value")))
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int):
        raise refusals.wrong_type("value")
    return str(value)


def _text_test(condition: str, path: str, wanted: list[str], *, ignore_case: bool) -> Predicate:
    compare = _TEXT_TESTS[condition]

    def fold(text: str) -> str:
        return text.casefold() if ignore_case else text

    def keeps(row: Row) -> bool:
        held = value_of(row, path)
        if held is None:
            return not wanted
        return any(compare(fold(held), fold(each)) for each in wanted)

    return keeps


def _number_test(condition: str, path: str, wanted: list[str]) -> Predicate:
    compare = _NUMBER_TESTS[condition]
    try:
        numbers = [float(each) for each in wanted]
    except ValueError as exc:
        raise refusals.wrong_type("value") from exc
    if not numbers:
        raise refusals.missing("value")

    def keeps(row: Row) -> bool:
        held = value_of(row, path)
        return held is not None and held.lstrip("-").isdigit() and compare(float(held), numbers)

    return keeps
