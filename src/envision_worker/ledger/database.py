"""One SQLite file, one connection, one thread: every call is queued, and what waits together is committed together.

SQLite before 3.51.3 can corrupt a WAL database that two connections write at once, and a connection belongs to one thread. So a
single thread owns the only connection that writes; a lock file keeps a second process out.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlite_utils import Database as SqliteUtilsDatabase

from envision_worker.ledger.records import LedgerUnavailable
from envision_worker.ledger.upgrades import upgrades

T = TypeVar("T")
Statement = Callable[[sqlite3.Connection], T]
"""What runs inside a transaction: synchronous, so that nobody else's writes can get into it. One that was undone may run again."""

Committed = Callable[[float, int], None]
"""Told after each commit: how many seconds it took and how many calls shared it."""

_Asked = tuple[Statement[Any], "asyncio.Future[Any] | None"]
_Result = tuple[Any, Exception | None]

BUSY_TIMEOUT_S = 10.0
MAX_GROUP = 256


class Database(Protocol):
    """Carries out statements, each in a transaction, in the order in which they were asked for."""

    async def run(self, statement: Statement[T]) -> T:
        """Returns once what it wrote is durable. Raises `LedgerUnavailable`."""
        ...

    def later(self, statement: Statement[object]) -> None:
        """Ask for something without waiting: it is durable before anything that is asked for after it.

        Where the store fails, everything that is asked for after it fails with `LedgerUnavailable`; where only the statement does, the
        loop's exception handler is told.
        """
        ...

    async def close(self) -> None:
        """Finish what was asked for and let go of the file."""
        ...


