"""What every desk must do for approvals that wait for long, and for a ledger that was lost."""

from typing import Literal

import pytest
from desk_stages import CAB, SECOND, ManageEngineStage, MemoryStage, Stage, manageengine_stage
from desk_world import NOT_FOUND, TOKEN, Script, change, cloud, desk, done, error_of, listed, on_premises

from envision_worker.desks.approval import ApprovalLevel, ApprovalRule, ApprovalState
from envision_worker.desks.desk import DeskNames, DeskRef, DeskTicket, Fields, Life
from envision_worker.errors import Refused, RefusedFor
from envision_worker.vocabulary import DeskKind, DeskTicketId, TicketType

CHANGE = DeskRef(DeskKind.CHANGE, DeskTicketId("9"))


async def a_change(stage: Stage, number: str | None = "e-CHG0032103") -> DeskTicket:
    wanted = Fields(title="Patch day", ensono_number=number, stage="Submission", status="Requested")
    return await stage.desk.create(TicketType.CHANGE, wanted)


async def a_level(stage: Stage, ref: DeskRef, *approvers: str) -> ApprovalLevel:
    return await stage.desk.add_approval_level(ref, name="x", rule=ApprovalRule.ANYONE, approvers=approvers or (CAB,))


# --- one level -------------------------------------------------------------------------------------------------------


async def test_the_approvals_of_one_level_are_those_of_that_level(stage: Stage) -> None:
    ref = (await a_change(stage)).ref
    first, second = await a_level(stage, ref, CAB, SECOND), await a_level(stage, ref, SECOND)
    assert [each.approver for each in await stage.desk.approvals_of_level(ref, first.id)] == [CAB, SECOND]
    assert [each.approver for each in await stage.desk.approvals_of_level(ref, second.id)] == [SECOND]
    await stage.desk.notify_approvers(ref, first.id)
    stage.decide(ref, CAB, ApprovalState.REJECTED, "no")
    decided = (await stage.desk.approvals_of_level(ref, first.id))[0]
    assert (decided.state, decided.decided_by_email, decided.comments) == (ApprovalState.REJECTED, CAB, "no")


async def test_a_level_that_is_gone_has_no_approvals_and_a_change_that_is_gone_is_not_found(stage: Stage) -> None:
    ref = (await a_change(stage)).ref
    level = await a_level(stage, ref)
    await stage.desk.notify_approvers(ref, level.id)
    await stage.desk.remove_approval_level(ref, level.id)
    assert not await stage.desk.approvals_of_level(ref, level.id)
    stage.delete(ref)
    error = await error_of(stage.desk.approvals_of_level(ref, level.id))
    assert isinstance(error, Refused)
    assert error.why is RefusedFor.NOT_FOUND


async def test_only_those_who_are_named_are_written_to_and_nobody_who_has_decided(stage: Stage) -> None:
    ref = (await a_change(stage)).ref
    level = await a_level(stage, ref, CAB, SECOND)
    await stage.desk.notify_approvers(ref, level.id, only=[SECOND.upper()])
    assert stage.mails(ref) == [SECOND]
    stage.decide(ref, SECOND, ApprovalState.REJECTED, "no")
    await stage.desk.notify_approvers(ref, level.id, only=[SECOND])
    await stage.desk.notify_approvers(ref, level.id)
    assert stage.mails(ref) == [SECOND, CAB]


async def test_one_levels_approvals_cost_one_call() -> None:
    row = {"id": "1", "approver": {"email_id": CAB}, "status": {"name": "Denied"}, "deleted": False}
    script = Script(listed("approvals", row, {**row, "id": "2", "deleted": True}))
    (read,) = await desk(script).approvals_of_level(CHANGE, "77")
    assert read.state is ApprovalState.REJECTED
    assert script.calls == ["GET changes/9/approval_levels/77/approvals"]


# --- who bears a number ----------------------------------------------------------------------------------------------


async def test_the_tickets_that_bear_a_number_that_begins_so_are_found_newest_first(stage: Stage) -> None:
    await a_change(stage, None)
    first = await a_change(stage, "e-CHG0000001")
    await a_change(stage, "X-CHG0000001")
    second = await a_change(stage, "e-CHG0000002")
    await stage.desk.cancel_change(second.ref, comment="x")
    found = {each.ref: each for each in await stage.desk.bearing(DeskKind.CHANGE, "e-CHG")}
    assert set(found) == {first.ref, second.ref}
    assert found[first.ref].life is Life.OPEN
    assert found[second.ref].life is Life.CANCELLED
    assert found[first.ref].ensono_number == "e-CHG0000001"
    assert found[first.ref].number == (await stage.desk.read(first.ref)).number


async def test_requests_that_bear_a_number_are_found_as_well(stage: Stage) -> None:
    wanted = Fields(title="x", requester={"email_id": "ensono@example.com"}, ensono_number="e-CS0000001")
    made = await stage.desk.create(TicketType.INCIDENT, wanted)
    assert [each.ref for each in await stage.desk.bearing(DeskKind.REQUEST, "e-CS")] == [made.ref]


