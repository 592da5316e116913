"""`history`: the whole story of a ticket, a partner ticket number or a message."""

from pathlib import Path

import click

from envision_worker.cli import exits
from envision_worker.cli.configured import config_option, configured, json_option, reading
from envision_worker.cli.terminal import complain, moment, printable, say, say_json, table
from envision_worker.ledger.reports import Story, as_json, stories, timeline


@click.command()
@click.argument("ref", metavar="REF")
@config_option
@json_option
def command(ref: str, config_path: Path, *, as_json: bool) -> int:
    """Every receive, effect, answer and time of REF: an Ensono ticket, a partner ticket number or a MessageId."""
    config = configured(config_path)
    with reading(config) as db:
        found = stories(db, ref)
    if not found:
        complain(f"{ref}: not known")
        return exits.NO_INPUT
    if as_json:
        say_json([_json(story) for story in found])
        return exits.OK
    for story in found:
        _show(story)
    return exits.OK


_json = as_json


def _show(story: Story) -> None:
    numbers = ", ".join(f"{link.kind.value} {link.number}" for link in story.links) or "no counterpart yet"
    say(printable(f"{story.ticket}: {numbers}"))
    rows = [(moment(at), message_id[:8], what, detail) for at, message_id, what, detail in timeline(story)]
    table(("time", "message", "what", "came of it"), rows)
    for message in story.messages:
        detail = f" ({message.reason}: {message.detail})" if message.reason else ""
        say(printable(f"{message.message_id} {message.transaction_type}: {message.state.value}{detail}"))
