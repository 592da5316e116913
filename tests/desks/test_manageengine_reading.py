from datetime import UTC, datetime
from typing import Any

import pytest
from desk_world import NOT_FOUND, TOKEN, Script, change, cloud, desk, done, error_of, listed, on_premises, request
from hypothesis import given
from hypothesis import strategies as st

from envision_worker.desks.desk import DeskRef, FileStub, Life, NoteStub
from envision_worker.desks.manageengine import shapes
from envision_worker.desks.manageengine.fields import plain
from envision_worker.errors import Malformed, Refused, RefusedFor
from envision_worker.vocabulary import DeskKind, DeskTicketId

REQUEST = DeskRef(DeskKind.REQUEST, DeskTicketId("71"))
CHANGE = DeskRef(DeskKind.CHANGE, DeskTicketId("9"))
CREATED = datetime(2022, 8, 9, 13, 6, 35, 904000, tzinfo=UTC)


async def test_a_request_is_read_as_the_desk_tells_it() -> None:
    ticket = await desk(Script(done(request=request()))).read(REQUEST)
    assert (ticket.ref, ticket.number, ticket.ensono_number) == (REQUEST, "71", "e-CS0100200")
    assert (ticket.title, ticket.status, ticket.life, ticket.stage) == ("Disk full", "Open", Life.OPEN, None)
    assert (ticket.trashed, ticket.created) == (False, CREATED)


async def test_ids_may_be_numbers_and_much_may_be_missing() -> None:
    ticket = await desk(Script(done(request={"id": 71, "status": None, "created_time": {"value": "soon"}}))).read(
        REQUEST
    )
    assert (ticket.ref.id, ticket.number, ticket.ensono_number, ticket.status) == ("71", "71", "", "")
    assert ticket.created is None


@pytest.mark.parametrize("entity", [None, [], "x", {}, {"id": None}, {"id": {}}, {"id": 7.0}])
async def test_an_answer_without_the_ticket_is_malformed(entity: Any) -> None:
    assert isinstance(await error_of(desk(Script(done(request=entity))).read(REQUEST)), Malformed)


@pytest.mark.parametrize(
    ("status", "life"),
    [("Resolved", Life.RESOLVED), ("closed ", Life.CLOSED), ("Canceled", Life.CANCELLED), ("On Hold", Life.OPEN)],
)
async def test_the_status_of_a_request_is_its_life(status: str, life: Life) -> None:
    ticket = await desk(Script(done(request=request(status={"name": status})))).read(REQUEST)
    assert ticket.life is life


@pytest.mark.parametrize(
    ("stage", "status", "life"),
    [
        ("Implementation", "In Progress", Life.OPEN),
        ("Close", "Completed", Life.CLOSED),
        ("Close", "In Review", Life.CLOSED),
        ("Review", "Completed", Life.OPEN),
        ("Close", "Canceled", Life.CANCELLED),
        ("CAB Evaluation", "Rejected", Life.CLOSED),
    ],
)
async def test_stage_and_status_of_a_change_are_its_life(stage: str, status: str, life: Life) -> None:
    entity = change(stage={"name": stage, "id": "1"}, status={"name": status, "id": "2"})
    ticket = await desk(Script(done(change=entity))).read(CHANGE)
    assert (ticket.life, ticket.stage, ticket.status, ticket.title) == (life, stage, status, "Patch day")


async def test_what_lies_in_the_trash_says_so() -> None:
    assert (await desk(Script(done(request=request(is_trashed=True)))).read(REQUEST)).trashed
    entity = request(deleted_time={"value": "1660050395904"}, display_id="102")
    assert (await desk(Script(TOKEN, done(request=entity)), cloud()).read(REQUEST)).trashed


async def test_the_cloud_calls_its_tickets_by_their_display_id() -> None:
    script = Script(TOKEN, done(request=request("123640000000240013", display_id=102)))
    ticket = await desk(script, cloud()).read(DeskRef(DeskKind.REQUEST, DeskTicketId("123640000000240013")))
    assert (ticket.ref.id, ticket.number) == ("123640000000240013", "102")


async def test_notes_of_every_shape_come_oldest_first() -> None:
    rows: list[dict[str, Any]] = [
        {"id": "12", "added_time": {"value": "2000"}},
        {"id": 9, "created_time": {"value": "2000"}},
        {"id": "200", "performed_time": {"value": "1000"}},
        {"id": "3"},
        {"id": "12", "added_time": {"value": "2000"}},
        {},
    ]
    notes = await desk(Script(listed("notes", *rows))).notes(REQUEST)
    assert [note.id for note in notes] == ["3", "200", "9", "12"]
    assert notes[0] == NoteStub("3", None)


