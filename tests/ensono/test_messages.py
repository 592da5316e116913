"""Queue messages as typed transactions: tolerant of all that the guide contradicts itself in, strict about what a handler needs."""

import copy
import json
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from envision_worker.ensono.delivery import Delivery
from envision_worker.ensono.fields import MalformedMessage, TicketFields, lowered
from envision_worker.ensono.fields import text as cleaned
from envision_worker.ensono.messages import (
    ApprovalRequest,
    Attachment,
    Closure,
    Create,
    Notes,
    Redraft,
    ReturnEnsonoNum,
    Transaction,
    Update,
)
from envision_worker.ensono.parsing import parse
from envision_worker.simulators.ensono.guide_samples import samples
from envision_worker.vocabulary import TicketType, TransactionType

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=20,
)


def delivered(message: object) -> Delivery:
    return Delivery.of(message, received=NOW)


def parsed(message: object) -> Transaction:
    """The whole way: envelope, copy, transaction."""
    envelope = delivered(message)
    return parse(envelope.raw, ticket=envelope.ticket, message_id=envelope.message_id, content_key=envelope.content_key)


def sample(name: str, **changes: Any) -> dict[str, Any]:
    message = copy.deepcopy(samples()[name])
    message["Body"] |= changes
    return message


# --- the guide's samples -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "ticket_type"),
    [
        ("incident-create", Create, TicketType.INCIDENT),
        ("incident-update", Update, TicketType.INCIDENT),
        ("incident-notes", Notes, TicketType.INCIDENT),
        ("incident-closure", Closure, TicketType.INCIDENT),
        ("return-ensono-num", ReturnEnsonoNum, TicketType.INCIDENT),
        ("change-create", Create, TicketType.CHANGE),
        ("change-update", Update, TicketType.CHANGE),
        ("change-notes", Notes, TicketType.CHANGE),
        ("change-closure", Closure, TicketType.CHANGE),
        ("change-redraft", Redraft, TicketType.CHANGE),
        ("change-attachment", Attachment, TicketType.CHANGE),
        ("change-approval-request", ApprovalRequest, TicketType.CHANGE),
    ],
)
def test_every_sample_is_the_transaction_that_it_says(name: str, kind: type, ticket_type: TicketType) -> None:
    transaction = parsed(sample(name))
    assert type(transaction) is kind
    assert transaction.ticket_type is ticket_type
    assert transaction.ticket == samples()[name]["Attributes"]["MessageGroupId"]
    assert delivered(sample(name)).faults == ()


def test_no_sample_is_left_out() -> None:
    assert len(samples()) == 12


def test_the_incident_create_is_read_whole() -> None:
    transaction = parsed(sample("incident-create"))
    assert transaction.fields.given() == {
        "short_description": "test",
        "description": "test",
        "status": "open",
        "priority": "4",
        "impact": "3",
        "urgency": "3",
        "group": "Ensono Support",
        "ensono_group": "CS - 1st Line",
        "category": "Private Cloud",
        "origin": "Web",
        "opened_time": "2023-01-27T22:24:53Z",
    }
    assert transaction.sent == datetime(2023, 1, 27, 22, 25, 34, 956000, UTC)
    assert (transaction.client_ticket_number, transaction.reference_available) == (None, False)
    assert transaction.repeatable_key is None


def test_the_incident_update_says_what_changed() -> None:
    transaction = parsed(sample("incident-update"))
    assert isinstance(transaction, Update)
    assert transaction.changed is not None
    assert transaction.changed.given() == {
        "status": "pending",
        "status_next_action": "pending-caller",
        "off_hold_date": "2023-01-28T22:26:23Z",
        "updated_on": "2023-01-27T22:26:29Z",
    }
    assert transaction.repeatable_key == transaction.content_key


def test_the_notes_are_read_whole() -> None:
    transaction = parsed(sample("incident-notes"))
    assert isinstance(transaction, Notes)
    note = transaction.note
    assert (note.id, note.public, note.body) == ("33cd921f1b64211426a2da49b04bcb1e", True, "adding comment")
    assert (note.commenter, note.commenter_email) == ("Ensono User", "Ensono.User@Ensono.com")
    assert note.time == "2023-01-27T22:26:29Z"


