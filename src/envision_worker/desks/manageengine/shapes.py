"""Reads the parts of answers: ids that may be numbers, times, lookups, users, notes and files, old and new shapes alike.

Nothing here raises on a wrong type: what can't be read is empty, None or left out, and who needs it says so.
"""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from envision_worker.clock import from_epoch_ms
from envision_worker.desks.desk import FileStub, NoteStub

Json = Mapping[str, Any]


def text(value: Any) -> str:
    """A text or a whole number as text; anything else is empty. Ids are both, by build; a float would lose digits.

    Half an emoji, as JSON can bring it, becomes a question mark: it could neither be kept nor sent.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def part(value: Any, *path: str) -> Any:
    """The value under a path of keys, None where it leads nowhere."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def flag(value: Any) -> bool | None:
    """A yes or no, given as such or as text; None where it is neither."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(text(value).lower())


def name(value: Any) -> str:
    """The name of a lookup: `{"name": "Open", "id": "2"}`, or the name itself."""
    return text(value["name"]) if isinstance(value, Mapping) and "name" in value else text(value)


def whole(value: Any) -> int | None:
    """A whole number, given as such or as digits."""
    shown = text(value).strip()
    digits = shown.removeprefix("-")
    return int(shown) if digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS else None


_MAX_DIGITS = 19  # a 64-bit number


def moment(value: Any) -> datetime | None:
    """A time: `{"display_value": …, "value": "<epoch ms>"}`; only `value` is independent of who asks."""
    milliseconds = whole(part(value, "value") if isinstance(value, Mapping) else value)
    if milliseconds is None:
        return None
    try:
        return from_epoch_ms(milliseconds)
    except (OverflowError, OSError, ValueError):
        return None


def rank(identifier: str) -> tuple[int, str]:
    """Sorts ids as the desk counts them up: as numbers, whatever their length."""
    digits = identifier.lstrip("0")
    return (len(digits), digits)


def note_stub(row: Json) -> NoteStub | None:
    """A note of a list; its time has another name in each shape."""
    identifier = text(row.get("id"))
    added = next((row[key] for key in ("added_time", "created_time", "performed_time") if row.get(key)), None)
    return NoteStub(identifier, moment(added)) if identifier else None


def file_stub(row: Json) -> FileStub | None:
    """A file of a list: `{"id", "file_name", "size": "73.78KB"}` or `{"id", "name", "size": {"display_value", "value"}}`.

    "73.78KB" may have been rounded or cut off: it is anything within one of the last digit.
    """
    identifier = text(row.get("id")) or text(row.get("file_id"))
    size = row.get("size")
    told = part(size, "value") if isinstance(size, Mapping) else size
    exact = whole(told)
    size_bytes, rounded_by = (exact, 0) if exact is not None else _rounded(text(told))
    called = text(row.get("name")) or text(row.get("file_name"))
    return FileStub(identifier, called, size_bytes, rounded_by) if identifier else None


_UNITS = {"KB": 1024, "MB": 1024**2, "GB": 1024**3}
_ROUNDED = re.compile(r"\s*([0-9]{1,12})(?:\.([0-9]{1,6}))?\s*([KMG]B)\s*", re.ASCII | re.IGNORECASE)


def _rounded(shown: str) -> tuple[int | None, int]:
    """The bytes of a size like "73.78KB" and by how many it may be off; None where it is no such size."""
    found = _ROUNDED.fullmatch(shown)
    if found is None:
        return None, 0
    decimals, unit = found[2] or "", _UNITS[found[3].upper()]
    last_digit = unit / 10 ** len(decimals)
    return round(int(found[1] + decimals) * last_digit), math.ceil(last_digit)


def uploaded_id(body: Json) -> str:
    """The id in the answer to an upload, whose shape differs by build and edition; empty where it tells none."""
    for key in ("attachment", "attachments", "files", "file"):
        for entry in _entries(body.get(key)):
            stub = file_stub(entry)
            if stub is not None:
                return stub.id
    return text(body.get("file_id"))


def _entries(value: Any) -> Iterable[Json]:
    if isinstance(value, Mapping):
        return [value]
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []
