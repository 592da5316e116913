from urllib.parse import quote

import pytest
from simulated_ensono import API_KEY, Caller, Time, said

from envision_worker.simulators.ensono.app import EnsonoSimulator

NO_ROUTE = (403, {"message": "Missing Authentication Token"})
FORBIDDEN = (403, {"message": "Forbidden"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/Dev/queue"),
        ("GET", "/dev/Queue"),
        ("GET", "/dev/queue/"),
        ("PUT", "/dev/queue"),
        ("DELETE", "/dev/queue"),
        ("DELETE", "/dev/queue/"),
        ("GET", "/echo/queue"),
        ("DELETE", "/echo/queue/AQEB"),
        ("PUT", "/Cert/tickets/e-CS0318118"),
        ("PUT", "/cert/Tickets/e-CS0318118"),
        ("GET", "/cert/tickets/e-CS0318118"),
        ("GET", "/prod/tickets/e-CS0318118"),
        ("GET", "/echo/tickets/e-CS0318118"),
        ("GET", "/dev/tickets"),
        ("GET", "/dev"),
        ("GET", "/test/queue"),
    ],
)
async def test_a_wrong_method_or_path_has_no_route_whatever_the_key(caller: Caller, method: str, path: str) -> None:
    caller.base = "/testclient57"

    for key in (API_KEY, None):
        answer = await caller.send(method, path, x_api_key=key)
        assert (answer.status, said(answer)) == NO_ROUTE


@pytest.mark.parametrize("base", ["/Testclient57/dev", "/other/dev", ""])
async def test_another_client_is_forbidden(caller: Caller, base: str) -> None:
    caller.base = base

    answer = await caller.send("GET", "/queue")

    assert (answer.status, said(answer)) == FORBIDDEN


@pytest.mark.parametrize("key", [None, "", "wrong", API_KEY.upper(), "ü"])
@pytest.mark.parametrize("path", ["/queue", "/tickets/e-CS0000001/attachments/a.txt"])
async def test_a_missing_or_wrong_key_is_forbidden(caller: Caller, key: str | None, path: str) -> None:
    answer = await caller.send("GET", path, x_api_key=key)

    assert (answer.status, said(answer)) == FORBIDDEN


async def test_an_empty_queue_answers_nested_and_null(caller: Caller) -> None:
    response = said(await caller.send("GET", "/queue"))["ReceiveMessageResponse"]

    assert response["ReceiveMessageResult"].keys() == {"ResponseMetadata", "ReceiveMessageResult"}
    assert response["ReceiveMessageResult"]["ReceiveMessageResult"] == {"messages": None}


async def test_messages_come_flat_and_on_demand_nested(caller: Caller, simulator: EnsonoSimulator, time: Time) -> None:
    simulator.scenario.incident_create()

    flat = said(await caller.send("GET", "/queue"))["ReceiveMessageResponse"]
    simulator.queue_api.nested_messages = True
    time.advance(30)
    nested = said(await caller.send("GET", "/queue"))["ReceiveMessageResponse"]

    assert flat.keys() == {"ResponseMetadata", "ReceiveMessageResult"}
    assert len(flat["ReceiveMessageResult"]["messages"]) == 1
    assert nested.keys() == {"ReceiveMessageResult"}
    assert len(nested["ReceiveMessageResult"]["ReceiveMessageResult"]["messages"]) == 1


async def test_a_delete_answers_as_in_the_guide(caller: Caller, simulator: EnsonoSimulator) -> None:
    simulator.scenario.incident_create()
    handle = (await caller.read_queue())[0]["ReceiptHandle"]

    answer = await caller.delete(handle)

    assert answer.status == 200
    assert said(answer)["DeleteMessageResponse"]["ResponseMetadata"].keys() == {"RequestId"}
    assert simulator.queue.messages() == []


async def test_an_expired_and_a_garbage_handle_answer_as_in_the_guide(
    caller: Caller, simulator: EnsonoSimulator, time: Time
) -> None:
    simulator.scenario.incident_create()
    handle = (await caller.read_queue())[0]["ReceiptHandle"]
    time.advance(30)

    expired = await caller.delete(handle)
    invalid = await caller.delete("AQEBvx/oo")

    assert (expired.status, said(expired)["Error"]) == (
        400,
        {
            "Code": "InvalidParameterValue",
            "Message": f"Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
            "Type": "Sender",
        },
    )
    assert (invalid.status, said(invalid)["Error"]) == (
        400,
        {
            "Code": "ReceiptHandleIsInvalid",
            "Message": 'The input receipt handle "AQEBvx/oo" is not a valid receipt handle.',
            "Type": "Sender",
        },
    )
    assert said(expired).keys() == {"Error", "RequestId"}


