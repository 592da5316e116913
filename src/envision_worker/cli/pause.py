"""`pause`: stop reading, for maintenance of the desk."""

from pathlib import Path

import click

from envision_worker.cli.configured import config_option, configured, operate


@click.command()
@config_option
def command(config_path: Path) -> int:
    """Stop reading the queue; survives a restart."""
    return operate(configured(config_path), "pause")
