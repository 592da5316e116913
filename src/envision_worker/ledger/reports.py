"""Questions that people ask the ledger, answered beside a running daemon over a read-only connection."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from envision_worker.clock import from_epoch_ms
from envision_worker.ledger.records import ApprovalRecord, Backlog, Kept, State, Word
from envision_worker.ledger.rows import APPROVAL, KEPT, approval, kept
from envision_worker.ledger.sqlite import backlog

_DRAINED = "queue_last_drained"
_PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand: messages by state, what hangs, which tickets are blocked, when the queue was last known to be read empty."""

    messages: Mapping[str, int]
    backlog: Backlog
    blocked: tuple[str, ...]
    paused: bool
    drained: float | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A ticket with messages that are not settled, and its first one: sent when (epoch seconds), how it stands, and why."""

    ticket: str
    messages: int
    sent: float
    transaction_type: str
    state: State
    reason: str
    detail: str


# --- how things stand ------------------------------------------------------------------------------------------------


def standing(db: sqlite3.Connection) -> Standing:
    """What `status` shows."""
    counts = dict(db.execute("SELECT state, messages FROM counts").fetchall())
    blocked = db.execute("SELECT DISTINCT ticket FROM messages WHERE state = 'dead_letter' ORDER BY ticket").fetchall()
    drained = _remembered(db, _DRAINED)
    return Standing(
        messages=counts,
        backlog=backlog(db),
        blocked=tuple(row[0] for row in blocked),
        paused=bool(_remembered(db, _PAUSED)),
        drained=float(drained) if drained else None,
    )


def waiting(db: sqlite3.Connection, *, limit: int, dead: bool) -> list[Waiting]:
    """Tickets with messages that are not settled, the longest waiting first: those behind a dead letter, or the others."""
    rows = db.execute(
        """SELECT ticket, count(*), min(sent_ms), transaction_type, state, reason, detail FROM messages
           WHERE state IN ('waiting','retry_later','dead_letter') GROUP BY ticket
           HAVING max(state = 'dead_letter') = ? ORDER BY min(sent_ms) LIMIT ?""",
        (dead, limit),
    )
    return [Waiting(row[0], row[1], row[2] / 1000, row[3], State(row[4]), row[5], row[6]) for row in rows]


def _remembered(db: sqlite3.Connection, name: str) -> str | None:
    row = db.execute("SELECT value FROM remembered WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else None


# --- dead letters and approvals --------------------------------------------------------------------------------------


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
    """All approvals, or the one with this id, or a change's: those that wait first, the longest on top; then the newest."""
    order = "ORDER BY status <> 'waiting', CASE status WHEN 'waiting' THEN requested ELSE -requested END, approval_id"
    if ref is None:
        return [approval(row) for row in db.execute(f"SELECT {APPROVAL} FROM approvals {order}")]
    sql = f"SELECT {APPROVAL} FROM approvals WHERE approval_id = ? OR ticket = ? {order}"
    return [approval(row) for row in db.execute(sql, (ref, ref))]


def desk_numbers(db: sqlite3.Connection) -> dict[str, str]:
    """What people at the desk call the change that an approval stands on, by approvalId."""
    sql = "SELECT approval_id, number FROM approvals AS a JOIN links AS l ON l.ticket = a.ticket AND l.generation = a.round"
    return dict(db.execute(sql).fetchall())


# --- for machines ----------------------------------------------------------------------------------------------------


def stamp(epoch_s: float | None) -> str | None:
    """A time for machines: ISO 8601 in UTC, with milliseconds."""
    if epoch_s is None:
        return None
    return from_epoch_ms(round(epoch_s * 1000)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def message_as_json(each: Kept) -> dict[str, Any]:
    """A message without its body."""
    return {
        "message_id": each.message_id, "ticket": each.ticket, "transaction_type": each.transaction_type,
        "ticket_type": each.ticket_type, "sent": stamp(each.sent_ms / 1000), "state": each.state.value,
        "reason": each.reason, "detail": each.detail, "attempts": each.attempts, "receive_count": each.receive_count,
        "first_received": stamp(each.first_received), "last_received": stamp(each.last_received),
        "next_attempt": stamp(each.next_attempt), "held": each.held, "settled": stamp(each.settled),
        "acknowledged": stamp(each.acknowledged), "gone": stamp(each.gone),
    }  # fmt: skip


def approval_as_json(each: ApprovalRecord, desk_number: str | None) -> dict[str, Any]:
    """An approval; `desk_number` is what people at the desk call its change."""
    return {
        "approval_id": each.approval_id, "ticket": each.ticket, "desk_number": desk_number, "round": each.round,
        "status": each.status.value,
        "approver": each.approver, "asked_on_desk": list(each.desk_approvers), "requested": stamp(each.requested),
        "reminded": stamp(each.reminded), "decided": stamp(each.decided), "decided_by": each.decided_by[0] or None,
        "via": each.via or None, "comment": each.comment or None, "confirmed_by_ensono": stamp(each.sent),
        "said_too_late": [_word_as_json(word) for word in each.words if word.too_late],
    }  # fmt: skip


def _word_as_json(each: Word) -> dict[str, Any]:
    return {
        "at": stamp(each.at), "by": each.by[0] or each.by[1], "decision": each.status.value, "comment": each.comment or None,
    }  # fmt: skip
