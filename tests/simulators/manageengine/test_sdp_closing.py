"""Status, resolution, closing, reopening (reference: status, resolve, close, reopen)."""

from typing import Any

import pytest
from sdp_caller import Caller, Time, on_premises

CLOSING = {
    "request": {
        "closure_info": {
            "requester_ack_resolution": True,
            "requester_ack_comments": "thanks",
            "closure_comments": "done",
            "closure_code": {"name": "success"},
        }
    }
}


def close_path(desk: Caller, request_id: str) -> str:
    return f"requests/{request_id}/{desk.simulator.world.flavour.close_request}"


async def shown(desk: Caller, request_id: str) -> dict[str, Any]:
    request: dict[str, Any] = (await desk.get(f"requests/{request_id}")).said["request"]
    return request


async def test_closing_says_so(either: Caller) -> None:
    request_id = await either.request()
    answer = await either.put(close_path(either, request_id), CLOSING)
    assert answer.status == 200
    assert answer.said == {
        "response_status": {
            "status_code": 2000,
            "messages": [{"status_code": 2000, "type": "success", "message": "Request(s) closed successfully."}],
            "status": "success",
        }
    }
    assert (await shown(either, request_id))["status"]["name"] == "Closed"


async def test_the_path_of_closing_differs(desk: Caller, cloud_desk: Caller) -> None:
    await desk.request()
    cloud_id = await cloud_desk.request()
    assert (await desk.put("requests/1/_close", CLOSING)).status == 404
    assert (await cloud_desk.put(f"requests/{cloud_id}/close", CLOSING)).status == 404


async def test_a_second_close_is_refused(either: Caller) -> None:
    request_id = await either.request()
    await either.put(close_path(either, request_id), CLOSING)
    answer = await either.put(close_path(either, request_id), CLOSING)
    assert answer.status == 400
    assert answer.complaint == {"status_code": 4001, "type": "failed", "message": "Request is already closed"}
    assert [effect.verb for effect in either.simulator.journal] == ["create", "close"]


async def test_a_closure_code_that_is_not_configured_is_refused(either: Caller) -> None:
    request_id = await either.request()
    wanted = {"request": {"closure_info": {"closure_code": {"name": "Wonderful"}}}}
    assert (await either.put(close_path(either, request_id), wanted)).code == (400, 4001, "closure_code")
    assert (await shown(either, request_id))["status"]["name"] == "Open"


@pytest.mark.parametrize("comments", ["x" * 251, "two\nlines"])
async def test_closure_comments_hold_250_characters_on_one_line(desk: Caller, comments: str) -> None:
    await desk.request()
    wanted = {"request": {"closure_info": {"closure_comments": comments}}}
    assert (await desk.put("requests/1/close", wanted)).code == (400, 4001, "closure_comments")


async def test_closing_by_status_with_closure_info(either: Caller) -> None:
    request_id = await either.request()
    wanted = {"request": {"status": {"name": "Closed"}, **CLOSING["request"]}}
    answer = await either.put(f"requests/{request_id}", wanted)
    assert answer.said["request"]["status"]["name"] == "Closed"
    assert (await either.put(close_path(either, request_id), CLOSING)).status == 400


async def test_closing_rules_are_told_by_their_own_code(time: Time) -> None:
    desk = on_premises(time, closing_needs=["resolution", "category"])
    await desk.request()
    answer = await desk.put("requests/1/close", CLOSING)
    assert answer.complaint["status_code"] == 4003
    assert answer.complaint["fields"] == ["category", "resolution"]
    assert (await desk.put("requests/1", {"request": {"status": {"name": "Closed"}}})).complaint["status_code"] == 4003
    await desk.put("requests/1", {"request": {"category": {"name": "Software"}}})
    await desk.post("requests/1/resolutions", {"resolution": {"content": "fixed"}})
    assert (await desk.put("requests/1/close", CLOSING)).status == 200


