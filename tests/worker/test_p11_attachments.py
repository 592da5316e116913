"""Attachments: fetched when first seen, attached once; what can't be had becomes a note that says which, why, and how (P11)."""

from pathlib import Path
from typing import Any

import pytest

from envision_worker.simulators.ensono.bucket import StoredFile
from envision_worker.simulators.faults import Fault, FaultKind
from envision_worker.simulators.manageengine.tickets import Ticket
from worker.stories import EDITIONS, fitting, note_words, only_request, outcomes, story, verbs, virtual
from worlds.configuration import Edition
from worlds.simulated import World

SIZE_LIMIT = {"attachments": {"max_size_mb": 1}}


def files(request: Ticket) -> list[tuple[str, bytes]]:
    return [(each.name, each.content) for each in request.attachments]


def spooled(world: World) -> list[str]:
    return sorted(path.name for path in (world.folder / "spool").glob("*"))


def body_of_last(world: World) -> dict[str, Any]:
    body: dict[str, Any] = world.ensono.queue.messages()[-1].content["Body"]
    return body


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_a_file_is_attached_with_its_bytes_name_and_type(tmp_path: Path, edition: Edition) -> None:
    content = bytes(range(256)) * 1000
    async with story(tmp_path, edition=edition, settings=fitting()) as world:
        number = world.ensono.scenario.incident_create()
        message_id = world.ensono.scenario.attachment(number, "rocket.jpg", content, "image/jpeg")
        await world.quiet()
    request = only_request(world)
    assert files(request) == [("rocket.jpg", content)]
    assert request.attachments[0].content_type == "image/jpeg"
    assert outcomes(world, message_id) == ["applied"]
    assert request.notes == []
    assert spooled(world) == []
    assert [call.key_sent for call in world.ensono.bucket.calls] == [False]


@virtual
async def test_a_proxys_login_page_is_never_attached_in_place_of_the_file(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        world.ensono.faults.add(Fault(FaultKind.HTML, path="*/bucket/*", times=2))
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.attachment(number, "rocket.jpg", b"a rocket", "image/jpeg")
        await world.quiet()
    assert files(only_request(world)) == [("rocket.jpg", b"a rocket")]


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("report.html", "application/octet-stream"), ("report", "text/html; charset=utf-8"), ("report", "")],
)
@virtual
async def test_a_file_that_may_be_a_web_page_is_attached_as_it_is(tmp_path: Path, name: str, content_type: str) -> None:
    page = b"<html>all is well</html>"
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.attachment(number, name, page, content_type)
        stored = world.ensono.bucket.files
        stored.update({key: StoredFile(page, "text/html") for key in stored})
        await world.quiet()
    assert files(only_request(world)) == [(name, page)]


@virtual
async def test_the_bytes_are_fetched_before_anything_else_is_waited_for(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        world.desk.faults.add(Fault(FaultKind.HANG_BEFORE, method="POST", path="*/requests", seconds=20))
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.attachment(number, "a.txt", b"a")
        await world.clock.sleep(5)
        assert len(world.ensono.bucket.calls) == 1
        assert world.requests() == []
        await world.quiet()
    assert files(only_request(world)) == [("a.txt", b"a")]


@virtual
async def test_bytes_once_fetched_outlive_their_link_and_the_process(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        world.desk.faults.add(Fault(FaultKind.STATUS, method="POST", path="*/requests", status=503, times=None))
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.attachment(number, "a.txt", b"a")
        await world.clock.sleep(5)
        await world.kill()
        await world.clock.sleep(3 * 3600)
        world.desk.faults.clear()
        await world.start()
        await world.quiet()
    assert files(only_request(world)) == [("a.txt", b"a")]
    assert len(world.ensono.bucket.calls) == 1


# --- names, sizes, sameness --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\temp\\evil.exe", "C__temp_evil.exe"),
        ("a\r\nContent-Type: text/html\r\n\r\n.txt", "a Content-Type_ text_html .txt"),
        ('quo"te.txt', "quo_te.txt"),
        (" . ", "attachment"),
        ("x" * 300 + ".pdf", "x" * 116 + ".pdf"),
        ("Übersicht 日本語 🚒.txt", "Übersicht 日本語 🚒.txt"),
        ("plain.txt", "plain.txt"),
    ],
)
@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_names_are_made_safe_and_stay_readable(tmp_path: Path, edition: Edition, name: str, there: str) -> None:
    async with story(tmp_path, edition=edition) as world:
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.attachment(number, name, b"content")
        await world.quiet()
    assert files(only_request(world)) == [(there, b"content")]


