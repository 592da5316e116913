"""`demo`: everything at once, simulated, on this machine."""

import asyncio

import click

from envision_worker.demo.play import play


@click.command()
def command() -> int:
    """Simulated Ensono, simulated ManageEngine and the real worker: every transaction type, and what reached the desk."""
    return asyncio.run(play())
