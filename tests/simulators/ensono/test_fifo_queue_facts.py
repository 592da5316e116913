"""The facts about SQS FIFO queues, each as a test; the names say which."""

from typing import Any

import pytest
from simulated_ensono import START, Time

from envision_worker.simulators.ensono.queue import (
    MAX_MESSAGE_BYTES,
    FifoQueue,
    ReceiptHandleExpired,
    ReceiptHandleIsInvalid,
)
from envision_worker.simulators.ensono.queued import Deleted, Received
from envision_worker.simulators.ensono.quota import QueueThrottled

DAY = 86400.0


@pytest.fixture
def queue(time: Time) -> FifoQueue:
    return FifoQueue(time.now)


def send(queue: FifoQueue, *names: str) -> None:
    """Send messages named like `a2`: group a, body a2."""
    for name in names:
        queue.send(name[0], name, {"TransactionType": "Notes"})


def names_of(messages: list[Any]) -> list[Any]:
    return [message["Body"] for message in messages]


def counts_of(messages: list[Any]) -> list[str]:
    return [f"{message['Body']}:{message['Attributes']['ApproximateReceiveCount']}" for message in messages]


def delete(queue: FifoQueue, messages: list[Any], *names: str) -> None:
    for message in messages:
        if message["Body"] in names:
            queue.delete(message["ReceiptHandle"])


def use_up_receives(queue: FifoQueue, time: Time, times: int = 20) -> None:
    for _ in range(times):
        queue.receive()
        time.advance(30)


def test_a_group_is_closed_while_one_of_its_messages_is_in_flight_and_others_go_on(queue: FifoQueue) -> None:
    send(queue, "a1")
    queue.receive()
    send(queue, "a2", "b1")

    assert names_of(queue.receive()) == ["b1"]
    assert names_of(queue.receive()) == []


def test_deleting_all_in_flight_messages_of_a_group_opens_it_at_once(queue: FifoQueue) -> None:
    send(queue, "a1", "a2")
    first = queue.receive()
    send(queue, "a3")
    delete(queue, first, "a1", "a2")

    assert names_of(queue.receive()) == ["a3"]


def test_deleting_some_keeps_the_group_closed_until_the_rest_is_deleted_or_visible_again(
    queue: FifoQueue, time: Time
) -> None:
    send(queue, "a1", "a2", "a3")
    first = queue.receive()
    send(queue, "a4")
    delete(queue, first, "a1")

    time.advance(29.9)
    assert names_of(queue.receive()) == []
    time.advance(0.1)
    assert counts_of(queue.receive()) == ["a2:2", "a3:2", "a4:1"]


def test_after_the_window_the_remaining_ones_come_again_in_order_with_later_ones(queue: FifoQueue, time: Time) -> None:
    send(queue, "a1", "a2", "a3")
    first = queue.receive()
    send(queue, "a4")
    delete(queue, first, "a1")
    time.advance(30)

    assert counts_of(queue.receive()) == ["a2:2", "a3:2", "a4:1"]


def test_more_than_ten_of_a_group_wait_until_the_first_ten_are_gone(queue: FifoQueue) -> None:
    for number in range(12):
        queue.send("a", number, {})

    first = queue.receive()

    assert names_of(first) == list(range(10))
    assert queue.receive() == []
    for message in first:
        queue.delete(message["ReceiptHandle"])
    assert names_of(queue.receive()) == [10, 11]


def test_one_receive_fills_with_one_group_in_order_before_the_next_and_keeps_groups_together(queue: FifoQueue) -> None:
    send(queue, "a1", "b1", "a2", "a3", "c1", "b2")

    assert names_of(queue.receive()) == ["a1", "a2", "a3", "b1", "b2", "c1"]


def test_a_group_that_does_not_fit_whole_is_delivered_as_far_as_there_is_room(queue: FifoQueue) -> None:
    send(queue, *[f"a{number}" for number in range(8)], *[f"b{number}" for number in range(4)])

    assert names_of(queue.receive())[8:] == ["b0", "b1"]
    assert queue.receive() == []


def test_deleting_out_of_order_is_allowed_and_the_others_come_again(queue: FifoQueue, time: Time) -> None:
    send(queue, "a1", "a2", "a3")
    delete(queue, queue.receive(), "a2")
    time.advance(30)

    assert names_of(queue.receive()) == ["a1", "a3"]


def test_every_delivery_adds_one_to_the_count_of_each_returned_message(queue: FifoQueue, time: Time) -> None:
    send(queue, "a1", "a2", "b1")
    use_up_receives(queue, time, 2)

    assert counts_of(queue.receive()) == ["a1:3", "a2:3", "b1:3"]


