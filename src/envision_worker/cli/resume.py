"""`resume`: read again."""

from pathlib import Path

import click

from envision_worker.cli.configured import config_option, configured, operate


@click.command()
@config_option
def command(config_path: Path) -> int:
    """Read the queue again after a pause."""
    return operate(configured(config_path), "resume")
