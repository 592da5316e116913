import json
from urllib.parse import unquote

import pytest
from ensono_world import KEY, Cut, Garbage, HandClock, Loopback, Reply, Silence, ensono_settings, results, sample

from envision_worker.ensono.connect import IMPOSSIBLE_HANDLE, EnvisionConnect
from envision_worker.errors import KeyRefused, Malformed, PeerError, Refused, RefusedFor, Throttled, Unreachable, Unsure
from envision_worker.vocabulary import ReceiptHandle
from envision_worker.wire import Call, Wire, new_client

HANDLE = ReceiptHandle("AQEBD4eNzuQj+TRMwOo5Ub/VvF/AmGYEVooeBKrkEwUh+o9f/YtU9j==")
ENCODED = "AQEBD4eNzuQj%2BTRMwOo5Ub%2FVvF%2FAmGYEVooeBKrkEwUh%2Bo9f%2FYtU9j%3D%3D"
DELETED = Reply(sample("delete-ok.json"))


def one_message() -> object:
    return json.loads(sample("queue-messages-flat.json"))["ReceiveMessageResponse"]["ReceiveMessageResult"]["messages"][
        0
    ]


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["queue-messages-flat.json", "queue-messages-nested.json"])
async def test_messages_of_either_nesting_are_read_untouched(
    name: str, peer: Loopback, connect: EnvisionConnect
) -> None:
    peer.answer(Reply(sample(name)))
    assert (await connect.read_queue()).messages == (one_message(),)


async def test_the_read_goes_out_as_documented(peer: Loopback, connect: EnvisionConnect, calls: list[Call]) -> None:
    peer.answer(Reply(sample("queue-empty.json")))
    await connect.read_queue()
    (heard,) = peer.heard
    assert (heard.method, heard.raw_path, heard.body) == ("GET", "/testclient57/dev/queue", b"")
    assert heard.headers["x-api-key"] == KEY
    assert "content-type" not in heard.headers
    assert results(calls) == [("read_queue", "ok")]
    assert calls[0].writes


@pytest.mark.parametrize(
    "inside",
    [
        '{"ReceiveMessageResult": {"ReceiveMessageResult": {"messages": null}}}',
        '{"ReceiveMessageResult": {"ReceiveMessageResult": {"messages": []}}}',
        '{"ReceiveMessageResult": {"ReceiveMessageResult": {}}}',
        '{"ReceiveMessageResult": {"messages": null}}',
        '{"ReceiveMessageResult": {"messages": []}}',
        '{"ReceiveMessageResult": {}}',
        '{"ReceiveMessageResult": null}',
        "{}",
    ],
)
async def test_null_missing_and_an_empty_list_are_no_messages(
    inside: str, peer: Loopback, connect: EnvisionConnect
) -> None:
    peer.answer(Reply(f'{{"ReceiveMessageResponse": {inside}}}'.encode()))
    assert (await connect.read_queue()).messages == ()


async def test_odd_elements_are_handed_on_so_that_they_can_be_kept(peer: Loopback, connect: EnvisionConnect) -> None:
    odd: list[object] = [None, 7, "x", [], {"MessageId": {"a": 1}}]
    peer.answer(Reply(json.dumps({"ReceiveMessageResponse": {"ReceiveMessageResult": {"messages": odd}}}).encode()))
    assert (await connect.read_queue()).messages == tuple(odd)


async def test_the_window_counts_from_sending(clock: HandClock, calls: list[Call]) -> None:
    loopback = SlowQueue(clock)
    async with new_client(timeout_s=5, max_connections=1) as client:
        await loopback.start()
        wire = Wire("ensono", client, clock, timeout_s=5, observe=calls.append)
        read = await EnvisionConnect(ensono_settings(loopback.url), wire).read_queue()
        await loopback.stop()
    assert (read.sent_at, read.answered_at) == (1000.0, 1012.0)
    assert calls[0].seconds == 12


