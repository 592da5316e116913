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
    if target.is_dir():
        raise click.BadParameter("is a directory; name a file", param_hint="FILE")
    if target.resolve() in {
        ledger.with_name(f"{ledger.name}{end}").resolve() for end in ("", "-wal", "-shm", ".lock", ".sock")
    }:
        raise click.BadParameter("is the ledger itself; name another file", param_hint="FILE")
    try:
        back_up(str(ledger), str(target))
        size = target.stat().st_size
    except (LedgerUnavailable, OSError) as exc:
        raise Unavailable(f"backup: {exc}") from exc
    complain(f"{target}: {size} bytes")
    return exits.OK
