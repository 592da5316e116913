"""What commands print: data on stdout, the rest on stderr; tables on a terminal, plain columns when piped.

Text from outside (the desk's errors, Ensono's notes) is never trusted: it can't steer a terminal, and no signed address gets through.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from typing_extensions import override

from envision_worker.cli import exits

READABLE = 30
"""The least width at which a column of running text can be read; a narrower terminal gets the text below its row."""
_QUERY = re.compile(r"(https?://[^\s\"'<>?\\]+)\?[^\s\"'<>]*", re.IGNORECASE)
_SIGNATURE = re.compile(r"\b(x-amz-[a-z-]{1,40})(=|%3d)[^\s\"'<>&]+", re.IGNORECASE)
"""Of an address that is broken, so that nothing but this tells that it is one."""
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]")


class Unavailable(click.ClickException):
    """A peer, the state store or a port is not there."""

    exit_code = exits.UNAVAILABLE

    @override
    def show(self, file: Any = None) -> None:
        """On stderr."""
        complain(self.message)


class WrongConfiguration(click.ClickException):
    """The configuration is wrong."""

    exit_code = exits.CONFIGURATION

    @override
    def show(self, file: Any = None) -> None:
        """One line for each fault, on stderr."""
        complain(self.message)


class TryAgain(click.ClickException):
    """It may work in a moment."""

    exit_code = exits.TEMPORARY_FAILURE

    @override
    def show(self, file: Any = None) -> None:
        """On stderr."""
        complain(self.message)


class OutputLost(click.ClickException):
    """What was to be said can't be: stdout leads to a full disk."""

    exit_code = exits.OUTPUT

    @override
    def show(self, file: Any = None) -> None:
        """On stderr."""
        complain(self.message)


def say(text: str) -> None:
    """Data, on stdout. Raises `OutputLost`; of a reader that has seen enough, BrokenPipeError, which click sees to."""
    try:
        click.echo(text)
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise OutputLost(f"the output can't be written: {exc.strerror}") from exc


def complain(text: str) -> None:
    """Anything else, on stderr."""
    click.echo(text, err=True)


def say_json(data: object) -> None:
    """Data for machines."""
    say(as_json(data))


def as_json(data: object) -> str:
    """JSON that can be shown on a terminal, too: what steers one stands there as an escape of JSON's own."""
    text = json.dumps(unsigned(data), indent=2, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], text)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows for people: a table on a terminal, tab-separated columns elsewhere. The last column holds running text."""
    texts = [[printable(str(cell)) for cell in row] for row in rows]
    if sys.stdout is not None and sys.stdout.isatty():  # a shell may have closed it: `>&-`
        _draw(columns, texts)
        return
    for row in texts:
        say("\t".join(row))


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box  # noqa: PLC0415 - costs 90 ms, which scripts need not pay
    from rich.cells import cell_len  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.padding import Padding  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    widths = [max(map(cell_len, column)) for column in zip(columns, *rows, strict=True)]
    room = console.width - sum(widths[:-1]) - 2 * (len(widths) - 1)
    if room < min(widths[-1], READABLE):
        for *short, running in rows:
            console.print(Text("  ".join(short), style="bold"))
            if running:
                console.print(Padding(Text(running, overflow="fold"), (0, 0, 0, 4), expand=False))
        return
    shown = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for name in columns[:-1]:
        shown.add_column(name, no_wrap=True)
    shown.add_column(columns[-1], overflow="fold")
    for row in rows:
        shown.add_row(*map(Text, row))
    console.print(shown)


def printable(text: str) -> str:
    """Text from outside as one line that can't steer a terminal and holds no signature."""
    return "".join(char if char.isprintable() else " " for char in unsigned(text))


def unsigned(value: Any) -> Any:
    """The same without the queries of addresses: a signature lives there (contract, P10)."""
    if isinstance(value, Mapping):
        return {unsigned(key): unsigned(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [unsigned(each) for each in value]
    if not isinstance(value, str):
        return value
    return _SIGNATURE.sub(r"\1\2[removed]", _QUERY.sub(r"\1?[removed]", value))


def moment(epoch_s: float | None) -> str:
    """A time for people, in UTC."""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if epoch_s is not None else "-"


def duration(seconds: float) -> str:
    """A length of time for people, in its two largest units."""
    units = [("d", 86400), ("h", 3600), ("min", 60), ("s", 1)]
    parts, left = [], int(seconds)
    for name, size in units:
        count, left = divmod(left, size)
        parts.append((count, name))
    first = next((place for place, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {name}" for count, name in parts[first : first + 2] if count) or "0 s"
