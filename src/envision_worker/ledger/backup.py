"""A copy of the ledger that can take its place."""

import sqlite3
from pathlib import Path

from envision_worker.ledger.database import connect_read_only
from envision_worker.ledger.records import LedgerUnavailable

_LET_IT_LOOK = (
    "UPDATE links SET adopted = 1",
    # A counterpart that was on its way: what became of it stands on the desk.
    """DELETE FROM effects WHERE key LIKE 'create:%' AND NOT EXISTS (
           SELECT 1 FROM links AS l WHERE l.ticket = effects.ticket AND 'create:' || l.generation = effects.key)""",
    """UPDATE messages SET state = 'dead_letter', reason = 'restored', next_attempt = NULL,
           detail = 'not applied yet when this copy of the ledger was made; it may have been since'
       WHERE state IN ('waiting', 'retry_later')""",
    "UPDATE messages SET in_hand = 0 WHERE in_hand = 1",
    "DELETE FROM remembered WHERE name IN ('born', 'approvals_restored')",
)
"""What a copy holds otherwise than the ledger."""


def back_up(path: str, target: str) -> None:
    """A consistent copy by SQLite's own backup, also while a daemon writes; a half-written one never carries the target's name.

    A copy that takes the ledger's place is older than the desk. So it holds that all its tickets were found there, not when it was
    made, nor that the desk was asked for its approvals: a worker that starts on it looks for what came about meanwhile before it
    writes, as one with an empty ledger does (P12). And what was not applied yet is listed for the operator, who may know better.

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
                for statement in _LET_IT_LOOK:
                    copy.execute(statement)
        finally:
            copy.close()
        part.replace(target)
    except (sqlite3.Error, OSError) as exc:
        part.unlink(missing_ok=True)
        raise LedgerUnavailable(f"{target}: {exc}") from exc
    finally:
        source.close()
