"""`envision-worker demo`: plays the scenes and tells what came of them."""

import time

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from envision_worker.demo.scenes import SCENES
from envision_worker.demo.stage import DemoFailed, Stage, set_up

_WIDTH = 118


async def play() -> int:
    """Play everything; 0, or 1 where it did not come to its end."""
    started = time.monotonic()
    click.echo("Starting a simulated Ensono, a simulated ManageEngine ServiceDesk Plus, and the worker between them …")
    try:
        async with set_up() as stage:
            for scene_of in SCENES:
                async for scene in scene_of(stage):
                    click.echo(f"{time.monotonic() - started:5.1f} s  ✔ {scene.types:24}{scene.told}")
            console = Console(width=_WIDTH, highlight=False)
            console.print()
            console.print(_arrived(stage))
            console.print(_where_next(stage), soft_wrap=True)
    except DemoFailed as exc:
        click.echo(f"The demonstration failed: {exc}", err=True)
        return 1
    return 0


def _arrived(stage: Stage) -> Table:
    """What reached the desk, ticket by ticket."""
    columns = ("Ensono ticket", "Type", "Title", "On the desk", "Status", "Notes", "Files", "Number at Ensono")
    table = Table(*columns, title="What reached the service desk", title_justify="left", header_style="bold")
    for kind, field, titles in (("request", "udf_sline_301", "subject"), ("change", "udf_sline_501", "title")):
        for ticket in stage.desk.tickets(kind):  # type: ignore[arg-type]
            number = ticket.fields["udf_fields"].get(field, "")
            ours = stage.ensono.tickets.get(number)
            table.add_row(
                number,
                ours.ticket_type if ours else "",
                Text(str(ticket.fields[titles])),
                f"{kind} {ticket.number}",
                _status(stage, kind, ticket.fields["status"]),
                str(len(ticket.notes)),
                str(len(ticket.attachments)),
                ours.client_ticket_number if ours else "",
            )
    return table


def _status(stage: Stage, kind: str, row: str) -> str:
    return stage.desk.setup.row("statuses" if kind == "request" else "change_statuses", row).name


def _where_next(stage: Stage) -> str:
    sent = len(stage.ensono.scenario.announcer.announced)
    ticket = next(iter(stage.ensono.tickets))
    return f"""
{sent} messages were sent by Ensono; all of them are applied, acknowledged and gone from the queue.

Where to look next:
  the whole story of one ticket   envision-worker history {ticket} --config {stage.config}
  how the worker stands           envision-worker status --config {stage.config}
  its configuration               {stage.config}
  its log, one JSON line a fact   {stage.folder / "worker.log"}
  its metrics                     http://127.0.0.1:{stage.port}/metrics while it runs
  your own configuration          config/envision-worker.example.toml, then: envision-worker check --config FILE --connect
"""
