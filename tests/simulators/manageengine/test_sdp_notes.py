"""Notes on requests and changes (reference: notes)."""

from sdp_caller import Caller, Time, cloud, on_premises

NOTE = {
    "description": "<p>Hello</p>",
    "show_to_requester": True,
    "notify_technician": False,
    "mark_first_response": False,
    "add_to_linked_requests": False,
}


async def test_a_request_note_on_premises_is_shaped_as_the_sample(desk: Caller) -> None:
    await desk.request()
    answer = await desk.post("requests/1/notes", {"note": NOTE})
    assert answer.status == 201
    note = answer.said["note"]
    assert set(note) == {
        "request", "last_updated_by", "added_time", "has_attachments", "attachments", "last_updated_time", "added_by",
        "show_to_requester", "description", "id",
    }  # fmt: skip
    assert note["request"] == {"subject": "Printer", "id": "1"}
    assert note["show_to_requester"] is True
    assert note["description"] == "<p>Hello</p>"


async def test_a_request_note_in_the_cloud_has_another_key_and_other_names(cloud_desk: Caller) -> None:
    request_id = await cloud_desk.request()
    answer = await cloud_desk.post(f"requests/{request_id}/notes", {"request_note": NOTE})
    note = answer.said["request_note"]
    assert {"created_by", "created_time", "notify_technician", "mark_first_response", "add_to_linked_requests"} <= set(
        note
    )
    assert not {"added_by", "added_time", "last_updated_time"} & set(note)


async def test_the_other_key_is_an_extra_key(desk: Caller, cloud_desk: Caller) -> None:
    await desk.request()
    request_id = await cloud_desk.request()
    for answer in (
        await desk.post("requests/1/notes", {"request_note": NOTE}),
        await cloud_desk.post(f"requests/{request_id}/notes", {"note": NOTE}),
    ):
        assert answer.status == 400
        assert answer.complaint["message"] == "Extra key found in JSON"


async def test_an_old_build_on_premises_behaves_like_the_cloud(time: Time) -> None:
    desk = on_premises(time, note_key="request_note")
    await desk.request()
    note = (await desk.post("requests/1/notes", {"request_note": NOTE})).said["request_note"]
    assert {"created_by", "created_time"} <= set(note)


async def test_a_note_is_private_unless_it_says_otherwise(desk: Caller) -> None:
    await desk.request()
    note = (await desk.post("requests/1/notes", {"note": {"description": "x"}})).said["note"]
    assert note["show_to_requester"] is False
    assert desk.simulator.journal[-1].what == {"id": note["id"], "text": "x", "public": False}


async def test_a_note_without_text_is_refused(either: Caller) -> None:
    request_id = await either.request()
    key = either.simulator.world.flavour.request_note_key
    for note in ({}, {"description": ""}, {"description": None}):
        answer = await either.post(f"requests/{request_id}/notes", {key: note})
        assert answer.complaint == {"status_code": 4012, "type": "failed", "fields": ["description"]}


async def test_the_list_of_notes_brings_no_texts(desk: Caller, time: Time) -> None:
    await desk.request()
    for text in ("first", "second"):
        await desk.post("requests/1/notes", {"note": {"description": text}})
        time.advance(1)
    answer = await desk.listed("requests/1/notes", row_count=100)
    assert answer.said["list_info"] == {
        "has_more_rows": False, "start_index": 1, "sort_field": "last_updated_time", "sort_order": "asc", "row_count": 2,
    }  # fmt: skip
    for note in answer.said["notes"]:
        assert set(note) == {
            "request", "last_updated_by", "added_time", "attachments", "last_updated_time", "added_by",
            "show_to_requester", "id",
        }  # fmt: skip


async def test_the_text_does_not_come_into_the_list_even_where_it_is_asked_for(desk: Caller) -> None:
    await desk.request()
    await desk.post("requests/1/notes", {"note": {"description": "x"}})
    answer = await desk.listed("requests/1/notes", fields_required=["id", "description"])
    assert answer.said["notes"] == [{"id": "1"}]


async def test_a_note_is_read_edited_and_removed_by_its_id(either: Caller) -> None:
    request_id = await either.request()
    key = either.simulator.world.flavour.request_note_key
    path = f"requests/{request_id}/notes"
    note_id = (await either.post(path, {key: {"description": "x"}})).said[key]["id"]
    assert (await either.get(f"{path}/{note_id}")).said[key]["description"] == "x"
    await either.put(f"{path}/{note_id}", {key: {"description": "y"}})
    assert (await either.get(f"{path}/{note_id}")).said[key]["description"] == "y"
    assert (await either.delete(f"{path}/{note_id}")).status == 200
    assert (await either.get(f"{path}/{note_id}")).code == (404, 4007, None)
    assert [effect.verb for effect in either.simulator.journal[1:]] == ["note", "edit_note", "remove_note"]


async def test_an_edited_note_moves_to_the_end_of_the_list(desk: Caller, time: Time) -> None:
    await desk.request()
    for text in ("first", "second"):
        await desk.post("requests/1/notes", {"note": {"description": text}})
        time.advance(1)
    await desk.put("requests/1/notes/1", {"note": {"description": "changed"}})
    notes = (await desk.listed("requests/1/notes")).said["notes"]
    assert [note["id"] for note in notes] == ["2", "1"]


async def test_a_note_of_another_request_is_not_found(desk: Caller) -> None:
    await desk.request()
    await desk.request()
    await desk.post("requests/1/notes", {"note": {"description": "x"}})
    assert (await desk.get("requests/2/notes/1")).status == 404


async def test_a_note_leaves_the_requests_time_of_change_alone_unless_the_build_sets_it(time: Time) -> None:
    for touches in (False, True):
        desk = on_premises(time, note_touches_ticket=touches)
        await desk.request()
        await desk.post("requests/1/notes", {"note": {"description": "x"}})
        shown = (await desk.get("requests/1")).said["request"]
        assert (shown["last_updated_time"] is not None) is touches
        assert shown["has_notes"] is True


async def test_a_change_note_knows_no_privacy(either: Caller) -> None:
    change_id = await either.change()
    path = f"changes/{change_id}/notes"
    answer = await either.post(path, {"note": {"description": "x", "show_to_requester": False}})
    assert answer.code == (400, 4001, "show_to_requester")
    assert answer.complaint["message"] == "Extra key found in JSON"
    assert (await either.post(path, {"note": {"description": "x"}})).status == 201


async def test_a_change_note_in_the_cloud_is_shaped_as_documented(cloud_desk: Caller) -> None:
    change_id = await cloud_desk.change()
    given = {"description": "<div>x</div>", "notify_to": {"users": [{"id": "1", "name": "Bruce"}]}}
    note = (await cloud_desk.post(f"changes/{change_id}/notes", {"note": given})).said["note"]
    assert {"id", "description", "performed_by", "performed_time", "attachments"} <= set(note)


async def test_a_change_note_is_listed_without_its_text(either: Caller) -> None:
    change_id = await either.change()
    await either.post(f"changes/{change_id}/notes", {"note": {"description": "x"}})
    [note] = (await either.listed(f"changes/{change_id}/notes")).said["notes"]
    assert "description" not in note
    whole = (await either.get(f"changes/{change_id}/notes/{note['id']}")).said["note"]
    assert whole["description"] == "x"


async def test_one_client_of_the_cloud_knows_another_key_for_change_notes(time: Time) -> None:
    desk = await cloud(time, change_note_key="change_note")
    change_id = await desk.change()
    assert (await desk.post(f"changes/{change_id}/notes", {"change_note": {"description": "x"}})).status == 201
