import json
from typing import Any

import pytest
from simulated_ensono import Caller, Time, path_of, said

from envision_worker.simulators.ensono.app import EnsonoSimulator

CREATE = {
    "ticketType": "Incident",
    "clientTicketNumber": "123456",
    "priority": "4",
    "group": "Ensono Service Desk",
    "contactName": "John Doe",
    "contactPhone": "800-555-1234",
    "contactEmail": "hello@world.com",
    "shortDescription": "test",
    "description": "test",
    "cis": "testCI1,testCI3,testCI6",
    "comments": [
        {
            "body": "test",
            "commenter": "Jason Doe",
            "commentTime": "2017-07-03 17:55:48",
            "commenterEmail": "Jason.Doe@abc.com",
            "commenterPhone": "555-909-2395",
        }
    ],
}
IDENTITY = {"ticketType": "Incident", "clientTicketNumber": "123456"}
CHANGE_IDENTITY = {"ticketType": "Change", "clientTicketNumber": "123456"}


@pytest.fixture
def incident(simulator: EnsonoSimulator) -> str:
    return simulator.scenario.incident_create()


@pytest.fixture
def change(simulator: EnsonoSimulator) -> str:
    return simulator.scenario.change_create(approvers=[("Ann", "ann@client.com"), ("Bob", "bob@client.com")])


def decision(approval_id: str, approver: str, text: str = "yes") -> dict[str, Any]:
    return CHANGE_IDENTITY | {"approvalId": approval_id, "approver": approver, "comments": [{"body": text}]}


# The guide's own calls


async def test_create_answers_the_number_and_keeps_what_was_sent(caller: Caller, simulator: EnsonoSimulator) -> None:
    answer = await caller.post("/tickets", **CREATE)

    number = said(answer)["Response"]
    ticket = simulator.tickets[number]
    assert answer.status == 200
    assert number.startswith("e-CS")
    assert (ticket.ticket_type, ticket.client_ticket_number) == ("Incident", "123456")
    assert (ticket.fields["priority"], ticket.fields["status"]) == ("4", "open")
    assert ticket.contact["contactName"] == "John Doe"
    assert [(each.body, each.commenter_phone) for each in ticket.comments] == [("test", "555-909-2395")]


async def test_update_answers_202_and_changes_only_what_was_sent(
    caller: Caller, simulator: EnsonoSimulator, incident: str
) -> None:
    before = dict(simulator.tickets[incident].fields)

    answer = await caller.put(f"/tickets/{incident}", **IDENTITY, priority="3", shortDescription="test update")

    assert (answer.status, said(answer)) == (202, {"Response": "Update Successful"})
    assert simulator.tickets[incident].fields == before | {"priority": "3", "shortDescription": "test update"}


async def test_resolve_answers_ticket_closed_and_closing_needs_it(
    caller: Caller, simulator: EnsonoSimulator, incident: str
) -> None:
    path, facts = f"/tickets/{incident}", IDENTITY | {"closeNotes": "no longer needed"}

    too_early = await caller.put(path, **facts, status="closed")
    resolved = await caller.put(path, **facts, status="resolved")
    closed = await caller.put(path, **facts, status="closed")
    after = await caller.put(path, **IDENTITY, priority="1")

    assert said(too_early) == {"Response": "The ticket must be in the resolved state to be closed"}
    assert (resolved.status, said(resolved)) == (200, {"Response": "Ticket Closed Successfully"})
    assert closed.status == 200
    assert said(after) == {"Response": "The ticket is closed and takes no more updates"}
    assert simulator.tickets[incident].fields["closeNotes"] == "no longer needed"


async def test_notes_are_added_as_a_person_reads_them(
    caller: Caller, simulator: EnsonoSimulator, incident: str
) -> None:
    answer = await caller.put(
        f"/tickets/{incident}/notes",
        **IDENTITY,
        comments=[{"body": 'a \\"Test\\"\\r\\nand C:\\\\x\\ttab', "commenter": "J"}],
    )

    assert (answer.status, said(answer)) == (200, {"Response": "Comments added"})
    assert simulator.tickets[incident].comments[0].body == 'a "Test"\r\nand C:\\x\ttab'