def test_a_message_moves_in_the_twenty_first_receive_and_never_by_time_alone(queue: FifoQueue, time: Time) -> None:
    send(queue, "a1")
    use_up_receives(queue, time)
    time.advance(DAY)
    assert queue.failure_queue == []

    assert queue.receive() == []

    assert [(each.content["Body"], each.receives, each.left_at) for each in queue.failure_queue] == [
        ("a1", 20, time.now())
    ]
    assert queue.journal[-1] == Received(time.now(), (), (), (queue.failure_queue[0].message_id,))


def test_a_batch_of_one_group_with_equal_counts_moves_as_a_block_in_order(queue: FifoQueue, time: Time) -> None:
    send(queue, "a1", "a2", "a3")
    use_up_receives(queue, time)

    queue.receive()

    assert [each.content["Body"] for each in queue.failure_queue] == ["a1", "a2", "a3"]


def test_the_failure_queue_opens_the_group_and_later_messages_flow(queue: FifoQueue, time: Time) -> None:
    send(queue, "a1")
    use_up_receives(queue, time)
    send(queue, "a2")

    assert counts_of(queue.receive()) == ["a2:1"]
    assert [(each.group, each.content["Body"]) for each in queue.failure_queue] == [("a", "a1")]


def test_a_delete_after_the_window_fails_even_if_nobody_received_the_message_again(
    queue: FifoQueue, time: Time
) -> None:
    send(queue, "a1")
    handle = queue.receive()[0]["ReceiptHandle"]
    time.advance(30)

    with pytest.raises(ReceiptHandleExpired):
        queue.delete(handle)

    assert names_of(queue.receive()) == ["a1"]


def test_a_delete_just_before_the_end_of_the_window_works(queue: FifoQueue, time: Time) -> None:
    send(queue, "a1")
    handle = queue.receive()[0]["ReceiptHandle"]
    time.advance(29.999)

    queue.delete(handle)

    assert queue.messages() == []


def test_each_receive_gives_a_new_handle_and_the_old_one_is_refused(queue: FifoQueue, time: Time) -> None:
    send(queue, "a1")
    old = queue.receive()[0]["ReceiptHandle"]
    time.advance(30)
    new = queue.receive()[0]["ReceiptHandle"]

    assert old != new
    with pytest.raises(ReceiptHandleExpired):
        queue.delete(old)
    queue.delete(new)
    assert queue.messages() == []


def test_an_old_handle_may_be_answered_as_if_it_worked_and_delete_nothing(time: Time) -> None:
    queue = FifoQueue(time.now, lenient_old_handles=True)
    send(queue, "a1")
    old = queue.receive()[0]["ReceiptHandle"]
    time.advance(30)
    queue.receive()

    queue.delete(old)

    assert len(queue.messages()) == 1
    assert queue.journal[-1] == Deleted(time.now(), old, queue.messages()[0].message_id, "ignored")


def test_deleting_twice_with_a_valid_handle_does_no_harm(queue: FifoQueue) -> None:
    send(queue, "a1")
    handle = queue.receive()[0]["ReceiptHandle"]

    queue.delete(handle)
    queue.delete(handle)

    outcomes = [entry.outcome for entry in queue.journal if isinstance(entry, Deleted)]
    assert outcomes == ["deleted", "already_deleted"]


@pytest.mark.parametrize("garbage", ["", "garbage", "AQEB", "AQEB" + "a" * 376, "%2F", "ü", " "])
def test_garbage_is_no_receipt_handle(queue: FifoQueue, garbage: str) -> None:
    with pytest.raises(ReceiptHandleIsInvalid):
        queue.delete(garbage)


def test_a_changed_handle_is_no_receipt_handle(queue: FifoQueue) -> None:
    send(queue, "a1")
    handle = queue.receive()[0]["ReceiptHandle"]
    other = "B" if handle[100] == "A" else "A"

    for changed in (handle[:-1], handle.replace("+", " "), f"{handle[:100]}{other}{handle[101:]}"):
        with pytest.raises(ReceiptHandleIsInvalid):
            queue.delete(changed)


def test_a_handle_of_another_queue_is_invalid(queue: FifoQueue, time: Time) -> None:
    other = FifoQueue(time.now, seed=1)
    send(queue, "a1")
    send(other, "a1")

    with pytest.raises(ReceiptHandleIsInvalid):
        queue.delete(other.receive()[0]["ReceiptHandle"])