def test_the_attachment_is_read_whole() -> None:
    transaction = parsed(sample("change-attachment"))
    assert isinstance(transaction, Attachment)
    file = transaction.file
    assert (file.name, file.content_type, file.size) == ("rocket.jpg", "image/jpeg", 138092)
    assert file.url.startswith("https://envxs2qdev1outbound-bucket.s3.us-west-1.amazonaws.com/rocket.jpg?")
    assert not file.url.endswith(" ")
    assert file.info.endswith("/22aac7831bb02d1026a2da49b04bcb36")
    assert transaction.fields.ensono_group == "Platform BPMDevandSupport"


def test_the_approval_request_is_read_whole() -> None:
    transaction = parsed(sample("change-approval-request"))
    assert isinstance(transaction, ApprovalRequest)
    approval = transaction.approval
    assert (approval.id, approval.approver_name) == ("157efa0f1b702d1026a2da49b04bcbf4", "Default User")
    assert approval.approver_email == "noreply@client.com"


# --- spellings -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["updatedOn", "updateOn", "updatedAt", "UPDATEDON", " updatedOn "])
def test_the_update_time_has_three_names(spelling: str) -> None:
    message = sample("incident-create", **{spelling: "2026-03-02T06:00:00Z "})
    assert parsed(message).fields.updated_on == "2026-03-02T06:00:00Z"


@pytest.mark.parametrize(
    ("given_name", "name"), [("ensonogroup", "ensono_group"), ("Impact", "impact"), ("openedAt", "opened_time")]
)
def test_names_of_fields_are_taken_in_any_case(given_name: str, name: str) -> None:
    message = sample("incident-create")
    for key in ("ensonoGroup", "impact", "openedTime"):
        message["Body"].pop(key)
    message["Body"][given_name] = " value "
    assert getattr(parsed(message).fields, name) == "value"


@pytest.mark.parametrize("spelling", ["Approval Request", "ApprovalRequest", "approval request", " APPROVAL  REQUEST "])
def test_a_transaction_type_is_taken_in_any_case_and_told_as_the_guide_writes_it(spelling: str) -> None:
    message = sample("change-approval-request")
    message["Attributes"]["TransactionType"] = spelling
    assert isinstance(parsed(message), ApprovalRequest)
    assert delivered(message).transaction_type == TransactionType.APPROVAL_REQUEST


def test_an_unknown_transaction_type_is_kept_as_sent() -> None:
    message = sample("incident-create")
    message["Attributes"]["TransactionType"] = " Teleport "
    assert delivered(message).transaction_type == "Teleport"


@pytest.mark.parametrize("ticket_type", ["Incident", "incident ", "INCIDENT"])
def test_a_ticket_type_is_taken_in_any_case(ticket_type: str) -> None:
    assert parsed(sample("incident-create", ticketType=ticket_type)).ticket_type is TicketType.INCIDENT


def test_a_change_is_known_by_its_number_where_the_type_is_missing() -> None:
    assert parsed(sample("change-create", ticketType="")).ticket_type is TicketType.CHANGE


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, True), ("true", True), (" True ", True), (False, False), ("", False), (None, False), (1, False)],
)
def test_the_reference_is_available_only_where_that_is_said(value: object, expected: bool) -> None:  # noqa: FBT001
    message = sample("incident-create")
    message["Attributes"]["ClientReferenceAvailable"] = value
    assert parsed(message).reference_available is expected


@pytest.mark.parametrize("changed", [None, "", [], {}])
def test_an_update_that_says_of_no_change_has_none(changed: object) -> None:
    transaction = parsed(sample("incident-update", changed=changed))
    assert isinstance(transaction, Update)
    assert not (transaction.changed and transaction.changed.given())


# --- the envelope ----------------------------------------------------------------------------------------------------------


def test_the_copy_holds_everything_but_the_receipt_handle() -> None:
    message = sample("incident-create")
    kept = json.loads(delivered(message).raw)
    assert kept == {key: value for key, value in message.items() if key != "ReceiptHandle"}


