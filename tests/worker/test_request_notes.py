"""Notes: one comment, once, with its author, its time and its mark; nothing else of the message."""

from pathlib import Path
from typing import Any

import pytest

from envision_worker.simulators.faults import Fault, FaultKind
from worker.stories import EDITIONS, fitting, note_words, only_request, outcomes, story, verbs, virtual
from worlds.configuration import Edition
from worlds.simulated import World


def last_body(world: World) -> dict[str, Any]:
    body: dict[str, Any] = world.ensono.queue.messages()[-1].content["Body"]
    return body


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_a_comment_shows_author_time_words_and_mark(tmp_path: Path, edition: Edition) -> None:
    async with story(tmp_path, edition=edition, settings=fitting(desk={"time_zone": "Europe/Berlin"})) as world:
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.notes(
            number, "On my way", commenter="A. User", commenter_email="a@b.c", note_id="33cd921f1b64211426a2"
        )
        await world.quiet()
    [note] = only_request(world).notes
    shown = [line for line in note_words(only_request(world))[0].split("\n") if line]
    assert shown == ["A. User <a@b.c>, 2026-03-02 07:00:00 CET:", "On my way", "Ensono ref 33cd921f"]
    assert note.text.endswith("Ensono ref 33cd921f")
    assert note.flags["show_to_requester"] is True


@pytest.mark.parametrize(
    ("kind", "public"), [("comment", True), ("Comment ", True), ("work_notes", False), ("", False)]
)
@virtual
async def test_only_a_comment_is_public(tmp_path: Path, kind: str, *, public: bool) -> None:
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.notes(number, "hello", kind=kind)
        await world.quiet()
    [note] = only_request(world).notes
    assert note.flags["show_to_requester"] is public
    assert ("(work note)" in note.text) is not public


@virtual
async def test_nothing_but_the_comment_is_applied(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        number = world.ensono.scenario.incident_create()
        await world.quiet()
        world.ensono.scenario.notes(number, "hello")
        last_body(world).update(priority="1", status="resolved", shortDescription="other", changed={"priority": "1"})
        await world.quiet()
    assert verbs(world) == ["create", "note"]


@virtual
async def test_a_second_message_with_the_same_id_is_already_applied(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.notes(number, "hello", note_id="abcdef0123456789")
        await world.quiet()
        again = world.ensono.scenario.notes(number, "hello, edited", note_id="abcdef0123456789")
        await world.quiet()
    assert len(only_request(world).notes) == 1
    assert outcomes(world, again) == ["already_applied"]


@virtual
async def test_two_comments_whose_ids_begin_alike_both_land(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        world.desk.faults.add(Fault(FaultKind.LOSE_ANSWER, method="POST", path="*/notes", times=2))
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.notes(number, "one", note_id="abcdef01-first")
        world.ensono.scenario.notes(number, "two", note_id="abcdef01-second")
        await world.quiet()
    assert [words.split("\n")[1] for words in note_words(only_request(world))] == ["one", "two"]


@virtual
async def test_the_same_words_in_two_comments_are_two_comments(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.notes(number, "any news?")
        world.ensono.scenario.notes(number, "any news?")
        await world.quiet()
    assert len(only_request(world).notes) == 2


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_a_note_whose_answer_was_lost_is_found_and_not_written_again(tmp_path: Path, edition: Edition) -> None:
    async with story(tmp_path, edition=edition) as world:
        world.desk.switches.rich_text_wrapped = True
        number = world.ensono.scenario.incident_create()
        await world.quiet()
        world.desk.people.write_note("request", world.requests()[0].id, "A technician's own words")
        world.desk.faults.add(Fault(FaultKind.LOSE_ANSWER, method="POST", path="*/notes"))
        message_id = world.ensono.scenario.notes(number, "hello <b>")
        await world.quiet()
    assert verbs(world).count("note") == 1
    assert outcomes(world, message_id) == ["retry_later", "applied"]
    assert [line["happened"] for line in world.events("outcome_found")] == [True]


@virtual
async def test_a_note_that_never_arrived_is_written_after_the_look(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create()
        await world.quiet()
        world.desk.faults.add(Fault(FaultKind.STATUS, method="POST", path="*/notes", status=503))
        started = world.clock.monotonic()
        world.ensono.scenario.notes(number, "hello")
        await world.quiet()
        assert world.clock.monotonic() - started >= world.config.desk.settle_s
    assert len(only_request(world).notes) == 1


@pytest.mark.parametrize("missing", ["id", "commenter", "body", "type"])
@virtual
async def test_a_comment_that_lacks_a_part_still_lands(tmp_path: Path, missing: str) -> None:
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.notes(number, "hello")
        del last_body(world)["notes"][missing]
        await world.quiet()
    [note] = note_words(only_request(world))
    assert ("hello" in note) is (missing != "body")


@virtual
async def test_with_an_empty_ledger_no_comment_is_written_twice(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        number = world.ensono.scenario.incident_create()
        world.ensono.scenario.notes(number, "one")
        await world.quiet()
        world.ensono.scenario.notes(number, "two")
        while len(only_request(world).notes) < 2:
            await world.clock.sleep(0.001)
        await world.kill()
        world.lose_ledger()
        await world.start()
        world.ensono.scenario.notes(number, "three")
        await world.quiet()
    assert [words.split("\n")[1] for words in note_words(only_request(world))] == ["one", "two", "three"]
