"""`backup`: a consistent copy of the ledger, also while the daemon runs."""

from pathlib import Path

import click

from envision_worker.cli import exits
from envision_worker.cli.configured import config_option, configured
from envision_worker.cli.terminal import Unavailable, say
from envision_worker.ledger.records import LedgerUnavailable
from envision_worker.ledger.sqlite import back_up


@click.command()
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path))
@config_option
def command(target: Path, config_path: Path) -> int:
    """Copy the ledger to FILE, which is replaced where it exists."""
    config = configured(config_path)
    try:
        back_up(str(config.state.path), str(target))
    except LedgerUnavailable as exc:
        raise Unavailable(f"backup: {exc}") from exc
    say(f"{target}: {target.stat().st_size} bytes")
    return exits.OK
