"""ManageEngine's ways of going wrong and of differing from build to build, over a real socket."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from desk_stages import ManageEngineStage, manageengine_stage
from desk_world import HandClock, error_of, on_premises

from envision_worker.clock import SystemClock
from envision_worker.desks.desk import DeskNames, DeskRef, DeskTicket, Fields, Life, LocalFile
from envision_worker.desks.life import LifeNames
from envision_worker.desks.manageengine.desk import ManageEngineDesk
from envision_worker.desks.table import product
from envision_worker.errors import KeyRefused, Malformed, Refused, RefusedFor, Throttled, Unreachable, Unsure
from envision_worker.simulators.faults import Fault, FaultKind
from envision_worker.vocabulary import DeskKind, DeskTicketId, TicketType
from envision_worker.wire import Call

REQUESTER = {"email_id": "ensono@example.com"}
WANTED = Fields(title="Disk full", requester=REQUESTER, ensono_number="e-CS1")


@pytest.fixture
async def old_build() -> AsyncIterator[ManageEngineStage]:
    """On premises, as builds were before the documents of today."""
    flavour = {
        "change_comments": False,
        "search_form": "array",
        "notify_path": "_send_notification",
        "notify_content_path": "_get_notification_content",
    }
    async with manageengine_stage("on_premises", note_key="request_note", flavour=flavour) as stage:
        stage.simulator.switches.note_key = "request_note"
        stage.simulator.switches.criteria_form = "array"
        stage.simulator.switches.change_comment_accepted = False
        stage.simulator.switches.notification_path = "_send_notification"
        stage.simulator.switches.attachment_form = "old"
        yield stage


@pytest.fixture
async def new_build() -> AsyncIterator[ManageEngineStage]:
    """On premises, as the newest builds close a change."""
    async with manageengine_stage("on_premises", flavour={"change_end": "action_with_details"}) as stage:
        stage.simulator.switches.close_change_forms = frozenset({"object"})
        yield stage


async def create(stage: ManageEngineStage, wanted: Fields = WANTED) -> DeskTicket:
    return await stage.desk.create(TicketType.INCIDENT, wanted)


def creates(stage: ManageEngineStage) -> int:
    """How many creates reached the desk."""
    return sum(call.method == "POST" and call.path.endswith("/requests") for call in stage.simulator.calls)


@pytest.mark.parametrize(
    ("kind", "error", "happened"),
    [
        (FaultKind.LOSE_ANSWER, Unsure, True),
        (FaultKind.REFUSE, Unsure, False),
        (FaultKind.TRUNCATED, Malformed, True),
        (FaultKind.EMPTY, Malformed, True),
        (FaultKind.HTML, Malformed, False),
        (FaultKind.STATUS_AFTER, Unsure, True),
        (FaultKind.STATUS, Unsure, False),
    ],
)
async def test_a_write_that_goes_wrong_is_never_sent_again_by_itself(
    manageengine: ManageEngineStage, kind: FaultKind, error: type[Exception], *, happened: bool
) -> None:
    manageengine.simulator.faults.add(Fault(kind, method="POST", path="*/requests"))
    assert type(await error_of(create(manageengine))) is error
    assert creates(manageengine) == 1
    assert bool(await manageengine.desk.find(DeskKind.REQUEST, "e-CS1")) is happened


@pytest.mark.parametrize("kind", [FaultKind.LOSE_ANSWER, FaultKind.REFUSE, FaultKind.STATUS, FaultKind.HTML])
async def test_a_read_that_goes_wrong_did_nothing(manageengine: ManageEngineStage, kind: FaultKind) -> None:
    await manageengine.desk.probe()
    manageengine.simulator.faults.add(Fault(kind))
    assert isinstance(await error_of(manageengine.desk.probe()), Unreachable | Malformed)
    await manageengine.desk.probe()


async def test_a_desk_that_is_not_there_was_not_written_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings = on_premises(base_url=f"http://127.0.0.1:{port}")
    async with product("manageengine").open(settings, life=LifeNames(), clock=SystemClock(), observe=print) as desk:
        error = await error_of(desk.add_note(DeskRef(DeskKind.REQUEST, DeskTicketId("1")), "x", public=True))
    assert type(error) is Unreachable


async def test_the_throttle_is_recognised_in_all_its_forms(manageengine: ManageEngineStage) -> None:
    for form in ("text", "400", "429"):
        manageengine.simulator.switches.turn({"throttle_answer": form})
        manageengine.simulator.throttle.block("*/requests")
        error = await error_of(create(manageengine))
        assert isinstance(error, Throttled)
        assert error.retry_after is None
        manageengine.simulator.throttle.lift()
    assert manageengine.simulator.journal == []


@pytest.mark.parametrize("form", ["400", "401"])
async def test_a_key_that_was_revoked_is_refused_and_taken_again_later(
    manageengine: ManageEngineStage, form: str
) -> None:
    await manageengine.desk.probe()
    manageengine.simulator.switches.turn({"key_revoked": True, "bad_key": form})
    assert isinstance(await error_of(create(manageengine)), KeyRefused)
    manageengine.simulator.switches.turn({"key_revoked": False})
    await create(manageengine)


async def test_a_search_that_the_server_ignores_finds_the_right_tickets_all_the_same(
    manageengine: ManageEngineStage,
) -> None:
    made = await create(manageengine)
    await create(manageengine, Fields(title="another", requester=REQUESTER, ensono_number="e-CS2"))
    for switch in ({"search_honoured": False}, {"search_honoured": False, "fields_required_honoured": False}):
        manageengine.simulator.switches.turn(switch)
        assert list(await manageengine.desk.find(DeskKind.REQUEST, "e-CS1")) == [made.ref.id]


async def test_a_ticket_that_is_missing_from_lists_can_be_read_at_once(manageengine: ManageEngineStage) -> None:
    manageengine.simulator.switches.index_lag_s = 3600
    made = await create(manageengine)
    assert list(await manageengine.desk.find(DeskKind.REQUEST, "e-CS1")) == []
    assert (await manageengine.desk.read(made.ref)).ensono_number == "e-CS1"


async def test_a_priority_that_the_desk_computes_is_named_as_refused(manageengine: ManageEngineStage) -> None:
    manageengine.simulator.switches.priority_matrix = True
    error = await error_of(create(manageengine, Fields(title="x", requester=REQUESTER, priority="High")))
    assert isinstance(error, Refused)
    assert (error.why, error.fields) == (RefusedFor.FIELDS, ("priority",))


async def test_an_error_that_names_no_field_names_none(manageengine: ManageEngineStage) -> None:
    manageengine.simulator.switches.errors_name_fields = False
    error = await error_of(create(manageengine, Fields(title="x", requester=REQUESTER, category="Cars")))
    assert isinstance(error, Refused)
    assert (error.why, error.fields) == (RefusedFor.FIELDS, ())


async def test_mandatory_fields_of_a_template_are_named(manageengine: ManageEngineStage) -> None:
    manageengine.simulator.switches.template_mandatory = frozenset({"subcategory", "impact"})
    error = await error_of(create(manageengine))
    assert isinstance(error, Refused)
    assert (error.why, set(error.fields)) == (RefusedFor.FIELDS, {"subcategory", "impact"})


async def test_a_rule_that_forbids_closing_leaves_the_request_open(manageengine: ManageEngineStage) -> None:
    manageengine.simulator.switches.closing_needs = frozenset({"resolution"})
    ref = (await create(manageengine)).ref
    error = await error_of(manageengine.desk.close(ref, status="Closed", closure_code=None, comments=""))
    assert isinstance(error, Refused)
    assert (await manageengine.desk.read(ref)).life is Life.OPEN
    await manageengine.desk.set_resolution(ref, "<p>done</p>")
    await manageengine.desk.close(ref, status="Closed", closure_code=None, comments="")


@pytest.mark.parametrize("answer", ["400", "413"])
async def test_a_file_that_the_desk_finds_too_large_is_called_so(
    manageengine: ManageEngineStage, tmp_path: Path, answer: str
) -> None:
    manageengine.simulator.switches.turn({"max_attachment_bytes": 10, "oversize_answer": answer})
    ref = (await create(manageengine)).ref
    path = tmp_path / "spooled"
    path.write_bytes(b"x" * 11)
    error = await error_of(manageengine.desk.attach(ref, LocalFile(path, "a.txt", "text/plain", 11)))
    assert isinstance(error, Refused)
    assert error.why is RefusedFor.TOO_LARGE


async def test_a_note_that_the_editor_wrapped_still_holds_what_was_written(manageengine: ManageEngineStage) -> None:
    manageengine.simulator.switches.rich_text_wrapped = True
    ref = (await create(manageengine)).ref
    note = await manageengine.desk.add_note(ref, "<p>Ensono ref 1a2b3c4d</p>", public=False)
    assert "Ensono ref 1a2b3c4d" in await manageengine.desk.note_text(ref, note)


async def test_an_old_build_is_spoken_to_in_its_own_way(old_build: ManageEngineStage, tmp_path: Path) -> None:
    desk = old_build.desk
    ref = (await create(old_build)).ref
    await desk.add_note(ref, "x", public=False)
    assert len(await desk.notes(ref)) == 1
    assert list(await desk.find(DeskKind.REQUEST, "e-CS1")) == [ref.id]
    path = tmp_path / "spooled"
    path.write_bytes(b"x" * 2048)
    await desk.attach(ref, LocalFile(path, "a.txt", "text/plain", 2048))
    (stub,) = await desk.files(ref)
    assert (stub.name, stub.size, stub.rounded_by) == ("a.txt", 2048, 11)
    moved = (await desk.create(TicketType.CHANGE, Fields(title="x"))).ref
    await desk.move_change(moved, stage="Planning", status="Planning In Progress", comment="not taken here")
    assert (await desk.read(moved)).stage == "Planning"


async def test_the_newest_builds_take_a_closure_code_with_a_change(new_build: ManageEngineStage) -> None:
    ref = (await new_build.desk.create(TicketType.CHANGE, Fields(title="x"))).ref
    await new_build.desk.close_change(ref, closure_code="success", comments="fine & done")
    assert (await new_build.desk.read(ref)).life is Life.CLOSED
    other = (await new_build.desk.create(TicketType.CHANGE, Fields(title="y"))).ref
    await new_build.desk.cancel_change(other, comment="no")
    assert (await new_build.desk.read(other)).life is Life.CANCELLED


async def test_wrong_addresses_of_a_flavour_are_found_out_by_checking() -> None:
    flavour = {"request_files": "list"}
    async with manageengine_stage("cloud", flavour=flavour) as stage:
        await create(stage)
        lines = list(await stage.desk.missing(DeskNames()))
    assert [line.partition(":")[0] for line in lines] == ["desk.flavour.request_files"]


class Trickle(httpx.AsyncBaseTransport):
    """Takes a body piece by piece and keeps none of it."""

    def __init__(self) -> None:
        self.largest = self.total = 0
        self.announced = ""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.announced = request.headers["Content-Length"]
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for piece in request.stream:
            self.largest = max(self.largest, len(piece))
            self.total += len(piece)
        answer: dict[str, Any] = {"attachment": {"id": "1"}, "response_status": {"status": "success"}}
        return httpx.Response(200, json=answer)


async def test_a_large_file_is_read_as_it_goes_out(tmp_path: Path) -> None:
    size = 48 * 1024 * 1024
    path = tmp_path / "spooled"
    with path.open("wb") as sparse:
        sparse.truncate(size)
    wire, observed = Trickle(), list[Call]()
    async with httpx.AsyncClient(transport=wire) as http:
        desk = ManageEngineDesk(on_premises(), http, life=LifeNames(), clock=HandClock(), observe=observed.append)
        ref = DeskRef(DeskKind.REQUEST, DeskTicketId("71"))
        assert await desk.attach(ref, LocalFile(path, "large.bin", "application/octet-stream", size)) == "1"
    assert wire.largest <= 1024 * 1024
    assert wire.total == int(wire.announced) > size
    assert [call.operation for call in observed] == ["attach"]
