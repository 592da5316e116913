"""`approvals`: who was asked to decide on which change, and what came of it."""

from pathlib import Path

import click

from envision_worker.cli import exits
from envision_worker.cli.configured import config_option, configured, json_option, operate, reading
from envision_worker.cli.terminal import complain, moment, printable, say, say_json, table
from envision_worker.ledger.records import ApprovalRecord, ApprovalStatus
from envision_worker.ledger.reports import approval_as_json, approvals

_DECIDED = frozenset({ApprovalStatus.APPROVED, ApprovalStatus.REJECTED})


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
        say_json([approval_as_json(record) for record in found])
        return exits.OK
    if not found:
        complain("no approvals")
        return exits.OK
    columns = ("requested", "change", "approval", "status", "Ensono's approver", "asked here, and what they said")
    table(columns, [_row(each) for each in found])
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
        complain(printable(f"{ref}: no approval"))
        return exits.NO_INPUT
    if as_json:
        say_json([approval_as_json(record) for record in found])
        return exits.OK
    for number, record in enumerate(found):
        if number:
            say("")
        for key, value in approval_as_json(record).items():
            shown = ", ".join(value) if isinstance(value, list) else "-" if value is None else value
            say(f"{key.replace('_', ' '):20}{printable(str(shown))}")
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


def _row(each: ApprovalRecord) -> tuple[object, ...]:
    said = f": {each.comment}" if each.comment else ""
    unsent = " (Ensono has not confirmed it)" if each.status in _DECIDED and each.sent is None else ""
    who = each.decided_by[0] or ", ".join(each.desk_approvers)
    return (
        moment(each.requested), each.ticket, each.approval_id, each.status.value, each.approver, f"{who}{said}{unsent}",
    )  # fmt: skip
