"""What a test of changes and approvals asks a world for."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from envision_worker.ledger.records import ApprovalRecord, Link
from envision_worker.simulators.ensono.records import Decision
from envision_worker.simulators.manageengine.tickets import Approval, Effect, Level, Ticket
from envision_worker.telemetry.gauges import Gauges
from envision_worker.vocabulary import EnsonoTicketNumber
from worlds.configuration import MAPPING, Edition
from worlds.simulated import World
from worlds.virtual_time import in_virtual_time, world_time

CAB = "cab@example.com"
SECOND = "cab.second@example.com"
MANAGER = "change-manager@example.com"
CLOSURE_CODES = {
    "Successful": "success",
    "Successful with issues": "Closed - Completed",
    "Unsuccessful": "Failed",
}


class ChangeWorld(World):
    """A world in which changes are decided: the desk's approvals move the change, and closure codes are mapped."""

    def __init__(
        self, folder: Path, *, edition: Edition = "on_premises", settings: Mapping[str, Any] | None = None
    ) -> None:
        given = dict(settings or {})
        mapping = {**MAPPING, "closure_code": CLOSURE_CODES, **given.pop("mapping", {})}
        super().__init__(folder, edition=edition, settings={**given, "mapping": mapping})
        self.desk.switches.approval_moves_change = True

    # --- letting things happen ---------------------------------------------------------------------------------------

    async def settled(self, condition: Callable[[], bool] | None = None, *, within_s: float = 1000) -> None:
        """Let time pass until the queue is empty and, where one is given, this is so."""
        ends = world_time() + within_s
        while self.ensono.queue.messages() or (condition is not None and not condition()):
            assert world_time() < ends, "it did not come to that"
            await asyncio.sleep(1.0)

    async def approve(self, number: str, *, approver: str = "", comments: str = "") -> None:
        """Someone approves the change on the desk, and Ensono hears of it."""
        before = len(self.decisions(number))
        self.desk.people.approve(self.change().number, approver=approver, comments=comments)
        await self.settled(lambda: len(self.decisions(number)) > before)

    async def reject(self, number: str, reason: str, *, approver: str = "") -> None:
        """Someone rejects the change on the desk, and Ensono hears of it."""
        before = len(self.decisions(number))
        self.desk.people.reject(self.change().number, reason, approver=approver)
        await self.settled(lambda: len(self.decisions(number)) > before)

    async def polls(self, times: float = 2) -> None:
        """Let time pass for so many looks at the approvals."""
        await asyncio.sleep(times * self.config.approvals.poll_interval_s + 1)

    def add_level(self, change: Ticket, name: str, *approvers: str) -> Level:
        """Someone at the desk makes a level of approval of their own, with these users on it who have been asked."""
        now = int(world_time() * 1000)
        ids = self.desk.world.ids
        asked = [Approval(ids.new("approvals"), each, now, "Pending Approval", mails=[now]) for each in approvers]
        number = len(change.levels) + 1
        level = Level(
            ids.new("approval_levels"), number, name, change.fields["stage"], "percent", 1, now, "1", approvals=asked
        )
        change.levels.append(level)
        return level

    def remove_level(self, level: Level) -> None:
        """Someone at the desk takes a level of approval away, with all that is on it."""
        level.deleted = True
        for approval in level.approvals:
            approval.deleted = True

    # --- what can be seen --------------------------------------------------------------------------------------------

    def change(self, place: int = -1) -> Ticket:
        """One of the desk's changes, the newest unless told otherwise."""
        return self.changes()[place]

    def number(self, change: Ticket) -> str:
        """What people call a change by."""
        return f"CH-{change.number}" if self.edition == "cloud" else change.id

    def numbers(self) -> list[str]:
        """What people call the changes by, oldest first."""
        return [self.number(change) for change in self.changes()]

    def stands(self, change: Ticket) -> str:
        """`Stage / Status`."""
        setup = self.desk.setup
        stage = setup.row("change_stages", change.fields["stage"]).name
        return f"{stage} / {setup.row('change_statuses', change.fields['status']).name}"

    def decisions(self, number: str) -> list[Decision]:
        """Every approve and reject that Ensono answered with 200."""
        return self.ensono.tickets[number].decisions

    def levels(self, change: Ticket) -> list[Level]:
        """The levels of approval that stand on a change."""
        return [level for level in change.levels if not level.deleted]

    def asked(self, change: Ticket) -> list[str]:
        """The addresses of those who are on the levels of a change."""
        approvals = [each for level in self.levels(change) for each in level.approvals if not each.deleted]
        return [self.email(each) for each in approvals]

    def email(self, approval: Approval) -> str:
        """Whose approval it is."""
        return self.desk.setup.users[approval.approver].email or ""

    def mails(self) -> list[list[str]]:
        """The desk's mails to approvers, in order: to whom each went."""
        return [effect.what["to"] for effect in self.desk.journal if effect.verb == "notify"]

    def effects(self, *verbs: str) -> list[Effect]:
        """What was done on the desk through its API."""
        return [effect for effect in self.desk.journal if effect.verb in verbs and effect.by == "api"]

    def notes(self, change: Ticket) -> str:
        """All that was written on a change."""
        return "\n".join(note.text for note in change.notes)

    async def records(self) -> dict[str, ApprovalRecord]:
        """What the ledger has on approvals, by id."""
        assert self.worker is not None
        return {record.approval_id: record for record in await self.worker.parts.ledger.approvals.all()}

    async def worker_gauges(self) -> Gauges:
        """What the worker's metrics show."""
        assert self.worker is not None
        return await self.worker.gauges()

    async def link(self, number: str) -> Link:
        """What the ledger has as counterpart."""
        assert self.worker is not None
        link = await self.worker.parts.ledger.links.current(EnsonoTicketNumber(number))
        assert link is not None
        return link


Story = Callable[[ChangeWorld], Awaitable[None]]


def lived(
    folder: Path, story: Story, *, edition: Edition = "on_premises", settings: Mapping[str, Any] | None = None
) -> ChangeWorld:
    """A world in which this happened, while a worker was running."""
    world = ChangeWorld(folder, edition=edition, settings=settings)

    async def main() -> None:
        async with world.working():
            await story(world)

    in_virtual_time(main())
    return world
