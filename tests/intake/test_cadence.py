"""When the queue is read next, told by nothing but what happened and when."""

import math
import random

import pytest

from envision_worker.ensono.settings import QueueSettings
from envision_worker.intake.cadence import FULL_READ, LONGEST_BACK_OFF_S, READS_AT_ONCE, Cadence, Sent

POLL_S = 32.0


def cadence() -> Cadence:
    return Cadence(QueueSettings(poll_interval_s=POLL_S, visibility_timeout_s=30), random.Random(1), now=0.0)


def brings(told: Cadence, count: int, *, at: float) -> None:
    """A read is sent and answered."""
    told.came(told.sent(at), count, now=at)


def fill(told: Cadence, *, at: float) -> list[Sent]:
    """Send as many reads as may be under way."""
    sent = []
    while not told.wait_s(at):
        sent.append(told.sent(at))
    return sent


def test_the_first_read_goes_out_at_once_and_alone() -> None:
    assert len(fill(cadence(), at=0.0)) == 1


def test_each_full_read_lets_one_more_be_under_way_up_to_a_limit() -> None:
    told, most = cadence(), []
    under_way = fill(told, at=0.0)
    for _ in range(40):
        told.came(under_way.pop(0), FULL_READ, now=0.0)
        under_way += fill(told, at=0.0)
        most.append(len(under_way))
    assert most[:4] == [2, 3, 4, 5]
    assert most[-1] == READS_AT_ONCE


def test_a_read_that_is_not_full_answers_for_those_that_were_sent_before_it() -> None:
    told = cadence()
    brings(told, FULL_READ, at=0.0)
    first, second = fill(told, at=0.0)
    told.came(second, 3, now=1.0)
    told.came(first, FULL_READ, now=1.1)
    assert told.wait_s(1.1) == pytest.approx(POLL_S - 0.1)


def test_a_full_read_that_was_sent_last_tells_that_there_is_more() -> None:
    told = cadence()
    brings(told, FULL_READ, at=0.0)
    first, second = fill(told, at=0.0)
    told.came(first, 3, now=1.0)
    told.came(second, FULL_READ, now=1.1)
    assert told.wait_s(1.1) == 0


def test_after_an_empty_read_the_next_comes_after_the_poll_interval() -> None:
    told = cadence()
    brings(told, 0, at=0.0)
    assert told.wait_s(0.0) == POLL_S
    assert told.wait_s(POLL_S) == 0


def test_a_ticket_that_was_cleared_brings_the_next_read_about() -> None:
    told = cadence()
    brings(told, 3, at=0.0)
    told.ticket_cleared()
    assert told.wait_s(1.0) == 0


def test_a_ticket_that_was_cleared_while_a_read_was_under_way_counts_for_the_next() -> None:
    told = cadence()
    sent = told.sent(0.0)
    told.ticket_cleared()
    told.came(sent, 0, now=0.1)
    assert told.wait_s(1.0) == 0


def test_each_empty_read_doubles_the_pause_before_a_cleared_ticket_brings_another_about() -> None:
    told, waits, at = cadence(), [], 0.0
    for _ in range(10):
        brings(told, 0, at=at)
        told.ticket_cleared()
        waits.append(told.wait_s(at))
        at += waits[-1]
    assert waits == [0.5, 1, 2, 4, 8, 16, 32, 32, 32, 32]


def test_days_of_empty_reads_do_no_harm() -> None:
    told = cadence()
    for number in range(10_000):
        brings(told, 0, at=number * POLL_S)
    assert told.wait_s(10_000 * POLL_S) == 0


def test_failures_in_a_row_make_the_pause_longer_but_not_endless() -> None:
    told, at, waits = cadence(), 0.0, []
    for _ in range(5_000):
        told.failed(told.sent(at), now=at, lost=False)
        waits.append(told.wait_s(at))
        at += waits[-1]
    assert POLL_S / 2 <= waits[0] <= POLL_S < waits[2]
    assert LONGEST_BACK_OFF_S / 2 <= waits[-1] <= LONGEST_BACK_OFF_S


def test_reads_that_fail_together_count_as_one_failure() -> None:
    told = cadence()
    for _ in range(3):
        brings(told, FULL_READ, at=0.0)
    for each in fill(told, at=1.0):
        told.failed(each, now=1.5, lost=False)
    assert told.wait_s(1.5) <= POLL_S


def test_a_lost_answer_hides_messages_until_its_window_has_passed_whoever_wakes() -> None:
    told = cadence()
    told.failed(told.sent(10.0), now=11.0, lost=True)
    told.wake(11.0)
    assert told.wait_s(11.0) == 29.0
    assert told.wait_s(40.0) == 0


def test_waking_ends_a_rest_and_begins_with_one_read() -> None:
    told = cadence()
    for _ in range(3):
        brings(told, FULL_READ, at=0.0)
    brings(told, 0, at=0.0)
    told.wake(1.0)
    assert len(fill(told, at=1.0)) == 1


def test_beside_a_read_that_is_late_nothing_is_read() -> None:
    told = cadence()
    brings(told, FULL_READ, at=0.0)
    told.sent(0.0)
    assert told.wait_s(15.0) == 0
    assert told.wait_s(15.1) == math.inf
    assert told.oldest_s(15.1) == 15.1
