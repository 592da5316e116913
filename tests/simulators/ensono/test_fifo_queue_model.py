"""The queue against the plainest thing that could be right: a list that is searched from its start each time."""

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from simulated_ensono import Time

from envision_worker.simulators.ensono.queue import FifoQueue, ReceiptHandleExpired

VISIBILITY, MAX_RECEIVES, RETENTION = 30.0, 3, 200.0


@dataclass
class Plain:
    number: int
    group: str
    sent_at: float
    receives: int = 0
    hidden_until: float = 0.0


class PlainQueue:
    def __init__(self, time: Time) -> None:
        self.time = time
        self.messages: list[Plain] = []
        self.failed: list[int] = []

    def _refresh(self) -> None:
        self.messages = [each for each in self.messages if each.sent_at + RETENTION > self.time.now()]

    def send(self, number: int, group: str) -> None:
        self._refresh()
        self.messages.append(Plain(number, group, self.time.now()))

    def receive(self) -> list[tuple[int, int]]:
        self._refresh()
        closed = {each.group for each in self.messages if each.hidden_until > self.time.now()}
        exhausted = [each for each in self._by_group(closed) if each.receives >= MAX_RECEIVES]
        batch: list[Plain] = []
        for message in self._by_group(closed):
            if len(batch) == 10:
                break
            if message in exhausted:
                self.messages.remove(message)
                self.failed.append(message.number)
                continue
            message.receives += 1
            message.hidden_until = self.time.now() + VISIBILITY
            batch.append(message)
        return [(each.number, each.receives) for each in batch]

    def _by_group(self, closed: set[str]) -> list[Plain]:
        groups = list(dict.fromkeys(each.group for each in self.messages if each.group not in closed))
        return [each for group in groups for each in self.messages if each.group == group]

    def delete(self, number: int, expires_at: float) -> bool:
        self._refresh()
        if self.time.now() >= expires_at:
            return False
        self.messages = [each for each in self.messages if each.number != number]
        return True


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from("abcd")),
        st.tuples(st.just("receive"), st.none()),
        st.tuples(st.just("delete"), st.integers(0, 30)),
        st.tuples(st.just("wait"), st.sampled_from([1.0, 10.0, 29.0, 30.0, 90.0])),
    ),
    max_size=80,
)


@given(STEPS)
def test_every_receive_delete_and_move_is_that_of_a_plain_list(steps: list[tuple[str, Any]]) -> None:
    time = Time(0.0)
    queue = FifoQueue(time.now, visibility_s=VISIBILITY, max_receives=MAX_RECEIVES, retention_s=RETENTION)
    plain = PlainQueue(time)
    handles: list[tuple[int, str, float]] = []

    for number, (step, argument) in enumerate(steps):
        if step == "send":
            queue.send(argument, number, {})
            plain.send(number, argument)
        elif step == "receive":
            received = queue.receive()
            shown = [(each["Body"], int(each["Attributes"]["ApproximateReceiveCount"])) for each in received]
            assert shown == plain.receive()
            handles += [(each["Body"], each["ReceiptHandle"], time.now() + VISIBILITY) for each in received]
        elif step == "delete" and handles:
            target, handle, expires_at = handles[argument % len(handles)]
            assert _deletes(queue, handle) == plain.delete(target, expires_at)
        elif step == "wait":
            time.advance(argument)
        assert [each.content["Body"] for each in queue.failure_queue] == plain.failed


def _deletes(queue: FifoQueue, handle: str) -> bool:
    try:
        queue.delete(handle)
    except ReceiptHandleExpired:
        return False
    return True
