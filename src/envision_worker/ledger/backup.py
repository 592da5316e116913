"""A copy of the ledger that can take its place."""

import sqlite3
from pathlib import Path

from envision_worker.ledger.database import connect_read_only
from envision_worker.ledger.records import LedgerUnavailable


def back_up(path: str, target: str) -> None:
    """A consistent copy by SQLite's own backup, also while a daemon writes; a half-written one never carries the target's name.

    A copy that takes the ledger's place is older than the desk. So it holds that all its tickets were found there, and not when it
    was made: a worker that starts on it looks for what was applied meanwhile before it writes, as one with an empty ledger does (P12).

    Raises:
        LedgerUnavailable: the ledger can't be read or the target can't be written.
    """
    part = Path(f"{target}.part")
    source = connect_read_only(path)
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600, exist_ok=False)  # a ledger holds what tickets say
        copy = sqlite3.connect(part)
        try:
            source.backup(copy)
            with copy:
                copy.execute("UPDATE links SET adopted = 1")
                copy.execute("DELETE FROM remembered WHERE name = 'born'")
        finally:
            copy.close()
        part.replace(target)
    except (sqlite3.Error, OSError) as exc:
        part.unlink(missing_ok=True)
        raise LedgerUnavailable(f"{target}: {exc}") from exc
    finally:
        source.close()