async def test_notes_on_a_change_are_taken_with_the_ticket_type_of_the_guides_sample(
    caller: Caller, simulator: EnsonoSimulator, change: str
) -> None:
    for identity in (IDENTITY, CHANGE_IDENTITY):
        answer = await caller.put(f"/tickets/{change}/notes", **identity, comments=[{"body": "hello"}])
        assert answer.status == 200

    assert len(simulator.tickets[change].comments) == 2


@pytest.mark.parametrize("kind", ["incident", "change"])
async def test_a_returned_number_shows_in_later_messages_only(
    caller: Caller, simulator: EnsonoSimulator, request: pytest.FixtureRequest, kind: str
) -> None:
    number = request.getfixturevalue(kind)
    ticket_type = simulator.tickets[number].ticket_type

    answer = await caller.put(f"/tickets/{number}/returnptn", ticketType=ticket_type, clientTicketNumber="77")
    simulator.scenario.notes(number, "hello")

    messages = await caller.read_queue()
    assert (answer.status, said(answer)) == (200, {"Response": "PTN added"})
    assert (messages[0]["Body"]["clientTicketNumber"], messages[0]["Attributes"]["ClientReferenceAvailable"]) == (
        "",
        False,
    )
    assert messages[-1]["Body"]["clientTicketNumber"] == "77"
    assert messages[-1]["Attributes"]["ClientReferenceAvailable"] is True
    assert simulator.tickets[number].returned_numbers == ["77"]


async def test_an_approval_and_a_rejection_answer_as_in_the_guide(
    caller: Caller, simulator: EnsonoSimulator, change: str
) -> None:
    ann, bob = simulator.tickets[change].approvals

    approved = await caller.put(f"/tickets/{change}/approve", **decision(ann.approval_id, "ann@client.com"))
    rejected = await caller.put(f"/tickets/{change}/reject", **decision(bob.approval_id, "bob@client.com"))

    assert (approved.status, said(approved)) == (200, {"Response": "Approval Received Successfully"})
    assert (rejected.status, said(rejected)) == (200, {"Response": " Rejection Received Successfully"})


# Decisions: one counts


async def test_only_the_first_decision_of_a_change_and_round_counts(
    caller: Caller, simulator: EnsonoSimulator, change: str
) -> None:
    ticket = simulator.tickets[change]
    ann, bob = ticket.approvals
    await caller.put(
        f"/tickets/{change}/reject", **decision(ann.approval_id, "Ann@client.com", 'no: \\u00e4 \\"clash\\"')
    )
    await caller.put(f"/tickets/{change}/reject", **decision(ann.approval_id, "ann@client.com", "again"))
    await caller.put(f"/tickets/{change}/approve", **decision(bob.approval_id, "bob@client.com"))

    assert [(each.verb, each.comment, each.counted) for each in ticket.decisions] == [
        ("reject", 'no: ä "clash"', True),
        ("reject", "again", False),
        ("approve", "yes", False),
    ]
    assert ticket.fields["approval"] == "rejected"


async def test_a_redrafted_and_assessed_change_has_a_new_round_and_old_approvals_count_no_more(
    caller: Caller, simulator: EnsonoSimulator, change: str
) -> None:
    ticket = simulator.tickets[change]
    old = ticket.approvals[0]
    simulator.scenario.change_redraft(change)
    while_new = await caller.put(f"/tickets/{change}/approve", **decision(old.approval_id, "ann@client.com"))
    simulator.scenario.change_state(change, "Assess", approvers=[("Ann", "ann@client.com")])
    new = ticket.approvals[-1]
    late = await caller.put(f"/tickets/{change}/approve", **decision(old.approval_id, "ann@client.com"))
    await caller.put(f"/tickets/{change}/approve", **decision(new.approval_id, "ann@client.com"))

    assert (while_new.status, late.status) == (200, 200)
    assert [(each.round, each.counted) for each in ticket.decisions] == [(1, False), (1, False), (2, True)]
    assert ticket.fields["approval"] == "approved"


async def test_decisions_need_the_asked_approver_a_known_id_and_a_comment_of_body_alone(
    caller: Caller, simulator: EnsonoSimulator, change: str
) -> None:
    path = f"/tickets/{change}/approve"
    good = decision(simulator.tickets[change].approvals[0].approval_id, "ann@client.com")
    bad = {
        "Approver does not match the approval": good | {"approver": "cab@client.com"},
        "Approval not found": good | {"approvalId": "157efa0f"},
        "Missing required field: comments": good | {"comments": []},
        "Unexpected field in comments: commenter": good | {"comments": [{"body": "x", "commenter": "y"}]},
        "Invalid ticketType: Incident": good | {"ticketType": "Incident"},
    }

    answers = {said(await caller.put(path, **payload))["Response"] for payload in bad.values()}

    assert answers == set(bad)
    assert simulator.tickets[change].decisions == []


