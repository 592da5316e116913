"""The ledger in one SQLite file."""

import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path

from typing_extensions import override

from envision_worker.ledger.condition import ROOM_AFTER_FAILURE_BYTES, ROOM_BYTES, Checked, look_through, make_room
from envision_worker.ledger.database import Committed, Database, ThreadedDatabase, connect
from envision_worker.ledger.ledger import Approvals, Ledger, Links
from envision_worker.ledger.lock_file import LockFile
from envision_worker.ledger.records import ApprovalRecord, Backlog, LedgerUnavailable, Link
from envision_worker.ledger.rows import APPROVAL, LINK, approval, approval_row, link, link_row
from envision_worker.ledger.sqlite_effects import SqliteEffects
from envision_worker.ledger.sqlite_messages import SqliteMessages
from envision_worker.vocabulary import DeskKind, DeskTicketId, EnsonoTicketNumber

REMEMBERED_LINKS = 10_000
"""Tickets whose link is kept in memory, at some 500 bytes each."""


class SqliteLinks(Links):
    """See `ledger.ledger.Links`. The links asked for of late are remembered: nobody but this process writes any."""

    def __init__(self, database: Database) -> None:
        self._run = database.run
        self._later = database.later
        self._current: OrderedDict[EnsonoTicketNumber, Link | None] = OrderedDict()

    @override
    async def current(self, ticket: EnsonoTicketNumber) -> Link | None:
        if ticket in self._current:
            return self._current[ticket]
        sql = f"SELECT {LINK} FROM links WHERE ticket = ? ORDER BY generation DESC LIMIT 1"
        return self._remembered(ticket, await self._run(lambda db: _first(db.execute(sql, (ticket,)))))

    @override
    async def save(self, value: Link) -> None:
        places = ", ".join("?" * len(LINK.split(",")))
        sql = f"INSERT OR REPLACE INTO links ({LINK}) VALUES ({places})"
        self._later(lambda db: db.execute(sql, link_row(value)).close())
        before = self._current.get(value.ticket)
        if before is None or before.generation <= value.generation:
            self._remembered(value.ticket, value)

    def _remembered(self, ticket: EnsonoTicketNumber, value: Link | None) -> Link | None:
        self._current[ticket] = value
        self._current.move_to_end(ticket)
        if len(self._current) > REMEMBERED_LINKS:
            self._current.popitem(last=False)
        return value

    @override
    async def of_desk_ticket(self, kind: DeskKind, desk_id: DeskTicketId) -> Link | None:
        sql = f"""SELECT {LINK} FROM links AS l WHERE kind = ? AND desk_id = ?
                  AND generation = (SELECT max(generation) FROM links WHERE ticket = l.ticket) LIMIT 1"""
        return await self._run(lambda db: _first(db.execute(sql, (kind.value, desk_id))))


def _first(cursor: sqlite3.Cursor) -> Link | None:
    row = cursor.fetchone()
    return link(row) if row else None


class SqliteApprovals(Approvals):
    """See `ledger.ledger.Approvals`."""

    def __init__(self, database: Database) -> None:
        self._run = database.run

    @override
    async def get(self, approval_id: str) -> ApprovalRecord | None:
        found = await self._select("WHERE approval_id = ?", approval_id)
        return found[0] if found else None

    @override
    async def save(self, *records: ApprovalRecord) -> None:
        places = ", ".join("?" * len(APPROVAL.split(",")))
        sql = f"INSERT OR REPLACE INTO approvals ({APPROVAL}) VALUES ({places})"
        rows = [approval_row(record) for record in records]
        await self._run(lambda db: db.executemany(sql, rows).close())

    @override
    async def of_ticket(self, ticket: EnsonoTicketNumber) -> list[ApprovalRecord]:
        return await self._select("WHERE ticket = ? ORDER BY requested, approval_id", ticket)

    @override
    async def waiting(self) -> list[ApprovalRecord]:
        return await self._select("WHERE status = 'waiting' ORDER BY requested, approval_id")

    @override
    async def unsent(self) -> list[ApprovalRecord]:
        return await self._select(
            "WHERE status IN ('approved','rejected') AND sent IS NULL ORDER BY decided, approval_id"
        )

    @override
    async def all(self) -> list[ApprovalRecord]:
        return await self._select("ORDER BY requested DESC, approval_id")

    async def _select(self, tail: str, *values: str) -> list[ApprovalRecord]:
        sql = f"SELECT {APPROVAL} FROM approvals {tail}"
        return await self._run(lambda db: [approval(row) for row in db.execute(sql, values)])


