import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from envision_worker.ledger.database import InlineDatabase, Statement, ThreadedDatabase, connect
from envision_worker.ledger.records import LedgerUnavailable


@asynccontextmanager
async def threaded(path: Path, groups: list[int] | None = None) -> AsyncIterator[ThreadedDatabase]:
    sizes = groups if groups is not None else []
    database = ThreadedDatabase(connect(str(path)), lambda _, calls: sizes.append(calls), time.monotonic)
    yield database
    await database.close()


def remember(name: str, value: str) -> Statement[None]:
    return lambda db: db.execute("INSERT OR REPLACE INTO remembered VALUES (?, ?)", (name, value)).close()


def recall(name: str) -> Statement[str | None]:
    def statement(db: sqlite3.Connection) -> str | None:
        row = db.execute("SELECT value FROM remembered WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else None

    return statement


def impossible(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO remembered VALUES ('a', NULL)")


async def test_what_is_asked_for_in_one_turn_of_the_loop_shares_a_commit(tmp_path: Path) -> None:
    groups: list[int] = []
    async with threaded(tmp_path / "l.db", groups) as database:
        await asyncio.gather(*(database.run(remember(str(n), "x")) for n in range(50)))
    assert groups == [50]


async def test_what_is_put_off_is_durable_before_what_is_asked_for_after_it(tmp_path: Path) -> None:
    async with threaded(tmp_path / "l.db") as database:
        database.later(remember("a", "1"))
        assert await database.run(recall("a")) == "1"
        database.later(remember("a", "2"))
    assert sqlite3.connect(tmp_path / "l.db").execute("SELECT value FROM remembered").fetchall() == [("2",)]


async def test_one_statement_that_fails_fails_alone(tmp_path: Path) -> None:
    async with threaded(tmp_path / "l.db") as database:
        first, second, third = await asyncio.gather(
            database.run(remember("a", "1")),
            database.run(impossible),
            database.run(remember("b", "2")),
            return_exceptions=True,
        )
        assert (first, third) == (None, None)
        assert isinstance(second, sqlite3.IntegrityError)
        assert [await database.run(recall(name)) for name in "ab"] == ["1", "2"]


def of_a_failing_store(_: sqlite3.Connection) -> None:
    raise sqlite3.OperationalError("disk I/O error")


async def test_after_the_store_failed_something_put_off_nothing_is_taken_any_more(tmp_path: Path) -> None:
    async with threaded(tmp_path / "l.db") as database:
        database.later(of_a_failing_store)
        for _ in range(2):
            with pytest.raises(LedgerUnavailable, match="I/O"):
                await database.run(remember("a", "1"))
    assert sqlite3.connect(tmp_path / "l.db").execute("SELECT value FROM remembered").fetchall() == []


async def test_nothing_gets_past_something_put_off_that_failed_though_nobody_was_told_yet(tmp_path: Path) -> None:
    done = threading.Event()
    connection = connect(str(tmp_path / "l.db"), busy_timeout_s=0.01)
    database = ThreadedDatabase(connection, lambda *_: done.set(), time.monotonic)
    other = sqlite3.connect(tmp_path / "l.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # an administrator's, for longer than the ledger's patience
    database.later(remember("the effect", "done"))
    await asyncio.sleep(0)
    assert done.wait(10)  # with the loop standing still
    other.execute("ROLLBACK")
    with pytest.raises(LedgerUnavailable, match="locked"):
        await database.run(remember("the message", "applied"))
    assert other.execute("SELECT name FROM remembered").fetchall() == []
    await database.close()
    other.close()


async def test_what_is_put_off_and_fails_by_itself_is_told_and_costs_nobody_else_the_ledger(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, said: told.append(said))
    inline = InlineDatabase(connect(str(tmp_path / "inline.db")))
    async with threaded(tmp_path / "l.db") as database:
        for each in (database, inline):
            each.later(impossible)
            await each.run(remember("a", "1"))
            assert await each.run(recall("a")) == "1"
    await inline.close()
    assert [type(said["exception"]) for said in told] == [sqlite3.IntegrityError] * 2


async def test_inline_too_nothing_is_taken_after_the_store_failed_something_put_off(tmp_path: Path) -> None:
    database = InlineDatabase(connect(str(tmp_path / "l.db")))
    database.later(of_a_failing_store)
    for _ in range(2):
        with pytest.raises(LedgerUnavailable, match="I/O"):
            await database.run(remember("a", "1"))
    await database.close()


async def test_a_caller_that_is_cut_off_does_not_cancel_the_write(tmp_path: Path) -> None:
    async with threaded(tmp_path / "l.db") as database:
        task = asyncio.create_task(database.run(remember("a", "1")))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await database.run(recall("a")) == "1"


async def test_inline_what_is_put_off_comes_before_what_is_asked_for_after_it(tmp_path: Path) -> None:
    database = InlineDatabase(connect(str(tmp_path / "l.db")))
    database.later(remember("a", "1"))
    assert await database.run(recall("a")) == "1"
    database.later(remember("a", "2"))
    await asyncio.sleep(0)
    assert database.connection.execute("SELECT value FROM remembered").fetchall() == [("2",)]
    await database.close()
