"""A ledger is looked at before it is worked with: it must have room, and be whole where it failed the process before."""

import resource
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from envision_worker.ledger.condition import ROOM_AFTER_FAILURE_BYTES, ROOM_BYTES, look_through
from envision_worker.ledger.database import connect
from envision_worker.ledger.records import LedgerUnavailable
from envision_worker.ledger.sqlite import open_ledger
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId
from ledger.kept import NOW, TICKET, arrival, opened, rows

OTHER = EnsonoTicketNumber("other")


def failing(_: sqlite3.Connection) -> None:
    raise sqlite3.OperationalError("disk I/O error")


async def ended_by_the_ledger(path: Path) -> None:
    """A process had m1 in hand when the ledger failed."""
    async with opened(path) as ledger:
        await ledger.messages.store([arrival("m1"), arrival("m2", ticket=OTHER)], at=NOW)
        await ledger.messages.begin(MessageId("m1"))
        with pytest.raises(LedgerUnavailable):
            await ledger._database.run(failing)


async def checks(path: Path) -> list[bool]:
    """Open and close it; what is told of having looked through it."""
    told: list[bool] = []

    def checked(seconds: float, *, complete: bool) -> None:
        assert seconds >= 0
        told.append(complete)

    ledger = open_ledger(str(path), committed=lambda *_: None, clock=time.monotonic, checked=checked)
    await ledger.close()
    return told


async def test_a_ledger_that_failed_is_looked_through_once_and_what_was_in_hand_has_no_part_in_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger.db"
    await ended_by_the_ledger(path)
    assert await checks(path) == [True]
    assert await checks(path) == []
    assert rows(path, "SELECT in_hand, unclean_ends FROM messages WHERE message_id = 'm1'") == [(0, 0)]


async def test_a_process_that_died_is_no_reason_to_look_through_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with opened(path) as ledger:
        await ledger.messages.store([arrival("m1")], at=NOW)
        await ledger.messages.begin(MessageId("m1"))
    assert await checks(path) == []
    assert rows(path, "SELECT unclean_ends FROM messages") == [(1,)]


def a_row_that_cannot_be_read(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE messages SET raw = zeroblob(40) WHERE message_id = 'm2'")


def an_index_that_is_none(path: Path) -> None:
    [(page, size)] = rows(
        path, "SELECT rootpage, page_size FROM sqlite_master, pragma_page_size WHERE name = 'by_content'"
    )
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


@pytest.mark.parametrize("damage", [a_row_that_cannot_be_read, an_index_that_is_none])
async def test_one_that_failed_because_it_is_damaged_is_not_worked_with_until_it_is_replaced(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "ledger.db"
    await ended_by_the_ledger(path)
    damage(path)
    for _ in range(2):
        with pytest.raises(
            LedgerUnavailable, match=r"ledger\.db: (messages: the row of 'm2' can't be read|damaged: ).+$"
        ):
            await checks(path)
    path.unlink()
    async with opened(path) as ledger:
        assert await ledger.messages.undone(TICKET) == []


@pytest.mark.parametrize("ask", ["undone", "get"])
async def test_a_row_that_cannot_be_read_is_a_ledger_that_failed(tmp_path: Path, ask: str) -> None:
    path = tmp_path / "ledger.db"
    async with opened(path) as ledger:
        await ledger.messages.store([arrival("m2", ticket=OTHER)], at=NOW)
        a_row_that_cannot_be_read(path)
        with pytest.raises(LedgerUnavailable, match="the row of 'm2' can't be read"):
            await (ledger.messages.undone(OTHER) if ask == "undone" else ledger.messages.get(MessageId("m2")))


async def test_looking_through_it_is_cut_off_where_that_takes_too_long(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with opened(path):
        pass
    asked = threading.Event()
    with closing(connect(str(path))) as connection:
        connection.set_trace_callback(lambda _: asked.wait(0.05) and None)  # as if it were large
        assert look_through(connection, within_s=0.001) is False
        connection.set_trace_callback(None)
        assert look_through(connection) is True


@contextmanager
def files_no_larger_than(size_bytes: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_start_needs_room_for_what_a_read_may_bring(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with files_no_larger_than(ROOM_BYTES), pytest.raises(LedgerUnavailable, match=r"ledger\.db: .*(full|I/O)"):
        await checks(path)
    with files_no_larger_than(3 * ROOM_BYTES):
        assert await checks(path) == []


async def test_after_the_ledger_failed_it_needs_more_than_that_end_left_free(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    await ended_by_the_ledger(path)
    with files_no_larger_than(3 * ROOM_BYTES), pytest.raises(LedgerUnavailable, match=r"full|I/O"):
        await checks(path)
    with files_no_larger_than(2 * ROOM_AFTER_FAILURE_BYTES):
        assert await checks(path) == [True]


async def test_the_room_stays_and_is_used_again(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    await checks(path)
    size = path.stat().st_size
    assert size > ROOM_BYTES
    await checks(path)
    assert path.stat().st_size == size
    assert rows(path, "SELECT name FROM remembered") == []
