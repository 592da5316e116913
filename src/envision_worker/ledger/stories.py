"""The whole story of a ticket, a partner ticket number or a message, for `history`."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from envision_worker.ledger.records import ApprovalRecord, Effect, EffectOutcome, Kept, Link
from envision_worker.ledger.reports import approval_as_json, message_as_json, stamp
from envision_worker.ledger.rows import APPROVAL, EFFECT, KEPT, LINK, approval, effect, kept, link


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that the ledger has on one Ensono ticket, or on one message of it, each list in the order of time."""

    ticket: str
    messages: tuple[Kept, ...]
    receives: Mapping[str, tuple[tuple[float, int], ...]]
    events: tuple[tuple[float, str, str, str], ...]
    effects: tuple[Effect, ...]
    links: tuple[Link, ...]
    approvals: tuple[ApprovalRecord, ...]


def stories(db: sqlite3.Connection, ref: str) -> list[Story]:
    """The story of a ticket, of whatever bears a partner ticket number, or of one message; empty where it is unknown."""
    message = db.execute("SELECT ticket FROM messages WHERE message_id = ?", (ref,)).fetchone()
    if message:
        return [_story(db, message[0], message_id=ref)]
    tickets = db.execute(
        """SELECT ticket FROM messages WHERE ticket = ?
           UNION SELECT ticket FROM links WHERE ticket = ? OR number = ? OR desk_id = ?
           UNION SELECT ticket FROM approvals WHERE ticket = ? ORDER BY ticket""",
        (ref,) * 5,
    ).fetchall()
    return [_story(db, row[0]) for row in tickets]


def _story(db: sqlite3.Connection, ticket: str, message_id: str | None = None) -> Story:
    only, values = ("AND message_id = ?", (ticket, message_id)) if message_id else ("", (ticket,))
    messages = [
        kept(row)
        for row in db.execute(f"SELECT {KEPT} FROM messages WHERE ticket = ? {only} ORDER BY sent_ms, sequence", values)
    ]
    receives: dict[str, tuple[tuple[float, int], ...]] = {
        each.message_id: tuple(
            (row[0], row[1])
            for row in db.execute(
                "SELECT at, receive_count FROM receives WHERE message_id = ? ORDER BY at", (each.message_id,)
            )
        )
        for each in messages
    }
    events = db.execute(
        f"SELECT at, message_id, what, detail FROM events WHERE ticket = ? {only} ORDER BY id",
        values,
    ).fetchall()
    effects = db.execute(f"SELECT {EFFECT} FROM effects WHERE ticket = ? {only} ORDER BY id", values)
    links = db.execute(f"SELECT {LINK} FROM links WHERE ticket = ? ORDER BY generation", (ticket,))
    records = db.execute(f"SELECT {APPROVAL} FROM approvals WHERE ticket = ? ORDER BY requested", (ticket,))
    return Story(
        ticket=ticket,
        messages=tuple(messages),
        receives=receives,
        events=tuple((row[0], row[1], row[2], row[3]) for row in events),
        effects=tuple(effect(row) for row in effects),
        links=tuple(link(row) for row in links),
        approvals=tuple(approval(row) for row in records),
    )


def timeline(story: Story) -> list[tuple[float, str, str, str]]:
    """A story in the order of time: when, which message, what, and what came of it."""
    return sorted([*_received(story), *_effects(story), *story.events, *_decided(story)], key=lambda line: line[0])


def _received(story: Story) -> Iterator[tuple[float, str, str, str]]:
    for message in story.messages:
        what = f"received {message.transaction_type or 'a message of no known type'}"
        for at, count in story.receives.get(message.message_id, ()):
            yield at, message.message_id, what, f"receive {count}"
        if message.acknowledged is not None:
            yield message.acknowledged, message.message_id, "acknowledged", "receipt handle deleted"
        if message.gone is not None:
            yield message.gone, message.message_id, "gone", "left Ensono's queue without us"


def _effects(story: Story) -> Iterator[tuple[float, str, str, str]]:
    """What was done, and what nobody knows of; attempts that failed are among the events."""
    for each in story.effects:
        what = f"{each.peer}: {each.what}"
        if each.outcome is None:
            yield each.intent, each.message_id, what, f"sent, attempt {each.attempts}; outcome unknown"
        elif each.outcome is EffectOutcome.DONE:
            tries = f"attempt {each.attempts}" if each.attempts > 1 else ""
            said = ", ".join(part for part in ("done", tries, _named(each.answer)) if part)
            yield each.finished or each.intent, each.message_id, what, said


def _named(answer: Mapping[str, Any]) -> str:
    """What a write brought back, for people."""
    parts = {
        key: each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for key, each in answer.items()
    }
    return ", ".join(f"{key} {part}" for key, part in parts.items() if part)


def _decided(story: Story) -> Iterator[tuple[float, str, str, str]]:
    for each in story.approvals:
        yield each.requested, "", "approval requested", f"{each.approval_id} of {', '.join(each.desk_approvers)}"
        if each.reminded is not None:
            yield each.reminded, "", "approvers reminded", each.approval_id
        if each.decided is not None:
            by = f" by {each.decided_by[0]} via {each.via}" if each.decided_by[0] else ""
            said = f"{each.approval_id}{by}: {each.comment}" if each.comment else f"{each.approval_id}{by}"
            yield each.decided, "", f"approval {each.status.value}", said
        if each.sent is not None:
            yield each.sent, "", "decision confirmed by Ensono", each.approval_id
        for word in each.words:
            if word.too_late:
                said = f"{each.approval_id} by {word.by[0] or word.by[1]}"
                said += f": {word.comment}" if word.comment else ""
                yield word.at, "", f"{word.status.value} too late, not sent", said


# --- for machines ----------------------------------------------------------------------------------------------------


def story_as_json(story: Story) -> dict[str, Any]:
    """A story for machines. Bodies stay in the ledger: they hold signed links."""
    numbers = {each.generation: each.number for each in story.links}
    return {
        "ticket": story.ticket,
        "links": [_link_as_json(each) for each in story.links],
        "messages": [
            {
                **message_as_json(each),
                "receives": [
                    {"at": stamp(at), "receive_count": count} for at, count in story.receives[each.message_id]
                ],
            }
            for each in story.messages
        ],
        "effects": [_effect_as_json(each) for each in story.effects],
        "approvals": [approval_as_json(each, numbers.get(each.round)) for each in story.approvals],
        "timeline": [
            {"at": stamp(at), "message_id": message_id, "what": what, "detail": detail}
            for at, message_id, what, detail in timeline(story)
        ],
    }


def _link_as_json(each: Link) -> dict[str, Any]:
    return {
        "generation": each.generation, "kind": each.kind.value, "desk_id": each.desk_id, "number": each.number,
        "state": each.state, "created": stamp(each.created), "created_by": each.created_by, "adopted": each.adopted,
        "returned": stamp(each.returned),
    }  # fmt: skip


def _effect_as_json(each: Effect) -> dict[str, Any]:
    return {
        "message_id": each.message_id, "peer": each.peer, "what": each.what, "attempts": each.attempts,
        "intent": stamp(each.intent), "outcome": each.outcome.value if each.outcome else None, "answer": dict(each.answer),
        "finished": stamp(each.finished),
    }  # fmt: skip
