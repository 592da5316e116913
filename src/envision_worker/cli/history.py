"""`history`: the whole story of a ticket, a partner ticket number or a message."""

from pathlib import Path

import click

from envision_worker.cli import exits
from envision_worker.cli.configured import config_option, configured, json_option, reading
from envision_worker.cli.terminal import complain, moment, printable, say, say_json, table
from envision_worker.ledger.records import Kept, Link
from envision_worker.ledger.stories import Story, stories, story_as_json, timeline

_ID_SHOWN = 8


@click.command()
@click.argument("ref", metavar="REF")
@config_option
@json_option
def command(ref: str, config_path: Path, *, as_json: bool) -> int:
    """Every receive, effect, answer and time of REF: an Ensono ticket, a partner ticket number or a MessageId."""
    with reading(configured(config_path)) as db:
        found = stories(db, ref.strip())
    if not found:
        complain(printable(f"{ref}: not known; kept are tickets, partner ticket numbers and MessageIds"))
        return exits.NO_INPUT
    if as_json:
        say_json([story_as_json(story) for story in found])
        return exits.OK
    for number, story in enumerate(found):
        if number:
            say("")
        _show(story)
    return exits.OK


def _show(story: Story) -> None:
    say(printable(f"{story.ticket}: {'; '.join(map(_numbers, story.links)) or 'no counterpart yet'}"))
    table(
        ("time", "message", "what", "came of it"),
        [(moment(at), message_id[:_ID_SHOWN], what, detail) for at, message_id, what, detail in timeline(story)],
    )
    say("")
    table(
        ("message", "type", "sent", "receives", "state", "why"),
        [_message(each) for each in story.messages],
    )


def _numbers(link: Link) -> str:
    state = f", {link.state}" if link.state else ""
    returned = f", returned to Ensono {moment(link.returned)}" if link.returned else ", not yet returned to Ensono"
    return f"{link.kind.value} {link.number}{state}{returned}"


def _message(each: Kept) -> tuple[object, ...]:
    why = f"{each.reason}: {each.detail}" if each.detail else each.reason
    sent = moment(each.sent_ms / 1000)
    return each.message_id, each.transaction_type, sent, each.receive_count, each.state.value, why
