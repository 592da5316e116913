"""Files on requests and changes (reference: attachments)."""

import hashlib

import pytest
from sdp_caller import FORM, Caller, Time, on_premises

CONTENT = b"a\r\nfile\x00\xff--a-bound\r\n\r\n"


@pytest.mark.parametrize("kind", ["requests", "changes"])
async def test_a_file_is_put_on_a_ticket_on_premises(desk: Caller, kind: str) -> None:
    await desk.request()
    await desk.change()
    answer = await desk.upload("PUT", f"{kind}/1/upload", ("input_file", "a b.txt", CONTENT), query="description=why")
    assert answer.status == 200
    shown = answer.said["attachment"]
    assert {"id", "name", "size", "content_type", "module", "content_url"} <= set(shown)
    assert (shown["name"], shown["size"]["value"]) == ("a b.txt", str(len(CONTENT)))
    assert (await desk.listed(f"{kind}/1/attachments")).said["attachments"] == [shown]
    digest = hashlib.sha256(CONTENT).hexdigest()
    told = {"id": "1", "name": "a b.txt", "size": len(CONTENT), "sha256": digest, "content_type": "text/plain"}
    assert desk.simulator.journal[-1].what == told
    downloaded = await desk.get(f"{kind}/1/attachments/1/_download")
    assert downloaded.response.body == CONTENT
    assert downloaded.response.content_type == "application/x-download"


@pytest.mark.parametrize("kind", ["requests", "changes"])
async def test_a_file_is_put_on_a_ticket_in_the_cloud(cloud_desk: Caller, kind: str) -> None:
    ticket_id = await (cloud_desk.request() if kind == "requests" else cloud_desk.change())
    parts = (("filename", "a.txt", CONTENT), ("addtoattachment", None, b"true"))
    answer = await cloud_desk.upload("POST", f"{kind}/{ticket_id}/_uploads", *parts)
    assert answer.status == 201
    file_id = answer.said["file_id"]
    ticket = (await cloud_desk.get(f"{kind}/{ticket_id}")).said[kind.removesuffix("s")]
    [shown] = ticket["attachments"]
    assert set(shown) == {"id", "name", "size", "content_type", "module", "content_url"}
    assert shown["id"] == file_id
    downloaded = await cloud_desk.get(f"{kind}/{ticket_id}/_uploads/{file_id}/download")
    assert downloaded.response.body == CONTENT


async def test_the_way_of_the_other_product_does_not_exist(desk: Caller, cloud_desk: Caller) -> None:
    await desk.request()
    request_id = await cloud_desk.request()
    assert (await desk.upload("POST", "requests/1/_uploads", ("filename", "a", b""))).status == 404
    path = f"requests/{request_id}"
    assert (await cloud_desk.upload("PUT", f"{path}/upload", ("input_file", "a", b""))).status == 404
    assert (await cloud_desk.get(f"{path}/attachments")).status == 404


async def test_a_part_with_another_name_is_refused(desk: Caller) -> None:
    await desk.request()
    answer = await desk.upload("PUT", "requests/1/upload", ("file", "a.txt", b"x"))
    assert answer.status == 400
    assert desk.simulator.ticket("request", "1").attachments == []


async def test_one_file_in_a_call(desk: Caller) -> None:
    await desk.request()
    parts = (("input_file", "a.txt", b"x"), ("input_file", "b.txt", b"y"))
    assert (await desk.upload("PUT", "requests/1/upload", *parts)).status == 400


async def test_an_upload_that_is_no_multipart_form_is_refused(desk: Caller) -> None:
    await desk.request()
    assert (await desk.send("PUT", "requests/1/upload", b"x=1", content_type=FORM)).code == (415, 4013, None)


