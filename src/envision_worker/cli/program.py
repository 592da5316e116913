"""The program: its commands, each loaded only when it is used, and how what goes wrong becomes an exit code."""

import importlib
from collections.abc import Sequence

import click

from envision_worker.cli import exits
from envision_worker.cli.terminal import complain

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

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = importlib.import_module(f"envision_worker.cli.{module}").command
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="envision-worker", prog_name="envision-worker")
def program() -> None:
    """Carries tickets between Ensono and a company's own service desk: once, complete and in order."""


def run_program(arguments: Sequence[str]) -> int:
    """Run one command; nothing that a user can cause ends in a traceback."""
    try:
        result = program.main(args=list(arguments), prog_name="envision-worker", standalone_mode=False)
    except click.UsageError as exc:
        exc.show()
        return exits.USAGE
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code
    except (click.Abort, KeyboardInterrupt):
        complain("interrupted")
        return exits.INTERRUPTED
    return result if isinstance(result, int) else exits.OK