async def test_a_handle_must_be_url_encoded_whole_and_once(caller: Caller, simulator: EnsonoSimulator) -> None:
    simulator.scenario.incident_create()
    handle = (await caller.read_queue())[0]["ReceiptHandle"]
    encoded = quote(handle, safe="")
    wrong = [
        handle,
        quote(handle),
        quote(handle, safe="="),
        quote(handle, safe="+"),
        quote(encoded, safe=""),
        f"{encoded}/",
    ]

    for path in wrong:
        answer = await caller.send("DELETE", f"/queue/{path}")
        assert said(answer)["Error"]["Code"] == "ReceiptHandleIsInvalid"

    assert (await caller.send("DELETE", f"/queue/{encoded.replace('%2F', '%2f')}")).status == 200


async def test_queue_errors_come_with_another_status_where_it_is_set(
    caller: Caller, simulator: EnsonoSimulator
) -> None:
    simulator.queue_api.error_status = 200

    answer = await caller.delete("garbage")

    assert (answer.status, said(answer)["Error"]["Code"]) == (200, "ReceiptHandleIsInvalid")


async def test_a_throttled_queue_says_so(caller: Caller, simulator: EnsonoSimulator) -> None:
    simulator.queue.quota.calls_per_second = 1
    await caller.read_queue()

    answer = await caller.send("GET", "/queue")

    assert (answer.status, said(answer)["Error"]["Code"]) == (400, "ThrottlingException")


async def test_dev_cert_and_prod_have_queues_and_tickets_of_their_own(
    caller: Caller, simulator: EnsonoSimulator
) -> None:
    for name in ("cert", "prod"):
        number = simulator.environments[name].scenario.incident_create()
        assert await caller.read_queue() == []
        caller.base = f"/testclient57/{name}"
        messages = await caller.read_queue()
        assert [message["Body"]["ticketNumber"] for message in messages] == [number]
        answer = await caller.put(f"/tickets/{number}/returnptn", ticketType="Incident", clientTicketNumber="1")
        assert answer.status == 200
        caller.base = "/testclient57/dev"

    assert simulator.tickets == {}


async def test_the_environment_of_the_short_names_can_be_chosen(time: Time) -> None:
    simulator = EnsonoSimulator(time.now, time.sleep, api_key=API_KEY, environment="prod", client="c", client_name="C")
    simulator.scenario.incident_create()

    assert len(await Caller(simulator, "/c/prod").read_queue()) == 1


async def test_echo_sends_what_the_client_did_back_through_devs_queue(
    caller: Caller, simulator: EnsonoSimulator, time: Time
) -> None:
    caller.base = "/testclient57/echo"
    identity = {"ticketType": "Request", "clientTicketNumber": "R1"}
    texts = {"contactName": "J", "contactEmail": "j@c.com", "shortDescription": "s", "description": "d"}
    number = said(await caller.post("/tickets", **identity, **texts))["Response"]
    await caller.put(f"/tickets/{number}", **identity, priority="1")
    await caller.put(f"/tickets/{number}/notes", **identity, comments=[{"body": "hello"}])
    await caller.put(f"/tickets/{number}", **identity, status="resolved", closeNotes="done")
    link = said(await caller.send("GET", f"/tickets/{number}/attachments/a.txt"))["Response"]["body"]
    await caller.send("PUT", link.partition("amazonaws.com")[2], b"hello", content_type="text/plain")

    caller.base = "/testclient57/dev"
    messages = await caller.read_queue()

    assert [message["Attributes"]["TransactionType"] for message in messages] == [
        "Create",
        "Update",
        "Notes",
        "Closure",
        "Attachment",
    ]
    assert {message["Body"]["clientTicketNumber"] for message in messages} == {"R1"}
    assert messages[1]["Body"]["changed"].items() >= {"priority": "1"}.items()
    assert messages[2]["Body"]["notes"]["body"] == "hello"


async def test_changes_do_not_echo(caller: Caller, simulator: EnsonoSimulator) -> None:
    number = simulator.scenario.change_create()
    caller.base = "/testclient57/echo"

    await caller.put(
        f"/tickets/{number}/notes", ticketType="Change", clientTicketNumber="1", comments=[{"body": "hello"}]
    )

    assert [each.transaction_type for each in simulator.scenario.announcer.announced] == ["Create"]


async def test_the_journal_shows_whether_the_key_was_right_and_never_the_key(
    caller: Caller, simulator: EnsonoSimulator
) -> None:
    await caller.read_queue()
    await caller.send("GET", "/queue", x_api_key="secret-too")

    shown = await caller.control("GET", "journal")

    assert [call["headers"]["x-api-key"] for call in shown] == ["matches", "does not match"]
    assert [call["status"] for call in shown] == [200, 403]
    assert API_KEY not in str(shown)
    assert "secret-too" not in str(shown)