class SlowQueue(Loopback):
    """Takes twelve seconds by the clock that the worker was handed."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__()
        self._clock = clock
        self.answer(Reply(sample("queue-empty.json")))

    async def _one(self, reader: object, writer: object) -> None:
        self._clock.move(12)
        await super()._one(reader, writer)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "lost",
    [
        Cut(),
        Garbage(),
        Reply(sample("queue-messages-flat.json"), breaks_off=True),
        Reply(b'{"message": "Endpoint request timed out"}', 504),
        Reply(b'{"message": "Internal server error"}', 500),
    ],
)
async def test_a_read_whose_answer_is_lost_is_unsure_because_it_may_have_hidden_ten_messages(
    lost: Reply | Cut, peer: Loopback, connect: EnvisionConnect, calls: list[Call]
) -> None:
    peer.answer(lost)
    with pytest.raises(Unsure):
        await connect.read_queue()
    assert results(calls) == [("read_queue", "unsure")]
    assert len(peer.heard) == 1


@pytest.mark.parametrize("slow", [Silence(), Silence(begun=True)])
async def test_a_read_that_takes_too_long_is_unsure(slow: Silence, peer: Loopback, hasty: EnvisionConnect) -> None:
    peer.answer(slow)
    with pytest.raises(Unsure, match=r"no answer within 0\.25 s"):
        await hasty.read_queue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        sample("queue-messages-nested.json")[:-20],
        b"{}",
        b'{"ReceiveMessageResponse": []}',
        b'{"ReceiveMessageResponse": {"ReceiveMessageResult": {"messages": {"MessageId": "x"}}}}',
        b'{"Response": "PTN added"}',
    ],
)
async def test_a_read_that_can_not_be_understood_is_malformed(
    content: bytes, peer: Loopback, connect: EnvisionConnect, calls: list[Call]
) -> None:
    peer.answer(Reply(content))
    with pytest.raises(Malformed):
        await connect.read_queue()
    assert results(calls) == [("read_queue", "malformed")]


async def test_a_refused_connection_and_a_throttle_and_a_refused_key_read_nothing(
    peer: Loopback, connect: EnvisionConnect, calls: list[Call]
) -> None:
    peer.answer(
        Reply(b'{"message":"Too Many Requests"}', 429, {"Retry-After": "3"}), Reply(sample("error-forbidden.json"), 403)
    )
    with pytest.raises(Throttled) as throttled:
        await connect.read_queue()
    assert throttled.value.retry_after == 3
    with pytest.raises(KeyRefused):
        await connect.read_queue()
    await peer.stop()
    with pytest.raises(Unreachable):
        await connect.read_queue()
    assert results(calls) == [("read_queue", "throttled"), ("read_queue", "refused"), ("read_queue", "unreachable")]


async def test_no_error_shows_the_key(peer: Loopback, connect: EnvisionConnect) -> None:
    for answer in (Cut(), Reply(b"<html>"), Reply(sample("error-forbidden.json"), 403)):
        peer.answer(answer)
        with pytest.raises(PeerError) as failed:
            await connect.read_queue()
        assert KEY not in f"{failed.value} {failed.value!r} {failed.value.detail}"


# --- deleting ---------------------------------------------------------------------------------------------------------


async def test_a_handle_is_encoded_once_and_wholly_on_the_wire(
    peer: Loopback, connect: EnvisionConnect, calls: list[Call]
) -> None:
    peer.answer(DELETED)
    await connect.delete(HANDLE, within_s=20)
    (heard,) = peer.heard
    assert (heard.method, heard.raw_path, heard.body) == ("DELETE", f"/testclient57/dev/queue/{ENCODED}", b"")
    assert unquote(heard.raw_path.rpartition("/")[2]) == HANDLE
    assert heard.headers["x-api-key"] == KEY
    assert results(calls) == [("delete_message", "ok")]


@pytest.mark.parametrize("handle", ["a/../../prod/queue", "%2F?x=1#y", "é\ud800", "a b\n"])
async def test_an_odd_handle_stays_one_segment_of_the_path(
    handle: str, peer: Loopback, connect: EnvisionConnect
) -> None:
    peer.answer(DELETED)
    await connect.delete(ReceiptHandle(handle), within_s=20)
    assert peer.heard[0].raw_path.startswith("/testclient57/dev/queue/")
    assert peer.heard[0].raw_path.count("/") == 4
    assert not set(peer.heard[0].raw_path) & set("?# ")


@pytest.mark.parametrize("handle", ["", ".", "..", "x" * 70_000])
async def test_what_can_be_no_handle_is_refused_without_a_call(
    handle: str, peer: Loopback, connect: EnvisionConnect, calls: list[Call]
) -> None:
    with pytest.raises(Refused) as refused:
        await connect.delete(ReceiptHandle(handle), within_s=20)
    assert refused.value.why is RefusedFor.HANDLE_INVALID
    assert peer.heard == []
    assert calls == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("error-receipt-handle-expired.json", RefusedFor.HANDLE_EXPIRED),
        ("error-receipt-handle-invalid.json", RefusedFor.HANDLE_INVALID),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
async def test_an_expired_and_an_invalid_handle_are_told_apart_and_not_tried_again(
    name: str, why: RefusedFor, status: int, peer: Loopback, connect: EnvisionConnect
) -> None:
    peer.answer(Reply(sample(name), status))
    with pytest.raises(Refused) as refused:
        await connect.delete(HANDLE, within_s=1000)
    assert refused.value.why is why
    assert len(peer.heard) == 1


@pytest.mark.parametrize(
    "first",
    [
        Cut(),
        Garbage(),
        Reply(b"[]"),
        Reply(b"<html>"),
        Reply(b'{"Response": "hello"}'),
        Reply(b"", 304),
        Reply(sample("delete-ok.json"), breaks_off=True),
        Reply(b'{"message": "Endpoint request timed out"}', 504),
        Reply(b"", 503),
    ],
)
async def test_a_delete_whose_answer_was_lost_is_sent_again_unchanged(
    first: Reply | Cut | Garbage, peer: Loopback, connect: EnvisionConnect, calls: list[Call]
) -> None:
    peer.answer(first, DELETED)
    await connect.delete(HANDLE, within_s=20)
    assert [(heard.method, heard.raw_path) for heard in peer.heard] == [
        ("DELETE", f"/testclient57/dev/queue/{ENCODED}")
    ] * 2
    assert [result for _, result in results(calls)][-1] == "ok"
    assert len(calls) == 2


@pytest.mark.parametrize("yes", [Reply(b""), Reply(b"{}"), Reply(b"", 204)])
async def test_a_yes_without_a_word_is_a_yes_because_what_was_not_deleted_comes_again(
    yes: Reply, peer: Loopback, connect: EnvisionConnect, calls: list[Call]
) -> None:
    peer.answer(yes)
    await connect.delete(HANDLE, within_s=20)
    assert results(calls) == [("delete_message", "ok")]


async def test_a_slow_delete_is_sent_again(peer: Loopback, hasty: EnvisionConnect, clock: HandClock) -> None:
    peer.answer(Silence(), DELETED)
    await hasty.delete(HANDLE, within_s=20)
    assert len(peer.heard) == 2
    assert clock.sleeps == [0.5]


async def test_deletes_are_repeated_at_growing_intervals_until_the_budget_is_over(
    peer: Loopback, connect: EnvisionConnect, clock: HandClock
) -> None:
    peer.answer(Cut())
    with pytest.raises(Unsure):
        await connect.delete(HANDLE, within_s=10)
    assert clock.sleeps == [0.5, 1, 2, 4]
    assert sum(clock.sleeps) < 10
    assert len(peer.heard) == 5


@pytest.mark.parametrize("within_s", [-5, 0, 0.4])
async def test_without_a_budget_there_is_one_call(
    within_s: float, peer: Loopback, connect: EnvisionConnect, clock: HandClock
) -> None:
    peer.answer(Cut(), DELETED)
    with pytest.raises(Unsure):
        await connect.delete(HANDLE, within_s=within_s)
    assert len(peer.heard) == 1
    assert clock.sleeps == []


async def test_a_throttled_delete_waits_as_long_as_asked(
    peer: Loopback, connect: EnvisionConnect, clock: HandClock
) -> None:
    peer.answer(Reply(b"{}", 429, {"Retry-After": "6"}), DELETED)
    await connect.delete(HANDLE, within_s=10)
    assert clock.sleeps == [6]


async def test_a_throttle_longer_than_the_budget_ends_it(peer: Loopback, connect: EnvisionConnect) -> None:
    peer.answer(Reply(b"{}", 429, {"Retry-After": "60"}), DELETED)
    with pytest.raises(Throttled):
        await connect.delete(HANDLE, within_s=10)
    assert len(peer.heard) == 1


async def test_a_refused_key_is_not_tried_again(peer: Loopback, connect: EnvisionConnect) -> None:
    peer.answer(Reply(sample("error-forbidden.json"), 403))
    with pytest.raises(KeyRefused):
        await connect.delete(HANDLE, within_s=1000)
    assert len(peer.heard) == 1


async def test_deletes_to_a_peer_that_is_gone_are_tried_again_and_then_unreachable(
    peer: Loopback, connect: EnvisionConnect, clock: HandClock
) -> None:
    await peer.stop()
    with pytest.raises(Unreachable):
        await connect.delete(HANDLE, within_s=3)
    assert clock.sleeps == [0.5, 1]


# --- probing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400])
async def test_a_probe_returns_when_an_impossible_handle_is_called_invalid(
    status: int, peer: Loopback, connect: EnvisionConnect, calls: list[Call]
) -> None:
    peer.answer(Reply(sample("error-receipt-handle-invalid.json"), status))
    await connect.probe()
    (heard,) = peer.heard
    assert (heard.method, heard.raw_path) == ("DELETE", f"/testclient57/dev/queue/{IMPOSSIBLE_HANDLE}")
    assert results(calls) == [("probe", "ok")]


async def test_a_probe_never_reads_the_queue(peer: Loopback, connect: EnvisionConnect) -> None:
    peer.answer(Reply(sample("error-receipt-handle-invalid.json"), 400))
    await connect.probe()
    assert "GET" not in {heard.method for heard in peer.heard}


@pytest.mark.parametrize(
    ("answer", "error", "result"),
    [
        (Reply(sample("error-forbidden.json"), 403), KeyRefused, "refused"),
        (Reply(sample("error-missing-authentication-token.json"), 403), Refused, "refused"),
        (Reply(sample("error-receipt-handle-expired.json"), 400), Refused, "refused"),
        (Reply(sample("delete-ok.json")), Malformed, "malformed"),
        (Reply(b"<html>"), Malformed, "malformed"),
        (Reply(b"", 503), Unreachable, "unreachable"),
        (Reply(b"{}", 429), Throttled, "throttled"),
        (Cut(), Unreachable, "unreachable"),
    ],
)
async def test_any_other_answer_to_a_probe_is_an_error_and_is_not_repeated(
    answer: Reply | Cut,
    error: type[PeerError],
    result: str,
    peer: Loopback,
    connect: EnvisionConnect,
    calls: list[Call],
) -> None:
    peer.answer(answer)
    with pytest.raises(error):
        await connect.probe()
    assert results(calls) == [("probe", result)]
    assert len(peer.heard) == 1
