"""`dead-letters`: what can't be applied without a person."""

import json
from pathlib import Path

import click

from envision_worker.cli import exits
from envision_worker.cli.configured import config_option, configured, json_option, operate, reading
from envision_worker.cli.terminal import as_json as json_text
from envision_worker.cli.terminal import complain, moment, printable, say, say_json, table
from envision_worker.ledger.records import Kept
from envision_worker.ledger.reports import behind, dead_letters, message_as_json

_REF = "MESSAGE_ID|TICKET"


@click.group()
def command() -> None:
    """Messages that can't be applied without a person, and the tickets that wait behind them."""


@command.command("list")
@click.argument("ref", metavar=f"[{_REF}]", required=False)
@config_option
@json_option
def list_(ref: str | None, config_path: Path, *, as_json: bool) -> int:
    """All dead letters, oldest first; or those of one ticket."""
    with reading(configured(config_path)) as db:
        found = [(kept, behind(db, kept.ticket)) for kept in dead_letters(db, ref)]
    if ref is not None and not found:
        return _none(ref)
    if as_json:
        say_json([{**message_as_json(kept), "waiting_behind": waiting} for kept, waiting in found])
        return exits.OK
    if not found:
        complain("no dead letters")
        return exits.OK
    columns = ("sent", "ticket", "message", "type", "behind it", "reason", "detail")
    table(columns, [_row(kept, waiting) for kept, waiting in found])
    return exits.OK


@command.command()
@click.argument("ref", metavar=_REF)
@config_option
@json_option
def show(ref: str, config_path: Path, *, as_json: bool) -> int:
    """One dead letter with its body; signatures of addresses are left out."""
    with reading(configured(config_path)) as db:
        found = dead_letters(db, ref)
        waiting = behind(db, found[0].ticket) if found else 0
    if not found:
        return _none(ref)
    shown = {**message_as_json(found[0]), "waiting_behind": waiting, "message": json.loads(found[0].raw)}
    if as_json:
        say_json(shown)
        return exits.OK
    for key, value in shown.items():
        text = json_text(value) if key == "message" else printable(str("-" if value is None else value))
        say(f"{key.replace('_', ' '):18}{text}")
    return exits.OK


@command.command()
@click.argument("ref", metavar=_REF)
@config_option
@json_option
def retry(ref: str, config_path: Path, *, as_json: bool) -> int:
    """Run a ticket's kept messages in order, with the daemon running or stopped."""
    return operate(configured(config_path), "retry", as_json=as_json, ref=ref)


@command.command()
@click.argument("ref", metavar=_REF)
@click.option("--reason", required=True, help="Why; kept with the message.")
@config_option
@json_option
def discard(ref: str, reason: str, config_path: Path, *, as_json: bool) -> int:
    """Give one up and let the next message of its ticket follow."""
    if not reason.strip():
        raise click.BadParameter("say why", param_hint="--reason")
    return operate(configured(config_path), "discard", as_json=as_json, ref=ref, reason=reason.strip())


def _row(kept: Kept, waiting: int) -> tuple[object, ...]:
    sent = moment(kept.sent_ms / 1000)
    return sent, kept.ticket, kept.message_id, kept.transaction_type, waiting, kept.reason, kept.detail


def _none(ref: str) -> int:
    complain(printable(f"{ref}: no dead letter"))
    return exits.NO_INPUT
