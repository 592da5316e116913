"""The schema, as numbered upgrades: each is applied once, in order, in a transaction of its own. Never edit one that has landed."""

import sqlite3

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

upgrades = Migrations("envision_worker")


def are_outstanding(connection: sqlite3.Connection) -> bool:
    """Whether this ledger was last opened for writing by an older version of the program; only reads."""
    return bool(upgrades.pending(Database(connection)))


@upgrades(name="0001_first_schema")
def first_schema(db: Database) -> None:
    """Messages, receives, events, effects, links, approvals, remembered values, counters."""
    for statement in _FIRST_SCHEMA:
        db.conn.execute(statement)


@upgrades(name="0002_orphans")
def orphans(db: Database) -> None:
    """Finding messages that left the queue unsettled must not cost a look at all that wait."""
    db.conn.execute(
        f"""CREATE INDEX orphaned ON messages (ticket, sent_ms, sequence)
            WHERE gone IS NOT NULL AND held = 0 AND next_attempt IS NULL AND {_UNSETTLED}"""
    )


@upgrades(name="0003_words")
def words(db: Database) -> None:
    """What approvers say after the decision that counts is kept, too."""
    db.conn.execute("ALTER TABLE approvals ADD COLUMN words TEXT NOT NULL DEFAULT '[]'")


@upgrades(name="0004_keys_by_generation")
def keys_by_generation(db: Database) -> None:
    """Files and remarks are kept once for each counterpart, no more for each id on the desk: a merge gives it another."""
    for kind in ("file:", "note:own:"):
        db.conn.execute(
            """UPDATE OR IGNORE effects SET key = :kind || of.generation || substr(key, length(:kind || of.desk_id) + 1)
               FROM links AS of WHERE of.ticket = effects.ticket
               AND substr(key, 1, length(:kind || of.desk_id || ':')) = :kind || of.desk_id || ':'""",
            {"kind": kind},
        )


_UNSETTLED = "state IN ('waiting','retry_later','dead_letter')"