@pytest.mark.parametrize("handle", ["AQEB/+=", " AQEB ", "AQEB\u0000\ud800"])
def test_a_handle_is_kept_exactly_as_sent(handle: str) -> None:
    message = sample("incident-create")
    message["ReceiptHandle"] = handle
    assert delivered(message).receipt_handle == handle


def test_neither_handle_nor_link_nor_content_shows_in_a_repr() -> None:
    message = sample("change-attachment")
    shown = repr(delivered(message)) + repr(parsed(message))
    assert "X-Amz" not in shown
    assert message["ReceiptHandle"] not in shown


def test_what_is_wrong_with_a_delivery_is_named() -> None:
    message = sample("incident-create")
    del message["MessageId"]
    message["ReceiptHandle"] = 5
    message["Attributes"] |= {"SequenceNumber": "many", "ApproximateReceiveCount": None}
    envelope = delivered(message)
    assert envelope.faults == (
        ("MessageId", "is missing"),
        ("ReceiptHandle", "is a number, not text"),
        ("Attributes.SequenceNumber", "is no whole number"),
        ("Attributes.ApproximateReceiveCount", "is no whole number"),
    )
    assert (envelope.receipt_handle, envelope.sequence, envelope.receive_count) == (None, 0, 1)


def test_a_message_without_an_id_has_the_same_stand_in_at_each_delivery() -> None:
    message = sample("incident-create")
    del message["MessageId"]
    first = delivered(message)
    message["ReceiptHandle"] = "another"
    message["Attributes"] |= {"ApproximateReceiveCount": "7", "ApproximateFirstReceiveTimestamp": "9"}
    assert delivered(message).message_id == first.message_id
    message["Body"]["shortDescription"] = "other"
    assert delivered(message).message_id != first.message_id


def test_messages_without_a_group_are_groups_of_their_own() -> None:
    first, second = sample("incident-create"), sample("incident-update")
    for message in (first, second):
        del message["Attributes"]["MessageGroupId"]
    assert delivered(first).ticket != delivered(second).ticket


def test_equal_content_is_recognised_under_another_id_and_a_new_signature() -> None:
    first, again = sample("change-attachment"), sample("change-attachment")
    again["MessageId"] = "another"
    again["Body"] |= {"attachment": "https://x.amazonaws.com/rocket.jpg?X-Amz-Signature=new", "clientTicketNumber": "7"}
    assert delivered(first).content_key == delivered(again).content_key
    again["Body"]["attachmentName"] = "other.jpg"
    assert delivered(first).content_key != delivered(again).content_key


def test_the_same_file_sent_again_has_the_same_key_and_any_other_has_another() -> None:
    def key(**changes: str) -> str:
        message = sample("change-attachment", **changes)
        message["MessageId"] = f"message {sorted(changes.items())}"
        transaction = parsed(message)
        assert isinstance(transaction, Attachment)
        return transaction.file.key

    info = "https://ensono.example.com/sys_attachment.do?sys_id="
    keys = [
        key(),
        key(attachmentInfo=info + "1"),
        key(attachmentInfo=info + "2"),
        key(attachmentName="other.jpg"),
        key(attachmentSize="1"),
        key(attachmentInfo="", attachmentName="a"),
        key(attachmentInfo="", attachmentName="b"),
    ]
    assert len(set(keys)) == len(keys)
    assert key(attachment="https://x.amazonaws.com/rocket.jpg?X-Amz-Signature=new") == key()


def test_a_file_without_a_name_is_called_as_its_address() -> None:
    link = "https://x.amazonaws.com/some/my%20report%20%C3%BC.pdf?X-Amz-Signature=s"
    transaction = parsed(sample("change-attachment", attachmentName="", attachment=link))
    assert isinstance(transaction, Attachment)
    assert transaction.file.name == "my report ü.pdf"


# --- anything at all ---------------------------------------------------------------------------------------------------------


def refusal(message: object) -> MalformedMessage | None:
    """What keeps a message from being read, if anything does."""
    try:
        parsed(message)
    except MalformedMessage as exc:
        return exc
    return None


