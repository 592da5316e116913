"""`run`: the daemon."""

import gc
import os
from pathlib import Path

import click

from envision_worker.cli.configured import config_option, configured, run
from envision_worker.cli.terminal import Unavailable
from envision_worker.config.advice import warnings
from envision_worker.daemon import CannotStart, run_daemon


@click.command()
@config_option
def command(config_path: Path) -> int:
    """The daemon, until SIGTERM or SIGINT."""
    config = configured(config_path)
    _look_seldom_for_cycles()
    advice = {fault.key: fault.problem for fault in warnings(config)}
    try:
        return run(run_daemon(config, advice, os.environ))
    except CannotStart as exc:
        raise Unavailable(str(exc)) from exc


def _look_seldom_for_cycles() -> None:
    """What is made for a message is freed without it; to look through what stays for ever again and again costs a tenth of all time."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
