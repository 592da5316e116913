from typing import Any

import pytest
from simulated_ensono import Caller, Time, path_of

from envision_worker.simulators.ensono.announcements import Dialect
from envision_worker.simulators.ensono.app import EnsonoSimulator
from envision_worker.simulators.ensono.guide_samples import samples

NAMES = [
    "incident-create",
    "incident-update",
    "incident-notes",
    "incident-closure",
    "change-create",
    "change-approval-request",
    "change-update",
    "change-notes",
    "change-attachment",
    "change-closure",
    "change-redraft",
    "return-ensono-num",
]


async def play(simulator: EnsonoSimulator, caller: Caller) -> dict[str, dict[str, Any]]:
    """Everything the guide has a sample of, read from the queue, by the sample's name."""
    users = simulator.scenario
    incident = users.incident_create()
    users.ticket_pend(incident)
    users.notes(incident, "adding comment")
    users.ticket_reopen(incident)
    users.ticket_resolve(incident, close_notes="test close notes")
    change = users.change_create(approvers=[("Default User", "noreply@client.com")])
    users.change_state(change, "Authorize")
    users.notes(change, "Adding a comment")
    users.attachment(change, "rocket.jpg", b"bytes", "image/jpeg")
    users.change_close(change, close_code="Successful Outside Change Window")
    users.change_redraft(users.change_create())
    users.return_ensono_num("INC1235678")
    played: dict[str, dict[str, Any]] = {}
    while batch := await caller.read_queue():
        for message in batch:
            await caller.delete(message["ReceiptHandle"])
            transaction = message["Attributes"]["TransactionType"]
            kind = "change" if message["Body"]["ticketType"] == "Change" else "incident"
            name = f"{kind}-{transaction.lower().replace(' ', '-')}"
            played.setdefault("return-ensono-num" if transaction == "ReturnEnsonoNum" else name, message)
    return played


@pytest.mark.parametrize("name", NAMES)
async def test_messages_have_the_keys_of_the_guides_samples_in_their_order(
    simulator: EnsonoSimulator, caller: Caller, name: str
) -> None:
    played = (await play(simulator, caller))[name]
    sample = samples()[name]

    assert list(played) == list(sample)
    assert list(played["Attributes"]) == list(sample["Attributes"])
    assert list(played["Body"]) == list(sample["Body"])
    for nested in ("changed", "notes"):
        assert list(played["Body"].get(nested, {})) == list(sample["Body"].get(nested, {}))


async def test_the_contradictions_of_the_samples_stand_where_the_guide_has_them(
    simulator: EnsonoSimulator, caller: Caller
) -> None:
    bodies = {name: message["Body"] for name, message in (await play(simulator, caller)).items()}

    assert bodies["incident-update"]["statusNextAction"] == "pending-caller"
    assert "ensonoGroup" not in bodies["incident-closure"]
    assert "ensonogroup" in bodies["change-attachment"]
    assert bodies["change-attachment"]["attachment"].endswith("host ")
    assert bodies["change-create"]["updatedOn"].endswith("Z ")
    assert bodies["change-notes"]["updatedOn"].endswith("Z")
    assert {bodies[f"change-{name}"]["updatedOn"] for name in ("update", "redraft", "closure")} == {""}
    assert bodies["return-ensono-num"]["clientName"] == "testClient "


async def test_the_other_dialect_writes_what_the_field_tables_say(simulator: EnsonoSimulator, caller: Caller) -> None:
    simulator.scenario.announcer.dialect = Dialect.TABLES

    bodies = {name: message["Body"] for name, message in (await play(simulator, caller)).items()}

    assert bodies["incident-update"]["statusNextAction"] == "pending-client"
    assert bodies["incident-closure"]["ensonoGroup"] == "CS - 1st Line"
    assert "ensonoGroup" in bodies["change-attachment"]
    assert all(body["updatedAt"] for name, body in bodies.items() if name in {"incident-update", "incident-notes"})
    assert bodies["incident-update"]["changed"].keys() >= {"updatedAt"}
    assert all(bodies[f"change-{name}"]["updateOn"] for name in ("create", "update", "redraft", "closure", "notes"))
    assert (bodies["change-create"]["approval"], bodies["change-redraft"]["approval"]) == (
        "Requested",
        "Not Yet Requested",
    )
    assert bodies["return-ensono-num"]["clientName"] == "testClient"
    assert not any("updatedOn" in body for body in bodies.values())


