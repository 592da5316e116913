"""The program: its commands, each loaded only when it is used, and how what goes wrong becomes an exit code."""

import gc
import importlib
import io
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click
from typing_extensions import override

from envision_worker.cli import exits
from envision_worker.cli.terminal import complain, printable

_COMMANDS = {
    "run": "run",
    "check": "check",
    "demo": "demo",
    "simulate": "simulate",
    "status": "status",
    "history": "history",
    "dead-letters": "dead_letters",
    "approvals": "approvals",
    "pause": "pause",
    "resume": "resume",
    "backup": "backup",
}


class _LazyGroup(click.Group):
    """Commands by name; `--help` loads them all, a command only itself."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        if cmd_name == "run":
            _stop_at_once_until_it_runs()
        gc.disable()  # nothing that loading makes goes away again; looking for it takes a tenth of the time
        try:
            command: click.Command = importlib.import_module(f"envision_worker.cli.{module}").command
        finally:
            gc.enable()
        return command


def _stop_at_once_until_it_runs() -> None:
    """A daemon that is told to stop while it starts has done nothing yet: that is a clean stop (contract, P8)."""
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: sys.exit(exits.OK))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="envision-worker", prog_name="envision-worker")
def program() -> None:
    """Carries tickets between Ensono and a company's own service desk: once, complete and in order."""


def run_program(arguments: Sequence[str], commands: click.Command = program) -> int:
    """Run one command; nothing that a user can cause ends in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character must not end a command
    try:
        _refuse_what_is_no_text(arguments)
        result = commands.main(args=list(arguments), prog_name="envision-worker", standalone_mode=False)
    except click.UsageError as exc:
        exc.show()
        return exits.USAGE
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code
    except (click.Abort, KeyboardInterrupt):
        complain("interrupted")
        return exits.INTERRUPTED
    except Exception as exc:  # noqa: BLE001 - a bug must end in one line, too
        complain(_bug(exc))
        return exits.SOFTWARE
    return result if isinstance(result, int) else exits.OK


def _refuse_what_is_no_text(arguments: Sequence[str]) -> None:
    """Bytes that are no UTF-8 (a Latin-1 terminal, a mangled paste) are in no ledger, and can't be sent to a daemon."""
    for argument in arguments:
        if any("\ud800" <= character <= "\udfff" for character in argument):
            raise click.UsageError(f"an argument is no UTF-8: {printable(argument)}")


def _bug(exc: Exception) -> str:
    """What to report: kind and place, not what the exception says, which may hold a secret."""
    places = traceback.extract_tb(exc.__traceback__)
    place = next((each for each in reversed(places) if __package__.partition(".")[0] in each.filename), places[-1])
    return f"a bug in envision-worker: {type(exc).__name__} in {Path(place.filename).name}, line {place.lineno}"
