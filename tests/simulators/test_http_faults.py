import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from envision_worker.simulators.faults import Fault, FaultKind, Faults, with_faults
from envision_worker.simulators.http import Request, Response, RunningServer, json_response, serve


class World:
    """An application with an effect that can be counted, and a sleep that ends when a test says so."""

    def __init__(self) -> None:
        self.effects: list[str] = []
        self.effect_came = asyncio.Event()
        self.slept: list[float] = []
        self.sleeping = asyncio.Event()
        self.awake = asyncio.Event()
        self.awake.set()
        self.faults = Faults()
        self.application = with_faults(self._effect, self.faults, self._sleep)

    async def _effect(self, request: Request) -> Response:
        self.effects.append(request.raw_path)
        self.effect_came.set()
        return json_response({"done": request.raw_path})

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.sleeping.set()
        await self.awake.wait()


@pytest.fixture
async def world() -> World:
    return World()


@pytest.fixture
async def server(world: World) -> AsyncIterator[RunningServer]:
    running = await serve(world.application)
    yield running
    await running.close()


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url) as each:
        yield each


async def test_a_refused_call_has_no_effect_and_no_answer(world: World, client: httpx.AsyncClient) -> None:
    world.faults.add(Fault(FaultKind.REFUSE))

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await client.put("/tickets")

    assert world.effects == []


async def test_a_lost_answer_has_its_effect(world: World, client: httpx.AsyncClient) -> None:
    world.faults.add(Fault(FaultKind.LOSE_ANSWER))

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await client.put("/tickets")

    assert world.effects == ["/tickets"]
    assert (await client.put("/tickets")).status_code == 200


@pytest.mark.parametrize(("kind", "effects"), [(FaultKind.HANG_BEFORE, []), (FaultKind.HANG_AFTER, ["/tickets"])])
async def test_a_hanging_call_waits_before_or_after_its_effect(
    world: World, client: httpx.AsyncClient, kind: FaultKind, effects: list[str]
) -> None:
    world.faults.add(Fault(kind, seconds=90))
    world.awake.clear()

    call = asyncio.ensure_future(client.put("/tickets"))
    await world.sleeping.wait()
    assert (world.effects, world.slept) == (effects, [90])
    world.awake.set()

    assert (await call).status_code == 200
    assert world.effects == ["/tickets"]


async def test_the_effect_comes_even_where_the_caller_gave_up_before_it(
    world: World, client: httpx.AsyncClient
) -> None:
    world.faults.add(Fault(FaultKind.HANG_BEFORE, seconds=90))
    world.awake.clear()

    call = asyncio.ensure_future(client.put("/tickets"))
    await world.sleeping.wait()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await client.aclose()
    world.awake.set()
    await asyncio.wait_for(world.effect_came.wait(), 5)

    assert world.effects == ["/tickets"]


@pytest.mark.parametrize(("kind", "effects"), [(FaultKind.STATUS, []), (FaultKind.STATUS_AFTER, ["/tickets"])])
async def test_a_status_replaces_the_answer_without_or_after_the_effect(
    world: World, client: httpx.AsyncClient, kind: FaultKind, effects: list[str]
) -> None:
    world.faults.add(Fault(kind, status=503, body=b"busy", content_type="text/plain", headers={"Retry-After": "7"}))

    answer = await client.put("/tickets")

    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (503, "busy", "text/plain")
    assert answer.headers["retry-after"] == "7"
    assert world.effects == effects


async def test_a_login_page_comes_with_200_and_without_effect(world: World, client: httpx.AsyncClient) -> None:
    world.faults.add(Fault(FaultKind.HTML))

    answer = await client.put("/tickets")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<form" in answer.text
    assert world.effects == []


async def test_a_truncated_answer_is_half_of_the_json_after_the_effect(world: World, client: httpx.AsyncClient) -> None:
    world.faults.add(Fault(FaultKind.TRUNCATED))

    answer = await client.put("/tickets")

    assert (answer.status_code, answer.text) == (200, '{"done": "')
    assert world.effects == ["/tickets"]


async def test_an_empty_answer_is_200_with_nothing_after_the_effect(world: World, client: httpx.AsyncClient) -> None:
    world.faults.add(Fault(FaultKind.EMPTY))

    answer = await client.put("/tickets")

    assert (answer.status_code, answer.content) == (200, b"")
    assert world.effects == ["/tickets"]


async def test_latency_adds_up_and_leaves_the_call_to_the_faults_behind_it(world: World) -> None:
    world.faults.add(Fault(FaultKind.SLOW, seconds=0.25, times=None))
    world.faults.add(Fault(FaultKind.SLOW, seconds=0.5, times=None))
    world.faults.add(Fault(FaultKind.STATUS, status=500))
    request = Request("GET", "/x")

    statuses = [(await world.application(request)).status for _ in range(2)]

    assert statuses == [500, 200]
    assert world.slept == [0.75, 0.75]


async def test_a_fault_hits_only_calls_of_its_method_and_path_after_those_it_skips(world: World) -> None:
    world.faults.add(Fault(FaultKind.STATUS, method="P*", path="*/notes", skip=1, times=2))
    calls = [("GET", "/1/notes"), *[("PUT", "/1/notes")] * 2, ("PUT", "/1"), ("POST", "/2/notes"), ("PUT", "/3/notes")]

    statuses = [(await world.application(Request(method, path))).status for method, path in calls]

    assert statuses == [200, 200, 500, 200, 500, 200]


async def test_the_first_fault_that_is_due_decides_and_those_behind_it_do_not_see_the_call(world: World) -> None:
    world.faults.add(Fault(FaultKind.STATUS, status=500, times=1))
    world.faults.add(Fault(FaultKind.STATUS, status=502, times=1))

    statuses = [(await world.application(Request("GET", "/x"))).status for _ in range(3)]

    assert statuses == [500, 502, 200]


async def test_cleared_faults_are_gone(world: World) -> None:
    world.faults.add(Fault(FaultKind.STATUS, times=None))
    world.faults.clear()

    assert (await world.application(Request("GET", "/x"))).status == 200
    assert list(world.faults) == []


async def test_a_fault_reads_back_from_its_json() -> None:
    fault = Fault(
        FaultKind.STATUS_AFTER, "PUT", "*/queue", None, 3, 1.5, 429, b"no", "text/plain", {"Retry-After": "1"}
    )

    assert Fault.from_json(fault.as_json()) == fault
    assert Fault.from_json({"kind": "status", "body": {"message": "Forbidden"}}).body == b'{"message": "Forbidden"}'


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("refuse", "a fault is an object"),
        ({}, "a fault needs its kind"),
        ({"kind": "explode"}, "explode"),
        ({"kind": "slow", "second": 1}, "a fault has no 'second'"),
        ({"kind": "slow", "seconds": "1"}, "seconds can't be '1'"),
        ({"kind": "slow", "times": True}, "times can't be True"),
    ],
)
async def test_what_is_no_fault_is_refused_by_name(given: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Fault.from_json(given)