# Refusals, word for word


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("name", ["TestClient", "testClient ", "", None, 5])
async def test_any_other_client_name_has_no_mapping(caller: Caller, incident: str, method: str, name: Any) -> None:
    path = "/tickets" if method == "POST" else f"/tickets/{incident}/returnptn"

    answer = await caller.send(method, path, json.dumps({"payload": IDENTITY | {"clientName": name}}).encode())

    assert said(answer) == {"Response": "Unable to find mapping for ClientName"}
    assert answer.status == 400


async def test_a_ticket_of_another_company_or_of_nobody_is_not_ours(caller: Caller, simulator: EnsonoSimulator) -> None:
    simulator.scenario.records.add_foreign("e-CS0000001")

    for number in ("e-CS0000001", "e-CS9999999"):
        answer = await caller.put(f"/tickets/{number}/returnptn", **IDENTITY)
        assert said(answer) == {"Response": "APIKey not authorized for ticket company"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/tickets/notes"),
        ("PUT", "/tickets/INC000000/notes"),
        ("PUT", "/tickets/e-cs0000001"),
        ("PUT", "/tickets/e-CS0000001/note"),
        ("PUT", "/tickets/e-CS0000001/close"),
        ("PUT", "/tickets/e-CS0000001/approve"),
        ("PUT", "/tickets/e-CHG0000001"),
        ("PUT", "/tickets/e-CS0000001/"),
        ("POST", "/tickets/e-CS0000001/returnptn"),
        ("DELETE", "/tickets/e-CS0000001"),
        ("GET", "/tickets/e-CHG0000001"),
        ("GET", "/tickets/e-CHG0000001/attachments/a.txt"),
    ],
)
async def test_a_wrong_path_below_tickets_is_a_bad_path(caller: Caller, method: str, path: str) -> None:
    answer = await caller.send(method, path, json.dumps({"payload": {"clientName": "testClient"}}).encode())

    assert said(answer) == {"Response": "Bad Path"}


async def test_an_unknown_group_is_named_by_service_now(
    caller: Caller, simulator: EnsonoSimulator, incident: str
) -> None:
    created = await caller.post("/tickets", **CREATE | {"group": "Nobody"})
    updated = await caller.put(f"/tickets/{incident}", **IDENTITY, group="Nobody")

    assert said(created) == {
        "Response": ["assignment_group sys_id or name not found.", "This ticket cannot be created."]
    }
    assert said(updated)["Response"][1] == "This ticket cannot be updated."
    assert list(simulator.tickets) == [incident]


async def test_errors_come_with_another_status_where_it_is_set(caller: Caller, simulator: EnsonoSimulator) -> None:
    simulator.tickets_api.error_status = 200

    answer = await caller.put("/tickets/notes")

    assert (answer.status, said(answer)) == (200, {"Response": "Bad Path"})


# Validation


@pytest.mark.parametrize(
    "field",
    ["ticketType", "clientTicketNumber", "description", "shortDescription", "contactName", "contactEmail"],
)
@pytest.mark.parametrize("value", [None, "", "  "])
async def test_a_create_without_a_required_field_is_refused(caller: Caller, field: str, value: str | None) -> None:
    payload = {name: given for name, given in CREATE.items() if name != field}

    answer = await caller.post("/tickets", **payload | ({} if value is None else {field: value}))

    assert said(answer) == {"Response": f"Missing required field: {field}"}


@pytest.mark.parametrize("field", ["ticketType", "clientTicketNumber"])
@pytest.mark.parametrize("action", ["", "/notes", "/returnptn"])
async def test_every_update_bears_type_and_client_number(
    caller: Caller, incident: str, field: str, action: str
) -> None:
    payload = {name: value for name, value in IDENTITY.items() if name != field}

    answer = await caller.put(f"/tickets/{incident}{action}", **payload, comments=[{"body": "x"}])

    assert said(answer) == {"Response": f"Missing required field: {field}"}


