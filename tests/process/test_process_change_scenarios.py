"""The ten rows of the guide's "Normal change scenarios" through the real program, side by side, on both editions of the desk."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from envision_worker.simulators.ensono.records import Decision
from envision_worker.simulators.manageengine.tickets import Effect, Ticket
from process.real_worker import Plant, built, until
from worlds.configuration import Edition

APPROVER = "noreply@client.com"
CAB = "cab@example.com"
REASON = 'It collides with the "year end" freeze;\nplease move it \\ to January'
CLOSE_NOTES = "done on Sunday\nby Tim"
CLOSURE_CODES = {
    "Successful": "success",
    "Successful with issues": "Closed - Completed",
    "Unsuccessful": "Failed",
}
Verdict = Literal["approve", "reject"]


@dataclass
class Row:
    """One row of the table, lived through with a change of its own."""

    plant: Plant
    number: str = ""
    journal: list[Effect] = field(default_factory=list)

    # --- living it ---------------------------------------------------------------------------------------------------

    async def is_decided(self, verdict: Verdict) -> None:
        """The client decides, and Ensono knows it."""
        self.number = self.plant.ensono.scenario.change_create(approvers=[("CAB", APPROVER)])
        await self.decide(verdict)
        self.journal = list(self.effects())

    async def decide(self, verdict: Verdict) -> None:
        """The approver decides as soon as the desk has asked; returns once Ensono has heard of it."""
        await self.settled()
        before, change = len(self.decisions), self.changes()[-1]
        if verdict == "approve":
            self.plant.desk.people.approve(change.id, comments="go ahead")
        else:
            self.plant.desk.people.reject(change.id, REASON)
        await self.until(lambda: len(self.decisions) > before)

    async def moves(self, *states: str, transaction_type: str = "Update") -> None:
        """Ensono moves the change on."""
        for state in states:
            self.plant.ensono.scenario.change_state(self.number, state, transaction_type=transaction_type)
        await self.settled()

    async def is_implemented(self, code: str) -> None:
        """Ensono carries the change out and closes it."""
        await self.moves("Authorize", "Scheduled", "Implement", "Review")
        self.plant.ensono.scenario.change_close(self.number, close_code=code, close_notes=CLOSE_NOTES)
        await self.settled()

    async def is_assessed_again(self) -> None:
        """After it was moved to New it is set to Assess, and the client is asked again."""
        await self.moves("New", transaction_type="Redraft")
        self.plant.ensono.scenario.change_state(self.number, "Assess", approvers=[("CAB", APPROVER)])
        await self.settled()

    async def settled(self) -> None:
        """Everything that Ensono has said of this change is applied and acknowledged."""
        await self.until(lambda: all(each.group != self.number for each in self.plant.ensono.queue.messages()))

    async def until(self, done: Callable[[], Any]) -> None:
        await until(done, programs=self.plant.programs)

    # --- what came of it ---------------------------------------------------------------------------------------------

    @property
    def decisions(self) -> list[Decision]:
        """What Ensono was told."""
        return self.plant.ensono.tickets[self.number].decisions

    def changes(self) -> list[Ticket]:
        """The desk's changes that Ensono was told to be this one, oldest first."""
        numbers = self.plant.ensono.tickets[self.number].returned_numbers
        return [each for each in self.plant.changes() if {each.number, f"CH-{each.number}"} & set(numbers)]

    def stands(self, place: int = -1) -> str:
        """`Stage / Status`."""
        setup, change = self.plant.desk.setup, self.changes()[place]
        stage = setup.row("change_stages", change.fields["stage"]).name
        return f"{stage} / {setup.row('change_statuses', change.fields['status']).name}"

    def effects(self) -> Iterator[Effect]:
        """All that was written to its changes through the API."""
        ids = {change.id for change in self.changes()}
        return (each for each in self.plant.desk.journal if each.by == "api" and each.ticket in ids)

    def told(self) -> list[tuple[str, bool]]:
        """What Ensono was told, and whether it counted."""
        return [(each.verb, each.counted) for each in self.decisions]


async def implement_successful(row: Row) -> None:
    await row.is_decided("approve")
    await row.is_implemented("Successful")


async def implement_successful_with_issues(row: Row) -> None:
    await row.is_decided("approve")
    await row.is_implemented("Successful with issues")


async def implement_failure(row: Row) -> None:
    await row.is_decided("approve")
    await row.is_implemented("Unsuccessful")


async def approved_reject_move_to_new(row: Row) -> None:
    await row.is_decided("approve")
    await row.moves("Authorize", "New")


async def approved_cancelled(row: Row) -> None:
    await row.is_decided("approve")
    await row.moves("Cancelled", transaction_type="Closure")


async def approved_move_to_new(row: Row) -> None:
    await row.is_decided("approve")
    await row.moves("New", transaction_type="Redraft")


async def approved_assessed_again(row: Row) -> None:
    await row.is_decided("approve")
    await row.is_assessed_again()
    await row.decide("approve")


async def rejected_cancelled(row: Row) -> None:
    await row.is_decided("reject")
    await row.moves("Cancelled", transaction_type="Closure")


async def rejected_move_to_new(row: Row) -> None:
    await row.is_decided("reject")
    await row.moves("New", transaction_type="Redraft")


async def rejected_assessed_again(row: Row) -> None:
    await row.is_decided("reject")
    await row.is_assessed_again()
    await row.decide("approve")


