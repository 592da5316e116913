import pytest
from desk_world import HandClock, error_of

from envision_worker.desks.approval import ApprovalRule, ApprovalState
from envision_worker.desks.desk import DeskNames, DeskRef, Fields, Life
from envision_worker.desks.memory import MemoryDesk
from envision_worker.desks.memory_faults import Moment
from envision_worker.errors import Refused, RefusedFor, Unreachable, Unsure
from envision_worker.vocabulary import DeskKind, DeskTicketId, TicketType

LOST = Unsure("desk", "x", "lost")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def desk(clock: HandClock) -> MemoryDesk:
    return MemoryDesk(clock)


async def a_request(desk: MemoryDesk) -> DeskRef:
    return (await desk.create(TicketType.INCIDENT, Fields(title="Disk full", ensono_number="e-CS1"))).ref


async def test_the_journal_tells_what_really_happened(desk: MemoryDesk) -> None:
    ref = await a_request(desk)
    await desk.add_note(ref, "<p>x</p>", public=True)
    await error_of(desk.read(DeskRef(DeskKind.REQUEST, DeskTicketId("1"))))
    await error_of(desk.add_note(DeskRef(DeskKind.REQUEST, DeskTicketId("1")), "x", public=True))
    assert [(each.verb, each.ref) for each in desk.journal] == [("create", ref), ("add_note", ref)]
    assert desk.journal[1].what == {"html": "<p>x</p>", "public": True}


async def test_a_failure_before_the_effect_leaves_nothing_behind(desk: MemoryDesk) -> None:
    desk.fail("create", Unreachable("desk", "create", "gone"))
    assert isinstance(await error_of(a_request(desk)), Unreachable)
    assert desk.journal == []
    await a_request(desk)
    assert len(desk.journal) == 1


async def test_a_failure_after_the_effect_loses_only_the_answer(desk: MemoryDesk) -> None:
    desk.fail("*", LOST, after=True, times=2)
    assert await error_of(a_request(desk)) is LOST
    assert await desk.find(DeskKind.REQUEST, "e-CS1") != []
    assert await error_of(a_request(desk)) is LOST
    await a_request(desk)
    assert len(desk.journal) == 3


async def test_an_effect_can_come_late(desk: MemoryDesk, clock: HandClock) -> None:
    desk.fail("create", LOST, late_s=30)
    assert await error_of(a_request(desk)) is LOST
    clock.move(29)
    assert await desk.find(DeskKind.REQUEST, "e-CS1") == []
    clock.move(1)
    assert len(await desk.find(DeskKind.REQUEST, "e-CS1")) == 1
    assert len(desk.journal) == 1


async def test_a_late_effect_on_a_ticket_that_went_meanwhile_is_none(desk: MemoryDesk, clock: HandClock) -> None:
    ref = await a_request(desk)
    desk.fail("add_note", LOST, late_s=30)
    await error_of(desk.add_note(ref, "x", public=True))
    desk.world.delete(ref)
    clock.move(60)
    await desk.probe()
    assert len(desk.journal) == 1


async def test_failures_can_be_healed(desk: MemoryDesk) -> None:
    desk.fail("*", Unreachable("desk", "x", "down"), times=1000)
    assert isinstance(await error_of(desk.probe()), Unreachable)
    desk.heal()
    await desk.probe()


async def test_whoever_interferes_sees_every_call_before_and_after(desk: MemoryDesk) -> None:
    seen: list[tuple[str, Moment]] = []

    async def look(verb: str, moment: Moment) -> None:
        seen.append((verb, moment))

    desk.interfere = look
    await a_request(desk)
    await desk.probe()
    assert seen == [("create", Moment.BEFORE), ("create", Moment.AFTER), ("probe", Moment.BEFORE)]


async def test_a_new_ticket_can_be_missing_from_searches_for_a_while(desk: MemoryDesk, clock: HandClock) -> None:
    desk.world.search_lag_s = 5
    ref = await a_request(desk)
    assert await desk.find(DeskKind.REQUEST, "e-CS1") == []
    assert (await desk.read(ref)).title == "Disk full"
    clock.move(5)
    assert await desk.find(DeskKind.REQUEST, "e-CS1") == [ref.id]


async def test_fields_can_be_refused_with_or_without_saying_which(desk: MemoryDesk) -> None:
    desk.world.refused_fields = frozenset({"urgency"})
    error = await error_of(desk.create(TicketType.INCIDENT, Fields(title="x", urgency="High")))
    assert isinstance(error, Refused)
    assert (error.why, error.fields) == (RefusedFor.FIELDS, ("urgency",))
    desk.world.tells_fields = False
    error = await error_of(desk.create(TicketType.INCIDENT, Fields(title="x", urgency="High")))
    assert isinstance(error, Refused)
    assert error.fields == ()


