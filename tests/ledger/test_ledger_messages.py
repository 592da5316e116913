import sqlite3
from pathlib import Path

import pytest

from envision_worker.ledger.records import State
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId
from ledger.kept import NOW, TICKET, arrival, opened, rows, settled

DAY_S = 86400.0


async def test_a_tickets_messages_come_in_the_order_of_sending_then_of_their_sequence_as_a_number(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path / "l.db") as ledger:
        together = {"sent_ms": 5000}
        came = [
            arrival("m9"),
            arrival("a", sequence=10**38, **together),
            arrival("b", sequence=9, **together),
            arrival("m1"),
        ]
        kept = await ledger.messages.store(came, at=NOW)
        assert [each.message_id for each in kept[TICKET]] == ["b", "a", "m1", "m9"]


async def test_a_read_brings_back_what_the_ticket_has_kept_undone_but_nothing_settled_that_did_not_come(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path / "l.db") as ledger:
        await ledger.messages.store([arrival("m1"), arrival("m2"), arrival("m3")], at=NOW)
        await settled(ledger, "m1")
        await settled(ledger, "m2", State.DEAD_LETTER)
        kept = await ledger.messages.store([arrival("m4")], at=NOW)
        assert [each.message_id for each in kept[TICKET]] == ["m2", "m3", "m4"]
        kept = await ledger.messages.store([arrival("m1", receive_count=2)], at=NOW)
        assert [each.message_id for each in kept[TICKET]] == ["m1", "m2", "m3", "m4"]


async def test_a_message_that_came_again_is_in_the_queue_whatever_was_believed(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as ledger:
        await ledger.messages.store([arrival("m1")], at=NOW)
        await ledger.messages.gone([MessageId("m1")], at=NOW)
        await ledger.messages.store([arrival("m1", receive_count=2)], at=NOW + 60)
        kept = await ledger.messages.get(MessageId("m1"))
        assert kept is not None
        assert (kept.gone, kept.receive_count, kept.last_received) == (None, 2, NOW + 60)


async def test_two_messages_of_one_ticket_are_never_in_hand_together(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as ledger:
        await ledger.messages.store([arrival("m1"), arrival("m2"), arrival("m3", ticket="other")], at=NOW)
        await ledger.messages.begin(MessageId("m1"))
        with pytest.raises(sqlite3.IntegrityError, match="ticket"):
            await ledger.messages.begin(MessageId("m2"))
        await ledger.messages.begin(MessageId("m3"))


async def test_only_the_first_undone_message_of_a_ticket_stands_first(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as ledger:
        await ledger.messages.store([arrival("m1"), arrival("m2")], at=NOW)
        first, second = await ledger.messages.standing(MessageId("m1")), await ledger.messages.standing(MessageId("m2"))
        assert (first is not None and first[1], second is not None and second[1]) == (True, False)
        await settled(ledger, "m1")
        second = await ledger.messages.standing(MessageId("m2"))
        assert second is not None
        assert second[1]


async def test_what_left_the_queue_undone_is_an_orphan_once_nothing_stands_before_it(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as ledger:
        await ledger.messages.store([arrival("m1"), arrival("m2")], at=NOW)
        await ledger.messages.gone([MessageId("m2")], at=NOW)
        assert await ledger.messages.orphans(limit=10) == []
        await settled(ledger, "m1")
        assert [each.message_id for each in await ledger.messages.orphans(limit=10)] == ["m2"]
        await ledger.messages.settle(MessageId("m2"), State.DEAD_LETTER, at=NOW, next_attempt=NOW)
        assert await ledger.messages.orphans(limit=10) == []


async def test_counts_are_right_through_every_move_and_after_pruning(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as ledger:
        await ledger.messages.store([arrival(f"m{number}", ticket=f"t{number}") for number in range(10)], at=NOW)
        for number in range(4):
            await settled(ledger, f"m{number}", at=NOW - 40 * DAY_S)
            await ledger.messages.acknowledged(MessageId(f"m{number}"), at=NOW - 40 * DAY_S)
        await settled(ledger, "m4", State.DEAD_LETTER)
        await settled(ledger, "m5", State.OUT_OF_SCOPE, at=NOW)
        assert await ledger.prune(settled_before=NOW - 30 * DAY_S, limit=3) == 3
        assert await ledger.prune(settled_before=NOW - 30 * DAY_S, limit=3) == 1
        counts = {state: number for state, number in (await ledger.counts()).items() if number}
    assert counts == {"waiting": 4, "dead_letter": 1, "out_of_scope": 1}
    assert dict(rows(tmp_path / "l.db", "SELECT state, count(*) FROM messages GROUP BY state")) == counts


async def test_pruning_leaves_links_dead_letters_and_what_is_undone(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as ledger:
        await ledger.messages.store([arrival("m1"), arrival("m2"), arrival("m3")], at=NOW - 99 * DAY_S)
        await settled(ledger, "m1", at=NOW - 99 * DAY_S)
        await ledger.messages.acknowledged(MessageId("m1"), at=NOW - 99 * DAY_S)
        await settled(ledger, "m2", State.DEAD_LETTER, at=NOW - 99 * DAY_S)
        assert await ledger.prune(settled_before=NOW, limit=100) == 1
        assert [each.message_id for each in await ledger.messages.undone(TICKET)] == ["m2", "m3"]


async def test_what_was_settled_but_may_still_be_in_the_queue_is_not_pruned(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as ledger:
        await ledger.messages.store([arrival("m1"), arrival("m2", ticket="other")], at=NOW - 99 * DAY_S)
        for name in ("m1", "m2"):
            await settled(ledger, name, at=NOW - 99 * DAY_S)
        await ledger.messages.gone([MessageId("m1")], at=NOW - 99 * DAY_S)
        await ledger.messages.gone([MessageId("m2")], at=NOW)  # perhaps because the clock is wrong
        assert await ledger.prune(settled_before=NOW - 30 * DAY_S, limit=100) == 1
        assert await ledger.messages.get(MessageId("m1")) is None
        assert await ledger.messages.get(MessageId("m2")) is not None


async def test_bodies_are_kept_compressed_and_come_back_as_they_were(tmp_path: Path) -> None:
    raw = '{"Body": "' + "the same words again and again " * 1000 + '\u20ac\U0001f600"}'
    async with opened(tmp_path / "l.db") as ledger:
        await ledger.messages.store([arrival("m1", raw=raw)], at=NOW)
        kept = await ledger.messages.get(MessageId("m1"))
        assert kept is not None
        assert kept.raw == raw
    ((stored,),) = rows(tmp_path / "l.db", "SELECT length(raw) FROM messages")
    assert stored < len(raw) / 20


async def test_the_most_receives_since_a_moment_are_counted_over_what_is_still_in_the_queue(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as ledger:
        other = EnsonoTicketNumber("other")
        for number in range(5):
            came = [arrival("m1", receive_count=number + 1), arrival("m2", ticket=other, receive_count=number + 1)]
            await ledger.messages.store(came, at=NOW + number)
        await ledger.messages.acknowledged(MessageId("m2"), at=NOW)
        assert await ledger.messages.most_receives(since=NOW + 3) == 2
        await ledger.messages.acknowledged(MessageId("m1"), at=NOW)
        assert await ledger.messages.most_receives(since=NOW) == 0
