"""A ledger that an earlier version wrote is brought up to date in place, and all that it holds is still there."""

import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from envision_worker.ledger.database import connect
from envision_worker.ledger.records import ApprovalStatus, EffectOutcome, LedgerUnavailable, State
from envision_worker.ledger.upgrades import upgrades
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId
from ledger.kept import NOW, TICKET, arrival, opened, rows

FIRST = "0001_first_schema"
NAMES = [each.name for each in upgrades.pending(Database(memory=True))]
CHANGE = EnsonoTicketNumber("e-CHG0000001")
MESSAGE = """INSERT INTO messages (message_id, ticket, transaction_type, ticket_type, sent_ms, sequence, content_key, raw, state,
             receive_count, first_received, last_received, gone, reason)
             VALUES (?, ?, 'Notes', 'Incident', ?, ?, ?, ?, ?, 3, ?, ?, ?, ?)"""


def an_old_ledger(path: Path, *, stop_before: str) -> None:
    """As a version with the upgrades up to there left it: every state, an open effect, a link, an approval."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        upgrades.apply(Database(db), stop_before=stop_before)
        for number, (state, gone) in enumerate([("applied", None), ("dead_letter", NOW), ("waiting", None)]):
            name, raw = f"m{number}", zlib.compress(json.dumps({"MessageId": f"m{number}"}).encode())
            reason = "malformed" if state == "dead_letter" else ""
            sequence = str(number).zfill(39)
            db.execute(MESSAGE, (name, TICKET, number, sequence, name, raw, state, NOW, NOW, gone, reason))
        db.execute(
            """INSERT INTO effects (ticket, message_id, key, peer, what, known, intent)
               VALUES (?, 'm1', 'note:1', 'desk', 'add note', '{"ids": ["7"]}', ?)""",
            (TICKET, NOW),
        )
        db.execute("INSERT INTO links VALUES (?, 1, 'request', '7', '7', ?, 'm0', 0, 1, '', 0, ?)", (TICKET, NOW, NOW))
        db.execute(
            """INSERT INTO approvals (approval_id, ticket, round, desk_id, approver, approver_name, desk_approvers, level_id,
               requested, status, decided_by, comment, via)
               VALUES ('a', ?, 1, '9', 'x@example.com', 'X', '["x@example.com"]', '3', ?, 'waiting', '["", "", ""]', '', '')""",
            (CHANGE, NOW),
        )
        db.execute("INSERT INTO remembered VALUES ('paused', 'yes')")


@pytest.mark.parametrize("stop_before", NAMES[1:])
async def test_a_ledger_of_any_earlier_version_keeps_all_that_it_holds(tmp_path: Path, stop_before: str) -> None:
    path = tmp_path / "ledger.db"
    an_old_ledger(path, stop_before=stop_before)
    async with opened(path) as ledger:
        assert [(each.message_id, each.state, each.raw) for each in await ledger.messages.undone(TICKET)] == [
            ("m1", State.DEAD_LETTER, '{"MessageId": "m1"}'),
            ("m2", State.WAITING, '{"MessageId": "m2"}'),
        ]
        assert [each.message_id for each in await ledger.messages.orphans(limit=9)] == ["m1"]
        effect = await ledger.effects.find(TICKET, "note:1")
        assert effect is not None
        assert (effect.outcome, effect.known) == (None, {"ids": ["7"]})
        await ledger.effects.finish(effect.id, EffectOutcome.DONE, {"id": "8"}, at=NOW)
        link = await ledger.links.current(TICKET)
        assert link is not None
        assert (link.number, link.returned) == ("7", NOW)
        approval = await ledger.approvals.get("a")
        assert approval is not None
        assert (approval.status, approval.desk_approvers) == (ApprovalStatus.WAITING, ("x@example.com",))
        await ledger.approvals.save(approval)
        assert await ledger.recall("paused") == "yes"
        assert await ledger.counts() == {"applied": 1, "dead_letter": 1, "waiting": 1}
        await ledger.messages.store([arrival("m3")], at=NOW)
        await ledger.messages.begin(MessageId("m1"))
    assert [name for (name,) in rows(path, "SELECT name FROM _sqlite_migrations ORDER BY id")] == NAMES
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


async def test_files_and_remarks_of_an_earlier_version_are_known_by_their_counterpart(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    an_old_ledger(path, stop_before="0004_keys_by_generation")
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO links SELECT ticket, 2, kind, '71', '71', created, 'm1', 0, 1, '', 0, NULL FROM links")
        keys = ("file:7:a", "file:71:a", "note:own:71:b:changed", "note:own:9:b:changed", "note:comment:71:c")
        db.executemany(
            """INSERT INTO effects (ticket, message_id, key, peer, what, known, intent)
               VALUES (?, 'm2', ?, 'desk', 'attach', '{}', 1)""",
            [(TICKET, key) for key in keys],
        )
        db.commit()
    async with opened(path):
        pass
    known = {key for (key,) in rows(path, "SELECT key FROM effects")} - {"note:1"}
    assert known == {"file:1:a", "file:2:a", "note:own:2:b:changed", "note:own:9:b:changed", "note:comment:71:c"}


async def test_an_upgrade_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    for _ in range(2):
        async with opened(path):
            pass
    assert len(rows(path, "SELECT name FROM _sqlite_migrations")) == len(NAMES)
    assert NAMES[0] == FIRST


def test_an_upgrade_that_fails_says_so_and_leaves_the_old_ledger_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    an_old_ledger(path, stop_before=NAMES[1])
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE INDEX orphaned ON messages (ticket)")  # somebody else's, in the way of 0002
    with pytest.raises(LedgerUnavailable, match=r"ledger\.db: index orphaned already exists"):
        connect(str(path))
    assert rows(path, "SELECT name FROM _sqlite_migrations") == [(FIRST,)]
    assert rows(path, "SELECT count(*) FROM messages") == [(3,)]
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP INDEX orphaned")
    connect(str(path)).close()
