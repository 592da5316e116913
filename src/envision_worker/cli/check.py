"""`check`: every fault of the configuration at once, and with `--connect` those of the peers."""

import asyncio
import os
from collections.abc import Awaitable, Sequence
from pathlib import Path

import click

from envision_worker.cli import exits
from envision_worker.cli.configured import config_option
from envision_worker.cli.terminal import complain, say
from envision_worker.config.advice import warnings
from envision_worker.config.desk_names import by_key, names_on_desk
from envision_worker.config.faults import ConfigFaults
from envision_worker.config.load import load
from envision_worker.config.model import Config
from envision_worker.errors import PeerError, Refused


@click.command()
@config_option
@click.option("--connect", is_flag=True, help="Ask Ensono, the desk and the state store too. Reads no message.")
def command(config_path: Path, *, connect: bool) -> int:
    """Every fault of the configuration, one line each, `key: problem`."""
    try:
        config = load(config_path, os.environ)
    except ConfigFaults as exc:
        for fault in exc.faults:
            say(str(fault))
        return exits.CONFIGURATION
    for fault in warnings(config):
        complain(f"warning: {fault}")
    if not connect:
        say("configuration: no faults")
        return exits.OK
    return asyncio.run(_connected(config))


async def _connected(config: Config) -> int:
    from envision_worker.clock import SystemClock  # noqa: PLC0415 - loads the whole worker
    from envision_worker.daemon import open_peers  # noqa: PLC0415

    async with open_peers(config, SystemClock(), lambda _: None) as (desk, ensono, _):
        results = [
            await _asked("ensono", ensono.probe()),
            await _asked("desk", desk.probe()),
            _state(config),
        ]
        if not results[1]:
            results.append(await _asked("desk", _lacking(config, desk.missing(names_on_desk(config)))))
    faults = [line for lines in results for line in lines]
    for _, line in faults:
        say(line)
    if not faults:
        say("ensono: address and key are right (client_name is not proven: no call shows it without a ticket)")
        say("desk: answers, takes the key, and has every name that the configuration uses")
        say("state: the ledger can be written")
        return exits.OK
    unavailable = any(code == exits.UNAVAILABLE for code, _ in faults)
    return exits.UNAVAILABLE if unavailable else exits.CONFIGURATION


Finding = tuple[int, str]


async def _asked(what: str, question: Awaitable[Sequence[str] | None]) -> list[Finding]:
    """What a peer is not content with; a refused key and an unreachable peer are both exit 69."""
    try:
        return [(exits.CONFIGURATION, line) for line in await question or ()]
    except Refused as exc:
        return [(exits.CONFIGURATION, f"{what}: {exc.detail}")]
    except PeerError as exc:
        return [(exits.UNAVAILABLE, f"{what}: {exc.detail}")]


async def _lacking(config: Config, missing: Awaitable[Sequence[str]]) -> Sequence[str]:
    return [str(fault) for fault in by_key(config, await missing)]


def _state(config: Config) -> list[Finding]:
    """Whether the ledger could be written, without touching one that a daemon holds."""
    path = config.state.path
    target = path if path.exists() else path.parent
    if not target.exists():
        return [(exits.UNAVAILABLE, f"state.url: {target} does not exist")]
    if not os.access(target, os.W_OK) or not os.access(path.parent, os.W_OK):
        return [(exits.UNAVAILABLE, f"state.url: {target} can't be written by this user")]
    return []