async def test_a_desk_that_ignores_the_search_and_hides_the_field_is_read_ticket_by_ticket(
    manageengine: ManageEngineStage,
) -> None:
    await a_change(manageengine, None)
    mine = await a_change(manageengine, "e-CHG0000001")
    manageengine.simulator.switches.turn({"search_honoured": False, "fields_required_honoured": False})
    assert [each.ref for each in await manageengine.desk.bearing(DeskKind.CHANGE, "e-CHG")] == [mine.ref]


async def test_of_thousands_only_the_newest_are_listed() -> None:
    pages = [
        listed("changes", *(change(str(1000 * page + row)) for row in range(100)), more=True) for page in range(10)
    ]
    script = Script(*pages)
    found = await desk(script).bearing(DeskKind.CHANGE, "e-CHG")
    assert len(found) == 500
    assert [each.input["list_info"]["start_index"] for each in script.sent] == [1, 101, 201, 301, 401]
    assert script.sent[0].input["list_info"]["sort_order"] == "desc"


async def test_a_ticket_that_went_between_the_list_and_the_look_is_left_out() -> None:
    script = Script(listed("changes", {"id": "9"}, {"id": "10"}), NOT_FOUND, done(change=change("10")))
    assert [each.ref.id for each in await desk(script).bearing(DeskKind.CHANGE, "e-CHG")] == ["10"]


# --- people ----------------------------------------------------------------------------------------------------------


async def test_a_users_telephone_number_is_told(manageengine: ManageEngineStage) -> None:
    assert await manageengine.desk.phone_of("CAB@example.com") == "+1 555 0110"
    assert await manageengine.desk.phone_of("requester@example.com") == ""
    assert await manageengine.desk.phone_of("nobody@example.com") == ""


async def test_the_reference_desk_tells_telephone_numbers_too() -> None:
    stage = MemoryStage()
    stage.memory.world.phones[CAB] = "+1 555 0110"
    assert await stage.desk.phone_of("CAB@example.com") == "+1 555 0110"
    assert await stage.desk.phone_of(SECOND) == ""


async def test_a_desk_says_what_it_is_called(stage: Stage) -> None:
    assert stage.desk.called


# --- builds ----------------------------------------------------------------------------------------------------------


async def test_on_a_build_that_addresses_levels_by_their_number_the_number_stands_for_the_level() -> None:
    row = {"id": "1", "approver": {"email_id": CAB}, "status": {"name": "Pending Approval"}}
    script = Script(
        done(approval_summary={"has_approvals": True}),
        listed("approval_levels", {"id": "77", "level": "2", "name": "x"}),
        listed("approvals", row),
        done(),
    )
    opened = desk(script, on_premises(flavour={"approval_level_path": "level"}))
    (level,) = await opened.approvals(CHANGE)
    assert level.id == "2"
    await opened.remove_approval_level(CHANGE, level.id)
    assert script.calls[2:] == ["GET changes/9/approval_levels/2/approvals", "DELETE changes/9/approval_levels/2"]


@pytest.mark.parametrize(("stage_id", "number"), [("4", 4), ("5", 1)])
async def test_in_the_cloud_levels_are_counted_in_their_stage(stage_id: str, number: int) -> None:
    there = {"id": "70", "level": "3", "change_stage": {"id": stage_id}}
    script = Script(
        TOKEN,
        done(change=change(stage={"name": "Review", "id": "4"})),
        listed("approval_levels", there),
        done(approval_level={"id": "77", "level": number}),
        done(approval={"id": "1", "approver": {"email_id": CAB}, "status": {"name": "To Be Sent"}}),
    )
    await desk(script, cloud()).add_approval_level(CHANGE, name="x", rule=ApprovalRule.ANYONE, approvers=[CAB])
    assert script.sent[3].input["approval_level"]["level"] == number


async def test_where_the_mails_content_comes_from_can_be_another_address() -> None:
    row = {"id": "2", "approver": {"email_id": CAB}, "status": {"name": "To Be Sent"}}
    script = Script(listed("approvals", row), done(notification={"title": "x"}), done())
    flavour = {"notify_content_path": "_get_notification_content"}
    await desk(script, on_premises(flavour=flavour)).notify_approvers(CHANGE, "77", only=[CAB])
    assert script.calls[1].endswith("/_get_notification_content")


@pytest.mark.parametrize(
    ("edition", "flavour", "missed"),
    [
        ("cloud", {}, ["desk.flavour.change_cancelled_status"]),
        (
            "cloud",
            {"change_cancelled_status": "Cancelled", "change_closed_stage": "Done"},
            ["desk.flavour.change_closed_stage"],
        ),
        ("on_premises", {"change_end": "action_with_details"}, ["desk.flavour.change_cancelled_status"]),
        ("on_premises", {}, []),
    ],
)
async def test_a_check_finds_the_names_by_which_changes_end(
    edition: Literal["on_premises", "cloud"], flavour: dict[str, str], missed: list[str]
) -> None:
    async with manageengine_stage(edition, flavour=flavour) as stage:
        for row in stage.simulator.setup.find("change_statuses", name="Canceled"):
            row.name = "Cancelled"
        lines = await stage.desk.missing(DeskNames(change_stages=frozenset({"Review"})))
        assert [line.partition(":")[0] for line in lines] == missed
        assert await stage.desk.missing(DeskNames()) == []