async def test_every_message_carries_every_field_as_it_stands_by_then(
    simulator: EnsonoSimulator, caller: Caller
) -> None:
    users = simulator.scenario
    number = users.request_create(shortDescription="one", group="G")
    users.ticket_update(number, shortDescription="two", priority="1")
    users.notes(number, "hello", kind="work note", commenter="Ann", commenter_email="ann@ensono.com", note_id="n1")

    create, update, notes = (message["Body"] for message in await caller.read_queue())

    assert (create["ticketType"], create["shortDescription"], create["group"]) == ("Request", "one", "G")
    assert update.keys() - {"changed", "updatedOn"} == create.keys()
    assert update["changed"] == {"updatedOn": "2023-11-14T22:13:20Z", "shortDescription": "two", "priority": "1"}
    assert (notes["shortDescription"], notes["priority"], notes["group"]) == ("two", "1", "G")
    assert notes["notes"] == {
        "type": "work note",
        "id": "n1",
        "body": "hello",
        "commenter": "Ann",
        "commenterEmail": "ann@ensono.com",
    }


async def test_pending_leaves_with_the_status(simulator: EnsonoSimulator, caller: Caller) -> None:
    number = simulator.scenario.incident_create()
    simulator.scenario.ticket_pend(number, "pending-vendor")
    simulator.scenario.ticket_reopen(number, "workingprogress")

    _, pending, working = (message["Body"] for message in await caller.read_queue())

    assert (pending["status"], pending["statusNextAction"], pending["offHoldDate"]) == (
        "pending",
        "pending-vendor",
        "2023-11-15T22:13:20Z",
    )
    assert working["status"] == "workingprogress"
    assert working.keys() & {"statusNextAction", "offHoldDate"} == set()


@pytest.mark.parametrize(("action", "status"), [("resolve", "resolved"), ("close", "closed"), ("cancel", "cancelled")])
async def test_resolving_closing_and_cancelling_are_closures(
    simulator: EnsonoSimulator, caller: Caller, action: str, status: str
) -> None:
    number = simulator.scenario.incident_create()
    getattr(simulator.scenario, f"ticket_{action}")(number, close_notes="why", close_code="unresolved*")

    closure = (await caller.read_queue())[1]

    assert closure["Attributes"]["TransactionType"] == "Closure"
    assert closure["Body"]["status"] == status
    assert (
        closure["Body"]["changed"].items()
        >= {
            "status": status,
            "closeNotes": "why",
            "closeCode": "unresolved*",
        }.items()
    )


@pytest.mark.parametrize(
    ("change_type", "state", "approval"),
    [
        ("Normal", "Assess", "requested"),
        ("Standard", "Scheduled", "not requested"),
        ("Emergency", "Authorize", "not requested"),
    ],
)
async def test_each_type_of_change_begins_in_its_own_state(
    simulator: EnsonoSimulator, caller: Caller, change_type: str, state: str, approval: str
) -> None:
    simulator.scenario.change_create(change_type=change_type)

    body = (await caller.read_queue())[0]["Body"]

    assert (body["type"], body["state"], body["approval"]) == (change_type, state, approval)


async def test_a_change_asks_each_approver_and_the_ids_differ(simulator: EnsonoSimulator, caller: Caller) -> None:
    number = simulator.scenario.change_create(approvers=[("Ann", "ann@c.com"), ("Bob", "bob@c.com")])

    messages = await caller.read_queue()

    assert [message["Attributes"]["TransactionType"] for message in messages] == [
        "Create",
        "Approval Request",
        "Approval Request",
    ]
    asked = [message["Body"] for message in messages[1:]]
    assert [(body["approverName"], body["approverEmail"]) for body in asked] == [
        ("Ann", "ann@c.com"),
        ("Bob", "bob@c.com"),
    ]
    assert [body["approvalId"] for body in asked] == [
        approval.approval_id for approval in simulator.tickets[number].approvals
    ]
    assert asked[0]["approvalId"] != asked[1]["approvalId"]


@pytest.mark.parametrize(
    ("states", "rounds"),
    [
        (["Authorize", "Scheduled", "Implement", "Review"], 1),
        (["New", "Assess"], 2),
        (["Cancelled", "Scheduled"], 2),
        (["Authorize", "Assess"], 2),
        (["Assess"], 1),
        (["New", "New", "Assess", "Authorize"], 2),
    ],
)
async def test_rounds_begin_with_assess_and_after_new_or_cancelled(
    simulator: EnsonoSimulator, states: list[str], rounds: int
) -> None:
    number = simulator.scenario.change_create()
    for state in states:
        simulator.scenario.change_state(number, state)

    assert simulator.tickets[number].round == rounds