def assert_read(message: object) -> None:
    """Whatever it is, it is kept, and it is a transaction or an error that names a field."""
    envelope = delivered(message)
    assert envelope.message_id
    assert envelope.ticket
    for shown in (envelope.message_id, envelope.ticket, envelope.transaction_type, envelope.ticket_type, envelope.raw):
        shown.encode()
    refused = refusal(message)
    if refused is None:
        repr(parsed(message)).encode()
    else:
        assert refused.field
        assert refused.problem


@given(JSON)
@example("\ud800")
@example({"MessageId": "\ud800", "Attributes": {"MessageGroupId": "\udfff", "TransactionType": "\x00"}})
def test_any_json_is_read_or_refused_by_name(message: object) -> None:
    assert_read(message)


BODY_FIELDS = [
    "ticketType",
    "ticketNumber",
    "clientTicketNumber",
    "changed",
    "notes",
    "attachment",
    "attachmentInfo",
    "attachmentSize",
    "attachmentName",
    "attachmentType",
    "approvalId",
    "approverEmail",
    "status",
    "state",
    "cis",
    "updatedOn",
]


@given(
    st.sampled_from(sorted(samples())),
    st.dictionaries(st.sampled_from(["MessageId", "ReceiptHandle", "Body", "Attributes"]), JSON, max_size=2),
    st.dictionaries(
        st.sampled_from(
            [
                "MessageGroupId",
                "TransactionType",
                "SentTimestamp",
                "SequenceNumber",
                "ApproximateReceiveCount",
                "ClientReferenceAvailable",
            ]
        ),
        JSON,
        max_size=3,
    ),
    st.dictionaries(
        st.sampled_from(BODY_FIELDS),
        JSON,
        max_size=4,
    ),
)
def test_any_sample_with_anything_in_it_is_read_or_refused_by_name(
    name: str, envelope: dict[str, Any], attributes: dict[str, Any], body: dict[str, Any]
) -> None:
    message = sample(name, **body)
    message["Attributes"] |= attributes
    assert_read(message | envelope)


@pytest.mark.parametrize("depth", [100, sys.getrecursionlimit() - 60, sys.getrecursionlimit() * 3])
@pytest.mark.parametrize("place", ["Body", "Attributes", "whole"])
def test_what_is_nested_too_deeply_is_kept_as_far_as_it_goes_and_refused(depth: int, place: str) -> None:
    nested: object = "bottom"
    for _ in range(depth):
        nested = [nested]
    message: object = {**sample("incident-create"), place: nested} if place != "whole" else nested
    assert_read(message)
    with pytest.raises(MalformedMessage):
        parsed(message)


@given(st.text())
def test_cleaned_text_can_be_written_anywhere(value: str) -> None:
    shown = cleaned(value)
    assert shown is None or (shown == shown.strip() and shown)
    (shown or "").encode()
    assert not any(ord(char) < 32 and char not in "\t\n\r" for char in shown or "")


@given(JSON)
def test_a_field_is_text_none_or_refused_by_its_path(value: object) -> None:
    refused = refusal(sample("incident-create", cis=value))
    if refused is None:
        assert cleaned(value, "Body.cis") == parsed(sample("incident-create", cis=value)).fields.cis
    else:
        assert refused.field == "Body.cis"
        assert isinstance(value, dict | list)


@given(st.dictionaries(st.text(max_size=30), st.text(max_size=30)))
def test_a_body_of_texts_is_always_read(body: dict[str, str]) -> None:
    fields = TicketFields.of(lowered(body))
    assert set(fields.given().values()) <= {cleaned(value) for value in body.values()}


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_the_group_and_nothing_else_is_the_ticket(group: str, number: str) -> None:
    message = sample("incident-create", ticketNumber=number)
    message["Attributes"]["MessageGroupId"] = group
    refused = refusal(message)
    if refused is None:
        assert parsed(message).ticket == cleaned(group)
    else:
        assert cleaned(group) is None or cleaned(number) not in (None, cleaned(group))
        assert refused.field in {"Body.ticketNumber", "Attributes.MessageGroupId"}
