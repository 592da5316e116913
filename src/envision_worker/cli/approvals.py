"""`approvals`: who was asked to decide on which change, and what came of it."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from envision_worker.cli import exits
from envision_worker.cli.configured import config_option, configured, json_option, operate, reading
from envision_worker.cli.terminal import complain, duration, moment, printable, say, say_json, table
from envision_worker.ledger.records import ApprovalRecord, ApprovalStatus
from envision_worker.ledger.reports import approval_as_json, approvals, desk_numbers

_DECIDED = frozenset({ApprovalStatus.APPROVED, ApprovalStatus.REJECTED})


@click.group()
def command() -> None:
    """Approvals of changes: waiting and decided."""


@command.command("list")
@config_option
@json_option
def list_(config_path: Path, *, as_json: bool) -> int:
    """All approvals; those that wait first, the longest on top."""
    with reading(configured(config_path)) as db:
        found, numbers = approvals(db), desk_numbers(db)
    if as_json:
        say_json([approval_as_json(record, numbers.get(record.approval_id)) for record in found])
        return exits.OK
    if not found:
        complain("no approvals")
        return exits.OK
    now = time.time()
    columns = (
        "requested",
        "change",
        "desk",
        "approval",
        "status",
        "Ensono's approver: who was asked here, what came of it",
    )
    table(columns, [_row(each, numbers.get(each.approval_id), now) for each in found])
    return exits.OK


@command.command()
@click.argument("ref", metavar="APPROVAL_ID|TICKET")
@config_option
@json_option
def show(ref: str, config_path: Path, *, as_json: bool) -> int:
    """One approval, or all of a change."""
    with reading(configured(config_path)) as db:
        found, numbers = approvals(db, ref), desk_numbers(db)
    if not found:
        complain(printable(f"{ref}: no approval; `approvals list` shows them all"))
        return exits.NO_INPUT
    shown = [approval_as_json(record, numbers.get(record.approval_id)) for record in found]
    if as_json:
        say_json(shown)
        return exits.OK
    for number, each in enumerate(shown):
        if number:
            say("")
        for key, value in each.items():
            say(f"{key.replace('_', ' '):20}{printable(_shown(value))}")
    return exits.OK


@command.command()
@click.argument("approval_id")
@config_option
@json_option
def resend(approval_id: str, config_path: Path, *, as_json: bool) -> int:
    """Ask the approvers once more, or send a decision that Ensono has not confirmed."""
    return operate(configured(config_path), "resend", as_json=as_json, approval_id=approval_id)


@command.command()
@click.argument("approval_id")
@click.argument("verdict", type=click.Choice(["approve", "reject"]))
@click.option("--as", "email", required=True, metavar="EMAIL", help="Who decided.")
@click.option("--reason", required=True, help="Why; goes to Ensono word for word.")
@config_option
@json_option
def decide(approval_id: str, verdict: str, email: str, reason: str, config_path: Path, *, as_json: bool) -> int:
    """Decide where the desk can't."""
    name, at, host = email.strip().partition("@")
    if not (name and at and host):
        raise click.BadParameter("give the e-mail address of who decided", param_hint="--as")
    if not reason.strip():
        raise click.BadParameter("say why", param_hint="--reason")
    return operate(
        configured(config_path),
        "decide",
        as_json=as_json,
        approval_id=approval_id,
        verdict=verdict,
        email=email.strip(),
        reason=reason.strip(),
    )


def _shown(value: object) -> str:
    """A value of `approval_as_json` for people: lists in one line, what a list holds as its own values."""
    if isinstance(value, Mapping):
        return " ".join(str(each) for each in value.values() if each is not None)
    if isinstance(value, list):
        return "; ".join(map(_shown, value)) or "-"
    return "-" if value is None else str(value)


def _row(each: ApprovalRecord, number: str | None, now: float) -> tuple[object, ...]:
    asked = ", ".join(each.desk_approvers)
    who = each.decided_by[0] or asked
    said = ": ".join(filter(None, (each.approver, who if who != each.approver else "", each.comment)))
    return (
        moment(each.requested), each.ticket, number or "-", each.approval_id, each.status.value,
        "; ".join([said, *_remarks(each, now)]),
    )  # fmt: skip


def _remarks(each: ApprovalRecord, now: float) -> Iterator[str]:
    """What a person who looks at it at night wants to know beside it."""
    if each.status is ApprovalStatus.WAITING:
        yield f"waits for {duration(now - each.requested)}"
        if each.reminded is not None:
            yield f"reminded {duration(now - each.reminded)} ago"
    if each.status in _DECIDED and each.sent is None:
        yield "Ensono has not confirmed it"
    for word in each.words:
        if word.too_late:
            yield f"too late, not sent: {word.status.value} by {word.by[0] or word.by[1]}"