async def test_an_attachment_links_to_its_bytes_for_two_hours_from_the_message(
    simulator: EnsonoSimulator, caller: Caller, time: Time
) -> None:
    number = simulator.scenario.incident_create()
    simulator.scenario.attachment(number, "ü/../plan.txt", "grün", "text/plain")
    body = (await caller.read_queue())[1]["Body"]

    answer = await caller.send("GET", path_of(body["attachment"]), x_api_key=None)
    time.advance(7200)
    late = await caller.send("GET", path_of(body["attachment"]), x_api_key=None)

    assert (body["attachmentName"], body["attachmentSize"], body["attachmentType"]) == (
        "ü/../plan.txt",
        "5",
        "text/plain",
    )
    assert (answer.status, answer.body.decode()) == (200, "grün")
    assert late.status == 403


async def test_return_ensono_num_tells_the_number_that_the_client_missed(
    simulator: EnsonoSimulator, caller: Caller
) -> None:
    number = simulator.scenario.return_ensono_num("42", ticket_type="Request")

    message = (await caller.read_queue())[0]

    assert message["Body"] == {
        "clientName": "testClient ",
        "ticketNumber": number,
        "clientTicketNumber": "42",
        "ticketType": "Request",
    }
    assert message["Attributes"]["ClientReferenceAvailable"] is True


async def test_a_resend_is_swallowed_within_five_minutes_and_a_new_message_later(
    simulator: EnsonoSimulator, caller: Caller, time: Time
) -> None:
    number = simulator.scenario.incident_create()
    first = simulator.scenario.notes(number, "once")

    assert simulator.scenario.resend(first) == first
    time.advance(300)
    second = simulator.scenario.resend(first)

    messages = await caller.read_queue()
    assert [message["MessageId"] for message in messages[1:]] == [first, second]
    assert messages[1]["Body"] == messages[2]["Body"]


async def test_all_samples_can_be_pushed_and_their_tickets_take_answers(
    simulator: EnsonoSimulator, caller: Caller
) -> None:
    ids = simulator.scenario.push_samples()
    received: list[dict[str, Any]] = []
    while batch := await caller.read_queue():
        received += batch
        for message in batch:
            await caller.delete(message["ReceiptHandle"])

    assert len(ids) == len(NAMES)
    assert {message["MessageId"]: message["Body"] for message in received} == {
        sample["MessageId"]: sample["Body"] for sample in samples().values()
    }
    for ticket in simulator.tickets.values():
        answer = await caller.put(
            f"/tickets/{ticket.number}/returnptn", ticketType=ticket.ticket_type, clientTicketNumber="1"
        )
        assert answer.status == 200
    assert sorted(simulator.tickets) == ["e-CHG0032075", "e-CHG0032103", "e-CS0879727", "e-CS0881847"]


async def test_the_approval_of_the_pushed_sample_can_be_decided(simulator: EnsonoSimulator, caller: Caller) -> None:
    simulator.scenario.push_samples(["change-create", "change-approval-request"])

    answer = await caller.put(
        "/tickets/e-CHG0032103/approve",
        ticketType="Change",
        clientTicketNumber="1",
        approver="noreply@client.com",
        approvalId="157efa0f1b702d1026a2da49b04bcbf4",
        comments=[{"body": "yes"}],
    )

    assert answer.status == 200
    assert [decision.counted for decision in simulator.tickets["e-CHG0032103"].decisions] == [True]


async def test_an_unknown_sample_ticket_or_message_is_an_error_by_name(simulator: EnsonoSimulator) -> None:
    users = simulator.scenario
    number = users.incident_create()

    with pytest.raises(ValueError, match="no samples nothing; there are incident-create"):
        users.push_samples(["nothing"])
    with pytest.raises(ValueError, match="there is no ticket e-CS1"):
        users.notes("e-CS1", "hello")
    with pytest.raises(ValueError, match="m1 was never announced"):
        users.resend("m1")
    with pytest.raises(ValueError, match=f"{number} exists already"):
        users.incident_create(number=number)
    with pytest.raises(ValueError, match="ticketType is one of"):
        users.return_ensono_num("1", ticket_type="Problem")


@pytest.mark.parametrize("body", [None, [], "x", {"ticketNumber": 5}, {"ticketNumber": "e-CS1", "ticketType": []}])
async def test_a_message_that_speaks_of_no_readable_ticket_is_pushed_all_the_same(
    simulator: EnsonoSimulator, caller: Caller, body: Any
) -> None:
    simulator.scenario.push({"Body": body}, verbatim=True)

    assert [message["Body"] for message in await caller.read_queue()] == [body]
    assert simulator.tickets == {}


async def test_what_was_announced_is_kept_to_compare_with_what_became_of_it(simulator: EnsonoSimulator) -> None:
    number = simulator.scenario.incident_create()
    message_id = simulator.scenario.notes(number, "hello")

    sent = simulator.scenario.announcer.announced[1]

    assert (sent.message_id, sent.ticket, sent.transaction_type) == (message_id, number, "Notes")
    assert sent.body["notes"]["body"] == "hello"
