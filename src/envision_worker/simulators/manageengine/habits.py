"""What approvers do of themselves, some time after they were asked: for demonstrations and long simulations."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from envision_worker.simulators.manageengine.people import Decision, People
from envision_worker.simulators.manageengine.tickets import Approval, Ticket
from envision_worker.simulators.manageengine.world import World


@dataclass(frozen=True)
class Habit:
    """How an approver decides.

    Attributes:
        decision: which way.
        after_s: how long after the notification.
        approver: glob on the address. title: glob on the change's title.
        comments: what the approver writes.
        delegate_to: an address to hand the approval on to first.
        changes_mind: decides a second time, the other way, at once.
    """

    decision: Decision
    after_s: float = 0.0
    approver: str = "*"
    title: str = "*"
    comments: str = ""
    delegate_to: str = ""
    changes_mind: bool = False


@dataclass
class Habits:
    """The habits at one desk; the first that fits an approval decides it. Nothing happens until `act` is called."""

    world: World
    people: People
    habits: list[Habit] = field(default_factory=list)

    def act(self) -> None:
        """Let everyone do what is due by now."""
        if not self.habits:
            return
        for ticket, approval in list(self._waiting()):
            habit = self._habit(ticket, approval)
            if habit is not None and self.world.now_ms >= approval.mails[0] + int(habit.after_s * 1000):
                self._follow(habit, ticket, approval)

    def _waiting(self) -> Iterator[tuple[Ticket, Approval]]:
        for ticket in self.world.tickets["change"].values():
            for level in ticket.levels:
                if not level.deleted and level.outcome is None:
                    yield from ((ticket, each) for each in level.approvals if each.is_open and each.mails)

    def _habit(self, ticket: Ticket, approval: Approval) -> Habit | None:
        email = self.world.setup.users[approval.approver].email or ""
        for habit in self.habits:
            if fnmatchcase(email, habit.approver) and fnmatchcase(ticket.fields["title"], habit.title):
                return habit
        return None

    def _follow(self, habit: Habit, ticket: Ticket, approval: Approval) -> None:
        email = self.world.setup.users[approval.approver].email or ""
        if habit.delegate_to:
            self.people.delegate(ticket.id, habit.delegate_to, approver=email)
        if habit.changes_mind:
            texts = {"comments": habit.comments, "reason": habit.comments}
            self.people.decide_twice(ticket.id, first=habit.decision, approver=email, **texts)
        elif habit.decision == "approve":
            self.people.approve(ticket.id, approver=email, comments=habit.comments)
        else:
            self.people.reject(ticket.id, habit.comments, approver=email)
