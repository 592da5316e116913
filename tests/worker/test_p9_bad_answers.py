"""The desk or Ensono answers HTML, half a JSON, or nothing: an error by name, and it is tried again (P9, P3)."""

from pathlib import Path
from typing import Any

import pytest

from envision_worker.simulators.faults import Fault, FaultKind
from worker.stories import dead_letters, fitting, named, note_words, only_request, returned, story, verbs, virtual
from worlds.configuration import Edition

PAGE = b"<html><body>502 Bad Gateway <input name='csrf' value='hidden-in-the-page'></body></html>"
BAD: dict[str, dict[str, Any]] = {
    "a login page": {"kind": FaultKind.HTML},
    "half a JSON": {"kind": FaultKind.TRUNCATED},
    "an empty body": {"kind": FaultKind.EMPTY},
    "a page with 502": {"kind": FaultKind.STATUS, "status": 502, "body": PAGE, "content_type": "text/html"},
    "a page with 403": {"kind": FaultKind.STATUS_AFTER, "status": 403, "body": PAGE, "content_type": "text/html"},
    "null": {"kind": FaultKind.STATUS_AFTER, "status": 200, "body": b"null"},
    "a list": {"kind": FaultKind.STATUS_AFTER, "status": 200, "body": b"[]"},
    "an object of nothing": {"kind": FaultKind.STATUS_AFTER, "status": 200, "body": b"{}"},
    "bytes that are no text": {"kind": FaultKind.STATUS_AFTER, "status": 200, "body": b"\xff\xfe\x00{"},
    "JSON nested too deeply": {"kind": FaultKind.STATUS_AFTER, "status": 200, "body": b"[" * 100_000},
}
ON_THE_DESK = {
    "search": ("GET", "*/requests"),
    "create": ("POST", "*/requests"),
    "read": ("GET", "*/requests/*"),
    "update": ("PUT", "*/requests/*"),
    "note": ("POST", "*/notes"),
}
AT_ENSONO = {
    "read_queue": ("GET", "*/queue"),
    "delete_message": ("DELETE", "*/queue/AQEB*"),
    "return_ptn": ("PUT", "*/tickets/e-CS09*/returnptn"),
}


async def told_in_full(tmp_path: Path, edition: Edition, at: str, method: str, path: str, bad: str) -> None:
    """A ticket's short life, with one bad answer in it: everything happens once, and the log names the error."""
    async with story(tmp_path, edition=edition, settings=fitting()) as world:
        faults = world.desk.faults if at == "desk" else world.ensono.faults
        probes = 1 if path == "*/requests" and method == "GET" else 0
        faults.add(Fault(method=method, path=path, skip=probes, **BAD[bad]))
        number = world.ensono.scenario.incident_create()
        await world.quiet()
        world.ensono.scenario.ticket_update(number, priority="1")
        world.ensono.scenario.notes(number, "hello")
        await world.quiet()
        assert await dead_letters(world) == []
        told = str(world.log)
    request = only_request(world)
    assert named(world, request, "priority") == "High"
    assert len(note_words(request)) == 1
    assert verbs(world) == ["create", "update", "note"]
    assert set(returned(world, number)) == {request.number}
    failed = {line["result"] for line in world.events("call_failed") if line["peer"] == at}
    reasons = {line["reason"] for line in world.events("message_handled")}
    assert failed & {"malformed", "unreachable", "unsure", "refused"} or f"{at}_malformed" in reasons
    assert "hidden-in-the-page" not in told


USUAL = ("a login page", "half a JSON", "an empty body")
"""What every call is answered; all the rest only where it matters most."""


@pytest.mark.parametrize(
    ("call", "bad"), [(call, bad) for call in ON_THE_DESK for bad in (BAD if call in {"create", "note"} else USUAL)]
)
@virtual
async def test_a_bad_answer_of_the_desk_is_named_and_tried_again(tmp_path: Path, call: str, bad: str) -> None:
    await told_in_full(tmp_path, "on_premises", "desk", *ON_THE_DESK[call], bad)


@virtual
async def test_a_write_that_is_answered_with_nothing_to_complain_of_is_done(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        world.desk.faults.add(Fault(method="PUT", path="*/requests/*", **BAD["an object of nothing"]))
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.ticket_update(number, priority="1")
        await world.quiet()
    assert verbs(world) == ["create", "update"]


@pytest.mark.parametrize("call", ON_THE_DESK)
@virtual
async def test_the_same_in_the_cloud(tmp_path: Path, call: str) -> None:
    await told_in_full(tmp_path, "cloud", "desk", *ON_THE_DESK[call], "half a JSON")


@pytest.mark.parametrize(
    ("call", "bad"),
    [(call, bad) for call in AT_ENSONO for bad in (BAD if call == "read_queue" else ("a list", *USUAL[:2]))],
)
@virtual
async def test_a_bad_answer_of_ensono_is_named_and_tried_again(tmp_path: Path, call: str, bad: str) -> None:
    await told_in_full(tmp_path, "on_premises", "ensono", *AT_ENSONO[call], bad)


HALF_AN_EMOJI = b"""{"response_status": {"status_code": 4000, "status": "failed",
    "messages": [{"status_code": 4001, "type": "failed", "message": "No room here \\ud83d"}]}}"""


@virtual
async def test_half_an_emoji_in_a_refusal_is_kept_like_any_other_word(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.notes(number, "hello")
        refusing = Fault(FaultKind.STATUS, method="POST", path="*/notes", status=400, body=HALF_AN_EMOJI, times=None)
        world.desk.faults.add(refusing)
        await world.clock.sleep(60)
        [dead] = await dead_letters(world)
        assert "No room here ?" in dead.detail
        world.desk.faults.clear()
        await world.quiet()
        assert not world.events("ledger_failed")
    assert len(note_words(only_request(world))) == 1


@virtual
async def test_half_an_emoji_in_an_answer_that_tells_nothing_else_costs_no_ledger(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        world.desk.faults.add(
            Fault(FaultKind.STATUS_AFTER, method="POST", path="*/notes", status=500, body=HALF_AN_EMOJI)
        )
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.notes(number, "hello")
        await world.quiet()
        assert not world.events("ledger_failed")
    assert len(note_words(only_request(world))) == 1
