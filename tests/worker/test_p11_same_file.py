"""Which of the files on a desk ticket is the one that Ensono sent: an upload is attached once, and never taken for another's (P3, P11)."""

import shutil
from pathlib import Path

import pytest

from envision_worker.handlers.work import CLOCKS_APART_S
from envision_worker.simulators.faults import FaultKind
from envision_worker.simulators.manageengine.tickets import Attachment, Ticket
from intake.queues import on_desk, ticket, until
from worker.stories import EDITIONS, fitting, note_words, only_request, story, virtual
from worlds.configuration import Edition
from worlds.simulated import World

UPLOAD = "*upload*"


def put_by_a_technician(world: World, request: Ticket, name: str, content: bytes) -> None:
    """Somebody at the desk attaches a file of their own."""
    new, by = world.desk.world.ids.new("attachments"), next(iter(world.desk.setup.users))
    file = Attachment(new, name, content, content_type="image/png", sha256="", added=0, by=by, description="")
    request.attachments.append(file)


def contents(request: Ticket) -> list[bytes]:
    return [file.content for file in request.attachments]


@pytest.mark.parametrize("form", ["new", "old"])
@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_a_technicians_file_of_the_same_name_and_size_is_not_taken_for_ensonos(
    tmp_path: Path, edition: Edition, form: str
) -> None:
    async with story(tmp_path, edition=edition, settings=fitting()) as world:
        world.desk.switches.turn({"attachment_form": form})
        number = ticket(world)
        await world.quiet()
        put_by_a_technician(world, only_request(world), "image001.png", b"theirs")
        on_desk(world, FaultKind.STATUS, method="*", path=UPLOAD, status=504)
        world.ensono.scenario.attachment(number, "image001.png", b"Ensono", "image/png")
        await world.quiet()
    assert contents(only_request(world)) == [b"theirs", b"Ensono"]


@virtual
async def test_a_file_of_ours_of_which_nothing_is_kept_any_more_is_not_taken_for_the_next_of_its_name(
    tmp_path: Path,
) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        number = ticket(world)
        world.ensono.scenario.attachment(number, "status.txt", b"down", "text/plain")
        await world.quiet()
        days_ago = 40 * 86400.0
        world.store.execute("UPDATE messages SET settled = settled - ?", (days_ago,))
        await until(world, lambda: world.store.execute("SELECT count(*) FROM effects").fetchone() == (0,))
        on_desk(world, FaultKind.STATUS, method="*", path=UPLOAD, status=504)
        world.ensono.scenario.attachment(number, "status.txt", b"back", "text/plain")
        await world.quiet()
    assert contents(only_request(world)) == [b"down", b"back"]


@virtual
async def test_with_an_empty_ledger_a_file_of_another_size_is_another_though_the_desk_tells_it_rounded(
    tmp_path: Path,
) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        world.desk.switches.turn({"attachment_form": "old"})
        number = ticket(world)
        world.ensono.scenario.attachment(number, "image001.png", b"the first")
        await world.quiet()
        await world.stop()
        world.lose_ledger()
        world.ensono.scenario.attachment(number, "image001.png", b"another" * 10)
        await world.start()
        await world.quiet()
    assert contents(only_request(world)) == [b"the first", b"another" * 10]


@virtual
async def test_an_upload_costs_one_look_at_the_files_that_stand_there(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        number = ticket(world)
        world.ensono.scenario.attachment(number, "a.txt", b"a")
        await world.quiet()
    looks = [call for call in world.desk.calls if call.method == "GET" and call.path.endswith("/attachments")]
    assert len(looks) == 1
    assert contents(only_request(world)) == [b"a"]


@virtual
async def test_a_desk_that_does_not_list_files_takes_one_all_the_same(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        on_desk(world, FaultKind.STATUS, method="GET", path="*/attachments", status=403, times=None)
        number = ticket(world)
        world.ensono.scenario.attachment(number, "a.txt", b"a")
        await world.quiet()
    assert contents(only_request(world)) == [b"a"]


# --- merged while nobody knew ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["answer lost", "killed"])
@virtual
async def test_a_file_whose_answer_was_lost_is_not_attached_again_where_the_ticket_was_merged_meanwhile(
    tmp_path: Path, how: str
) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        one, _ = ticket(world), ticket(world)
        await world.quiet()
        await world.clock.sleep(CLOCKS_APART_S + 60.0)  # no ledger before this one can have known what comes
        merged, into = world.requests()
        kind = FaultKind.LOSE_ANSWER if how == "answer lost" else FaultKind.HANG_AFTER
        on_desk(world, kind, method="*", path=UPLOAD, seconds=20.0)
        world.ensono.scenario.attachment(one, "once.txt", b"once", "text/plain")
        await until(world, lambda: merged.attachments, step_s=0.05)
        if how == "killed":
            await world.kill()
            await world.start()
        world.desk.people.merge(merged.id, into.id)
        await world.quiet()
    assert contents(into) == [b"once"]


@virtual
async def test_a_remark_whose_answer_was_lost_is_not_made_again_where_the_ticket_was_merged_meanwhile(
    tmp_path: Path,
) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        one, _ = ticket(world), ticket(world)
        await world.quiet()
        await world.clock.sleep(CLOCKS_APART_S + 60.0)  # no ledger before this one can have known what comes
        merged, into = world.requests()
        on_desk(world, FaultKind.LOSE_ANSWER, path="*/notes")
        world.ensono.scenario.ticket_update(one, status="unmapped-status")
        await until(world, lambda: merged.notes, step_s=0.05)
        world.desk.people.merge(merged.id, into.id)
        await world.quiet()
    assert len(into.notes) == 1


# --- there, though nobody knows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["the outcome", "ledger and spool"])
@virtual
async def test_a_file_that_can_not_be_had_any_more_is_not_missing_where_it_was_attached_before(
    tmp_path: Path, lost: str
) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        number = ticket(world)
        await world.quiet()
        world.ensono.scenario.attachment(number, "once.txt", b"once", "text/plain")
        on_desk(world, FaultKind.HANG_AFTER, method="*", path=UPLOAD, seconds=20.0)
        await until(world, lambda: only_request(world).attachments, step_s=0.05)
        await world.kill()
        shutil.rmtree(world.config.attachments.spool_dir)
        if lost == "ledger and spool":
            world.lose_ledger()
        await world.clock.sleep(3 * 3600)  # the link is dead
        await world.start()
        await world.quiet()
    assert contents(only_request(world)) == [b"once"]
    assert note_words(only_request(world)) == []


@virtual
async def test_another_file_of_its_name_does_not_stand_for_one_that_can_not_be_had_any_more(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        number = ticket(world)
        await world.quiet()
        put_by_a_technician(world, only_request(world), "once.txt", b"another of that name")
        await world.stop()
        world.lose_ledger()
        world.ensono.scenario.attachment(number, "once.txt", b"once", "text/plain")
        await world.clock.sleep(3 * 3600)
        await world.start()
        await world.quiet()
    assert contents(only_request(world)) == [b"another of that name"]
    [told] = note_words(only_request(world))
    assert "An attachment from Ensono is missing here" in told