def test_receipt_handles_are_long_and_need_encoding(queue: FifoQueue, time: Time) -> None:
    send(queue, *[f"{chr(97 + number)}1" for number in range(10)])

    for _ in range(20):
        for message in queue.receive():
            handle = message["ReceiptHandle"]
            assert len(handle) == 380
            assert {"/", "+", "="} <= set(handle)
        time.advance(30)


def test_identity_and_times_of_a_message_stay_the_same_between_deliveries(queue: FifoQueue, time: Time) -> None:
    send(queue, "a1")
    time.advance(5)
    first = queue.receive()[0]
    time.advance(45)
    second = queue.receive()[0]

    changing = {"ReceiptHandle", "Attributes"}
    assert {key: first[key] for key in first.keys() - changing} == {
        key: second[key] for key in second.keys() - changing
    }
    assert first["Attributes"] | {"ApproximateReceiveCount": "2"} == second["Attributes"]
    assert first["Attributes"]["SentTimestamp"] == str(int(START * 1000))
    assert first["Attributes"]["ApproximateFirstReceiveTimestamp"] == str(int(START * 1000) + 5000)


def test_sequence_numbers_grow_within_a_millisecond_with_time_and_when_the_clock_jumps_back(
    queue: FifoQueue, time: Time
) -> None:
    send(queue, "a1", "a2")
    time.advance(10)
    send(queue, "a3")
    time.advance(-60)
    send(queue, "a4")

    numbers = [int(message["Attributes"]["SequenceNumber"]) for message in queue.receive()]

    assert numbers == sorted(set(numbers))
    assert {len(str(number)) for number in numbers} == {20}
    assert numbers[2] - numbers[0] == 256_000 * 10_000


def test_the_same_deduplication_id_within_five_minutes_is_not_delivered_even_after_a_delete(
    queue: FifoQueue, time: Time
) -> None:
    first = queue.send("a", "a1", {}, deduplication_id="same")
    delete(queue, queue.receive(), "a1")
    time.advance(299)

    assert queue.send("b", "a1 again", {}, deduplication_id="same") == first
    assert queue.messages() == []


def test_after_five_minutes_a_resend_is_a_new_message(queue: FifoQueue, time: Time) -> None:
    first = queue.send("a", "a1", {}, deduplication_id="same")
    time.advance(300)
    second = queue.send("a", "a1", {}, deduplication_id="same")

    assert first != second
    assert [message["MessageId"] for message in queue.receive()] == [first, second]


def test_sends_without_a_deduplication_id_are_never_taken_for_duplicates(queue: FifoQueue) -> None:
    send(queue, "a1", "a1")

    messages = queue.receive()

    assert names_of(messages) == ["a1", "a1"]
    assert len({message["Attributes"]["MessageDeduplicationId"] for message in messages}) == 2


def test_a_quota_throttles_each_action_by_itself(time: Time) -> None:
    queue = FifoQueue(time.now, calls_per_second=2)
    send(queue, "a1", "a2")
    queue.receive()
    queue.receive()

    with pytest.raises(QueueThrottled):
        queue.receive()
    with pytest.raises(QueueThrottled):
        send(queue, "a3")
    time.advance(1)
    assert queue.receive() == []


def test_at_the_limit_of_messages_in_flight_a_receive_returns_nothing_and_no_error(time: Time) -> None:
    queue = FifoQueue(time.now, max_in_flight=3)
    send(queue, "a1", "a2", "b1", "b2", "c1")

    first = queue.receive()
    assert names_of(first) == ["a1", "a2", "b1"]
    assert queue.receive() == []
    delete(queue, first, "a1")
    assert names_of(queue.receive()) == ["c1"]


def test_a_message_larger_than_one_mebibyte_is_refused(queue: FifoQueue) -> None:
    queue.send("a", "x" * (MAX_MESSAGE_BYTES - 2), {})

    with pytest.raises(ValueError, match="1048576"):
        queue.send("a", "x" * (MAX_MESSAGE_BYTES - 1), {})


def test_a_message_expires_four_days_after_it_was_sent_and_opens_its_group(queue: FifoQueue, time: Time) -> None:
    send(queue, "a1")
    time.advance(DAY)
    send(queue, "a2")
    time.advance(3 * DAY - 10)
    assert names_of(queue.receive()) == ["a1", "a2"]

    time.advance(10)

    assert names_of(queue.receive()) == []
    assert [each.content["Body"] for each in queue.expired] == ["a1"]
    time.advance(20)
    assert names_of(queue.receive()) == ["a2"]


def test_a_waiting_head_that_expires_lets_those_behind_it_come(queue: FifoQueue, time: Time) -> None:
    send(queue, "a1")
    time.advance(DAY)
    send(queue, "a2", "a3")
    time.advance(3 * DAY)

    assert names_of(queue.receive()) == ["a2", "a3"]


