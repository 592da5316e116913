"""What can be wrong with a configuration, in words: `key: problem`, never with the value, which may be a secret in the wrong place."""

import difflib
import json
import re
from collections.abc import Iterable
from typing import NamedTuple

KeyPath = tuple[str | int, ...]
"""Where a value stands: names of tables and keys, and positions in lists from 0."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_KEY = 60


class Fault(NamedTuple):
    """One thing that is wrong (or, as a warning, unusual).

    Attributes:
        key: the dotted key (`queue.poll_interval_s`, `scope.out_of_scope.0.group`), or the file's name.
        problem: what is wrong and what to do about it, in one line.
    """

    key: str
    problem: str

    def __str__(self) -> str:
        return f"{self.key}: {self.problem}"


class Finding(NamedTuple):
    """A fault before it is put into words for people.

    Attributes:
        covers_table: whatever else seems wrong in the table around it follows from this one.
    """

    path: KeyPath
    problem: str
    covers_table: bool = False


class ConfigFaults(Exception):
    """A configuration that can't be used; `faults` are all of them, in the order of the sections."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


def dotted(path: KeyPath) -> str:
    """The path as it is written in a message; names that TOML would quote are quoted and cut to a readable length."""
    return ".".join(_part(part) for part in path)


def _part(part: str | int) -> str:
    name = str(part)
    if len(name) > _LONGEST_KEY:
        name = name[:_LONGEST_KEY] + "…"
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=not name.isprintable())


def one_line(text: str) -> str:
    """The text on one line, with nothing in it that would move a terminal's cursor or that can't be printed."""
    return "".join(character if character.isprintable() else "?" for character in " ".join(text.split()))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The nearest of the known words as the end of a sentence, or all of them where none is near."""
    words = sorted(known)
    near = difflib.get_close_matches(word.strip().lower(), words, n=1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known here: {', '.join(words)}" if words else ""
