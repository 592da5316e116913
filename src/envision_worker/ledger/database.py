"""One SQLite file, one connection, one thread: every call is queued, and what waits together is committed together.

SQLite before 3.51.3 can corrupt a WAL database that two connections write at once, and a connection belongs to one thread. So a
single thread owns the only connection that writes; a lock file keeps a second process out.
"""

import asyncio
import contextlib
import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol, TextIO, TypeVar

from sqlite_utils import Database as SqliteUtilsDatabase

from envision_worker.ledger.records import LedgerUnavailable
from envision_worker.ledger.upgrades import upgrades

T = TypeVar("T")
Statement = Callable[[sqlite3.Connection], T]
"""What runs inside a transaction: synchronous, so that nobody else's writes can get into it."""

Committed = Callable[[float, int], None]
"""Told after each commit: how many seconds it took and how many calls shared it."""

BUSY_TIMEOUT_S = 10.0
MAX_GROUP = 256


class Database(Protocol):
    """Carries out statements, each in a transaction, in the order in which they were asked for."""

    async def run(self, statement: Statement[T]) -> T:
        """Returns once what it wrote is durable. Raises `LedgerUnavailable`."""
        ...

    async def close(self) -> None:
        """Finish what was asked for and let go of the file."""
        ...


def connect(path: str) -> sqlite3.Connection:
    """Open for writing and bring the schema up to date."""
    try:
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # NORMAL may lose the last commits at a power cut
        connection.execute("PRAGMA foreign_keys = ON")
        upgrades.apply(SqliteUtilsDatabase(connection))
    except sqlite3.Error as exc:
        raise LedgerUnavailable(f"{path}: {exc}") from exc
    return connection


def connect_read_only(path: str) -> sqlite3.Connection:
    """Open for reading beside a daemon that writes; nothing is created, nothing is locked for long."""
    try:
        connection = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)
        connection.execute("SELECT 1 FROM messages LIMIT 1")
    except sqlite3.Error as exc:
        raise LedgerUnavailable(f"{path}: {exc}") from exc
    connection.row_factory = sqlite3.Row
    return connection


class LockFile:
    """Keeps a second process off the same ledger, and names the first."""

    def __init__(self, ledger: str) -> None:
        self.path = Path(f"{ledger}.lock")
        self._file: TextIO | None = None

    def acquire(self) -> None:
        """Raises `LedgerUnavailable` naming the process that holds it."""
        try:
            self._file = self.path.open("a+", encoding="ascii")
        except OSError as exc:
            raise LedgerUnavailable(f"{self.path}: {exc.strerror}") from exc
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise LedgerUnavailable(f"{self.path}: another process holds the ledger: pid {holder}") from exc
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        """The file stays: deleting it would let two processes lock two different files."""
        if self._file:
            self._file.close()
            self._file = None


class InlineDatabase:
    """Carries out each statement at once, on the caller's thread: for commands, and for simulated time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    async def run(self, statement: Statement[T]) -> T:
        """See `Database.run`."""
        try:
            return _in_transaction(self.connection, statement)
        except sqlite3.Error as exc:
            raise LedgerUnavailable(str(exc)) from exc

    async def close(self) -> None:
        """See `Database.close`."""
        self.connection.close()


def _in_transaction(connection: sqlite3.Connection, statement: Statement[T]) -> T:
    connection.execute("BEGIN IMMEDIATE")  # a deferred one can fail at its first write, time-out or not
    try:
        result = statement(connection)
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    return result


class ThreadedDatabase:
    """Carries out statements on a thread of its own; those that wait while one commit runs share the next."""

    def __init__(self, connection: sqlite3.Connection, committed: Committed, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._committed = committed
        self._clock = clock
        self._waiting: queue.SimpleQueue[tuple[Statement[Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="ledger", daemon=True)
        self._thread.start()

    async def run(self, statement: Statement[T]) -> T:
        """See `Database.run`."""
        future: Future[T] = Future()
        self._waiting.put((statement, future))
        # Cancelling the caller must not cancel the write: it stays in its place in the order.
        return await asyncio.shield(asyncio.wrap_future(future))

    async def close(self) -> None:
        """See `Database.close`."""
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()

    def _serve(self) -> None:
        while True:
            group, last = self._next_group()
            if group:
                self._carry_out(group)
            if last:
                return

    def _next_group(self) -> tuple[list[tuple[Statement[Any], Future[Any]]], bool]:
        """Everything that waits now, at least one; and whether it is the last."""
        group: list[tuple[Statement[Any], Future[Any]]] = []
        item = self._waiting.get()
        while item is not None:
            group.append(item)
            if len(group) == MAX_GROUP:
                return group, False
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _carry_out(self, group: list[tuple[Statement[Any], Future[Any]]]) -> None:
        started = self._clock()
        results: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            results = [self._carry_out_one(statement, future) for statement, future in group]
            self._connection.execute("COMMIT")
        except sqlite3.Error as exc:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            failure = LedgerUnavailable(str(exc))
            results = [(future, None, failure) for _, future in group]
        self._committed(self._clock() - started, len(group))
        for future, value, error in results:
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(value)

    def _carry_out_one(
        self, statement: Statement[Any], future: Future[Any]
    ) -> tuple[Future[Any], Any, BaseException | None]:
        """One statement's failure undoes that statement alone; a failing disk fails the whole group at its commit."""
        self._connection.execute("SAVEPOINT one")
        try:
            value = statement(self._connection)
        except (sqlite3.IntegrityError, ValueError, KeyError, TypeError) as exc:
            self._connection.execute("ROLLBACK TO one")
            self._connection.execute("RELEASE one")
            return future, None, exc
        self._connection.execute("RELEASE one")
        return future, value, None
