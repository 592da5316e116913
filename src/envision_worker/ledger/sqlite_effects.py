"""The effects, in SQLite."""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from envision_worker.ledger.database import Database
from envision_worker.ledger.ledger import Effects
from envision_worker.ledger.records import Effect, EffectOutcome
from envision_worker.ledger.rows import EFFECT, effect
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId


class SqliteEffects(Effects):
    """See `ledger.ledger.Effects`."""

    def __init__(self, database: Database) -> None:
        self._run = database.run
        self._later = database.later

    @override
    async def find(self, ticket: EnsonoTicketNumber, key: str) -> Effect | None:
        return await self._run(lambda db: _find(db, ticket, key))

    @override
    async def answers(self, ticket: EnsonoTicketNumber, prefix: str) -> list[Mapping[str, Any]]:
        sql = """SELECT answer FROM effects WHERE ticket = ? AND outcome = 'done' AND substr(key, 1, length(?)) = ?
                 ORDER BY id"""
        values = (ticket, prefix, prefix)
        return await self._run(lambda db: [json.loads(row[0]) for row in db.execute(sql, values)])

    @override
    async def claim(
        self,
        ticket: EnsonoTicketNumber,
        message_id: MessageId,
        key: str,
        *,
        peer: str,
        what: str,
        known: Mapping[str, Any],
        at: float,
    ) -> int | Effect:
        values = (ticket, message_id, key, peer, what, json.dumps(known), at)
        return await self._run(lambda db: _claim(db, values))

    @override
    async def intend(
        self,
        ticket: EnsonoTicketNumber,
        message_id: MessageId,
        key: str,
        *,
        peer: str,
        what: str,
        known: Mapping[str, Any],
        at: float,
    ) -> int:
        values = (ticket, message_id, key, peer, what, json.dumps(known), at)
        return await self._run(lambda db: _intend(db, values))

    @override
    async def finish(self, effect_id: int, outcome: EffectOutcome, answer: Mapping[str, Any], *, at: float) -> None:
        self._later(lambda db: _finish(db, effect_id, outcome, answer, at))

    @override
    async def lost(self, effect_id: int, detail: str, *, at: float) -> None:
        self._later(lambda db: _attempt_failed(db, effect_id, f"unknown: {detail}", at))

    @override
    async def unknown(self) -> list[tuple[EnsonoTicketNumber, str]]:
        sql = "SELECT DISTINCT ticket, peer FROM effects WHERE outcome IS NULL"
        return await self._run(lambda db: [(EnsonoTicketNumber(row[0]), row[1]) for row in db.execute(sql)])


def _find(db: sqlite3.Connection, ticket: str, key: str) -> Effect | None:
    row = db.execute(f"SELECT {EFFECT} FROM effects WHERE ticket = ? AND key = ?", (ticket, key)).fetchone()
    return effect(row) if row else None


def _claim(db: sqlite3.Connection, values: tuple[Any, ...]) -> int | Effect:
    ticket, _, key, *_ = values
    found = _find(db, ticket, key)
    return found if found and found.outcome in (EffectOutcome.DONE, None) else _intend(db, values)


def _intend(db: sqlite3.Connection, values: tuple[Any, ...]) -> int:
    sql = """INSERT INTO effects (ticket, message_id, key, peer, what, known, intent) VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (ticket, key) DO UPDATE SET message_id = excluded.message_id, what = excluded.what,
                known = excluded.known, intent = excluded.intent, outcome = NULL, answer = '{}', finished = NULL,
                attempts = attempts + 1
             RETURNING id"""
    return int(db.execute(sql, values).fetchall()[0][0])


def _finish(
    db: sqlite3.Connection, effect_id: int, outcome: EffectOutcome, answer: Mapping[str, Any], at: float
) -> None:
    sql = "UPDATE effects SET outcome = ?, answer = ?, finished = ? WHERE id = ?"
    db.execute(sql, (outcome.value, json.dumps(answer), at, effect_id))
    if outcome is not EffectOutcome.DONE:
        said = ", ".join(str(each) for each in answer.values())
        _attempt_failed(db, effect_id, f"{outcome.value.replace('_', ' ')}: {said}", at)


def _attempt_failed(db: sqlite3.Connection, effect_id: int, detail: str, at: float) -> None:
    """The effect's row is written over by the next attempt; its story keeps each that failed."""
    db.execute(
        """INSERT INTO events (at, ticket, message_id, what, detail)
           SELECT ?, ticket, message_id, peer || ': ' || what, ? FROM effects WHERE id = ?""",
        (at, detail, effect_id),
    )