_FIRST_SCHEMA = (
    """CREATE TABLE messages (
        message_id TEXT PRIMARY KEY,
        ticket TEXT NOT NULL,
        transaction_type TEXT NOT NULL,
        ticket_type TEXT NOT NULL,
        sent_ms INTEGER NOT NULL,
        sequence TEXT NOT NULL,              -- padded with zeros, so that text order is number order
        content_key TEXT NOT NULL,
        raw BLOB NOT NULL,                   -- zlib
        state TEXT NOT NULL CHECK (state IN ('waiting','retry_later','dead_letter','applied','out_of_scope','discarded')),
        in_hand INTEGER NOT NULL DEFAULT 0,
        reason TEXT NOT NULL DEFAULT '',
        detail TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 0,
        unclean_ends INTEGER NOT NULL DEFAULT 0,
        held INTEGER NOT NULL DEFAULT 0,
        receive_count INTEGER NOT NULL,
        first_received REAL NOT NULL,
        last_received REAL NOT NULL,
        last_tried REAL NOT NULL DEFAULT 0,
        next_attempt REAL,
        settled REAL,
        acknowledged REAL,
        gone REAL
    ) WITHOUT ROWID""",
    # Order is decided in code; this enforces it once more: one message of a ticket in hand at a time.
    "CREATE UNIQUE INDEX one_in_hand ON messages (ticket) WHERE in_hand = 1",
    f"CREATE INDEX unsettled ON messages (ticket, sent_ms, sequence) WHERE {_UNSETTLED}",
    "CREATE INDEX unacknowledged ON messages (sent_ms) WHERE acknowledged IS NULL AND gone IS NULL",
    "CREATE INDEX dead ON messages (next_attempt) WHERE state = 'dead_letter'",
    "CREATE INDEX settled_at ON messages (settled) WHERE settled IS NOT NULL",
    "CREATE INDEX by_content ON messages (ticket, content_key)",
    """CREATE TABLE receives (
        message_id TEXT NOT NULL, at REAL NOT NULL, receive_count INTEGER NOT NULL,
        PRIMARY KEY (message_id, at, receive_count)
    ) WITHOUT ROWID""",
    """CREATE TABLE events (
        id INTEGER PRIMARY KEY, at REAL NOT NULL, ticket TEXT NOT NULL, message_id TEXT NOT NULL,
        what TEXT NOT NULL, detail TEXT NOT NULL
    )""",
    "CREATE INDEX events_of_ticket ON events (ticket)",
    "CREATE INDEX events_of_message ON events (message_id)",
    """CREATE TABLE effects (
        id INTEGER PRIMARY KEY,
        ticket TEXT NOT NULL,
        message_id TEXT NOT NULL,
        key TEXT NOT NULL,
        peer TEXT NOT NULL,
        what TEXT NOT NULL,
        known TEXT NOT NULL,
        intent REAL NOT NULL,
        outcome TEXT CHECK (outcome IN ('done','refused','not_sent')),
        answer TEXT NOT NULL DEFAULT '{}',
        finished REAL,
        attempts INTEGER NOT NULL DEFAULT 1,
        UNIQUE (ticket, key)
    )""",
    "CREATE INDEX open_effects ON effects (ticket) WHERE outcome IS NULL",
    "CREATE INDEX effects_of_message ON effects (message_id)",
    """CREATE TABLE links (
        ticket TEXT NOT NULL,
        generation INTEGER NOT NULL,
        kind TEXT NOT NULL,
        desk_id TEXT NOT NULL,
        number TEXT NOT NULL,
        created REAL NOT NULL,
        created_by TEXT NOT NULL,
        adopted INTEGER NOT NULL,
        complete INTEGER NOT NULL,
        state TEXT NOT NULL,
        comments_only INTEGER NOT NULL,
        returned REAL,
        PRIMARY KEY (ticket, generation)
    ) WITHOUT ROWID""",
    "CREATE INDEX links_by_number ON links (number)",
    "CREATE INDEX links_by_desk_ticket ON links (kind, desk_id)",
    """CREATE TABLE approvals (
        approval_id TEXT PRIMARY KEY,
        ticket TEXT NOT NULL,
        round INTEGER NOT NULL,
        desk_id TEXT NOT NULL,
        approver TEXT NOT NULL,
        approver_name TEXT NOT NULL,
        desk_approvers TEXT NOT NULL,
        level_id TEXT NOT NULL,
        requested REAL NOT NULL,
        status TEXT NOT NULL,
        reminded REAL,
        decided REAL,
        decided_by TEXT NOT NULL,
        comment TEXT NOT NULL,
        via TEXT NOT NULL,
        sent REAL
    ) WITHOUT ROWID""",
    "CREATE INDEX approvals_of_ticket ON approvals (ticket)",
    "CREATE INDEX approvals_waiting ON approvals (requested) WHERE status = 'waiting'",
    "CREATE INDEX approvals_unsent ON approvals (decided) WHERE status IN ('approved','rejected') AND sent IS NULL",
    "CREATE TABLE remembered (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    # Counting ten million rows would take seconds; `status` asks this instead.
    "CREATE TABLE counts (state TEXT PRIMARY KEY, messages INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TRIGGER count_new AFTER INSERT ON messages BEGIN
        INSERT INTO counts VALUES (NEW.state, 1) ON CONFLICT (state) DO UPDATE SET messages = messages + 1; END""",
    """CREATE TRIGGER count_moved AFTER UPDATE OF state ON messages WHEN OLD.state <> NEW.state BEGIN
        UPDATE counts SET messages = messages - 1 WHERE state = OLD.state;
        INSERT INTO counts VALUES (NEW.state, 1) ON CONFLICT (state) DO UPDATE SET messages = messages + 1; END""",
    """CREATE TRIGGER count_gone AFTER DELETE ON messages BEGIN
        UPDATE counts SET messages = messages - 1 WHERE state = OLD.state; END""",
)
