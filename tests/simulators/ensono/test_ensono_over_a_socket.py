"""The same simulator behind a real socket, with the faults that a client has to live with."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
import pytest
from simulated_ensono import API_KEY, Time

from envision_worker.simulators.ensono.app import EnsonoSimulator
from envision_worker.simulators.faults import Fault, FaultKind

QUEUE = "/testclient57/dev/queue"


@pytest.fixture
async def client(simulator: EnsonoSimulator) -> AsyncIterator[httpx.AsyncClient]:
    server = await simulator.serve()
    async with httpx.AsyncClient(base_url=server.url, headers={"x-api-key": API_KEY}) as each:
        yield each
    await server.close()


async def test_a_handle_is_deleted_as_it_is_encoded_on_the_wire(
    simulator: EnsonoSimulator, client: httpx.AsyncClient
) -> None:
    simulator.scenario.incident_create()
    result = (await client.get(QUEUE)).json()["ReceiveMessageResponse"]["ReceiveMessageResult"]
    encoded = quote(result["messages"][0]["ReceiptHandle"], safe="")

    answer = await client.delete(f"{QUEUE}/{encoded}")

    assert answer.status_code == 200
    assert simulator.journal.calls[-1].path == f"{QUEUE}/{encoded}"
    assert simulator.queue.messages() == []


async def test_attachments_are_served_at_the_server_itself_large_ones_too(
    simulator: EnsonoSimulator, client: httpx.AsyncClient
) -> None:
    content = bytes(range(256)) * 20_000
    number = simulator.scenario.incident_create()
    simulator.scenario.attachment(number, "big file.bin", content)
    link = simulator.scenario.announcer.announced[-1].body["attachment"]

    async with httpx.AsyncClient() as without_key:
        answer = await without_key.get(link)

    assert link.startswith(str(client.base_url).rstrip("/"))
    assert answer.content == content
    assert [call.key_sent for call in simulator.bucket.calls] == [False]


async def test_a_read_whose_answer_is_lost_still_costs_a_receive_and_hides_the_messages(
    simulator: EnsonoSimulator, client: httpx.AsyncClient, time: Time
) -> None:
    simulator.scenario.incident_create()
    simulator.faults.add(Fault(FaultKind.LOSE_ANSWER, "GET", "*/queue"))

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await client.get(QUEUE)
    hidden = (await client.get(QUEUE)).json()["ReceiveMessageResponse"]["ReceiveMessageResult"]
    time.advance(30)
    again = (await client.get(QUEUE)).json()["ReceiveMessageResponse"]["ReceiveMessageResult"]["messages"]

    assert hidden["ReceiveMessageResult"] == {"messages": None}
    assert again[0]["Attributes"]["ApproximateReceiveCount"] == "2"


async def test_a_delete_whose_answer_is_lost_has_deleted(simulator: EnsonoSimulator, client: httpx.AsyncClient) -> None:
    simulator.scenario.incident_create()
    result = (await client.get(QUEUE)).json()["ReceiveMessageResponse"]["ReceiveMessageResult"]
    path = f"{QUEUE}/{quote(result['messages'][0]['ReceiptHandle'], safe='')}"
    simulator.faults.add(Fault(FaultKind.LOSE_ANSWER, "DELETE"))

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await client.delete(path)

    assert simulator.queue.messages() == []
    assert (await client.delete(path)).status_code == 200


async def test_a_hanging_call_takes_its_time_and_happens(
    simulator: EnsonoSimulator, client: httpx.AsyncClient, time: Time
) -> None:
    number = simulator.scenario.incident_create()
    simulator.faults.add(Fault(FaultKind.HANG_AFTER, "PUT", "*/returnptn", seconds=90))
    before = time.now()

    payload = {"clientName": "testClient", "ticketType": "Incident", "clientTicketNumber": "7"}
    answer = await client.put(f"/testclient57/dev/tickets/{number}/returnptn", json={"payload": payload})

    assert (answer.status_code, time.now() - before) == (200, 90)
    assert simulator.tickets[number].returned_numbers == ["7"]


async def test_a_truncated_read_is_no_json_and_has_hidden_the_messages(
    simulator: EnsonoSimulator, client: httpx.AsyncClient
) -> None:
    simulator.scenario.incident_create()
    simulator.faults.add(Fault(FaultKind.TRUNCATED, "GET", "*/queue"))

    answer = await client.get(QUEUE)

    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        answer.json()
    assert [message.receives for message in simulator.queue.messages()] == [1]


async def test_it_can_be_driven_by_http_alone(client: httpx.AsyncClient) -> None:
    told = await client.post("/_simulator/scenario", json={"do": "incident_create", "shortDescription": "by curl"})
    await client.put("/_simulator/faults", json=[{"kind": "html", "path": "*/queue"}])
    login_page = await client.get(QUEUE)
    messages = (await client.get(QUEUE)).json()["ReceiveMessageResponse"]["ReceiveMessageResult"]["messages"]
    journal = (await client.get("/_simulator/journal")).json()

    assert login_page.headers["content-type"].startswith("text/html")
    assert [(message["Body"]["ticketNumber"], message["Body"]["shortDescription"]) for message in messages] == [
        (told.json(), "by curl")
    ]
    assert [(call["fault"], call["status"]) for call in journal] == [("html", 200), (None, 200)]