async def test_a_resolution_is_set_and_read(either: Caller) -> None:
    request_id = await either.request()
    path = f"requests/{request_id}/resolutions"
    answer = await either.post(path, {"resolution": {"content": "<p>fixed</p>", "add_to_linked_requests": False}})
    assert answer.said["response_status"]["messages"][0]["message"] == "Resolution added successfully."
    resolution = (await either.get(path)).said["resolution"]
    assert set(resolution) == {"submitted_on", "submitted_by", "resolution_attachments", "content"}
    assert resolution["content"] == "<p>fixed</p>"
    assert (await shown(either, request_id))["resolution"]["content"] == "<p>fixed</p>"


async def test_there_is_one_resolution_and_the_last_counts(desk: Caller) -> None:
    await desk.request()
    for content in ("first", "second", "second"):
        await desk.post("requests/1/resolutions", {"resolution": {"content": content}})
    assert (await desk.get("requests/1/resolutions")).said["resolution"]["content"] == "second"
    assert [effect.verb for effect in desk.simulator.journal] == ["create", "resolve", "resolve"]


async def test_reading_a_resolution_refuses_input_data(desk: Caller) -> None:
    await desk.request()
    answer = await desk.send("GET", "requests/1/resolutions", query="input_data=%7B%7D")
    assert answer.complaint["message"] == "Extra parameter(s) not allowed"


async def test_resolution_and_status_can_come_in_one_put(either: Caller) -> None:
    request_id = await either.request()
    wanted = {"request": {"resolution": {"content": "fixed"}, "status": {"name": "Resolved"}}}
    answer = await either.put(f"requests/{request_id}", wanted)
    assert answer.said["request"]["status"]["name"] == "Resolved"
    assert [effect.verb for effect in either.simulator.journal] == ["create", "resolve", "status"]


async def test_an_open_status_reopens_a_closed_request(either: Caller) -> None:
    request_id = await either.request()
    await either.put(close_path(either, request_id), CLOSING)
    answer = await either.put(f"requests/{request_id}", {"request": {"status": {"name": "Open"}}})
    assert answer.said["request"]["is_reopened"] is True
    assert either.simulator.journal[-1].what == {"before": "Closed", "after": "Open"}


async def test_an_unknown_status_is_refused(desk: Caller) -> None:
    await desk.request()
    assert (await desk.put("requests/1", {"request": {"status": {"name": "Frozen"}}})).code == (400, 4001, "status")


async def test_a_status_is_found_by_its_new_name_after_an_administrator_renamed_it(desk: Caller) -> None:
    await desk.request()
    desk.simulator.setup.rename("statuses", "On Hold", "Waiting")
    assert (await desk.put("requests/1", {"request": {"status": {"name": "On Hold"}}})).status == 400
    assert (await desk.put("requests/1", {"request": {"status": {"name": "Waiting"}}})).status == 200


async def test_where_closed_is_locked_only_the_status_can_be_changed(time: Time) -> None:
    desk = on_premises(time, closed_is_locked=True)
    await desk.request()
    await desk.put("requests/1/close", CLOSING)
    assert (await desk.put("requests/1", {"request": {"subject": "x"}})).code == (403, 4002, None)
    assert (await desk.post("requests/1/resolutions", {"resolution": {"content": "x"}})).status == 403
    assert (await desk.post("requests/1/notes", {"note": {"description": "x"}})).status == 201
    assert (await desk.put("requests/1", {"request": {"status": {"name": "Open"}}})).status == 200
    assert (await desk.put("requests/1", {"request": {"subject": "x"}})).status == 200


async def test_where_closed_is_not_locked_it_can_still_be_edited(desk: Caller) -> None:
    await desk.request()
    await desk.put("requests/1/close", CLOSING)
    assert (await desk.put("requests/1", {"request": {"subject": "x"}})).status == 200


async def test_on_hold_with_a_scheduler(cloud_desk: Caller) -> None:
    request_id = await cloud_desk.request()
    scheduler = {
        "scheduled_time": {"value": "1700000100000"},
        "change_to_status": {"name": "Open"},
        "comments": "later",
    }
    wanted = {"request": {"status": {"name": "On Hold"}, "onhold_scheduler": scheduler}}
    answer = await cloud_desk.put(f"requests/{request_id}", wanted)
    assert answer.said["request"]["onhold_scheduler"]["change_to_status"]["name"] == "Open"
