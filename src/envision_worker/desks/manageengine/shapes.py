"""Reads the parts of answers: ids that may be numbers, times, lookups, users, notes and files, old and new shapes alike.

Nothing here raises on a wrong type: what can't be read is empty, None or left out, and who needs it says so.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from envision_worker.clock import from_epoch_ms
from envision_worker.desks.desk import FileStub, NoteStub

Json = Mapping[str, Any]


def text(value: Any) -> str:
    """A text or a whole number as text; anything else is empty. Ids are both, by build; a float would lose digits."""
    if isinstance(value, str):
        return value
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

    Only a size in bytes is a size: "73.78KB" is rounded.
    """
    identifier = text(row.get("id")) or text(row.get("file_id"))
    size = row.get("size")
    size_bytes = whole(part(size, "value") if isinstance(size, Mapping) else size)
    called = text(row.get("name")) or text(row.get("file_name"))
    return FileStub(identifier, called, size_bytes) if identifier else None


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