class SqliteLedger(Ledger):
    """See `ledger.ledger.Ledger`. Make one with `open_ledger`."""

    def __init__(self, path: str, database: Database, lock: LockFile | None = None) -> None:
        self._path = path
        self._database = database
        self._lock = lock
        self.messages = SqliteMessages(database)
        self.effects = SqliteEffects(database)
        self.links = SqliteLinks(database)
        self.approvals = SqliteApprovals(database)

    @override
    async def recall(self, name: str) -> str | None:
        sql = "SELECT value FROM remembered WHERE name = ?"
        row = await self._database.run(lambda db: db.execute(sql, (name,)).fetchone())
        return str(row[0]) if row else None

    @override
    async def remember(self, name: str, value: str) -> None:
        sql = "INSERT OR REPLACE INTO remembered VALUES (?, ?)"
        await self._database.run(lambda db: db.execute(sql, (name, value)).close())

    @override
    async def backlog(self) -> Backlog:
        return await self._database.run(backlog)

    @override
    async def counts(self) -> dict[str, int]:
        return await self._database.run(lambda db: dict(db.execute("SELECT state, messages FROM counts")))

    @override
    async def prune(self, *, settled_before: float, limit: int) -> int:
        return await self._database.run(lambda db: _prune(db, settled_before, limit))

    @override
    async def size_bytes(self) -> int:
        return await self._database.run(lambda _: size_of(self._path))

    @override
    async def close(self) -> None:
        await self._database.close()
        if self._lock:
            self._lock.release()


def open_ledger(
    path: str,
    *,
    committed: Committed,
    clock: Callable[[], float],
    checked: Checked | None = None,
) -> SqliteLedger:
    """Lock, open, upgrade, see that it can be worked with, and count one unclean end for whatever the last process left in hand.

    Nothing may be read from the queue that could not be kept, so a start writes before anything is read; and where the last process
    ended because the ledger failed, the ledger is looked through first, and `checked` is told.

    Raises:
        LedgerUnavailable: it can't be opened, has no room, is damaged, or another process holds it.
    """
    lock = LockFile(path)
    lock.acquire()
    try:
        connection = connect(path)
        try:
            if lock.ledger_failed:
                started = clock()
                complete = look_through(connection)
                if checked:
                    checked(clock() - started, complete=complete)
            make_room(connection, ROOM_AFTER_FAILURE_BYTES if lock.ledger_failed else ROOM_BYTES)
            count_unclean_ends(connection, ledger_failed=lock.ledger_failed)
        except sqlite3.Error as exc:
            connection.close()
            raise LedgerUnavailable(f"{path}: {exc}") from exc
    except LedgerUnavailable:
        lock.release()
        raise
    lock.note(ledger_failed=False)
    failed = partial(lock.note, ledger_failed=True)
    return SqliteLedger(path, ThreadedDatabase(connection, committed, clock, failed=failed), lock)


def count_unclean_ends(connection: sqlite3.Connection, *, ledger_failed: bool = False) -> None:
    """What is marked in hand when a process starts was in hand when the last one ended without a word.

    `ledger_failed`: it had to end because the ledger failed, which is no message's fault.

    Raises:
        sqlite3.Error: it can't be written.
    """
    ended = "unclean_ends" if ledger_failed else "unclean_ends + 1"
    connection.execute(f"UPDATE messages SET in_hand = 0, unclean_ends = {ended} WHERE in_hand = 1")


def backlog(db: sqlite3.Connection) -> Backlog:
    """See `ledger.ledger.Ledger.backlog`; also for a read-only connection."""
    count, average, oldest, receives = db.execute(
        """SELECT count(*), avg(sent_ms) / 1000.0, min(sent_ms) / 1000.0, coalesce(max(receive_count), 0)
           FROM messages WHERE acknowledged IS NULL AND gone IS NULL"""
    ).fetchone()
    dead, blocked = db.execute(
        "SELECT count(*), count(DISTINCT ticket) FROM messages WHERE state = 'dead_letter'"
    ).fetchone()
    waiting, oldest_approval = db.execute(
        "SELECT count(*), min(requested) FROM approvals WHERE status = 'waiting'"
    ).fetchone()
    (unapplied,) = db.execute(
        "SELECT min(sent_ms) / 1000.0 FROM messages WHERE state IN ('waiting','retry_later','dead_letter')"
    ).fetchone()
    return Backlog(count, average, oldest, receives, dead, blocked, waiting, oldest_approval, unapplied)


def size_of(path: str) -> int:
    """Bytes on disk, the write-ahead log included."""
    files = (Path(path), Path(f"{path}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _prune(db: sqlite3.Connection, settled_before: float, limit: int) -> int:
    """What may be in the queue yet stays, however old it seems: a clock that was wrong for a moment must not make it new again."""
    sql = """SELECT message_id FROM messages WHERE settled IS NOT NULL AND settled < ? AND (acknowledged IS NOT NULL OR gone < ?)
             AND state IN ('applied','out_of_scope','discarded') ORDER BY settled LIMIT ?"""
    ids = [(row[0],) for row in db.execute(sql, (settled_before, settled_before, limit))]
    for table in ("receives", "events", "effects", "messages"):
        db.executemany(f"DELETE FROM {table} WHERE message_id = ?", ids)
    return len(ids)