async def test_an_upload_that_was_cut_off_is_refused(desk: Caller) -> None:
    await desk.request()
    body = b'--b\r\nContent-Disposition: form-data; name="input_file"; filename="a"\r\n\r\nhal'
    answer = await desk.send("PUT", "requests/1/upload", body, content_type="multipart/form-data; boundary=b")
    assert answer.status == 400
    assert desk.simulator.ticket("request", "1").attachments == []


async def test_two_files_may_have_one_name(desk: Caller) -> None:
    await desk.request()
    for _ in range(2):
        await desk.upload("PUT", "requests/1/upload", ("input_file", "a.txt", b"x"))
    assert [each.name for each in desk.simulator.ticket("request", "1").attachments] == ["a.txt", "a.txt"]


async def test_an_empty_file_and_a_name_beyond_ascii_are_kept(desk: Caller) -> None:
    await desk.request()
    answer = await desk.upload("PUT", "requests/1/upload", ("input_file", "Größe 🚒.txt", b""))
    assert answer.said["attachment"]["name"] == "Größe 🚒.txt"


async def test_a_name_in_extended_form_is_decoded(desk: Caller) -> None:
    await desk.request()
    disposition = b"Content-Disposition: form-data; name=\"input_file\"; filename*=UTF-8''a%20b.txt"
    body = b"--b\r\n" + disposition + b"\r\n\r\nx\r\n--b--\r\n"
    answer = await desk.send("PUT", "requests/1/upload", body, content_type="multipart/form-data; boundary=b")
    assert answer.said["attachment"]["name"] == "a b.txt"


async def test_old_builds_tell_a_rounded_size(time: Time) -> None:
    desk = on_premises(time, attachment_form="old")
    await desk.request()
    answer = await desk.upload("PUT", "requests/1/upload", ("input_file", "a.png", b"x" * 75551))
    assert answer.said["attachment"] == {
        "size": "73.78KB", "file_name": "a.png", "content_url": "/api/v3/attachments/1", "id": "1", "attachment_key": None,
    }  # fmt: skip


async def test_a_file_beyond_the_limit_is_refused(time: Time) -> None:
    desk = on_premises(time, max_attachment_bytes=3)
    await desk.request()
    assert (await desk.upload("PUT", "requests/1/upload", ("input_file", "a", b"1234"))).code == (400, 4001, None)
    desk.simulator.switches.oversize_answer = "413"
    answer = await desk.upload("PUT", "requests/1/upload", ("input_file", "a", b"1234"))
    assert (answer.status, answer.response.content_type) == (413, "text/html")
    assert (await desk.upload("PUT", "requests/1/upload", ("input_file", "a", b"123"))).status == 200


async def test_a_change_in_the_cloud_takes_ten_files(cloud_desk: Caller) -> None:
    change_id = await cloud_desk.change()
    path = f"changes/{change_id}/_uploads"
    statuses = [(await cloud_desk.upload("POST", path, ("filename", "a", b"x"))).status for _ in range(11)]
    assert statuses == [201] * 10 + [400]


async def test_files_on_changes_may_not_exist_on_premises(time: Time) -> None:
    desk = on_premises(time, change_uploads=False)
    await desk.change()
    assert (await desk.upload("PUT", "changes/1/upload", ("input_file", "a", b"x"))).code == (404, 4007, None)


async def test_old_builds_hand_files_out_under_another_path(time: Time) -> None:
    desk = on_premises(time, download_path="download")
    await desk.request()
    await desk.upload("PUT", "requests/1/upload", ("input_file", "a", b"x"))
    assert (await desk.get("requests/1/attachments/1/download")).response.body == b"x"
    assert (await desk.get("requests/1/attachments/1/_download")).status == 404


async def test_a_file_is_removed(desk: Caller) -> None:
    await desk.request()
    await desk.upload("PUT", "requests/1/upload", ("input_file", "a", b"x"))
    assert (await desk.delete("requests/1/attachments/1")).status == 200
    assert (await desk.get("requests/1/attachments/1/_download")).status == 404
    assert desk.simulator.journal[-1].verb == "detach"
