"""`approvals`: who was asked to decide on which change, and what came of it."""

from pathlib import Path
from typing import Any

import click

from envision_worker.cli import exits
from envision_worker.cli.configured import config_option, configured, json_option, operate, reading
from envision_worker.cli.terminal import complain, moment, printable, say, say_json, table
from envision_worker.ledger.records import ApprovalRecord
from envision_worker.ledger.reports import approvals


@click.group()
def command() -> None:
    """Approvals of changes: waiting and decided."""


@command.command("list")
@config_option
@json_option
def list_(config_path: Path, *, as_json: bool) -> int:
    """All approvals; those that wait first."""
    with reading(configured(config_path)) as db:
        found = approvals(db)
    if as_json:
        say_json([_summary(record) for record in found])
        return exits.OK
    rows = [
        (
            moment(each.requested),
            each.ticket,
            each.approval_id,
            each.status.value,
            each.approver,
            ", ".join(each.desk_approvers),
        )
        for each in found
    ]
    table(("requested", "change", "approval", "status", "Ensono's approver", "asked here"), rows)
    return exits.OK


@command.command()
@click.argument("ref", metavar="APPROVAL_ID|TICKET")
@config_option
@json_option
def show(ref: str, config_path: Path, *, as_json: bool) -> int:
    """One approval, or all of a change."""
    with reading(configured(config_path)) as db:
        found = approvals(db, ref)
    if not found:
        complain(f"{ref}: no approval")
        return exits.NO_INPUT
    if as_json:
        say_json([_summary(record) for record in found])
        return exits.OK
    for record in found:
        for key, value in _summary(record).items():
            say(f"{key:18}{printable(str(value))}")
        say("")
    return exits.OK


@command.command()
@click.argument("approval_id")
@config_option
def resend(approval_id: str, config_path: Path) -> int:
    """Ask the approvers once more, or send a decision that Ensono has not confirmed."""
    return operate(configured(config_path), "resend", approval_id=approval_id)


@command.command()
@click.argument("approval_id")
@click.argument("verdict", type=click.Choice(["approve", "reject"]))
@click.option("--as", "email", required=True, metavar="EMAIL", help="Who decided.")
@click.option("--reason", required=True, help="Why; goes to Ensono word for word.")
@config_option
def decide(approval_id: str, verdict: str, email: str, reason: str, config_path: Path) -> int:
    """Decide where the desk can't."""
    return operate(
        configured(config_path), "decide", approval_id=approval_id, verdict=verdict, email=email, reason=reason
    )


def _summary(record: ApprovalRecord) -> dict[str, Any]:
    return {
        "approval_id": record.approval_id,
        "ticket": record.ticket,
        "round": record.round,
        "status": record.status.value,
        "approver": record.approver,
        "asked_on_desk": list(record.desk_approvers),
        "requested": moment(record.requested),
        "reminded": moment(record.reminded) if record.reminded else None,
        "decided": moment(record.decided) if record.decided else None,
        "decided_by": record.decided_by[0] or None,
        "via": record.via or None,
        "comment": record.comment or None,
        "confirmed_by_ensono": moment(record.sent) if record.sent else None,
    }
