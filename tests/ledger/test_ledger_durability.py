import asyncio
from pathlib import Path

import pytest

from envision_worker.ledger.backup import back_up
from envision_worker.ledger.records import EffectOutcome, LedgerUnavailable
from envision_worker.ledger.sqlite import SqliteLedger
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId
from ledger.kept import NOW, TICKET, arrival, opened, rows, settled

MUCH = "x" * 2000


async def test_a_full_disk_fails_the_whole_commit_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    async with opened(path) as ledger:
        await ledger.messages.store([arrival("m1")], at=NOW)
        await ledger._database.run(lambda db: db.execute("PRAGMA max_page_count = 60").fetchall())
        numbered = range(2, 2000)
        with pytest.raises(LedgerUnavailable, match="full"):
            await ledger.messages.store(
                [
                    arrival(f"m{number}", raw=f"{number} {MUCH[: number % 1999]}", content_key=MUCH)
                    for number in numbered
                ],
                at=NOW,
            )
        assert [each.message_id for each in await ledger.messages.undone(TICKET)] == ["m1"]
        assert (await ledger.counts())["waiting"] == 1
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


async def test_what_shared_a_commit_with_what_filled_the_disk_fails_too(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as ledger:
        await ledger._database.run(lambda db: db.execute("PRAGMA max_page_count = 60").fetchall())
        too_much = ledger.messages.store([arrival(f"m{n}", content_key=MUCH) for n in range(1000)], at=NOW)
        outcomes = await asyncio.gather(ledger.remember("a", "1"), too_much, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [LedgerUnavailable, LedgerUnavailable]
        assert await ledger.recall("a") is None


async def test_a_backup_made_while_writing_is_whole_and_consistent(tmp_path: Path) -> None:
    path, copy = tmp_path / "l.db", tmp_path / "copy.db"
    async with opened(path) as ledger:
        writing = asyncio.create_task(_write_on(ledger))
        await asyncio.sleep(0)
        await asyncio.to_thread(back_up, str(path), str(copy))
        await writing
    assert rows(copy, "PRAGMA integrity_check") == [("ok",)]
    ((messages,),) = rows(copy, "SELECT count(*) FROM messages")
    ((counted,),) = rows(copy, "SELECT coalesce(sum(messages), 0) FROM counts")
    ((received,),) = rows(copy, "SELECT count(*) FROM receives")
    assert messages == counted == received
    assert not await asyncio.to_thread(Path(f"{copy}.part").exists)


async def _write_on(ledger: SqliteLedger) -> None:
    for number in range(60):
        ticket = EnsonoTicketNumber(f"t{number}")
        await ledger.messages.store([arrival(f"m{number}", ticket=ticket)], at=NOW)


async def test_a_backup_that_fails_says_why_and_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    async with opened(path):
        with pytest.raises(LedgerUnavailable, match="nowhere"):
            back_up(str(path), str(tmp_path / "nowhere" / "copy.db"))
    with pytest.raises(LedgerUnavailable, match=r"missing\.db"):
        back_up(str(tmp_path / "missing.db"), str(tmp_path / "copy.db"))
    assert not (tmp_path / "copy.db").exists()


async def test_an_intent_is_durable_when_it_is_returned(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    async with opened(path) as ledger:
        await ledger.messages.store([arrival("m1")], at=NOW)
        await ledger.effects.intend(TICKET, MessageId("m1"), "note:1", peer="desk", what="add note", known={}, at=NOW)
        assert rows(path, "SELECT key, outcome FROM effects") == [("note:1", None)]
        assert await ledger.effects.unknown() == [(TICKET, "desk")]


async def test_each_attempt_that_failed_is_an_event_of_the_ticket(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    async with opened(path) as ledger:
        await ledger.messages.store([arrival("m1")], at=NOW)
        for outcome, answer in (
            (EffectOutcome.REFUSED, {"refused": "No."}),
            (EffectOutcome.NOT_SENT, {"not_sent": "refused"}),
        ):
            effect = await ledger.effects.intend(
                TICKET, MessageId("m1"), "note:1", peer="desk", what="add note", known={}, at=NOW
            )
            await ledger.effects.finish(effect, outcome, answer, at=NOW)
        effect = await ledger.effects.intend(
            TICKET, MessageId("m1"), "note:1", peer="desk", what="add note", known={}, at=NOW
        )
        await ledger.effects.lost(effect, "no answer within 30 s", at=NOW)
        await ledger.effects.finish(effect, EffectOutcome.DONE, {"id": "7"}, at=NOW)
        found = await ledger.effects.find(TICKET, "note:1")
        assert found is not None
        assert (found.outcome, found.attempts, found.answer) == (EffectOutcome.DONE, 3, {"id": "7"})
    assert rows(path, "SELECT what, detail FROM events ORDER BY id") == [
        ("desk: add note", "refused: No."),
        ("desk: add note", "not sent: refused"),
        ("desk: add note", "unknown: no answer within 30 s"),
    ]


async def test_a_settled_message_survives_the_end_of_the_process(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    async with opened(path) as ledger:
        await ledger.messages.store([arrival("m1")], at=NOW)
        await settled(ledger, "m1")
        # What another process sees now is what a killed one leaves.
        assert rows(path, "SELECT state, in_hand FROM messages") == [("applied", 0)]
