"""What every desk must do, whatever the product; run over the reference desk and over ManageEngine in both editions."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from desk_stages import CAB, KNOWN, SECOND, Stage
from desk_world import error_of

from envision_worker.desks.approval import ApprovalLevel, ApprovalRule, ApprovalState
from envision_worker.desks.desk import DeskNames, DeskRef, DeskTicket, Fields, Life, LocalFile
from envision_worker.errors import Refused, RefusedFor
from envision_worker.vocabulary import DeskKind, DeskTicketId, PartnerTicketNumber, TicketType

REQUESTER = {"email_id": "ensono@example.com"}
NOWHERE = DeskTicketId("999999")


async def a_request(stage: Stage, number: str = "e-CS0100200", title: str = "Disk full") -> DeskTicket:
    wanted = Fields(title=title, description="<p>it is</p>", requester=REQUESTER, ensono_number=number, status="Open")
    return await stage.desk.create(TicketType.INCIDENT, wanted)


async def a_change(stage: Stage, number: str = "e-CHG0032103") -> DeskTicket:
    wanted = Fields(
        title="Patch day",
        description="<p>plan</p>",
        requester=REQUESTER,
        ensono_number=number,
        stage="Submission",
        status="Requested",
        change_type="Standard",
        start=datetime(2026, 2, 8, 16, 25, 48, tzinfo=UTC),
        end=datetime(2026, 2, 8, 17, 25, 48, tzinfo=UTC),
    )
    return await stage.desk.create(TicketType.CHANGE, wanted)


async def a_level(stage: Stage, ref: DeskRef, *approvers: str) -> ApprovalLevel:
    wanted = approvers or (CAB,)
    return await stage.desk.add_approval_level(ref, name="Ensono A1", rule=ApprovalRule.ANYONE, approvers=wanted)


async def refusal(call: object) -> Refused:
    error = await error_of(call)
    assert isinstance(error, Refused), error
    return error


async def test_a_desk_that_is_there_answers_a_probe(stage: Stage) -> None:
    await stage.desk.probe()


# --- create, read, find ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ticket_type", [TicketType.INCIDENT, TicketType.REQUEST])
async def test_a_new_request_can_be_read_back(stage: Stage, ticket_type: TicketType) -> None:
    wanted = Fields(
        title="Disk full", description="<p>🔥</p>", requester=REQUESTER, ensono_number="e-CS1", status="In Progress",
        priority="High", impact="High", urgency="Urgent", group="Network", category="Software",
    )  # fmt: skip
    made = await stage.desk.create(ticket_type, wanted)
    assert made.ref.kind is DeskKind.REQUEST
    assert (made.title, made.ensono_number, made.status, made.life) == ("Disk full", "e-CS1", "In Progress", Life.OPEN)
    assert (made.stage, made.trashed) == (None, False)
    assert made.created is not None
    assert made.number
    assert await stage.desk.read(made.ref) == made


async def test_a_new_change_can_be_read_back(stage: Stage) -> None:
    made = await a_change(stage)
    assert made.ref.kind is DeskKind.CHANGE
    assert (made.title, made.stage, made.status, made.life) == ("Patch day", "Submission", "Requested", Life.OPEN)
    assert await stage.desk.read(made.ref) == made


async def test_fields_of_the_configuration_go_along_and_the_tickets_own_win(stage: Stage) -> None:
    extra = {"category": {"name": "Managed Services"}, "impact_details": "all of it"}
    wanted = Fields(title="x", requester=REQUESTER, category="Software", extra=extra)
    assert (await stage.desk.create(TicketType.INCIDENT, wanted)).title == "x"


async def test_a_change_of_an_unmapped_state_can_be_made(stage: Stage) -> None:
    made = await stage.desk.create(TicketType.CHANGE, Fields(title="x", requester=REQUESTER, ensono_number="e-CHG1"))
    assert made.life is Life.OPEN


async def test_a_ticket_is_found_by_its_ensono_number_and_no_other(stage: Stage) -> None:
    first = await a_request(stage, "e-CS0100200")
    await a_request(stage, "e-CS01002001")
    await a_request(stage, "e-cs0100200")
    await a_change(stage, "e-CS0100200")
    second = await a_request(stage, "e-CS0100200")
    assert list(await stage.desk.find(DeskKind.REQUEST, "e-CS0100200")) == [second.ref.id, first.ref.id]
    assert list(await stage.desk.find(DeskKind.REQUEST, "e-CS99")) == []


async def test_a_cancelled_ticket_is_still_found(stage: Stage) -> None:
    made = await a_change(stage)
    await stage.desk.cancel_change(made.ref, comment="redrafted")
    assert list(await stage.desk.find(DeskKind.CHANGE, "e-CHG0032103")) == [made.ref.id]


@pytest.mark.parametrize("kind", list(DeskKind))
async def test_a_ticket_is_located_by_the_number_that_people_use(stage: Stage, kind: DeskKind) -> None:
    made = await (a_request(stage) if kind is DeskKind.REQUEST else a_change(stage))
    assert await stage.desk.locate(kind, made.number) == made.ref.id
    for unknown in ("999999", "INC0012345", "", "../users"):
        assert await stage.desk.locate(kind, PartnerTicketNumber(unknown)) is None


async def test_a_trashed_ticket_can_be_read_and_says_so(stage: Stage) -> None:
    made = await a_request(stage)
    stage.trash(made.ref)
    assert (await stage.desk.read(made.ref)).trashed


async def test_a_deleted_ticket_is_not_found_by_any_verb(stage: Stage) -> None:
    made = await a_request(stage)
    stage.delete(made.ref)
    assert (await refusal(stage.desk.read(made.ref))).why is RefusedFor.NOT_FOUND
    assert (await refusal(stage.desk.notes(made.ref))).why is RefusedFor.NOT_FOUND
    assert (await refusal(stage.desk.add_note(made.ref, "x", public=True))).why is RefusedFor.NOT_FOUND
    assert (await refusal(stage.desk.update(made.ref, Fields(title="y")))).why is RefusedFor.NOT_FOUND
    assert (await refusal(stage.desk.set_resolution(made.ref, "y"))).why is RefusedFor.NOT_FOUND
    closing = stage.desk.close(made.ref, status="Closed", closure_code=None, comments="")
    assert (await refusal(closing)).why is RefusedFor.NOT_FOUND
    assert list(await stage.desk.find(DeskKind.REQUEST, "e-CS0100200")) == []


async def test_a_merged_ticket_leads_to_its_parent(stage: Stage) -> None:
    child, parent = await a_request(stage), await a_request(stage, "e-CS2")
    stage.merge(child.ref, parent.ref)
    for call in (stage.desk.read(child.ref), stage.desk.add_note(child.ref, "x", public=True)):
        error = await refusal(call)
        assert (error.why, error.merged_into) == (RefusedFor.MERGED, parent.ref.id)


# --- update ----------------------------------------------------------------------------------------------------------


async def test_an_update_sets_what_is_given_and_leaves_the_rest(stage: Stage) -> None:
    made = await a_request(stage)
    await stage.desk.update(made.ref, Fields(title="Disk still full", priority="Low"))
    read = await stage.desk.read(made.ref)
    assert (read.title, read.ensono_number, read.status) == ("Disk still full", "e-CS0100200", "Open")


async def test_the_ensono_number_can_be_set_moved_and_cleared(stage: Stage) -> None:
    made = await a_request(stage)
    await stage.desk.update(made.ref, Fields(ensono_number="e-CS2"))
    assert (await stage.desk.read(made.ref)).ensono_number == "e-CS2"
    await stage.desk.update(made.ref, Fields(ensono_number=""))
    assert (await stage.desk.read(made.ref)).ensono_number == ""
    assert list(await stage.desk.find(DeskKind.REQUEST, "e-CS2")) == []


async def test_a_field_that_is_refused_is_named_and_the_rest_goes_through_without_it(stage: Stage) -> None:
    stage.take_from_the_form("urgency")
    wanted = Fields(title="x", requester=REQUESTER, urgency="Urgent", priority="High")
    error = await refusal(stage.desk.create(TicketType.INCIDENT, wanted))
    assert (error.why, error.fields) == (RefusedFor.FIELDS, ("urgency",))
    assert (await stage.desk.create(TicketType.INCIDENT, wanted.without(frozenset(error.fields)))).title == "x"


async def test_a_name_that_the_desk_lacks_is_refused_by_its_field(stage: Stage) -> None:
    error = await refusal(
        stage.desk.create(TicketType.INCIDENT, Fields(title="x", requester=REQUESTER, category="Cars"))
    )
    assert (error.why, error.fields) == (RefusedFor.FIELDS, ("category",))


async def test_a_field_that_only_changes_have_is_refused_on_a_request(stage: Stage) -> None:
    error = await refusal(
        stage.desk.create(TicketType.INCIDENT, Fields(title="x", requester=REQUESTER, stage="Planning"))
    )
    assert (error.why, error.fields) == (RefusedFor.FIELDS, ("stage",))


# --- notes and files -------------------------------------------------------------------------------------------------


async def test_notes_are_listed_oldest_first_and_told_one_by_one(stage: Stage) -> None:
    made = await a_request(stage)
    assert list(await stage.desk.notes(made.ref)) == []
    ids = [await stage.desk.add_note(made.ref, f"<p>note {number} &amp; 🔥</p>", public=False) for number in range(3)]
    assert [note.id for note in await stage.desk.notes(made.ref)] == ids
    assert "note 1 &amp; 🔥" in await stage.desk.note_text(made.ref, ids[1])
    assert (await refusal(stage.desk.note_text(made.ref, NOWHERE))).why is RefusedFor.NOT_FOUND


async def test_a_ticket_with_many_notes_lists_all_of_them(stage: Stage) -> None:
    made = await a_change(stage)
    ids = [await stage.desk.add_note(made.ref, f"<p>{number}</p>", public=True) for number in range(101)]
    assert [note.id for note in await stage.desk.notes(made.ref)] == ids


@pytest.mark.parametrize("public", [True, False])
async def test_a_note_on_a_request_is_as_public_as_it_was_meant(stage: Stage, *, public: bool) -> None:
    made = await a_request(stage)
    note_id = await stage.desk.add_note(made.ref, "x", public=public)
    assert stage.is_public(made.ref, note_id) is public


@pytest.mark.parametrize("kind", list(DeskKind))
async def test_files_arrive_as_they_are(stage: Stage, tmp_path: Path, kind: DeskKind) -> None:
    made = await (a_request(stage) if kind is DeskKind.REQUEST else a_change(stage))
    assert list(await stage.desk.files(made.ref)) == []
    content = bytes(range(256)) * 8192
    path = tmp_path / "spooled"
    path.write_bytes(content)
    names = ["daily log.txt", 'ümlaut "quoted".bin', "daily log.txt"]
    ids = [
        await stage.desk.attach(made.ref, LocalFile(path, name, "application/octet-stream", len(content)))
        for name in names
    ]
    listed = {each.id: each for each in await stage.desk.files(made.ref)}
    assert [(listed[each].name, listed[each].size) for each in ids] == [(name, len(content)) for name in names]
    assert stage.content(made.ref) == [content] * 3


# --- the life of a request -------------------------------------------------------------------------------------------


async def test_a_request_is_resolved_closed_and_reopened(stage: Stage) -> None:
    ref = (await a_request(stage)).ref
    for _ in range(2):
        await stage.desk.set_resolution(ref, "<p>Replaced the disk</p>")
        await stage.desk.set_status(ref, "Resolved")
    assert (await stage.desk.read(ref)).life is Life.RESOLVED
    for _ in range(2):
        await stage.desk.close(ref, status="Closed", closure_code="success", comments="all\ngood")
    assert (await stage.desk.read(ref)).life is Life.CLOSED
    await stage.desk.set_status(ref, "Open", comment="it is back")
    assert (await stage.desk.read(ref)).life is Life.OPEN


async def test_a_request_is_closed_without_a_code(stage: Stage) -> None:
    ref = (await a_request(stage)).ref
    await stage.desk.close(ref, status="Closed", closure_code=None, comments="")
    assert (await stage.desk.read(ref)).life is Life.CLOSED


async def test_a_request_is_cancelled_by_its_status(stage: Stage) -> None:
    ref = (await a_request(stage)).ref
    await stage.desk.set_status(ref, "Cancelled")
    assert (await stage.desk.read(ref)).life is Life.CANCELLED


async def test_a_closure_code_that_the_desk_lacks_is_named_and_leaves_the_request_open(stage: Stage) -> None:
    ref = (await a_request(stage)).ref
    error = await refusal(stage.desk.close(ref, status="Closed", closure_code="no such code", comments=""))
    assert (error.why, error.fields) == (RefusedFor.FIELDS, ("closure_code",))
    assert (await stage.desk.read(ref)).life is Life.OPEN


async def test_a_closed_request_that_is_locked_says_so_and_still_takes_notes(stage: Stage) -> None:
    ref = (await a_request(stage)).ref
    await stage.desk.close(ref, status="Closed", closure_code=None, comments="")
    stage.lock_closed()
    assert (await refusal(stage.desk.update(ref, Fields(priority="High")))).why is RefusedFor.CLOSED
    await stage.desk.add_note(ref, "still", public=False)


# --- the life of a change --------------------------------------------------------------------------------------------


async def test_a_change_moves_through_its_stages(stage: Stage) -> None:
    ref = (await a_change(stage)).ref
    await stage.desk.move_change(ref, stage="Planning", status="Planning In Progress", comment="Assess")
    await stage.desk.move_change(ref, stage="Implementation", status="In Progress", comment="Implement\nnow")
    read = await stage.desk.read(ref)
    assert (read.stage, read.status, read.life) == ("Implementation", "In Progress", Life.OPEN)


async def test_a_move_that_the_workflow_forbids_is_refused(stage: Stage) -> None:
    ref = (await a_change(stage)).ref
    stage.forbid_all_moves()
    error = await refusal(stage.desk.move_change(ref, stage="Planning", status="Planning In Progress", comment="x"))
    assert error.why not in {RefusedFor.NOT_FOUND, RefusedFor.MERGED}
    assert (await stage.desk.read(ref)).stage == "Submission"


async def test_a_change_is_closed_and_closing_it_again_is_a_success(stage: Stage) -> None:
    ref = (await a_change(stage)).ref
    for _ in range(2):
        await stage.desk.close_change(ref, closure_code="success", comments="went well")
    assert (await stage.desk.read(ref)).life is Life.CLOSED


async def test_a_change_is_cancelled_and_cancelling_it_again_is_a_success(stage: Stage) -> None:
    ref = (await a_change(stage)).ref
    for _ in range(2):
        await stage.desk.cancel_change(ref, comment="redrafted")
    assert (await stage.desk.read(ref)).life is Life.CANCELLED


async def test_a_change_that_is_gone_can_not_be_ended(stage: Stage) -> None:
    ref = (await a_change(stage)).ref
    stage.delete(ref)
    assert (await refusal(stage.desk.cancel_change(ref, comment="x"))).why is RefusedFor.NOT_FOUND
    ending = stage.desk.close_change(ref, closure_code=None, comments="x")
    assert (await refusal(ending)).why is RefusedFor.NOT_FOUND


# --- approvals -------------------------------------------------------------------------------------------------------


async def test_a_change_without_approvals_has_none(stage: Stage) -> None:
    assert not await stage.desk.approvals((await a_change(stage)).ref)


async def test_a_level_waits_for_its_approvers_who_are_not_notified_yet(stage: Stage) -> None:
    ref = (await a_change(stage)).ref
    made = await a_level(stage, ref, CAB, SECOND)
    (level,) = await stage.desk.approvals(ref)
    assert level == made
    assert level.state is ApprovalState.WAITING
    assert [(each.approver, each.sent) for each in level.approvals] == [(CAB, False), (SECOND, False)]


async def test_an_approver_decides_once_notified_and_the_desk_tells_who_when_and_why(stage: Stage) -> None:
    ref = (await a_change(stage)).ref
    made = await a_level(stage, ref)
    await stage.desk.notify_approvers(ref, made.id)
    assert (await stage.desk.approvals(ref))[0].approvals[0].sent
    stage.decide(ref, CAB, ApprovalState.REJECTED, "not on a Friday")
    (level,) = await stage.desk.approvals(ref)
    (decided,) = level.approvals
    assert (level.state, decided.state) == (ApprovalState.REJECTED, ApprovalState.REJECTED)
    assert (decided.decided_by_email, decided.comments) == (CAB, "not on a Friday")
    assert decided.decided_by_name


async def test_a_delegate_decides_for_the_one_who_was_asked(stage: Stage) -> None:
    ref = (await a_change(stage)).ref
    made = await a_level(stage, ref)
    await stage.desk.notify_approvers(ref, made.id)
    stage.decide(ref, CAB, ApprovalState.APPROVED, "fine", by=SECOND)
    (decided,) = (await stage.desk.approvals(ref))[0].approvals
    assert (decided.approver, decided.decided_by_email, decided.state) == (CAB, SECOND, ApprovalState.APPROVED)


async def test_only_who_has_not_decided_is_reminded(stage: Stage) -> None:
    ref = (await a_change(stage)).ref
    level = await stage.desk.add_approval_level(ref, name="x", rule=ApprovalRule.EVERYONE, approvers=[CAB, SECOND])
    await stage.desk.notify_approvers(ref, level.id)
    stage.decide(ref, CAB, ApprovalState.APPROVED, "")
    await stage.desk.notify_approvers(ref, level.id)
    assert stage.mails(ref) == [CAB, SECOND, SECOND]


async def test_an_approver_joins_a_level_that_waits(stage: Stage) -> None:
    ref = (await a_change(stage)).ref
    level = await a_level(stage, ref)
    added = await stage.desk.add_approver(ref, level.id, SECOND)
    assert (added.approver, added.sent, added.state) == (SECOND, False, ApprovalState.WAITING)
    (read,) = await stage.desk.approvals(ref)
    assert [each.approver for each in read.approvals] == [CAB, SECOND]


async def test_reminding_again_and_reminding_nobody_are_both_fine(stage: Stage) -> None:
    ref = (await a_change(stage)).ref
    level = await a_level(stage, ref)
    for _ in range(2):
        await stage.desk.notify_approvers(ref, level.id)
    stage.decide(ref, CAB, ApprovalState.APPROVED, "")
    await stage.desk.notify_approvers(ref, level.id)


async def test_two_levels_stand_side_by_side_and_one_is_withdrawn_for_good(stage: Stage) -> None:
    ref = (await a_change(stage)).ref
    first, second = await a_level(stage, ref), await a_level(stage, ref, SECOND)
    await stage.desk.notify_approvers(ref, first.id)
    for _ in range(2):
        await stage.desk.remove_approval_level(ref, first.id)
    assert [level.id for level in await stage.desk.approvals(ref)] == [second.id]
    await stage.desk.remove_approval_level(ref, second.id)
    assert not await stage.desk.approvals(ref)


async def test_an_approver_whom_the_desk_does_not_know_is_refused_and_leaves_no_level(stage: Stage) -> None:
    ref = (await a_change(stage)).ref
    assert (await refusal(a_level(stage, ref, "nobody@example.com"))).why is RefusedFor.FIELDS
    assert not await stage.desk.approvals(ref)


async def test_a_level_that_is_gone_is_no_change_that_is_gone(stage: Stage) -> None:
    ref = (await a_change(stage)).ref
    level = await a_level(stage, ref)
    await stage.desk.remove_approval_level(ref, level.id)
    for call in (stage.desk.add_approver(ref, level.id, SECOND), stage.desk.notify_approvers(ref, level.id)):
        assert (await refusal(call)).why is RefusedFor.OTHER


async def test_users_are_known_by_their_address_in_any_case(stage: Stage) -> None:
    assert await stage.desk.knows_user(CAB)
    assert await stage.desk.knows_user(CAB.upper())
    assert not await stage.desk.knows_user("nobody@example.com")


# --- what the desk lacks ---------------------------------------------------------------------------------------------


async def test_a_desk_that_has_every_name_lacks_none(stage: Stage) -> None:
    await a_request(stage)
    await a_change(stage)
    assert list(await stage.desk.missing(KNOWN)) == []


async def test_each_name_that_is_missing_is_told_with_the_list_it_should_be_in(stage: Stage) -> None:
    wanted = DeskNames(
        statuses=frozenset({"Open", "Parked"}),
        closure_codes=frozenset({"unheard of"}),
        change_stages=frozenset({"Nirvana"}),
        approvers=frozenset({"nobody@example.com"}),
        requester="noone@example.com",
    )
    lines = list(await stage.desk.missing(wanted))
    assert {line.partition(": ")[0] for line in lines} == {
        "statuses",
        "closure_codes",
        "change_stages",
        "approvers",
        "requester",
    }
    assert len(lines) == 5
    assert "'Parked'" in next(line for line in lines if line.startswith("statuses"))
