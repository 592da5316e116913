"""The messages, in SQLite."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from typing_extensions import override

from envision_worker.ledger.database import Database
from envision_worker.ledger.ledger import Messages
from envision_worker.ledger.records import Arrival, Kept, State, told_apart
from envision_worker.ledger.rows import KEPT, SEQUENCE_DIGITS, kept, packed
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId

_UNSETTLED = "state IN ('waiting','retry_later','dead_letter')"
_IN_QUEUE = "acknowledged IS NULL AND gone IS NULL"
_NONE_EARLIER = f"""NOT EXISTS (SELECT 1 FROM messages AS e WHERE e.ticket = m.ticket AND e.{_UNSETTLED}
                    AND (e.sent_ms, e.sequence) < (m.sent_ms, m.sequence))"""


class SqliteMessages(Messages):
    """See `ledger.ledger.Messages`."""

    def __init__(self, database: Database) -> None:
        self._run = database.run
        self._later = database.later

    @override
    async def store(self, arrivals: Sequence[Arrival], *, at: float) -> dict[EnsonoTicketNumber, list[Kept]]:
        return await self._run(lambda db: _store(db, arrivals, at))

    @override
    async def undone(self, ticket: EnsonoTicketNumber) -> list[Kept]:
        return await self._run(lambda db: [kept(row) for row in _undone(db, ticket)])

    @override
    async def begin(self, message_id: MessageId) -> MessageId | None:
        return await self._run(lambda db: _begin(db, message_id))

    @override
    async def settle(
        self,
        message_id: MessageId,
        state: State,
        *,
        at: float,
        reason: str = "",
        detail: str = "",
        next_attempt: float | None = None,
        held: bool = False,
    ) -> None:
        sql = """UPDATE messages SET state = ?, in_hand = 0, reason = ?, detail = ?, last_tried = ?, next_attempt = ?, settled = ?,
                    held = ? WHERE message_id = ?"""
        settled = at if state.settled else None
        values = (state.value, reason, detail, at, next_attempt, settled, int(held), message_id)
        await self._run(
            lambda db: _settle(db, sql, values, at, f"{state.value}: {reason}" if reason else state.value, detail)
        )

    @override
    async def acknowledged(self, message_id: MessageId, *, at: float) -> None:
        self._later(lambda db: _acknowledged(db, message_id, at))

    @override
    async def gone(self, message_ids: Sequence[MessageId], *, at: float) -> None:
        sql = f"UPDATE messages SET gone = ? WHERE message_id = ? AND {_IN_QUEUE}"
        await self._run(lambda db: _changed(db.executemany(sql, [(at, message_id) for message_id in message_ids])))

    @override
    async def used_up(
        self, *, max_receives: int, received_before: float, sent_before: float, unseen_since: float
    ) -> list[Kept]:
        sql = f"""SELECT {KEPT} FROM messages WHERE {_IN_QUEUE}
                  AND (sent_ms < ? OR (receive_count >= ? AND last_received < ?) OR last_received < ?)
                  ORDER BY sent_ms, sequence LIMIT 500"""
        values = (round(sent_before * 1000), max_receives, received_before, unseen_since)
        return await self._run(lambda db: [kept(row) for row in db.execute(sql, values)])

    @override
    async def orphans(self, *, limit: int) -> list[Kept]:
        sql = f"""SELECT {KEPT} FROM messages AS m WHERE gone IS NOT NULL AND held = 0 AND next_attempt IS NULL AND m.{_UNSETTLED}
                  AND {_NONE_EARLIER} ORDER BY sent_ms LIMIT ?"""
        return await self._run(lambda db: [kept(row) for row in db.execute(sql, (limit,))])

    @override
    async def most_receives(self, *, since: float) -> int:
        sql = f"""SELECT coalesce(max((SELECT count(*) FROM receives AS r WHERE r.message_id = m.message_id AND r.at >= ?)), 0)
                  FROM messages AS m WHERE {_IN_QUEUE}"""
        return await self._run(lambda db: int(db.execute(sql, (since,)).fetchone()[0]))

    @override
    async def due(self, now: float, *, latest: float, limit: int) -> list[Kept]:
        sql = f"""SELECT {KEPT} FROM messages WHERE state = 'dead_letter' AND held = 0
                  AND (next_attempt <= ? OR next_attempt > ?) ORDER BY next_attempt LIMIT ?"""
        return await self._run(lambda db: [kept(row) for row in db.execute(sql, (now, latest, limit))])

    @override
    async def heads(self, *, limit: int) -> list[Kept]:
        sql = f"""SELECT {KEPT} FROM messages AS m WHERE m.{_UNSETTLED} AND state <> 'dead_letter' AND {_NONE_EARLIER}
                  ORDER BY last_tried, sent_ms LIMIT ?"""
        return await self._run(lambda db: [kept(row) for row in db.execute(sql, (limit,))])

    @override
    async def get(self, message_id: MessageId) -> Kept | None:
        sql = f"SELECT {KEPT} FROM messages WHERE message_id = ?"
        return await self._run(lambda db: _first(db.execute(sql, (message_id,))))

    @override
    async def standing(self, message_id: MessageId) -> tuple[Kept, bool] | None:
        return await self._run(lambda db: _standing(db, message_id))

    @override
    async def unsettled(self, transaction_type: str) -> list[MessageId]:
        sql = f"SELECT message_id FROM messages WHERE transaction_type = ? AND {_UNSETTLED}"
        return await self._run(lambda db: [MessageId(row[0]) for row in db.execute(sql, (transaction_type,))])

    @override
    async def put_down(self) -> None:
        await self._run(lambda db: _changed(db.execute("UPDATE messages SET in_hand = 0 WHERE in_hand = 1")))

    @override
    async def release(self, message_id: MessageId) -> None:
        sql = "UPDATE messages SET held = 0, unclean_ends = 0 WHERE message_id = ?"
        await self._run(lambda db: _changed(db.execute(sql, (message_id,))))

    @override
    async def dead_letters(self) -> list[Kept]:
        sql = f"SELECT {KEPT} FROM messages WHERE state = 'dead_letter' ORDER BY sent_ms, sequence"
        return await self._run(lambda db: [kept(row) for row in db.execute(sql)])

    @override
    async def note_event(self, *, at: float, ticket: str, message_id: str, what: str, detail: str) -> None:
        await self._run(lambda db: _event(db, at, ticket, message_id, what, detail))


def _first(cursor: sqlite3.Cursor) -> Kept | None:
    row = cursor.fetchone()
    return kept(row) if row else None


def _changed(cursor: sqlite3.Cursor) -> None:
    cursor.close()


def _event(db: sqlite3.Connection, at: float, ticket: str, message_id: str, what: str, detail: str) -> None:
    sql = "INSERT INTO events (at, ticket, message_id, what, detail) VALUES (?, ?, ?, ?, ?)"
    db.execute(sql, (at, ticket, message_id, what, detail))


def _store(db: sqlite3.Connection, arrivals: Sequence[Arrival], at: float) -> dict[EnsonoTicketNumber, list[Kept]]:
    seen: dict[MessageId, int] = {}
    for arrival in arrivals:
        own = _under_its_own_id(db, arrival)
        seen[own.message_id] = _store_one(db, own, at)
    tickets: dict[EnsonoTicketNumber, list[Kept]] = {}
    for ticket in dict.fromkeys(arrival.ticket for arrival in arrivals):
        tickets[ticket] = [kept(row, seen_count=seen.get(MessageId(str(row[0])), 0)) for row in _undone(db, ticket)]
    for message_id, seen_count in seen.items():
        message = kept(_row(db, message_id), seen_count=seen_count)
        if message.state.settled:
            tickets.setdefault(message.ticket, []).append(message)
    return {ticket: sorted(messages, key=lambda message: message.order) for ticket, messages in tickets.items()}


def _under_its_own_id(db: sqlite3.Connection, arrival: Arrival) -> Arrival:
    row = db.execute("SELECT ticket FROM messages WHERE message_id = ?", (arrival.message_id,)).fetchone()
    if row is None or row[0] == arrival.ticket:
        return arrival
    return replace(arrival, message_id=told_apart(arrival.message_id, arrival.ticket))


def _store_one(db: sqlite3.Connection, arrival: Arrival, at: float) -> int:
    """Insert it, or count one more receive; returns the receive count that was known before."""
    before = db.execute("SELECT receive_count FROM messages WHERE message_id = ?", (arrival.message_id,)).fetchone()
    if before is None:
        db.execute(
            """INSERT INTO messages (message_id, ticket, transaction_type, ticket_type, sent_ms, sequence, content_key, raw,
                                     state, receive_count, first_received, last_received)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?)""",
            (
                arrival.message_id, arrival.ticket, arrival.transaction_type, arrival.ticket_type, arrival.sent_ms,
                str(arrival.sequence).zfill(SEQUENCE_DIGITS), arrival.content_key, packed(arrival.raw),
                arrival.receive_count, at, at,
            ),
        )  # fmt: skip
    else:
        # It came again, so it is in the queue, whatever we believed.
        db.execute(
            """UPDATE messages SET receive_count = max(receive_count, ?), last_received = ?, gone = NULL, acknowledged = NULL
               WHERE message_id = ?""",
            (arrival.receive_count, at, arrival.message_id),
        )
    db.execute("INSERT OR IGNORE INTO receives VALUES (?, ?, ?)", (arrival.message_id, at, arrival.receive_count))
    return int(before[0]) if before else 0


def _begin(db: sqlite3.Connection, message_id: MessageId) -> MessageId | None:
    db.execute("UPDATE messages SET in_hand = 1, attempts = attempts + 1 WHERE message_id = ?", (message_id,))
    row = db.execute(
        """SELECT o.message_id FROM messages AS m JOIN messages AS o USING (ticket, content_key)
           WHERE m.message_id = ? AND o.message_id <> m.message_id AND o.state = 'applied' LIMIT 1""",
        (message_id,),
    ).fetchone()
    return MessageId(row[0]) if row else None


def _undone(db: sqlite3.Connection, ticket: EnsonoTicketNumber) -> list[tuple[object, ...]]:
    sql = f"SELECT {KEPT} FROM messages WHERE ticket = ? AND {_UNSETTLED} ORDER BY sent_ms, sequence"
    return db.execute(sql, (ticket,)).fetchall()


def _standing(db: sqlite3.Connection, message_id: MessageId) -> tuple[Kept, bool] | None:
    row = db.execute(f"SELECT {KEPT} FROM messages WHERE message_id = ?", (message_id,)).fetchone()
    if row is None:
        return None
    message = kept(row)
    earlier = f"""SELECT 1 FROM messages WHERE ticket = ? AND {_UNSETTLED} AND (sent_ms, sequence) < (?, ?)
                  AND message_id <> ? LIMIT 1"""
    sequence = str(message.sequence).zfill(SEQUENCE_DIGITS)
    found = db.execute(earlier, (message.ticket, message.sent_ms, sequence, message_id)).fetchone()
    return message, found is None


def _row(db: sqlite3.Connection, message_id: MessageId) -> tuple[str, ...]:
    sql = f"SELECT {KEPT} FROM messages WHERE message_id = ?"
    row: tuple[str, ...] = db.execute(sql, (message_id,)).fetchone()
    return row


def _settle(db: sqlite3.Connection, sql: str, values: tuple[object, ...], at: float, what: str, detail: str) -> None:
    db.execute(sql, values)
    message_id = values[-1]
    db.execute(
        """INSERT INTO events (at, ticket, message_id, what, detail)
           SELECT ?, ticket, message_id, ?, ? FROM messages WHERE message_id = ?""",
        (at, what, detail, message_id),
    )


def _acknowledged(db: sqlite3.Connection, message_id: MessageId, at: float) -> None:
    db.execute("UPDATE messages SET acknowledged = ? WHERE message_id = ?", (at, message_id))
