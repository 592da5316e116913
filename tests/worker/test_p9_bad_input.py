"""Any bytes from the queue: an error that names message and field, a copy kept, and the loop goes on (P9, P6)."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envision_worker.simulators.ensono.guide_samples import samples
from worker.stories import dead_letters, fitting, note_words, outcomes, story, virtual
from worlds.simulated import World

BAD_ID, BAD_TICKET = "bad-message", "e-CS0666666"
Spoil = Callable[[dict[str, Any]], None]


def message(kind: str = "incident-update") -> dict[str, Any]:
    """A sample as the message of a ticket of its own."""
    made = copy.deepcopy(samples()[kind])
    made["MessageId"] = BAD_ID
    made["Attributes"] |= {"MessageGroupId": BAD_TICKET, "SentTimestamp": "1772431200000"}
    made["Body"]["ticketNumber"] = BAD_TICKET
    return made


def body(**values: Any) -> Spoil:
    return lambda given: given["Body"].update(values)


def attributes(**values: Any) -> Spoil:
    return lambda given: given["Attributes"].update(values)


def whole(**values: Any) -> Spoil:
    return lambda given: given.update(values)


def without(part: str, name: str) -> Spoil:
    return lambda given: given[part].pop(name)


SPOILT: dict[str, tuple[str, Spoil, str]] = {
    "no body": ("incident-update", lambda given: given.pop("Body"), "Body"),
    "null body": ("incident-update", whole(Body=None), "Body"),
    "body that is no JSON": ("incident-update", whole(Body="{unparsable"), "Body"),
    "body of text": ("incident-update", whole(Body="hello"), "Body"),
    "body that is a list": ("incident-update", whole(Body=[{"ticketNumber": BAD_TICKET}]), "Body"),
    "body nested too deeply": ("incident-update", whole(Body="[" * 100_000), "Body"),
    "no attributes": ("incident-update", lambda given: given.pop("Attributes"), "Attributes"),
    "attributes that are a list": ("incident-update", whole(Attributes=[1, 2]), "Attributes"),
    "unknown transaction type": ("incident-update", attributes(TransactionType="Teleport"), "Attributes.TransactionType"),
    "no transaction type": ("incident-update", without("Attributes", "TransactionType"), "Attributes.TransactionType"),
    "transaction type that is an object": (
        "incident-update", attributes(TransactionType={"a": 1}), "Attributes.TransactionType",
    ),
    "no message group": ("incident-update", without("Attributes", "MessageGroupId"), "Attributes.MessageGroupId"),
    "null message group": ("incident-update", attributes(MessageGroupId=None), "Attributes.MessageGroupId"),
    "empty message group": ("incident-update", attributes(MessageGroupId=" "), "Attributes.MessageGroupId"),
    "message group that is a number": ("incident-update", attributes(MessageGroupId=7), "Attributes.MessageGroupId"),
    "no time": ("incident-update", without("Attributes", "SentTimestamp"), "Attributes.SentTimestamp"),
    "time that is none": ("incident-update", attributes(SentTimestamp="yesterday"), "Attributes.SentTimestamp"),
    "time beyond any calendar": ("incident-update", attributes(SentTimestamp="9" * 30), "Attributes.SentTimestamp"),
    "unknown ticket type": ("incident-update", body(ticketType="Problem"), "Body.ticketType"),
    "no ticket type": ("incident-update", without("Body", "ticketType"), "Body.ticketType"),
    "another ticket's number": ("incident-update", body(ticketNumber="e-CS0000001"), "Body.ticketNumber"),
    "client number that is an object": ("incident-update", body(clientTicketNumber={}), "Body.clientTicketNumber"),
    "status that is an object": ("incident-create", body(status={"name": "open"}), "Body.status"),
    "list of objects": ("incident-create", body(cis=[{"name": "srv-1"}]), "Body.cis"),
    "changed that is text": ("incident-update", body(changed="priority"), "Body.changed"),
    "changed that is a number": ("incident-update", body(changed=5), "Body.changed"),
    "object in changed": ("incident-update", body(changed={"priority": {}}), "Body.changed.priority"),
    "no notes": ("incident-notes", without("Body", "notes"), "Body.notes"),
    "notes that are a list": ("incident-notes", body(notes=[{"body": "hello"}]), "Body.notes"),
    "object for a comment": ("incident-notes", body(notes={"id": "a", "body": {}}), "Body.notes.body"),
    "attachment without address": ("change-attachment", body(ticketType="Incident", attachment=" "), "Body.attachment"),
    "object for an address": ("change-attachment", body(ticketType="Incident", attachment={}), "Body.attachment"),
    "object for a size": ("change-attachment", body(ticketType="Request", attachmentSize={}), "Body.attachmentSize"),
    "closure without status": ("incident-closure", body(status="", changed=None), "Body.status"),
}  # fmt: skip


async def play(world: World, bad: Any) -> None:
    """A bad message between good ones of two other tickets, the last of them much later."""
    scenario = world.ensono.scenario
    before = scenario.incident_create(shortDescription="before")
    scenario.push(bad, verbatim=True)
    scenario.notes(before, "in the same read")
    after = scenario.incident_create(shortDescription="after")
    await world.clock.sleep(100)
    scenario.notes(after, "later")
    await world.clock.sleep(100)


def assert_others_are_untouched(world: World) -> None:
    by_title = {str(each.fields["subject"]): note_words(each) for each in world.requests()}
    assert set(by_title) == {"before", "after"}
    assert "in the same read" in by_title["before"][0]
    assert "later" in by_title["after"][0]


@pytest.mark.parametrize("case", SPOILT)
@virtual
async def test_a_spoilt_message_is_told_by_id_and_field_kept_and_harms_no_other(tmp_path: Path, case: str) -> None:
    kind, spoil, field = SPOILT[case]
    bad = message(kind)
    spoil(bad)
    async with story(tmp_path, settings=fitting()) as world:
        await play(world, bad)
        [kept] = await dead_letters(world)
    assert_others_are_untouched(world)
    assert {(line["message_id"], line["field"]) for line in world.events("message_malformed")} == {(BAD_ID, field)}
    assert (kept.message_id, kept.reason) == (BAD_ID, "malformed")
    assert field in kept.detail
    assert set(outcomes(world, BAD_ID)) == {"dead_letter"}
    shown = {key: value for key, value in bad.items() if key not in {"ReceiptHandle", "Attributes"}}
    assert shown.items() <= json.loads(kept.raw).items()


@pytest.mark.parametrize("bad", [None, 0, 1.5, True, "text", [], [1], {}], ids=repr)
@virtual
async def test_what_is_no_message_at_all_is_told_kept_and_harms_no_other(tmp_path: Path, bad: Any) -> None:
    async with story(tmp_path) as world:
        await play(world, bad)
        [kept] = await dead_letters(world)
    assert_others_are_untouched(world)
    assert kept.message_id.startswith("sha256:")
    assert kept.reason == "malformed"
    assert {line["message_id"] for line in world.events("message_malformed")} == {kept.message_id}


@virtual
async def test_a_message_without_an_id_is_applied_once_and_its_lack_is_told(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        bad = message("incident-notes")
        del bad["MessageId"]
        await play(world, bad)
        made = [each for each in world.requests() if each.fields["subject"] == "test"]
    [request] = made
    assert len(request.notes) == 1
    assert "MessageId" in {line["field"] for line in world.events("message_malformed")}


@pytest.mark.parametrize("handle", [None, "", 5, {}])
@virtual
async def test_a_message_without_a_handle_is_applied_once_and_its_lack_is_told(tmp_path: Path, handle: Any) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        bad = message("incident-notes")
        bad["ReceiptHandle"] = handle
        await play(world, bad)
        await world.quiet()  # it can't be deleted: in the end Ensono moves it away
    [request] = [each for each in world.requests() if each.fields["subject"] == "test"]
    assert len(request.notes) == 1
    assert (BAD_ID, "ReceiptHandle") in {
        (line["message_id"], line["field"]) for line in world.events("message_malformed")
    }
    assert set(outcomes(world, BAD_ID)) == {"applied", "already_applied"}


@virtual
async def test_behind_a_spoilt_message_its_ticket_waits_and_an_operator_lets_it_go_on(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        scenario = world.ensono.scenario
        number = scenario.incident_create()
        await world.quiet()
        scenario.notes(number, "spoilt")
        spoilt = world.ensono.queue.messages()[-1]
        spoilt.content["Body"]["notes"] = 5
        scenario.notes(number, "behind it")
        await world.clock.sleep(100)
        assert note_words(world.requests()[0]) == []
        [kept] = await dead_letters(world)
        assert kept.message_id == spoilt.message_id


@virtual
async def test_numbers_truth_values_and_lists_of_texts_are_read_as_text(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        world.ensono.scenario.records.open("Incident", {}, number="e-CS0000007")
        given = message("incident-create")
        given["Attributes"]["SentTimestamp"] = 1772431200000
        given["Body"] = {
            "ticketType": "INCIDENT ",
            " TicketNumber": BAD_TICKET,
            "priority": 1,
            "impact": 2.5,
            "cis": ["srv-1", "srv-2"],
            "shortDescription": True,
            "Description": 10**30,
        }
        world.ensono.scenario.push(given, verbatim=True)
        world.ensono.scenario.records.know({"ticketNumber": BAD_TICKET, "ticketType": "Incident"})
        await world.quiet()
    [request] = world.requests()
    assert request.fields["subject"] == "true"
    assert world.desk.setup.row("priorities", request.fields["priority"]).name == "High"
    described = str(request.fields["description"])
    assert str(10**30) in described
    assert "CIs: srv-1, srv-2" in described


@virtual
async def test_a_body_may_come_as_the_string_that_the_queue_itself_holds(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        given = message("incident-create")
        given["Body"] = json.dumps(given["Body"])
        world.ensono.scenario.push(given, verbatim=True)
        world.ensono.scenario.records.know({"ticketNumber": BAD_TICKET, "ticketType": "Incident"})
        await world.quiet()
    assert [each.fields["subject"] for each in world.requests()] == ["test"]
