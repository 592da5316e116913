"""Lists: paging, sorting, searching, and which fields the rows carry.

Sources: the pages about input data and pagination. `row_count` is 10 unless told and 100 at most, `start_index` counts
from 1; `response_status` is an array in a list and an object everywhere else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from envision_worker.simulators.http import Response, json_response
from envision_worker.simulators.manageengine import criteria, refusals
from envision_worker.simulators.manageengine.calls import Call
from envision_worker.simulators.manageengine.criteria import Row, value_of
from envision_worker.simulators.manageengine.fields import checked_object

MAX_ROWS = 100
DEFAULT_ROWS = 10
_OPTIONS = {
    "row_count", "start_index", "page", "sort_field", "sort_order", "get_total_count", "fields_required",
    "search_criteria", "search_fields",
}  # fmt: skip


@dataclass(frozen=True)
class Listing:
    """How one kind of thing is listed.

    Attributes:
        plural: the key of the rows in the answer.
        fields: everything a row can carry; what can be searched by.
        columns: what a row carries unless more is asked for; None: everything.
        sortable: what rows can be sorted by; None: everything.
        sort_field, sort_order: how they come unless told.
        never: what a list never brings, even where it is asked for.
    """

    plural: str
    fields: frozenset[str]
    columns: tuple[str, ...] | None = None
    sortable: tuple[str, ...] | None = None
    sort_field: str = "id"
    sort_order: str = "asc"
    never: frozenset[str] = frozenset()


def answer(
    call: Call, listing: Listing, rows: Callable[[], Sequence[Row]], *, udfs: frozenset[str] = frozenset()
) -> Response:
    """The answer to a list.

    Args:
        rows: everything there is; a row makes its fields when they are asked for.
        udfs: the user-defined fields that rows can be searched by.
    """
    data = checked_object("input_data", call.list_input(), {"list_info", "fields_required"})
    options = checked_object("list_info", data.get("list_info", {}), _OPTIONS)
    page = _Page.read(options, listing, tolerates_zero=not call.world.flavour.is_cloud)
    keeps = _keeps(call, options, listing, udfs)
    wanted = _wanted_fields(call, data, options, listing)
    kept = [row for row in rows() if keeps(row)]
    kept.sort(key=lambda row: _sort_key(value_of(row, page.sort_field)), reverse=page.sort_order == "desc")
    shown = kept[page.start - 1 : page.start - 1 + page.count]
    info: dict[str, Any] = {
        "has_more_rows": len(kept) > page.start - 1 + len(shown),
        "start_index": page.start,
        "sort_field": page.sort_field,
        "sort_order": page.sort_order,
        "row_count": len(shown),
    }
    if options.get("get_total_count") is True:
        info["total_count"] = len(kept)
    return json_response(
        {
            "response_status": [{"status_code": 2000, "status": "success"}],
            "list_info": info,
            listing.plural: [_picked(row, wanted) for row in shown],
        }
    )


@dataclass(frozen=True)
class _Page:
    start: int
    count: int
    sort_field: str
    sort_order: str

    @classmethod
    def read(cls, options: Mapping[str, Any], listing: Listing, *, tolerates_zero: bool) -> "_Page":
        count = _whole(options, "row_count", DEFAULT_ROWS, least=1)
        if count > MAX_ROWS:
            raise refusals.invalid("row_count")
        start = _whole(options, "start_index", 1, least=0 if tolerates_zero else 1)
        if "page" in options:
            start = (_whole(options, "page", 1, least=1) - 1) * count + 1
        sort_field = options.get("sort_field", listing.sort_field)
        if not isinstance(sort_field, str) or sort_field not in (listing.sortable or listing.fields):
            raise refusals.invalid("sort_field")
        sort_order = options.get("sort_order", listing.sort_order)
        if sort_order not in ("asc", "desc"):
            raise refusals.invalid("sort_order")
        return cls(max(start, 1), count, sort_field, sort_order)


def _whole(options: Mapping[str, Any], name: str, default: int, *, least: int) -> int:
    value = options.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise refusals.wrong_type(name)
    if value < least:
        raise refusals.invalid(name)
    return value


def _keeps(call: Call, options: Mapping[str, Any], listing: Listing, udfs: frozenset[str]) -> criteria.Predicate:
    def known(path: str) -> bool:
        first, _, rest = path.partition(".")
        return rest in udfs if first == "udf_fields" else first in listing.fields

    tests = []
    if options.get("search_criteria") is not None:
        tests.append(criteria.predicate(options["search_criteria"], known, call.world.switches))
    for path, value in checked_object("search_fields", options.get("search_fields", {}), _any_key(options)).items():
        criterion = {"field": path, "condition": "is", "value": value}
        tests.append(criteria.predicate(criterion, known, call.world.switches))
    if not call.world.switches.search_honoured:
        return lambda _: True
    return lambda row: all(test(row) for test in tests)


def _any_key(options: Mapping[str, Any]) -> set[str]:
    given = options.get("search_fields", {})
    return set(given) if isinstance(given, dict) else set()


def _wanted_fields(
    call: Call, data: Mapping[str, Any], options: Mapping[str, Any], listing: Listing
) -> tuple[str, ...] | None:
    """The fields that a row carries: those asked for and its id, else the usual ones. Unknown ones are refused."""
    given = options.get("fields_required", data.get("fields_required"))
    if given is None or not call.world.switches.fields_required_honoured:
        return listing.columns
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise refusals.wrong_type("fields_required")
    if any(each.partition(".")[0] not in listing.fields for each in given):
        raise refusals.invalid("fields_required")
    return ("id", *(each for each in given if each not in listing.never))


def _picked(row: Row, wanted: tuple[str, ...] | None) -> dict[str, Any]:
    if wanted is None:
        return dict(row)
    picked: dict[str, Any] = {}
    for path in wanted:
        name, _, inner = path.partition(".")
        value = row.get(name)
        if inner and isinstance(value, dict):
            picked[name] = {**picked.get(name, {}), inner: value.get(inner)}
        else:
            picked[name] = value
    return picked


def _sort_key(value: str | None) -> tuple[int, int, str]:
    """Null first, numbers by their size, texts behind them."""
    if value is None:
        return (0, 0, "")
    if value.isdigit():
        return (1, int(value), "")
    return (2, 0, value.casefold())
