from typing import Any

import pytest
from simulated_ensono import Caller, Time

from envision_worker.simulators.ensono.app import EnsonoSimulator
from envision_worker.simulators.ensono.guide_samples import samples


async def test_messages_are_pushed_one_or_many(caller: Caller) -> None:
    one, two = list(samples().values())[:2]

    assert await caller.control("POST", "messages", one) == [one["MessageId"]]
    assert await caller.control("POST", "messages", [two]) == [two["MessageId"]]

    assert [message["MessageId"] for message in await caller.read_queue()] == [one["MessageId"], two["MessageId"]]


async def test_a_message_is_pushed_verbatim(caller: Caller) -> None:
    await caller.control("POST", "messages/verbatim", {"Attributes": {"SentTimestamp": "soon"}})

    assert (await caller.read_queue())[0]["Attributes"]["SentTimestamp"] == "soon"


async def test_any_action_of_the_scenario_can_be_told_to_happen(caller: Caller, simulator: EnsonoSimulator) -> None:
    number = await caller.control("POST", "scenario", {"do": "change_create", "approvers": [["Ann", "ann@c.com"]]})
    await caller.control(
        "POST", "scenario", {"do": "attachment", "number": number, "name": "a.txt", "content_base64": "aGVsbG8="}
    )
    await caller.control("POST", "scenario", {"do": "push_samples", "names": ["return-ensono-num"]})

    bodies = [message["Body"] for message in await caller.read_queue()]
    assert [body.get("approverEmail") or body.get("attachmentSize") for body in bodies] == [
        None,
        "ann@c.com",
        "5",
        None,
    ]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (None, "do is one of approval_request, attachment"),
        ({"do": "_open"}, "do is one of"),
        ({"do": ["x"]}, "do is one of"),
        ({"do": "notes", "number": "e-CS1", "body": "x"}, "notes: there is no ticket e-CS1"),
        ({"do": "notes", "nummer": "e-CS1"}, "notes: "),
        ({"do": "change_create", "approvers": [1]}, "change_create: "),
        ({"do": "incident_create", "description": "x" * 1_100_000}, "incident_create: a message may have"),
    ],
)
async def test_an_action_that_makes_no_sense_is_refused_with_its_reason(caller: Caller, given: Any, error: str) -> None:
    assert (await caller.control("POST", "scenario", given))["error"].startswith(error)


async def test_tickets_show_what_the_client_did(caller: Caller, simulator: EnsonoSimulator) -> None:
    number = simulator.scenario.change_create(approvers=[("Ann", "ann@c.com")])
    approval_id = simulator.tickets[number].approvals[0].approval_id
    await caller.put(
        f"/tickets/{number}/reject",
        ticketType="Change",
        clientTicketNumber="1",
        approver="ann@c.com",
        approvalId=approval_id,
        comments=[{"body": "no"}],
    )

    shown = (await caller.control("GET", "tickets"))[number]

    assert (shown["ticket_type"], shown["fields"]["approval"], shown["withdrawn"]) == ("Change", "rejected", [])
    assert [(each["verb"], each["comment"], each["counted"]) for each in shown["decisions"]] == [("reject", "no", True)]


async def test_the_queue_shows_where_every_message_is(caller: Caller, simulator: EnsonoSimulator, time: Time) -> None:
    simulator.queue.max_receives = 1
    number = simulator.scenario.incident_create()
    await caller.read_queue()
    time.advance(30)
    simulator.scenario.notes(number, "hello")
    await caller.read_queue()

    shown = await caller.control("GET", "queue")

    assert [(each["group"], each["transaction_type"], each["receives"]) for each in shown["messages"]] == [
        (number, "Notes", 1)
    ]
    assert [each["transaction_type"] for each in shown["failure_queue"]] == ["Create"]
    assert (shown["expired"], [each["call"] for each in shown["journal"]]) == ([], ["received", "received"])


async def test_settings_change_while_it_runs(caller: Caller, simulator: EnsonoSimulator) -> None:
    changed = {"visibility_s": 2, "error_status": 200, "nested_messages": True, "dialect": "tables"}

    shown = await caller.control("PUT", "settings", changed)

    assert shown.items() >= changed.items()
    assert await caller.control("GET", "settings") == shown
    assert (simulator.queue_api.error_status, simulator.tickets_api.error_status) == (200, 200)
    assert simulator.queue.visibility_s == 2


@pytest.mark.parametrize(
    "given", [[], {"visibility": 1}, {"nested_messages": "yes"}, {"dialect": "x"}, {"max_receives": None}]
)
async def test_bad_settings_change_nothing(caller: Caller, given: Any) -> None:
    before = await caller.control("GET", "settings")

    assert "error" in await caller.control("PUT", "settings", given)
    assert await caller.control("GET", "settings") == before
