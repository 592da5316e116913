"""`check`: every fault of the configuration at once, and with `--connect` those of the peers and of the state store."""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Sequence
from pathlib import Path

import click

from envision_worker.cli import exits
from envision_worker.cli.configured import config_option
from envision_worker.cli.terminal import complain, printable, say
from envision_worker.config.advice import warnings
from envision_worker.config.desk_names import by_key, names_on_desk
from envision_worker.config.faults import ConfigFaults
from envision_worker.config.load import load
from envision_worker.config.model import Config
from envision_worker.desks.desk import Desk
from envision_worker.errors import KeyRefused, Malformed, PeerError, Refused, Throttled
from envision_worker.ledger.database import connect_read_only
from envision_worker.ledger.records import LedgerUnavailable

Findings = list[tuple[int, str]]
"""What is wrong, each with the exit code that it means."""


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
    """Ask everyone; faults go to stdout, and what is right does, too, where nothing is wrong."""
    from envision_worker.clock import SystemClock  # noqa: PLC0415 - loads the whole worker
    from envision_worker.opening import open_peers  # noqa: PLC0415

    async with open_peers(config, SystemClock(), lambda _: None) as (desk, ensono, _):
        remarks: list[str] = []
        at_ensono, at_desk = await asyncio.gather(
            _asked("ensono", ensono.probe()), _asked("desk", _lacking(config, desk, remarks))
        )
    in_store = [*_state(config), *_folder("attachments.spool_dir", config.attachments.spool_dir)]
    found = [*at_ensono, *at_desk, *in_store]
    for _, line in found:
        say(printable(line))
    tell = complain if found else say
    if not at_ensono:
        tell("ensono: address and key are right (client_name is not proven: no call shows it without a ticket)")
    if not at_desk:
        tell("desk: answers, takes the key, and has every name that the configuration uses")
    for remark in remarks:
        tell(printable(f"desk: approvals: {remark}"))
    if not in_store:
        tell("state: the ledger can be used")
    return max((code for code, _ in found), default=exits.OK, key=_weight)


def _weight(code: int) -> bool:
    """What can't be reached comes before what is wrong: behind it more may be wrong."""
    return code == exits.UNAVAILABLE


async def _asked(peer: str, question: Awaitable[Sequence[str] | None]) -> Findings:
    """What a peer is not content with; a refused key and an unreachable peer are both exit 69."""
    try:
        return [(exits.CONFIGURATION, line) for line in await question or ()]
    except Refused as exc:
        return [(exits.CONFIGURATION, f"{peer}: {exc.detail}")]
    except PeerError as exc:
        return [(exits.UNAVAILABLE, f"{peer}: {_said(exc)}: {exc.detail}")]


def _said(error: PeerError) -> str:
    match error:
        case KeyRefused():
            return "does not take the key"
        case Throttled():
            return "wants fewer calls; ask again later"
        case Malformed():
            return "its answer can't be read"
        case _:
            return "can't be reached"


async def _lacking(config: Config, desk: Desk, remarks: list[str]) -> Sequence[str]:
    """What the desk lacks, and what of its approvals is configured wrongly; `remarks` gets what people should know of these."""
    lacking = [str(fault) for fault in by_key(config, await desk.missing(names_on_desk(config)))]
    approvals = await desk.check_approvals()
    remarks += approvals.remarks
    return [*lacking, *approvals.faults]


def _state(config: Config) -> Findings:
    """Whether the ledger can be used; one that a daemon holds is only read."""
    path = config.state.path
    folder = _folder("state.url", path.parent)
    if folder or not path.exists():
        return folder
    if not os.access(path, os.W_OK):
        return [(exits.UNAVAILABLE, f"state.url: {path} can't be written by this user")]
    try:
        connect_read_only(str(path)).close()
    except LedgerUnavailable as exc:
        return [(exits.UNAVAILABLE, f"state.url: {exc}")]
    return []


def _folder(key: str, folder: Path) -> Findings:
    """Whether a folder can be written, or made."""
    there = next(each for each in (folder, *folder.parents) if each.exists() or each == each.parent)
    if not there.is_dir():
        return [(exits.UNAVAILABLE, f"{key}: {there} is no directory")]
    try:
        with tempfile.TemporaryFile(dir=there):
            return []
    except OSError as exc:
        return [(exits.UNAVAILABLE, f"{key}: {there} can't be written: {exc.strerror}")]
