"""What the ledger's tests put into it."""

import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from envision_worker.ledger.records import Arrival, State
from envision_worker.ledger.sqlite import SqliteLedger, open_ledger
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId

TICKET = EnsonoTicketNumber("e-CS0000001")
NOW = 1_772_431_200.0


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteLedger]:
    """The ledger in this file, as the daemon has it."""
    ledger = open_ledger(str(path), committed=lambda *_: None, clock=time.monotonic)
    try:
        yield ledger
    finally:
        await ledger.close()


def arrival(name: str, **given: Any) -> Arrival:
    """A message that came; the number at the end of its name is when it was sent, in seconds."""
    digits = "".join(character for character in name if character.isdigit())
    values: dict[str, Any] = {
        "message_id": MessageId(name),
        "ticket": TICKET,
        "transaction_type": "Notes",
        "ticket_type": "Incident",
        "sent_ms": round(NOW * 1000) + int(digits or 0) * 1000,
        "sequence": 0,
        "receive_count": 1,
        "content_key": f"content of {name}",
        "raw": f'{{"MessageId": "{name}"}}',
    }
    return Arrival(**values | given)


async def settled(ledger: SqliteLedger, name: str, state: State = State.APPLIED, *, at: float = NOW) -> None:
    """Begin and end the handling of a message."""
    await ledger.messages.begin(MessageId(name))
    await ledger.messages.settle(MessageId(name), state, at=at)


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """What somebody sees who looks into the file from beside."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()
