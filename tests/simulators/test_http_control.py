from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from envision_worker.simulators.control import MAX_KEPT_BODY, ControlRefused, Journal, assemble
from envision_worker.simulators.faults import Fault, FaultKind, Faults
from envision_worker.simulators.http import Request, Response, json_response, serve


async def _application(request: Request) -> Response:
    return json_response({"path": request.raw_path}, 201)


async def _sleep(_: float) -> None:
    return


def _shout(given: Any) -> Any:
    if not isinstance(given, str):
        raise ControlRefused("a text is wanted")
    return given.upper()


@pytest.fixture
def journal() -> Journal:
    return Journal(lambda: 1_700_000_000.5, {"x-api-key": lambda value: value == "right"})


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
async def client(journal: Journal, faults: Faults) -> AsyncIterator[httpx.AsyncClient]:
    application = assemble(
        _application, journal=journal, faults=faults, sleep=_sleep, routes={("POST", "shout"): _shout}
    )
    server = await serve(application)
    async with httpx.AsyncClient(base_url=server.url) as each:
        yield each
    await server.close()


async def test_the_journal_tells_every_call_as_it_was_on_the_wire(client: httpx.AsyncClient) -> None:
    await client.put("/a%2Fb?c=%3D", json={"payload": 1}, headers={"x-api-key": "right"})
    await client.get("/plain", headers={"x-api-key": "wrong"})

    first, second = (await client.get("/_simulator/journal")).json()

    assert first["headers"].pop("x-api-key") == "matches"
    assert first["headers"]["content-type"] == "application/json"
    del first["headers"]
    assert first == {
        "at": 1_700_000_000.5,
        "method": "PUT",
        "path": "/a%2Fb",
        "query": "c=%3D",
        "body": {"payload": 1},
        "body_length": 13,
        "status": 201,
        "effect_status": 201,
        "fault": None,
    }
    assert (second["path"], second["headers"]["x-api-key"], second["body"]) == ("/plain", "does not match", "")


async def test_the_journal_tells_what_a_fault_did_to_a_call(
    client: httpx.AsyncClient, journal: Journal, faults: Faults
) -> None:
    faults.add(Fault(FaultKind.STATUS_AFTER, status=504))
    faults.add(Fault(FaultKind.STATUS, status=503))
    faults.add(Fault(FaultKind.LOSE_ANSWER))
    await client.get("/x")
    await client.get("/x")
    with pytest.raises(httpx.HTTPError):
        await client.get("/x")

    assert [(call.fault, call.effect_status, call.status) for call in journal.calls] == [
        ("status_after", 201, 504),
        ("status", None, 503),
        ("lose_answer", 201, None),
    ]


async def test_the_journal_keeps_no_more_of_a_huge_body_than_it_promises(
    client: httpx.AsyncClient, journal: Journal
) -> None:
    await client.put("/file", content=b"\xff" * (MAX_KEPT_BODY + 5))

    assert (len(journal.calls[0].body), journal.calls[0].body_length) == (MAX_KEPT_BODY, MAX_KEPT_BODY + 5)


async def test_faults_are_replaced_shown_and_cleared_over_http(client: httpx.AsyncClient, faults: Faults) -> None:
    faults.add(Fault(FaultKind.REFUSE, times=None))

    await client.put("/_simulator/faults", json=[{"kind": "status", "path": "/x", "status": 418, "times": None}])
    shown = (await client.get("/_simulator/faults")).json()
    hit = (await client.get("/x")).status_code
    await client.delete("/_simulator/faults")

    assert [(fault["kind"], fault["path"], fault["times"]) for fault in shown] == [("status", "/x", None)]
    assert (hit, (await client.get("/x")).status_code) == (418, 201)


async def test_a_list_with_one_bad_fault_changes_nothing(client: httpx.AsyncClient, faults: Faults) -> None:
    faults.add(Fault(FaultKind.REFUSE))

    answers = [
        await client.put("/_simulator/faults", json=[{"kind": "status"}, {"kind": "explode"}]),
        await client.put("/_simulator/faults", json={"kind": "status"}),
        await client.put("/_simulator/faults", content=b"{"),
    ]

    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert "explode" in answers[0].json()["error"]
    assert [fault.kind for fault in faults] == [FaultKind.REFUSE]


async def test_control_calls_meet_no_fault_and_are_not_journalled(
    client: httpx.AsyncClient, journal: Journal, faults: Faults
) -> None:
    faults.add(Fault(FaultKind.REFUSE, times=None))

    answer = await client.post("/_simulator/shout", json="loud")

    assert answer.json() == "LOUD"
    assert journal.calls == []


async def test_a_control_call_that_makes_no_sense_says_why(client: httpx.AsyncClient) -> None:
    refused = await client.post("/_simulator/shout", json=3)
    unknown = await client.post("/_simulator/journal")

    assert (refused.status_code, refused.json()) == (400, {"error": "a text is wanted"})
    assert unknown.status_code == 404
    assert "GET /_simulator/journal" in unknown.json()["offered"]
