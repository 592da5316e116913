"""`backup`: a consistent copy of the ledger, also while the daemon runs."""

from pathlib import Path

import click

from envision_worker.cli import exits
from envision_worker.cli.configured import config_option, configured
from envision_worker.cli.terminal import Unavailable, complain
from envision_worker.ledger.backup import back_up
from envision_worker.ledger.records import LedgerUnavailable


@click.command()
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path))
@config_option
def command(target: Path, config_path: Path) -> int:
    """Copy the ledger to FILE, which is replaced where it exists."""
    ledger = configured(config_path).state.path
    try:
        _refuse_what_may_not_be_replaced(target, ledger)
        back_up(str(ledger), str(target))
        size = target.stat().st_size
    except (LedgerUnavailable, OSError) as exc:
        raise Unavailable(f"backup: {exc}") from exc
    complain(f"{target}: {size} bytes")
    return exits.OK


def _refuse_what_may_not_be_replaced(target: Path, ledger: Path) -> None:
    """A folder, a device, a pipe, the ledger itself. Raises `BadParameter`, or OSError where it can't be looked at."""
    if target.is_dir():
        raise click.BadParameter("is a directory; name a file", param_hint="FILE")
    if target.exists() and not target.is_file():
        raise click.BadParameter("is there and no file; name another", param_hint="FILE")
    own = {ledger.with_name(f"{ledger.name}{end}").resolve() for end in ("", "-wal", "-shm", ".lock", ".sock")}
    if target.resolve() in own:
        raise click.BadParameter("is the ledger itself; name another file", param_hint="FILE")
