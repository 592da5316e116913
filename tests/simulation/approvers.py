"""What the approvers at the desk do: decide after a while, hand on, change their minds at once or much later."""

import asyncio

from envision_worker.simulators.manageengine.habits import Habit
from simulation.plan import Plan
from worlds.chance import dice
from worlds.simulated import World

TECHNICIAN = "tech@example.com"


class Approvers:
    """All approvers of one simulation."""

    def __init__(self, world: World, plan: Plan) -> None:
        self._desk = world.desk
        self._plan = plan

    def are_known(self) -> None:
        """Let each have a habit; it goes by the last digit of the text that the address holds."""
        rng, plan = dice(f"{self._plan.seed} approvers"), self._plan
        habits = [
            Habit(
                "approve" if rng.random() < plan.approve else "reject",
                after_s=rng.uniform(0, plan.habits.decides_within) * plan.poll_s,
                approver=f"*{digit}x@example.com",
                comments=f"as I think {digit}",
                delegate_to=TECHNICIAN if rng.random() < plan.habits.delegates else "",
                changes_mind=rng.random() < plan.habits.changes_mind,
            )
            for digit in range(10)
        ]
        self._desk.expect([*habits, Habit("approve", after_s=plan.poll_s, approver=TECHNICIAN)])

    async def think_again(self) -> None:
        """Some who decided change their minds much later."""
        rng, plan = dice(f"{self._plan.seed} second thoughts"), self._plan
        for _ in range(plan.tickets):
            await asyncio.sleep(rng.uniform(0, plan.span_s) / plan.tickets)
            decided = self._decided()
            if decided and rng.random() < plan.habits.changes_mind:
                change, approver = rng.choice(decided)
                if rng.random() < 0.5:
                    self._desk.people.approve(change, approver=approver, comments="on second thoughts")
                else:
                    self._desk.people.reject(change, "on second thoughts", approver=approver)

    def _decided(self) -> list[tuple[str, str]]:
        """Change and approver of every decision that still stands there."""
        return [
            (change.id, self._desk.setup.users[approval.approver].email or "")
            for change in self._desk.tickets("change")
            for level in change.levels
            for approval in level.approvals
            if approval.decided is not None and not (approval.deleted or level.deleted or change.deleted)
        ]