def test_not_reading_costs_no_receive(queue: FifoQueue, time: Time) -> None:
    send(queue, "a1")
    time.advance(3 * DAY)

    assert counts_of(queue.receive()) == ["a1:1"]


def test_window_receives_and_retention_are_parameters(time: Time) -> None:
    queue = FifoQueue(time.now, visibility_s=2, max_receives=3, retention_s=60)
    send(queue, "a1")
    for _ in range(3):
        assert names_of(queue.receive()) == ["a1"]
        time.advance(2)
    assert queue.receive() == []
    assert len(queue.failure_queue) == 1
    send(queue, "b1")
    time.advance(60)
    assert queue.receive() == []
    assert len(queue.expired) == 1


def test_the_journal_tells_receives_and_deletes_with_their_times(queue: FifoQueue, time: Time) -> None:
    send(queue, "a1", "a2")
    messages = queue.receive()
    time.advance(1)
    queue.delete(messages[1]["ReceiptHandle"])
    with pytest.raises(ReceiptHandleIsInvalid):
        queue.delete("garbage")

    ids = tuple(message["MessageId"] for message in messages)
    assert queue.journal == [
        Received(START, ids, (1, 1), ()),
        Deleted(START + 1, messages[1]["ReceiptHandle"], ids[1], "deleted"),
        Deleted(START + 1, "garbage", None, "invalid"),
    ]


def test_a_pushed_message_gets_the_queues_own_attributes_and_keeps_the_rest(queue: FifoQueue) -> None:
    given = {
        "MessageId": "m1",
        "ReceiptHandle": "theirs",
        "Body": {"x": 1},
        "Attributes": {"SentTimestamp": "1", "ApproximateReceiveCount": "7", "MessageGroupId": "a", "Odd": [1]},
    }

    queue.push(given)
    shown = queue.receive()[0]

    assert (shown["MessageId"], shown["Body"], shown["Attributes"]["Odd"]) == ("m1", {"x": 1}, [1])
    assert shown["ReceiptHandle"].startswith("AQEB")
    assert shown["Attributes"]["SentTimestamp"] == str(int(START * 1000))
    assert shown["Attributes"]["ApproximateReceiveCount"] == "1"
    assert given["ReceiptHandle"] == "theirs"


@pytest.mark.parametrize(
    "given",
    [
        None,
        "text",
        [1],
        {
            "ReceiptHandle": 5,
            "Attributes": {"MessageGroupId": 7, "SentTimestamp": "soon", "ApproximateReceiveCount": []},
        },
    ],
)
def test_a_message_pushed_verbatim_is_delivered_as_it_is_and_moves_after_its_receives(
    queue: FifoQueue, time: Time, given: Any
) -> None:
    queue.push(given, verbatim=True)

    for _ in range(20):
        shown = queue.receive()
        time.advance(30)
        if isinstance(given, dict):
            assert shown[0]["Attributes"].items() >= given["Attributes"].items()
            assert "MessageId" not in shown[0]
            continue
        assert shown == [given]
    queue.receive()

    assert [each.content for each in queue.failure_queue] == [given]


def test_verbatim_messages_without_handle_and_count_get_just_those(queue: FifoQueue) -> None:
    queue.push({"Body": 1, "Attributes": {"MessageGroupId": "a"}}, verbatim=True)

    shown = queue.receive()[0]
    queue.delete(shown["ReceiptHandle"])

    assert shown.keys() == {"Body", "Attributes", "ReceiptHandle"}
    assert shown["Attributes"].keys() == {
        "MessageGroupId",
        "ApproximateReceiveCount",
        "ApproximateFirstReceiveTimestamp",
    }
    assert queue.messages() == []


def test_thousands_of_groups_come_out_whole_once_and_in_order(queue: FifoQueue) -> None:
    for number in range(3000):
        queue.send(f"g{number % 700}", number, {})
    seen: dict[str, list[int]] = {}

    while batch := queue.receive():
        for message in batch:
            seen.setdefault(message["Attributes"]["MessageGroupId"], []).append(message["Body"])
            queue.delete(message["ReceiptHandle"])

    assert seen == {f"g{group}": list(range(group, 3000, 700)) for group in range(700)}


def test_the_same_seed_gives_the_same_ids_and_handles(time: Time) -> None:
    queues = [FifoQueue(time.now, seed=3), FifoQueue(time.now, seed=3)]
    for queue in queues:
        send(queue, "a1", "b1")

    assert queues[0].receive() == queues[1].receive()