async def test_the_text_of_a_note_is_read_by_its_id() -> None:
    script = Script(done(note={"id": "12", "description": "<p>Hello</p>"}))
    assert await desk(script).note_text(REQUEST, "12") == "<p>Hello</p>"
    assert script.calls == ["GET requests/71/notes/12"]
    error = await error_of(desk(Script(NOT_FOUND)).note_text(REQUEST, "12"))
    assert isinstance(error, Refused)
    assert error.why is RefusedFor.NOT_FOUND
    assert isinstance(await error_of(desk(Script(done())).note_text(REQUEST, "12")), Malformed)


async def test_a_size_is_told_in_bytes_or_rounded_or_not_at_all() -> None:
    rows: list[dict[str, Any]] = [
        {"size": "73.78KB", "file_name": "old.png", "content_url": "/api/v3/attachments/606", "id": "606"},
        {"id": 607, "name": "new.png", "size": {"display_value": "73.78 KB", "value": "75551"}},
        {"id": "608", "name": "bytes", "size": 12},
        {"id": "609", "name": "none", "size": None},
        {"id": "610", "name": "large", "size": "1.5 mb"},
        {"id": "611", "name": "whole", "size": "3KB"},
        {"id": "612", "name": "words", "size": "about 3KB"},
    ]
    script = Script(listed("attachments", *rows))
    assert await desk(script).files(REQUEST) == [
        FileStub("606", "old.png", 75551, rounded_by=11),
        FileStub("607", "new.png", 75551),
        FileStub("608", "bytes", 12),
        FileStub("609", "none", None),
        FileStub("610", "large", 1572864, rounded_by=104858),
        FileStub("611", "whole", 3072, rounded_by=1024),
        FileStub("612", "words", None),
    ]
    assert script.calls == ["GET requests/71/attachments"]


@pytest.mark.parametrize("shown", [f"{75551 / 1024:.2f}KB", "73.77KB"])
def test_a_rounded_size_is_near_the_files_own_whether_the_desk_rounded_it_or_cut_it_off(shown: str) -> None:
    stub = shapes.file_stub({"id": "606", "file_name": "old.png", "size": shown})
    assert stub is not None
    assert stub.size is not None
    assert abs(stub.size - 75551) <= stub.rounded_by < 0.02 * 1024


async def test_the_cloud_lists_files_on_the_ticket_itself() -> None:
    entity = change(
        attachments=[{"id": "1", "name": "a", "size": {"value": "5"}}], display_id={"display_value": "CH-9"}
    )
    script = Script(TOKEN, done(change=entity))
    assert await desk(script, cloud()).files(CHANGE) == [FileStub("1", "a", 5)]
    assert script.calls[1:] == ["GET changes/9"]


async def test_a_ticket_that_has_files_and_does_not_list_them_is_not_taken_for_one_without() -> None:
    settings = on_premises(flavour={"request_files": "ticket"})
    assert await desk(Script(done(request=request(has_attachments=False))), settings).files(REQUEST) == []
    error = await error_of(desk(Script(done(request=request(has_attachments=True))), settings).files(REQUEST))
    assert isinstance(error, Malformed)


@pytest.mark.parametrize(
    ("body", "identifier"),
    [
        ({"attachment": {"id": 5}}, "5"),
        ({"attachments": [{"id": "6"}]}, "6"),
        ({"file_id": 7}, "7"),
        ({"files": [{"file_id": "8"}]}, "8"),
        ({"attachment": None, "files": ["x"]}, ""),
    ],
)
def test_the_id_of_an_upload_is_found_in_every_shape(body: dict[str, Any], identifier: str) -> None:
    assert shapes.uploaded_id(body) == identifier


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(value=ANYTHING)
def test_no_value_breaks_the_reading_of_one(value: Any) -> None:
    shapes.text(value)
    shapes.name(value)
    shapes.whole(value)
    shapes.flag(value)
    shapes.moment(value)
    shapes.moment({"value": value})
    shapes.part(value, "a", "b")
    shapes.note_stub({"id": value, "added_time": value})
    shapes.file_stub({"id": value, "name": value, "size": value})
    shapes.uploaded_id({"attachment": value, "files": value, "file_id": value})


@given(value=st.text())
def test_a_plain_text_has_one_line_of_at_most_250_characters(value: str) -> None:
    cut = plain(value)
    assert len(cut) <= 250
    assert cut.splitlines() in ([], [cut])
    assert cut == cut.strip()


def test_ids_are_ranked_as_numbers() -> None:
    assert sorted(["10", "9", "123640000000240013", "00099"], key=shapes.rank) == [
        "9",
        "10",
        "00099",
        "123640000000240013",
    ]