@pytest.mark.parametrize("ticket_type", ["Change", "incident", "Problem"])
async def test_no_other_ticket_type_can_be_created(caller: Caller, ticket_type: str) -> None:
    answer = await caller.post("/tickets", **CREATE | {"ticketType": ticket_type})

    assert said(answer) == {"Response": f"Invalid ticketType: {ticket_type}"}


@pytest.mark.parametrize(
    ("field", "limit"), [("shortDescription", 160), ("description", 4000)], ids=["shortDescription", "description"]
)
async def test_a_text_may_be_as_long_as_its_limit_escapes_included(caller: Caller, field: str, limit: int) -> None:
    fits = await caller.post("/tickets", **CREATE | {field: "x" * (limit - 2) + "\\n"})
    too_long = await caller.post("/tickets", **CREATE | {field: "x" * (limit - 1) + "\\n"})

    assert fits.status == 200
    assert said(too_long) == {"Response": f"{field} exceeds the limit of {limit} characters"}


async def test_comments_and_close_notes_have_a_limit(caller: Caller, incident: str) -> None:
    long = "x" * 4001

    note = await caller.put(f"/tickets/{incident}/notes", **IDENTITY, comments=[{"body": long}])
    resolve = await caller.put(f"/tickets/{incident}", **IDENTITY, status="resolved", closeNotes=long)

    assert said(note) == {"Response": "body exceeds the limit of 4000 characters"}
    assert said(resolve) == {"Response": "closeNotes exceeds the limit of 4000 characters"}


@pytest.mark.parametrize("text", ["a\rb", "a\nb", "a\tb", 'say "x"', "C:\\dir", "\\", "\x07"])
async def test_special_characters_that_are_escaped_only_once_break_the_parser(
    caller: Caller, simulator: EnsonoSimulator, incident: str, text: str
) -> None:
    note = await caller.put(f"/tickets/{incident}/notes", **IDENTITY, comments=[{"body": text}])
    create = await caller.post("/tickets", **CREATE | {"description": text})

    assert said(note) == {"Response": "Error parsing body: unescaped special character"}
    assert said(create) == {"Response": "Error parsing description: unescaped special character"}
    assert simulator.tickets[incident].comments == []


async def test_priority_impact_and_urgency_fall_back_to_three(caller: Caller, simulator: EnsonoSimulator) -> None:
    answer = await caller.post("/tickets", **CREATE | {"priority": "P1", "impact": "4"})

    fields = simulator.tickets[said(answer)["Response"]].fields
    assert (fields["priority"], fields["impact"], fields["urgency"]) == ("3", "3", "3")


async def test_custom_fields_are_ignored(caller: Caller, simulator: EnsonoSimulator) -> None:
    answer = await caller.post("/tickets", **CREATE, costCentre={"id": 1})

    assert "costCentre" not in simulator.tickets[said(answer)["Response"]].fields


@pytest.mark.parametrize(
    ("changed", "said_back"),
    [
        ({"status": "Resolved"}, "Invalid status: Resolved"),
        ({"status": "resolved"}, "Missing required field: closeNotes"),
        ({"description": 5}, "Invalid value for description: a string is expected"),
        ({"comments": {}}, "comments must be an array of objects"),
        ({"comments": ["x"]}, "comments must be an array of objects"),
        ({"comments": [{"commenter": "x"}]}, "Missing required field: comments.body"),
    ],
)
async def test_a_bad_update_is_refused_and_changes_nothing(
    caller: Caller, simulator: EnsonoSimulator, incident: str, changed: dict[str, Any], said_back: str
) -> None:
    before = dict(simulator.tickets[incident].fields)

    answer = await caller.put(f"/tickets/{incident}", **IDENTITY, **changed)

    assert (answer.status, said(answer)) == (400, {"Response": said_back})
    assert simulator.tickets[incident].fields == before


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b"\xff", b'{"payload": []}', b'{"clientName": "testClient"}']
)
async def test_a_body_that_is_no_wrapped_json_is_refused(caller: Caller, incident: str, body: bytes) -> None:
    answer = await caller.send("PUT", f"/tickets/{incident}/returnptn", body)

    assert said(answer)["Response"] in {"Error parsing request body: it is not valid JSON", "Missing payload"}


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
async def test_only_json_is_taken(caller: Caller, incident: str, content_type: str | None) -> None:
    answer = await caller.send("PUT", f"/tickets/{incident}/returnptn", b"{}", content_type=content_type)

    assert (answer.status, said(answer)) == (415, {"message": "Unsupported Media Type"})


