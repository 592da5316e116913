"""What commands print: data on stdout, the rest on stderr; tables on a terminal, plain columns when piped."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click


class Unavailable(click.ClickException):
    """A peer, the state store or a port is not there."""

    exit_code = 69

    def show(self, file: Any = None) -> None:  # noqa: ARG002 - click's signature
        """One line on stderr."""
        complain(self.message)


class WrongConfiguration(click.ClickException):
    """The configuration is wrong."""

    exit_code = 78

    def show(self, file: Any = None) -> None:  # noqa: ARG002 - click's signature
        """One line for each fault, on stderr."""
        complain(self.message)


def say(text: str) -> None:
    """Data, on stdout."""
    click.echo(text)


def complain(text: str) -> None:
    """Anything else, on stderr."""
    click.echo(text, err=True)


def say_json(data: object) -> None:
    """Data for machines."""
    say(json.dumps(data, indent=2, ensure_ascii=False))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows for people: a table on a terminal, tab-separated columns elsewhere."""
    texts = [[printable(str(cell)) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in texts:
            say("\t".join(row))
        return
    from rich.console import Console  # noqa: PLC0415 - costs 90 ms, which scripts need not pay
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    shown = Table(*columns, header_style="bold", box=None, pad_edge=False)
    for row in texts:
        shown.add_row(*(Text(cell) for cell in row))
    Console(highlight=False).print(shown)


def printable(text: str) -> str:
    """Text from outside as one line that can't steer a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def moment(epoch_s: float | None) -> str:
    """A time for people, in UTC."""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if epoch_s is not None else "-"


def duration(seconds: float) -> str:
    """A length of time for people, in its two largest units."""
    units = [("d", 86400), ("h", 3600), ("min", 60), ("s", 1)]
    parts, left = [], int(seconds)
    for name, size in units:
        count, left = divmod(left, size)
        parts += [f"{count} {name}"] if count else []
    return " ".join(parts[:2]) or "0 s"