def connect(path: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> sqlite3.Connection:
    """Open for writing and bring the schema up to date.

    Raises:
        LedgerUnavailable: it can't be opened, written or upgraded; says which file and why.
    """
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # NORMAL may lose the last commits at a power cut
        connection.execute("PRAGMA foreign_keys = ON")
        upgrades.apply(SqliteUtilsDatabase(connection))
    except sqlite3.Error as exc:
        if connection is not None:
            connection.close()
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


class InlineDatabase:
    """Carries out each statement at once, on the caller's thread: for commands, and for simulated time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._put_off: list[Statement[object]] = []
        self._lost: str | None = None

    async def run(self, statement: Statement[T]) -> T:
        """See `Database.run`."""
        self.catch_up()
        return self._at_once(statement)

    def later(self, statement: Statement[object]) -> None:
        """See `Database.later`."""
        if not self._put_off:
            asyncio.get_running_loop().call_soon(self.catch_up)
        self._put_off.append(statement)

    def catch_up(self) -> None:
        """Carry out what was put off."""
        while self._put_off:
            self.carry_out_late(self._put_off.pop(0))

    def carry_out_late(self, statement: Statement[object]) -> None:
        """One that was put off: nobody waits for it."""
        try:
            self._at_once(statement)
        except LedgerUnavailable as exc:
            self._lost = str(exc)
        except Exception as exc:  # noqa: BLE001 - as the thread does
            _tell_failed(asyncio.get_running_loop(), exc)

    async def close(self) -> None:
        """See `Database.close`."""
        self.catch_up()
        self.connection.close()

    def _at_once(self, statement: Statement[T]) -> T:
        if self._lost is not None:
            raise LedgerUnavailable(self._lost)
        try:
            return _in_transaction(self.connection, statement)
        except sqlite3.Error as exc:
            if not _is_the_stores(exc):
                raise
            raise LedgerUnavailable(str(exc)) from exc


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
    """Carries out statements on a thread of its own; those that wait while one commit runs share the next.

    What is asked for in one turn of the loop is handed over together, and a group's results come back together: each change of
    threads costs more than most statements.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        committed: Committed,
        clock: Callable[[], float],
        *,
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        """`failed`: told on the thread, before anybody else is, each time that the store fails."""
        self._connection = connection
        self._committed = committed
        self._failed = failed
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked: list[_Asked] = []
        self._waiting: queue.SimpleQueue[list[_Asked] | None] = queue.SimpleQueue()
        self._lost: str | None = None
        """Why nothing can be taken any more; the thread's own, so that nothing gets past what failed before it."""
        self._thread = threading.Thread(target=self._serve, name="ledger", daemon=True)
        self._thread.start()

    async def run(self, statement: Statement[T]) -> T:
        """See `Database.run`. A caller that is cancelled does not cancel the write: it keeps its place in the order."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._ask(statement, future)
        return await future

    def later(self, statement: Statement[object]) -> None:
        """See `Database.later`."""
        self._ask(statement, None)

    async def close(self) -> None:
        """See `Database.close`."""
        self._hand_over()
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()

    # --- on the loop -------------------------------------------------------------------------------------------------

    def _ask(self, statement: Statement[Any], future: "asyncio.Future[Any] | None") -> None:
        if not self._asked:
            self._loop = asyncio.get_running_loop()
            self._loop.call_soon(self._hand_over)
        self._asked.append((statement, future))

    def _hand_over(self) -> None:
        asked, self._asked = self._asked, []
        if asked:
            self._waiting.put(asked)

    def _deliver(self, group: list[_Asked], results: list[_Result]) -> None:
        for (_, future), (value, error) in zip(group, results, strict=True):
            if future is None:
                if error is not None and not isinstance(error, LedgerUnavailable):
                    _tell_failed(asyncio.get_running_loop(), error)
            elif future.done():  # whoever asked is gone
                continue
            elif error is not None:
                future.set_exception(error)
            else:
                future.set_result(value)

    # --- on the thread -----------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while group := self._next_group():
            started = self._clock()
            results = self._carry_out(group)
            self._committed(self._clock() - started, len(group))
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._deliver, group, results)

    def _next_group(self) -> list[_Asked]:
        """Everything that waits now, at least one; nothing once there will be no more."""
        group: list[_Asked] = []
        asked = self._waiting.get()
        while asked is not None:
            group += asked
            if len(group) >= MAX_GROUP or self._waiting.empty():
                return group
            asked = self._waiting.get()
        self._waiting.put(None)
        return group

    def _carry_out(self, group: list[_Asked]) -> list[_Result]:
        """All in one transaction; where one fails, again with each for itself. A failing disk fails the whole group.

        Where something that was put off is in that group, nothing after it may be done: it counts on what was put off.
        """
        if self._lost is not None:
            return [(None, LedgerUnavailable(self._lost)) for _ in group]
        try:
            try:
                return self._committed_together(group, _together)
            except Exception as exc:
                if _is_the_stores(exc):
                    raise
                return self._committed_together(group, _each_for_itself)
        except sqlite3.Error as exc:
            failure = LedgerUnavailable(str(exc))
            self._failed()
            if any(future is None for _, future in group):
                self._lost = str(exc)
            return [(None, failure) for _ in group]

    def _committed_together(
        self, group: list[_Asked], how: Callable[[sqlite3.Connection, list[_Asked]], list[_Result]]
    ) -> list[_Result]:
        return _in_transaction(self._connection, lambda db: how(db, group))


def _together(db: sqlite3.Connection, group: list[_Asked]) -> list[_Result]:
    return [(statement(db), None) for statement, _ in group]


def _each_for_itself(db: sqlite3.Connection, group: list[_Asked]) -> list[_Result]:
    """One statement's failure undoes that statement alone."""
    return [_alone(db, statement) for statement, _ in group]


def _alone(db: sqlite3.Connection, statement: Statement[Any]) -> _Result:
    db.execute("SAVEPOINT one")
    try:
        value = statement(db)
    except Exception as exc:
        if _is_the_stores(exc):
            raise
        db.execute("ROLLBACK TO one")
        db.execute("RELEASE one")
        return None, exc
    db.execute("RELEASE one")
    return value, None


def _is_the_stores(error: Exception) -> bool:
    """Whether the store itself failed, not one statement."""
    return isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.IntegrityError)


def _tell_failed(loop: asyncio.AbstractEventLoop, error: Exception) -> None:
    """A statement that was put off failed by itself, as only a bug can bring about: nobody waits for it who could be told."""
    loop.call_exception_handler({"message": "the ledger could not keep what was put off", "exception": error})
