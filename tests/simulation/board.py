"""The questions about approvals: whether Ensono got the decision that was made at the desk, once for each change and round."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from envision_worker.simulators.control import ObservedCall
from envision_worker.simulators.ensono.records import Ticket
from envision_worker.simulators.manageengine.tickets import Level
from simulation.oracles import Past
from simulation.plan import Plan
from simulation.traffic import Known
from worlds.simulated import World

OUTCOMES = {"approve": "Approved", "reject": "Rejected"}
MOVES = frozenset({"Create", "Update", "Closure", "Redraft"})
"""What carries a change's state."""


@dataclass(frozen=True)
class Told:
    """One decision on its way to Ensono, as the worker sent it."""

    at: float
    verb: str
    approval_id: str
    comment: str

    @property
    def content(self) -> tuple[str, str, str]:
        """What must be the same each time that it is sent."""
        return self.verb, self.approval_id, self.comment


class Board:
    """Looks at all approvals; what is wrong goes to `past`."""

    def __init__(self, world: World, known: Known, plan: Plan, past: Past) -> None:
        self._world = world
        self._known = known
        self._plan = plan
        self._past = past
        self._decided = [each for each in world.desk.journal if each.by == "people" and each.verb == "decide"]
        self._applied = {
            line["message_id"]: line["at"]
            for line in reversed(world.events("message_handled"))
            if line["outcome"] in {"applied", "already_applied"}
        }

    def ask(self, ticket: str, desk_ids: Sequence[tuple[str, str]]) -> None:
        """All questions about one ticket. What a lost ledger knew of its approvals may be asked and told again."""
        record = self._world.ensono.tickets[ticket]
        if not record.is_change:
            return
        changes = [desk_id for _, desk_id in desk_ids]
        told = [_told(call) for call in self._world.ensono.journal.calls if _decides(call, ticket)]
        self._was_made_at_the_desk(record, told, changes)
        if not self._past.lost_ledger_at:
            self._one_for_each_round(record, told)
            self._none_of_an_ended_round(record, told)
            self._nobody_is_asked_in_vain(record, changes)
        if not (self._past.lost_ledger_at and self._state_came_again(ticket)):
            self._reached_ensono(record, changes)

    def _state_came_again(self, ticket: str) -> bool:
        """Whether Ensono sent a state of this change twice: for a ledger that is new the second is another round, which ends the last one."""
        first = set(self._known.resent.values())
        sent = (each for each in self._world.ensono.scenario.announcer.announced if each.message_id in first)
        return any(each.ticket == ticket and each.transaction_type in MOVES for each in sent)

    def _was_made_at_the_desk(self, record: Ticket, told: Iterable[Told], changes: Sequence[str]) -> None:
        """P3: somebody at the desk decided so before, and said what Ensono is told.

        Who changes his mind says something else, though the level may stand as it was; why it stands so is not known any more.
        """
        for each in told:
            by_then = [decided.what for decided in self._decided if decided.at <= each.at and decided.ticket in changes]
            so = {what["id"] for what in by_then if what["outcome"] == OUTCOMES[each.verb]}
            said = {what["id"] for what in by_then if what["comments"] in each.comment}
            if "Reason:" not in each.comment:
                said |= {which for which, times in Counter(what["id"] for what in by_then).items() if times > 1}
            if not so & said:
                self._past.wrong("P3", f"{record.number}: nobody at the desk decided {each}")

    def _one_for_each_round(self, record: Ticket, told: Iterable[Told]) -> None:
        """P3: one decision for each change and round, the same each time that it is sent."""
        contents: dict[int, set[tuple[str, str, str]]] = {}
        for each in told:
            approval = record.approval(each.approval_id)
            assert approval is not None, each
            contents.setdefault(approval.round, set()).add(each.content)
        for number, decisions in contents.items():
            if len(decisions) > 1:
                self._past.wrong("P3", f"{record.number}: round {number} was decided more than once: {decisions}")

    def _none_of_an_ended_round(self, record: Ticket, told: Iterable[Told]) -> None:
        """Nothing is sent of approvals that Ensono has withdrawn, once that is applied."""
        for each in told:
            ended_at = self._applied.get(self._known.ended_by.get(each.approval_id, ""))
            if ended_at is not None and each.at > ended_at + self._plan.latency_s:
                self._past.wrong("P3", f"{record.number}: {each} was sent although its round had ended at {ended_at}")

    def _nobody_is_asked_in_vain(self, record: Ticket, changes: Sequence[str]) -> None:
        """What Ensono has withdrawn nobody at the desk can decide any more."""
        if self._plan.refusals:  # the desk may not have let it be taken off
            return
        withdrawn = {self._known.approvers[each] for each in record.withdrawn if each in self._known.ended_by}
        for change in changes:
            for level in _levels(self._world, change):
                if self._is_decided(level):  # who is left on it has nothing to decide
                    continue
                waiting = {self._email(each.approver) for each in level.approvals if each.is_open} & withdrawn
                if waiting:
                    self._past.wrong("P3", f"{record.number}: {waiting} are still asked on change {change}")

    def _reached_ensono(self, record: Ticket, changes: Sequence[str]) -> None:
        """P4: what was decided on the present round, Ensono knows."""
        open_ones = {
            self._known.approvers[each.approval_id]
            for each in record.approvals
            if each.round == record.round and each.approval_id not in record.withdrawn
        }
        if not open_ones or any(each.counted and each.round == record.round for each in record.decisions):
            return
        for change in changes:
            for level in _levels(self._world, change):
                asked = {self._email(each.approver) for each in level.approvals if each.decided is not None}
                if self._is_decided(level) and asked & open_ones:
                    self._past.wrong(
                        "P4", f"{record.number}: {asked} decided on change {change}, and Ensono was not told"
                    )

    def _is_decided(self, level: Level) -> bool:
        if self._plan.rule == "everyone":
            return level.outcome is not None
        return any(each.decided is not None for each in level.approvals)

    def _email(self, user_id: str) -> str:
        return self._world.desk.setup.users[user_id].email or ""


def _levels(world: World, change: str) -> list[Level]:
    return [each for each in world.desk.ticket("change", change).levels if not each.deleted]


def _decides(call: ObservedCall, ticket: str) -> bool:
    return call.method == "PUT" and call.path.endswith((f"/{ticket}/approve", f"/{ticket}/reject"))


def _told(call: ObservedCall) -> Told:
    body = json.loads(call.body)["payload"]
    return Told(call.at, call.path.rpartition("/")[2], body["approvalId"], json.dumps(body["comments"]))