@virtual
async def test_a_file_without_a_name_is_called_as_its_address(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.attachment(number, "report.pdf", b"%PDF", "")
        del body_of_last(world)["attachmentName"]
        await world.quiet()
    request = only_request(world)
    assert files(request) == [("report.pdf", b"%PDF")]
    assert request.attachments[0].content_type == "application/pdf"


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_an_empty_file_is_attached(tmp_path: Path, edition: Edition) -> None:
    async with story(tmp_path, edition=edition) as world:
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.attachment(number, "empty.txt", b"")
        await world.quiet()
    assert files(only_request(world)) == [("empty.txt", b"")]


@pytest.mark.parametrize("info", ["as the guide shows it", "none", "by query", "always the same"])
@virtual
async def test_different_files_of_one_name_are_all_attached(tmp_path: Path, info: str) -> None:
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create()
        for serial, content in enumerate((b"first", b"other", b"second")):
            world.ensono.scenario.attachment(number, "log.txt", content)
            shown = body_of_last(world)
            shown["attachmentInfo"] = {
                "none": "",
                "by query": f"https://ensono.example.com/sys_attachment.do?sys_id={serial}",
                "always the same": f"https://ensono.example.com/ticket/{'same' if len(content) == 6 else serial}",
            }.get(info, shown["attachmentInfo"])
        await world.quiet()
    assert [content for _, content in files(only_request(world))] == [b"first", b"other", b"second"]


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_two_files_of_equal_name_and_size_are_both_attached_though_answers_are_lost(
    tmp_path: Path, edition: Edition
) -> None:
    async with story(tmp_path, edition=edition) as world:
        upload = "*/upload" if edition == "on_premises" else "*/_uploads"
        world.desk.faults.add(Fault(FaultKind.LOSE_ANSWER, path=upload))
        world.desk.faults.add(Fault(FaultKind.STATUS, path=upload, status=502))
        number = world.ensono.scenario.incident_create()
        for content in (b"one", b"two"):
            world.ensono.scenario.attachment(number, "log.txt", content)
        await world.quiet()
    assert files(only_request(world)) == [("log.txt", b"one"), ("log.txt", b"two")]
    assert verbs(world).count("attach") == 2


@virtual
async def test_the_same_attachment_sent_again_is_already_applied(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.attachment(number, "log.txt", b"one")
        first = dict(body_of_last(world))
        await world.quiet()
        again = world.ensono.scenario.attachment(number, "log.txt", b"one")
        body_of_last(world)["attachmentInfo"] = first["attachmentInfo"]  # signed anew, all else alike
        await world.quiet()
    assert len(only_request(world).attachments) == 1
    assert outcomes(world, again) == ["already_applied"]
    assert spooled(world) == []


@virtual
async def test_with_an_empty_ledger_no_file_is_attached_twice(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create()
        for content in (b"one", b"two"):
            world.ensono.scenario.attachment(number, "log.txt", content)
        while len(world.requests()) < 1 or len(only_request(world).attachments) < 2:
            await world.clock.sleep(0.001)
        await world.kill()
        world.lose_ledger()
        await world.start()
        await world.quiet()
    assert files(only_request(world)) == [("log.txt", b"one"), ("log.txt", b"two")]


# --- what can't be had ----------------------------------------------------------------------------------------------------


async def told_of_missing(world: World, link: str | None = None, *, content: bytes = b"content") -> str:
    """An attachment that can't be fetched or placed; returns what stands about it on the ticket, once it counts as applied."""
    number = world.ensono.scenario.incident_create()
    message_id = world.ensono.scenario.attachment(number, "report.pdf", content, "application/pdf", link=link)
    page = body_of_last(world)["attachmentInfo"]
    await world.quiet()
    assert outcomes(world, message_id)[-1] == "applied"
    request = only_request(world)
    assert request.attachments == []
    [told] = note_words(request)
    assert "An attachment from Ensono is missing here\n" in told
    assert f"report.pdf (application/pdf, {len(content)} bytes)\n" in told
    assert f"How to get it: open {page} or ask Ensono to attach it again." in told
    assert "X-Amz" not in told
    assert spooled(world) == []
    return told


def signed(world: World, expires_in: int) -> str:
    return world.ensono.bucket.download_link("old", StoredFile(b"old", "text/plain"), expires_in=expires_in)


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_an_expired_link_becomes_a_note(tmp_path: Path, edition: Edition) -> None:
    async with story(tmp_path, edition=edition) as world:
        link = signed(world, 60)
        await world.clock.sleep(61)
        told = await told_of_missing(world, link)
    assert "the link has expired" in told


@virtual
async def test_a_file_that_is_too_large_becomes_a_note(tmp_path: Path) -> None:
    async with story(tmp_path, settings=SIZE_LIMIT) as world:
        told = await told_of_missing(world, content=b"x" * 1_100_000)
    assert "1 MB (attachments.max_size_mb) are the limit" in told


@pytest.mark.parametrize(
    ("link", "why"),
    [
        (
            "https://evil.example.com/report.pdf?X-Amz-Signature=s",
            "evil.example.com is not among attachments.allowed_hosts",
        ),
        ("https://amazonaws.com.evil.example.com/report.pdf", "is not among attachments.allowed_hosts"),
        ("http://bucket.s3.us-west-1.amazonaws.com/report.pdf", "is not https"),
        ("file:///etc/passwd", "Why: "),
        ("https://user:secret@bucket.s3.amazonaws.com/x", "is no plain address"),
        ("not an address at all", "is n"),
        ("https://169.254.169.254/latest/meta-data", "169.254.169.254 is not among"),
    ],
)
@virtual
async def test_a_link_to_a_place_that_is_not_allowed_is_not_called_and_becomes_a_note(
    tmp_path: Path, link: str, why: str
) -> None:
    async with story(tmp_path) as world:
        told = await told_of_missing(world, link)
    assert why in told
    assert "secret" not in told
    assert world.ensono.bucket.calls == []


@virtual
async def test_a_redirect_to_another_place_is_not_followed(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        headers = {"Location": "https://evil.example.com/report.pdf?X-Amz-Signature=s"}
        world.ensono.faults.add(Fault(FaultKind.STATUS, path="/bucket/*", status=302, headers=headers))
        told = await told_of_missing(world)
    assert "redirects to a place that is not called" in told


@pytest.mark.parametrize(("status", "why"), [(404, "there is no such file any more"), (403, "does not hand it out")])
@virtual
async def test_a_file_that_the_server_does_not_have_or_hand_out_becomes_a_note(
    tmp_path: Path, status: int, why: str
) -> None:
    async with story(tmp_path) as world:
        world.ensono.faults.add(Fault(FaultKind.STATUS, path="/bucket/*", status=status, times=None))
        assert why in await told_of_missing(world)


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("answer", ["400", "413"])
@virtual
async def test_a_file_that_the_desk_refuses_becomes_a_note(tmp_path: Path, edition: Edition, answer: str) -> None:
    async with story(tmp_path, edition=edition) as world:
        world.desk.switches.turn({"max_attachment_bytes": 3, "oversize_answer": answer})
        told = await told_of_missing(world)
    assert "the service desk did not take it" in told


@virtual
async def test_behind_a_missing_file_the_ticket_goes_on(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.attachment(number, "a.txt", b"a", link="http://nowhere.example.com/")
        world.ensono.scenario.notes(number, "after it")
        await world.quiet(within_s=10)
    assert "after it" in note_words(only_request(world))[1]


# --- what may still come ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FaultKind.STATUS, FaultKind.REFUSE])
@virtual
async def test_server_errors_and_lost_connections_are_tried_again_until_they_pass(
    tmp_path: Path, kind: FaultKind
) -> None:
    async with story(tmp_path) as world:
        world.ensono.faults.add(Fault(kind, path="/bucket/*", status=503, times=3))
        number = world.ensono.scenario.incident_create()
        message_id = world.ensono.scenario.attachment(number, "a.txt", b"a")
        await world.quiet()
    request = only_request(world)
    assert files(request) == [("a.txt", b"a")]
    assert request.notes == []
    assert outcomes(world, message_id)[-1] == "applied"


@virtual
async def test_a_time_out_is_tried_again_from_the_copy_where_ensono_has_none_any_more(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        world.ensono.faults.add(Fault(FaultKind.HANG_BEFORE, path="/bucket/*", seconds=1000))
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.attachment(number, "a.txt", b"a")
        await world.clock.sleep(7000)
    assert files(only_request(world)) == [("a.txt", b"a")]
    assert only_request(world).notes == []


@virtual
async def test_tried_in_vain_until_the_link_expires_it_becomes_a_note(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        world.ensono.faults.add(Fault(FaultKind.STATUS, path="/bucket/*", status=503, times=None))
        told = await told_of_missing(world, signed(world, 200))
    assert "the link expired before the file could be fetched" in told
    assert "503" in told


ROOM_FOR_ONE = {"attachments": {"max_spool_mb": 1.2, "max_size_mb": 1}}


@pytest.mark.parametrize("first_fails", [False, True])
@virtual
async def test_files_that_do_not_fit_into_the_spool_together_come_one_after_the_other(
    tmp_path: Path, *, first_fails: bool
) -> None:
    """A later one that is there already must not keep the first from coming."""
    async with story(tmp_path, settings=ROOM_FOR_ONE) as world:
        if first_fails:
            world.ensono.faults.add(Fault(FaultKind.STATUS, path="/bucket/*a.bin", status=503))
        number = world.ensono.scenario.incident_create()
        for name in ("a.bin", "b.bin", "c.bin"):
            world.ensono.scenario.attachment(number, name, name.encode() * 30_000)
            await world.clock.sleep(0.001)
        await world.quiet()
    assert [name for name, _ in files(only_request(world))] == ["a.bin", "b.bin", "c.bin"]
    assert only_request(world).notes == []
    assert spooled(world) == []


@virtual
async def test_what_is_out_of_scope_leaves_nothing_in_the_spool(tmp_path: Path) -> None:
    rule = {"transaction_type": "Attachment", "group": "CLIENT - Other"}
    async with story(tmp_path, settings={"scope": {"out_of_scope": [rule]}}) as world:
        ticket = world.ensono.scenario.records.open("Request", {"group": "CLIENT - Other"})
        world.ensono.scenario.attachment(ticket.number, "a.txt", b"a" * 1000)
        await world.quiet()
        await world.clock.sleep(2 * world.config.queue.poll_interval_s)
        assert spooled(world) == []
    assert world.requests() == []
