"""Questions that people ask the ledger, answered beside a running daemon over a read-only connection."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from envision_worker.ledger.records import ApprovalRecord, Backlog, Effect, Kept, Link
from envision_worker.ledger.rows import APPROVAL, EFFECT, KEPT, LINK, approval, effect, kept, link
from envision_worker.ledger.sqlite import backlog


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand: messages by state, what hangs, and which tickets are blocked."""

    messages: Mapping[str, int]
    backlog: Backlog
    blocked: tuple[str, ...]
    paused: bool


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


def standing(db: sqlite3.Connection) -> Standing:
    """What `status` shows."""
    counts = dict(db.execute("SELECT state, messages FROM counts").fetchall())
    blocked = db.execute("SELECT DISTINCT ticket FROM messages WHERE state = 'dead_letter' ORDER BY ticket").fetchall()
    paused = db.execute("SELECT value FROM remembered WHERE name = 'paused'").fetchone()
    return Standing(counts, backlog(db), tuple(row[0] for row in blocked), bool(paused and paused[0]))


def dead_letters(db: sqlite3.Connection, ref: str | None = None) -> list[Kept]:
    """All dead letters, or those of a ticket or MessageId, oldest first."""
    sql = f"SELECT {KEPT} FROM messages WHERE state = 'dead_letter'"
    if ref is None:
        return [kept(row) for row in db.execute(f"{sql} ORDER BY sent_ms, sequence")]
    rows = db.execute(f"{sql} AND (message_id = ? OR ticket = ?) ORDER BY sent_ms, sequence", (ref, ref))
    return [kept(row) for row in rows]


def behind(db: sqlite3.Connection, ticket: str) -> int:
    """How many messages of a ticket wait."""
    sql = "SELECT count(*) FROM messages WHERE ticket = ? AND state IN ('waiting','retry_later')"
    return int(db.execute(sql, (ticket,)).fetchone()[0])


def approvals(db: sqlite3.Connection, ref: str | None = None) -> list[ApprovalRecord]:
    """All approvals, or the one with this id, or a change's; those that wait first, then the newest."""
    order = "ORDER BY status <> 'waiting', requested DESC, approval_id"
    if ref is None:
        return [approval(row) for row in db.execute(f"SELECT {APPROVAL} FROM approvals {order}")]
    sql = f"SELECT {APPROVAL} FROM approvals WHERE approval_id = ? OR ticket = ? {order}"
    return [approval(row) for row in db.execute(sql, (ref, ref))]


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
    return sorted([*_received(story), *story.events, *_effects(story), *_decided(story)], key=lambda line: line[0])


def _received(story: Story) -> Iterator[tuple[float, str, str, str]]:
    for message in story.messages:
        what = f"received {message.transaction_type}"
        for at, count in story.receives.get(message.message_id, ()):
            yield at, message.message_id, what, f"receive {count}"
        if message.acknowledged is not None:
            yield message.acknowledged, message.message_id, "acknowledged", "receipt handle deleted"
        if message.gone is not None:
            yield message.gone, message.message_id, "gone", "left Ensono's queue without us"


def _effects(story: Story) -> Iterator[tuple[float, str, str, str]]:
    for each in story.effects:
        outcome = each.outcome.value if each.outcome else "unknown: its answer was lost"
        answer = json.dumps(each.answer, ensure_ascii=False) if each.answer else ""
        tries = f", attempt {each.attempts}" if each.attempts > 1 else ""
        at = each.finished if each.finished is not None else each.intent
        yield at, each.message_id, f"{each.peer}: {each.what}", f"{outcome}{tries} {answer}".strip()


def _decided(story: Story) -> Iterator[tuple[float, str, str, str]]:
    for each in story.approvals:
        yield each.requested, "", "approval requested", f"{each.approval_id} of {', '.join(each.desk_approvers)}"
        if each.decided is not None:
            by = f" by {each.decided_by[0]}" if each.decided_by[0] else ""
            yield each.decided, "", f"approval {each.status.value}", f"{each.approval_id}{by} {each.comment}".strip()
        if each.sent is not None:
            yield each.sent, "", "decision confirmed by Ensono", each.approval_id


def as_json(story: Story) -> dict[str, Any]:
    """A story for machines. Bodies stay in the ledger: they hold signed links."""
    return {
        "ticket": story.ticket,
        "links": [
            {
                "generation": each.generation, "kind": each.kind.value, "desk_id": each.desk_id, "number": each.number,
                "state": each.state, "returned": each.returned, "created": each.created,
            }
            for each in story.links
        ],
        "messages": [
            {
                "message_id": each.message_id, "transaction_type": each.transaction_type, "ticket_type": each.ticket_type,
                "sent": each.sent_ms / 1000, "state": each.state.value, "reason": each.reason, "detail": each.detail,
                "receive_count": each.receive_count, "attempts": each.attempts,
                "receives": [{"at": at, "receive_count": count} for at, count in story.receives[each.message_id]],
                "settled": each.settled, "acknowledged": each.acknowledged, "gone": each.gone,
            }
            for each in story.messages
        ],
        "timeline": [
            {"at": at, "message_id": message_id, "what": what, "detail": detail}
            for at, message_id, what, detail in timeline(story)
        ],
    }  # fmt: skip