async def test_names_that_the_desk_lacks_are_refused_and_reported(desk: MemoryDesk) -> None:
    desk.world.names = DeskNames(statuses=frozenset({"Open"}), approvers=frozenset({"cab@example.com"}))
    error = await error_of(desk.create(TicketType.INCIDENT, Fields(title="x", priority="High")))
    assert isinstance(error, Refused)
    assert error.fields == ("priority",)
    wanted = DeskNames(priorities=frozenset({"High"}), approvers=frozenset({"x@y.z"}), requester="CAB@example.com")
    assert await desk.missing(wanted) == [
        "priorities: the desk has no 'High'",
        "approvers: the desk has no user 'x@y.z'",
    ]


async def test_a_closed_ticket_can_be_locked(desk: MemoryDesk) -> None:
    ref = await a_request(desk)
    await desk.close(ref, status="Closed", closure_code=None, comments="")
    await desk.update(ref, Fields(title="still"))
    desk.world.locks_closed = True
    error = await error_of(desk.update(ref, Fields(title="no more")))
    assert isinstance(error, Refused)
    assert error.why is RefusedFor.CLOSED
    await desk.set_status(ref, "Open")
    await desk.update(ref, Fields(title="again"))


async def test_a_workflow_can_forbid_a_move(desk: MemoryDesk) -> None:
    ref = (await desk.create(TicketType.CHANGE, Fields(title="x"))).ref
    desk.world.workflow = lambda _stage, status: status != "Completed"
    assert isinstance(await error_of(desk.move_change(ref, stage="Review", status="Completed", comment="")), Refused)
    await desk.move_change(ref, stage="Review", status="In Review", comment="")
    assert (await desk.read(ref)).stage == "Review"


@pytest.mark.parametrize(
    ("rule", "decisions", "state"),
    [
        (ApprovalRule.ANYONE, "a", ApprovalState.APPROVED),
        (ApprovalRule.ANYONE, "r", ApprovalState.WAITING),
        (ApprovalRule.ANYONE, "rr", ApprovalState.REJECTED),
        (ApprovalRule.ANYONE, "ra", ApprovalState.APPROVED),
        (ApprovalRule.EVERYONE, "a", ApprovalState.WAITING),
        (ApprovalRule.EVERYONE, "aa", ApprovalState.APPROVED),
        (ApprovalRule.EVERYONE, "r", ApprovalState.REJECTED),
        (ApprovalRule.EVERYONE, "", ApprovalState.WAITING),
    ],
)
async def test_a_level_is_decided_by_its_rule(
    desk: MemoryDesk, rule: ApprovalRule, decisions: str, state: ApprovalState
) -> None:
    ref = (await desk.create(TicketType.CHANGE, Fields(title="x"))).ref
    level = await desk.add_approval_level(ref, name="x", rule=rule, approvers=["a@b.c", "d@e.f"])
    await desk.notify_approvers(ref, level.id)
    for asked, decision in zip(level.approvals, decisions, strict=False):
        decided = ApprovalState.APPROVED if decision == "a" else ApprovalState.REJECTED
        desk.world.decide(ref, level.id, asked.id, decided)
    assert (await desk.approvals(ref))[0].state is state


async def test_nobody_can_decide_before_the_mail_went_out(desk: MemoryDesk) -> None:
    ref = (await desk.create(TicketType.CHANGE, Fields(title="x"))).ref
    level = await desk.add_approval_level(ref, name="x", rule=ApprovalRule.ANYONE, approvers=["a@b.c"])
    with pytest.raises(Refused):
        desk.world.decide(ref, level.id, level.approvals[0].id, ApprovalState.APPROVED)
    await desk.notify_approvers(ref, level.id)
    await desk.notify_approvers(ref, level.id)
    assert desk.world.level(ref, level.id).mails == ["a@b.c", "a@b.c"]
    desk.world.decide(ref, level.id, level.approvals[0].id, ApprovalState.APPROVED)
    await desk.notify_approvers(ref, level.id)
    assert len(desk.world.level(ref, level.id).mails) == 2


async def test_a_change_that_ended_otherwise_refuses_to_be_cancelled(desk: MemoryDesk) -> None:
    ref = (await desk.create(TicketType.CHANGE, Fields(title="x"))).ref
    await desk.close_change(ref, closure_code="success", comments="fine")
    assert (await desk.read(ref)).life is Life.CLOSED
    assert desk.world.ticket(ref).closure == ("success", "fine")
    assert isinstance(await error_of(desk.cancel_change(ref, comment="x")), Refused)
