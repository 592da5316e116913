"""`dead-letters`: what can't be applied without a person."""

import json
import re
from pathlib import Path
from typing import Any

import click

from envision_worker.cli import exits
from envision_worker.cli.configured import config_option, configured, json_option, operate, reading
from envision_worker.cli.terminal import complain, moment, printable, say, say_json, table
from envision_worker.ledger.records import Kept
from envision_worker.ledger.reports import behind, dead_letters


@click.group()
def command() -> None:
    """Messages that can't be applied without a person, and the tickets that wait behind them."""


@command.command("list")
@config_option
@json_option
def list_(config_path: Path, *, as_json: bool) -> int:
    """All dead letters, oldest first."""
    config = configured(config_path)
    with reading(config) as db:
        found = [(kept, behind(db, kept.ticket)) for kept in dead_letters(db)]
    if as_json:
        say_json([{**_summary(kept), "waiting_behind": waiting} for kept, waiting in found])
        return exits.OK
    rows = [
        (
            moment(kept.sent_ms / 1000),
            kept.ticket,
            kept.message_id,
            kept.transaction_type,
            kept.reason,
            waiting,
            kept.detail,
        )
        for kept, waiting in found
    ]
    table(("sent", "ticket", "message", "type", "reason", "behind it", "detail"), rows)
    return exits.OK


@command.command()
@click.argument("ref", metavar="MESSAGE_ID|TICKET")
@config_option
@json_option
def show(ref: str, config_path: Path, *, as_json: bool) -> int:
    """One dead letter with its body; signed addresses are left out."""
    config = configured(config_path)
    with reading(config) as db:
        found = dead_letters(db, ref)
    if not found:
        complain(f"{ref}: no dead letter")
        return exits.NO_INPUT
    shown = {**_summary(found[0]), "message": _unsigned(json.loads(found[0].raw))}
    if as_json:
        say_json(shown)
        return exits.OK
    for key, value in shown.items():
        text = json.dumps(value, indent=2, ensure_ascii=False) if key == "message" else printable(str(value))
        say(f"{key:18}{text}")
    return exits.OK


@command.command()
@click.argument("ref", metavar="MESSAGE_ID|TICKET")
@config_option
def retry(ref: str, config_path: Path) -> int:
    """Run a ticket's kept messages in order, with the daemon running or stopped."""
    return operate(configured(config_path), "retry", ref=ref)


@command.command()
@click.argument("ref", metavar="MESSAGE_ID|TICKET")
@click.option("--reason", required=True, help="Why; kept with the message.")
@config_option
def discard(ref: str, reason: str, config_path: Path) -> int:
    """Give one up and let the next message of its ticket follow."""
    return operate(configured(config_path), "discard", ref=ref, reason=reason)


_QUERY = re.compile(r"(https?://[^\s\"'<>?]+)\?[^\s\"'<>]*", re.IGNORECASE)


def _unsigned(value: Any) -> Any:
    """The same without the queries of addresses: a signature lives there."""
    if isinstance(value, dict):
        return {key: _unsigned(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_unsigned(each) for each in value]
    return _QUERY.sub(r"\1?[removed]", value) if isinstance(value, str) else value


def _summary(kept: Kept) -> dict[str, Any]:
    return {
        "message_id": kept.message_id,
        "ticket": kept.ticket,
        "transaction_type": kept.transaction_type,
        "ticket_type": kept.ticket_type,
        "sent": moment(kept.sent_ms / 1000),
        "reason": kept.reason,
        "detail": kept.detail,
        "attempts": kept.attempts,
        "receive_count": kept.receive_count,
        "first_received": moment(kept.first_received),
        "next_attempt": moment(kept.next_attempt) if kept.next_attempt else None,
        "held": kept.held,
    }