# Reading a ticket


async def test_a_ticket_is_shown_as_service_now_shows_it(
    caller: Caller, simulator: EnsonoSimulator, incident: str
) -> None:
    await caller.put(f"/tickets/{incident}/returnptn", ticketType="Incident", clientTicketNumber="INC0010299")
    await caller.put(f"/tickets/{incident}/notes", **IDENTITY, comments=[{"body": "test comment"}])

    response = said(await caller.send("GET", f"/tickets/{incident}", content_type=None))["Response"]

    assert list(response) == ["task_ci", "attachments", "comments", "incident", "case", "u_task_integ"]
    assert response["incident"]["number"] == incident.removeprefix("e-")
    assert response["case"]["x_aito_data_sync_client_number"] == "INC0010299"
    assert [each["value"] for each in response["comments"].values()] == ["test comment"]


# Files to Ensono


async def test_a_file_is_put_once_to_the_link_it_got(caller: Caller, simulator: EnsonoSimulator, incident: str) -> None:
    answer = said(await caller.send("GET", f"/tickets/{incident}/attachments/test1.pdf", content_type=None))
    path = path_of(answer["Response"]["body"])

    first = await caller.send("PUT", path, b"%PDF", content_type="application/pdf", x_api_key=None)
    second = await caller.send("PUT", path, b"%PDF", content_type="application/pdf", x_api_key=None)

    assert answer["Response"]["code"] == 200
    assert (first.status, first.body, second.status) == (200, b"", 403)
    assert [(each.name, each.size, each.refused) for each in simulator.tickets[incident].files] == [
        ("test1.pdf", 4, "")
    ]


async def test_an_upload_link_lives_two_minutes(caller: Caller, time: Time, incident: str) -> None:
    answer = said(await caller.send("GET", f"/tickets/{incident}/attachments/test1.pdf"))
    time.advance(120)

    late = await caller.send("PUT", path_of(answer["Response"]["body"]), b"%PDF", content_type="application/pdf")

    assert late.status == 403
    assert b"<Message>Request has expired</Message><X-Amz-Expires>120</X-Amz-Expires>" in late.body


@pytest.mark.parametrize(
    ("name", "content_type", "content", "kept"),
    [
        ("a.txt", "text/plain", b"hello", ("a.txt", 5, "")),
        ("a.txt", "text/html", b"hello", ("a.txt", 5, "Content-Type is text/html, not text/plain")),
        ("a.unknown", "application/x-anything", b"hello", ("a.unknown", 5, "")),
        ("a.docx.base64", "text/plain", b"aGVsbG8=", ("a.docx", 5, "")),
        ("a.docx.base64", "text/plain", b"hello", ("a.docx", 5, "not Base64")),
        ("a.docx.base64", "image/png", b"aGVsbG8=", ("a.docx", 5, "Content-Type is image/png, not text/plain")),
    ],
)
async def test_a_file_of_the_wrong_type_is_taken_but_not_added(
    caller: Caller, simulator: EnsonoSimulator, incident: str, name: str, content_type: str, content: bytes, kept: Any
) -> None:
    answer = said(await caller.send("GET", f"/tickets/{incident}/attachments/{name}"))

    put = await caller.send("PUT", path_of(answer["Response"]["body"]), content, content_type=content_type)

    assert put.status == 200
    assert [(each.name, each.size, each.refused) for each in simulator.tickets[incident].files] == [kept]


@pytest.mark.parametrize("name", ["a%20b.txt", "a_b.txt", ".hidden", "-a.txt", "a", "%C3%A4.txt", "a%2Fb.txt"])
async def test_a_file_name_outside_the_rules_is_refused(caller: Caller, incident: str, name: str) -> None:
    answer = await caller.send("GET", f"/tickets/{incident}/attachments/{name}")

    assert said(answer) == {"Response": "Invalid file name"}


@pytest.mark.parametrize("name", ["setup.exe", "setup.EXE", "setup.exe.base64"])
async def test_programs_are_refused(caller: Caller, incident: str, name: str) -> None:
    answer = await caller.send("GET", f"/tickets/{incident}/attachments/{name}")

    assert said(answer) == {"Response": "File type not allowed"}
