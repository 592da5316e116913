"""The condition of a ledger that is to be worked with: whether it has room, and whether it is whole."""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from envision_worker.ledger.rows import APPROVAL, EFFECT, KEPT, approval, effect, kept

ROOM_BYTES = 512 * 1024
"""Room that a start wants: about what a read of ten messages and all that follows it take."""
ROOM_AFTER_FAILURE_BYTES = 8 * ROOM_BYTES
"""And where the last process failed: more than its end left free on a full disk by giving back the write-ahead log."""
CHECK_WITHIN_S = 30.0
"""A third of what systemd waits for a start; some gigabytes are looked through meanwhile."""

_NEEDED: tuple[tuple[str, Callable[[Sequence[Any]], object]], ...] = (
    (f"SELECT {KEPT} FROM messages WHERE state IN ('waiting','retry_later','dead_letter')", kept),
    (f"SELECT {KEPT} FROM messages WHERE acknowledged IS NULL AND gone IS NULL", kept),
    (f"SELECT {EFFECT} FROM effects WHERE outcome IS NULL", effect),
    (f"SELECT {APPROVAL} FROM approvals WHERE status = 'waiting'", approval),
)
"""What the next read may ask for, and how it is read."""


class Checked(Protocol):
    """Told after a ledger was looked through."""

    def __call__(self, seconds: float, *, complete: bool) -> None:
        """It is whole; not `complete`: as far as there was time to look."""
        ...


def make_room(connection: sqlite3.Connection, size_bytes: int) -> None:
    """Take so much of the disk that what the first reads bring can be kept: the write-ahead log and the file keep what they had.

    Raises:
        sqlite3.Error: the disk is full, or nothing can be written.
    """
    connection.execute("INSERT OR REPLACE INTO remembered VALUES ('room', zeroblob(?))", (size_bytes,))
    connection.execute("DELETE FROM remembered WHERE name = 'room'")
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")  # the log begins anew, in the room that it has now


def look_through(connection: sqlite3.Connection, *, within_s: float = CHECK_WITHIN_S) -> bool:
    """Whether all could be looked through within this time, and was found whole.

    Raises:
        sqlite3.Error: it is damaged; says how.
    """
    over = threading.Event()

    def cut_off() -> None:
        over.set()
        connection.interrupt()

    timer = threading.Timer(within_s, cut_off)
    timer.daemon = True
    timer.start()
    try:
        _look_through(connection)
    except sqlite3.Error:
        if not over.is_set():
            raise
    finally:
        timer.cancel()
        timer.join()
    return not over.is_set()


def _look_through(connection: sqlite3.Connection) -> None:
    (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        raise sqlite3.DatabaseError(f"damaged: {said.splitlines()[-1]}")
    for sql, read in _NEEDED:
        for row in connection.execute(sql):
            read(row)
