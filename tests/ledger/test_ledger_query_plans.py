"""The ledger's costs must not grow with what it has kept: no statement that runs for a message or a poll looks at a whole table."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from envision_worker.ledger.records import ApprovalRecord, EffectOutcome, Link, State
from envision_worker.ledger.sqlite import SqliteLedger
from envision_worker.vocabulary import DeskKind, DeskTicketId, MessageId, PartnerTicketNumber
from ledger.kept import NOW, TICKET, arrival, opened, rows, settled

_PARTIAL = "unsettled|unacknowledged|dead|orphaned|one_in_hand|open_effects|approvals_waiting|approvals_unsent"
"""The indexes that hold only what is not done yet: going through one costs what waits, not what was ever kept."""
_WHOLE = re.compile(rf"SCAN (?!counts$)\w+(?! USING (COVERING )?INDEX ({_PARTIAL})$)( USING .*)?$")
"""As a plan says it where it goes through all of a table that grows, or through an index of it."""
M1 = MessageId("m1")


async def test_no_statement_of_a_message_or_a_poll_looks_at_a_whole_table(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    statements: set[str] = set()
    async with opened(path) as ledger:
        await _traced(ledger, statements.add)
        await _everything(ledger)
    plans = {
        sql: _plan(path, sql) for sql in statements if sql.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE"))
    }
    assert len(plans) > 30
    whole = {sql: steps for sql, steps in plans.items() if any(_WHOLE.match(step) for step in steps)}
    assert not whole


@pytest.mark.parametrize(
    ("step", "goes_through_all"),
    [
        ("SCAN messages", True),
        ("SCAN m USING INDEX by_content", True),
        ("SCAN messages USING COVERING INDEX settled_at", True),
        ("SCAN m USING INDEX unsettled", False),
        ("SEARCH messages USING INDEX by_content (ticket=?)", False),
        ("SCAN counts", False),
    ],
)
def test_a_whole_table_is_known_by_its_plan(step: str, goes_through_all: bool) -> None:  # noqa: FBT001 - by name
    assert bool(_WHOLE.match(step)) is goes_through_all


async def _traced(ledger: SqliteLedger, note: Callable[[str], None]) -> None:
    await ledger._database.run(lambda db: db.set_trace_callback(note))


def _plan(path: Path, sql: str) -> list[str]:
    return [row[3] for row in rows(path, f"EXPLAIN QUERY PLAN {sql}")]


async def _everything(ledger: SqliteLedger) -> None:
    """Every call that the worker makes for a message, a poll or a round."""
    messages, effects = ledger.messages, ledger.effects
    await messages.store([arrival("m1"), arrival("m2"), arrival("m3", ticket="other")], at=NOW)
    await messages.store([arrival("m1", receive_count=2)], at=NOW)
    await messages.undone(TICKET)
    await messages.standing(M1)
    await messages.begin(M1)
    effect = await effects.claim(TICKET, M1, "k", peer="desk", what="w", known={}, at=NOW)
    assert isinstance(effect, int)
    await effects.lost(effect, "lost", at=NOW)
    await effects.find(TICKET, "k")
    await effects.answers(TICKET, "k")
    await effects.intend(TICKET, M1, "k", peer="desk", what="w", known={}, at=NOW)
    await effects.finish(effect, EffectOutcome.REFUSED, {"refused": "No."}, at=NOW)
    await effects.unknown()
    await _links_and_approvals(ledger)
    await messages.settle(M1, State.APPLIED, at=NOW)
    await messages.acknowledged(M1, at=NOW)
    await settled(ledger, "m2", State.DEAD_LETTER)
    await messages.gone([MessageId("m3")], at=NOW)
    await messages.used_up(max_receives=20, received_before=NOW, sent_before=NOW, unseen_since=NOW)
    await messages.orphans(limit=10)
    await messages.most_receives(since=NOW)
    await messages.due(NOW, latest=NOW + 1, limit=10)
    await messages.heads(limit=10)
    await messages.get(M1)
    await messages.unsettled("Attachment")
    await messages.put_down()
    await messages.release(M1)
    await messages.dead_letters()
    await messages.note_event(at=NOW, ticket=TICKET, message_id=M1, what="w", detail="d")
    await ledger.backlog()
    await ledger.counts()
    await ledger.prune(settled_before=NOW + 1, limit=10)


async def _links_and_approvals(ledger: SqliteLedger) -> None:
    number, desk_id = PartnerTicketNumber("7"), DeskTicketId("7")
    await ledger.links.current(TICKET)
    await ledger.links.save(Link(TICKET, 1, DeskKind.CHANGE, desk_id, number, NOW, M1))
    await ledger.links.of_desk_ticket(DeskKind.CHANGE, desk_id)
    record = ApprovalRecord("a", TICKET, 1, desk_id, "x@example.com", "X", ("x@example.com",), "1", NOW)
    await ledger.approvals.save(record)
    await ledger.approvals.get("a")
    await ledger.approvals.of_ticket(TICKET)
    await ledger.approvals.waiting()
    await ledger.approvals.unsent()