LIVES: tuple[Callable[[Row], Awaitable[None]], ...] = (
    implement_successful,
    implement_successful_with_issues,
    implement_failure,
    approved_reject_move_to_new,
    approved_cancelled,
    approved_move_to_new,
    approved_assessed_again,
    rejected_cancelled,
    rejected_move_to_new,
    rejected_assessed_again,
)


@dataclass(frozen=True)
class Table:
    """The ten rows after they were lived through, and what became of those that were not."""

    rows: Mapping[str, Row]
    failures: Mapping[str, BaseException]

    @contextmanager
    def row(self, life: Callable[[Row], Awaitable[None]]) -> Iterator[Row]:
        """A row, to look at what came of it."""
        if failure := self.failures.get(life.__name__):
            raise failure
        yield self.rows[life.__name__]


async def lived(folder: Path, edition: Edition) -> Table:
    """All ten at the same time through one process."""
    async with built(folder, edition) as plant:
        plant.desk.switches.approval_moves_change = True
        plant.configure(
            mapping={"closure_code": CLOSURE_CODES},
            approvals={"poll_interval_s": 0.3, "approvers": {APPROVER: [CAB]}},
        )
        program = await plant.run()
        rows = {life.__name__: Row(plant) for life in LIVES}
        came = await asyncio.gather(*(life(rows[life.__name__]) for life in LIVES), return_exceptions=True)
        assert await program.stop() == 0
        assert program.events("dead_letter_kept") == []
    failures = {name: each for name, each in zip(rows, came, strict=True) if isinstance(each, BaseException)}
    return Table(rows, failures)


@pytest.fixture(scope="module", params=["on_premises", "cloud"])
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Table:
    return asyncio.run(lived(tmp_path_factory.mktemp("plant"), request.param))


def is_closed(row: Row, code: str) -> None:
    (change,) = row.changes()
    assert row.stands() == "Close / Completed"
    notes = "\n".join(note.text for note in change.notes)
    assert f"Close code: {code}" in notes
    assert CLOSE_NOTES.replace("\n", "<br>") in notes
    closing = next(each for each in reversed(list(row.effects())) if each.verb in {"close", "status"})
    assert f"Closure code: {CLOSURE_CODES[code]}. " in closing.what["comment"]
    assert row.told() == [("approve", True)]


def is_cancelled(row: Row, verdict: Verdict) -> None:
    (_,) = row.changes()
    assert row.stands().endswith(" / Canceled")
    assert row.told() == [(verdict, True)]


def stands_anew(row: Row, verdict: Verdict) -> None:
    old, new = row.changes()
    assert row.stands(0).endswith(" / Canceled")
    assert row.stands(1) == "CAB Evaluation / Approved"
    assert row.plant.ensono.tickets[row.number].client_ticket_number in {new.number, f"CH-{new.number}"}
    assert row.told() == [(verdict, True), ("approve", True)]
    assert [len(change.levels) for change in (old, new)] == [1, 1]


def test_approve_and_implement_successful_closes_the_client_change(table: Table) -> None:
    with table.row(implement_successful) as row:
        is_closed(row, "Successful")


def test_approve_and_implement_successful_with_issues_closes_the_client_change(table: Table) -> None:
    with table.row(implement_successful_with_issues) as row:
        is_closed(row, "Successful with issues")


def test_approve_and_implement_failure_closes_the_client_change(table: Table) -> None:
    with table.row(implement_failure) as row:
        is_closed(row, "Unsuccessful")


def test_approve_and_reject_move_to_new_cancels_the_client_change(table: Table) -> None:
    with table.row(approved_reject_move_to_new) as row:
        is_cancelled(row, "approve")


def test_approve_and_cancelled_cancels_the_client_change(table: Table) -> None:
    with table.row(approved_cancelled) as row:
        is_cancelled(row, "approve")


def test_approve_and_move_to_new_cancels_the_client_change(table: Table) -> None:
    with table.row(approved_move_to_new) as row:
        is_cancelled(row, "approve")


def test_approve_and_moved_to_new_then_set_to_assess_again_cancels_the_previous_change_and_creates_a_new_one(
    table: Table,
) -> None:
    with table.row(approved_assessed_again) as row:
        stands_anew(row, "approve")


def test_reject_and_cancelled_does_nothing(table: Table) -> None:
    with table.row(rejected_cancelled) as row:
        assert row.stands() == "CAB Evaluation / Rejected"
        assert row.journal
        assert list(row.effects()) == row.journal
        assert row.told() == [("reject", True)]


def test_reject_and_move_to_new_cancels_the_client_change(table: Table) -> None:
    with table.row(rejected_move_to_new) as row:
        is_cancelled(row, "reject")


def test_reject_and_moved_to_new_then_set_to_assess_again_creates_a_new_change(table: Table) -> None:
    with table.row(rejected_assessed_again) as row:
        stands_anew(row, "reject")


def test_the_reason_of_each_rejection_is_readable_at_ensono_word_for_word(table: Table) -> None:
    for life in (rejected_cancelled, rejected_move_to_new, rejected_assessed_again):
        with table.row(life) as row:
            first = row.decisions[0]
            assert (first.verb, first.approver) == ("reject", APPROVER)
            assert first.comment.endswith(f"Reason: {REASON}")
