"""The people at the desk: what technicians and approvers do by hand, beside what comes through the API."""

from dataclasses import dataclass
from typing import Any, Literal

from envision_worker.simulators.manageengine import closing, notes, stages
from envision_worker.simulators.manageengine.approval_rules import APPROVED, REJECTED, decide
from envision_worker.simulators.manageengine.flavour import Kind
from envision_worker.simulators.manageengine.refusals import Refusal
from envision_worker.simulators.manageengine.setup import User
from envision_worker.simulators.manageengine.shapes import told_fields
from envision_worker.simulators.manageengine.tickets import Approval, Level, Ticket
from envision_worker.simulators.manageengine.world import World

BY = "people"
Decision = Literal["approve", "reject"]
_OUTCOMES: dict[str, str] = {"approve": APPROVED, "reject": REJECTED}


class Impossible(Exception):
    """What a person was to do can't be done: no such ticket, approver or status."""


@dataclass(frozen=True)
class _Asked:
    """An approval with its place."""

    ticket: Ticket
    level: Level
    approval: Approval


class People:
    """Everyone at one desk. A ticket is named by its id or, in the cloud, by the number that people see."""

    def __init__(self, world: World) -> None:
        self._world = world

    # --- approvers -------------------------------------------------------------------------------------------------------

    def approve(self, change: str, *, approver: str = "", comments: str = "") -> str:
        """Approve; the first approver who was notified and has not decided, unless an address is given."""
        return self._decide(change, approver, "approve", comments)

    def reject(self, change: str, reason: str, *, approver: str = "") -> str:
        """Reject, with a reason."""
        return self._decide(change, approver, "reject", reason)

    def decide_twice(
        self, change: str, *, first: Decision = "approve", approver: str = "", comments: str = "", reason: str = ""
    ) -> str:
        """Decide one way and at once the other, as the product lets an approver edit a decision."""
        asked = self._asked(change, approver)
        second = "reject" if first == "approve" else "approve"
        for each, text in ((first, comments), (second, reason)):
            self._carry_out(asked, each, text)
        return asked.approval.id

    def delegate(self, change: str, to: str, *, approver: str = "") -> str:
        """Hand an approval on to someone else, who then decides."""
        asked = self._asked(change, approver)
        asked.approval.delegate = self._user(to).id
        self._world.record("delegate", asked.ticket, by=BY, id=asked.approval.id, to=to)
        return asked.approval.id

    # --- technicians -----------------------------------------------------------------------------------------------------

    def open_request(
        self, subject: str, *, requester: str = "requester@example.com", udf_fields: dict[str, Any] | None = None
    ) -> str:
        """A request that someone at the desk opened; returns its id."""
        status = self._world.setup.named("statuses", "Open").id
        fields: dict[str, Any] = {"subject": subject, "requester": self._user(requester).id, "status": status}
        return self._open("request", fields, udf_fields)

    def open_change(
        self,
        title: str,
        *,
        stage: str = "Submission",
        status: str = "Requested",
        udf_fields: dict[str, Any] | None = None,
    ) -> str:
        """A change that someone at the desk opened; returns its id."""
        place = self._place(stage, status)
        return self._open("change", {"title": title, "stage": place.stage, "status": place.status}, udf_fields)

    def write_note(
        self, kind: Kind, ticket: str, text: str, *, public: bool = False, author: str = "tech@example.com"
    ) -> str:
        """A note by a technician; returns its id."""
        found = self._ticket(kind, ticket)
        flags = {"show_to_requester": public}
        return notes.write(self._world, found, text, flags=flags, by=BY, author=self._user(author).id).id

    def set_status(self, kind: Kind, ticket: str, status: str, *, stage: str = "") -> None:
        """Another status; for a change with its stage, else the one it is in."""
        world, found = self._world, self._ticket(kind, ticket)
        if kind == "request":
            closing.set_status(world, found, self._row("statuses", status), by=BY)
            return
        stage = stage or world.setup.row("change_stages", found.fields["stage"]).name
        stages.carry_out(world, found, self._place(stage, status), comment="by hand", by=BY)

    def close(self, kind: Kind, ticket: str) -> None:
        """Close a ticket by hand."""
        if kind == "request":
            self.set_status(kind, ticket, "Closed")
        else:
            self.set_status(kind, ticket, "Completed", stage="Close")

    def merge(self, request: str, into: str) -> None:
        """Merge a request into another, for good: its notes and files go over, and it can't be read any more."""
        child, parent = self._ticket("request", request), self._ticket("request", into)
        child.merged_into = parent.id
        parent.notes += child.notes
        parent.attachments += child.attachments
        self._world.record("merge", child, by=BY, into=parent.id)

    def trash(self, kind: Kind, ticket: str) -> None:
        """Move a ticket to the trash."""
        found = self._ticket(kind, ticket)
        found.trashed = True
        self._world.record("trash", found, by=BY)

    def restore(self, kind: Kind, ticket: str) -> None:
        """Take a ticket out of the trash."""
        found = self._ticket(kind, ticket)
        found.trashed = False
        self._world.record("restore", found, by=BY)

    def delete(self, kind: Kind, ticket: str) -> None:
        """Delete a ticket for good."""
        found = self._ticket(kind, ticket)
        found.deleted = True
        self._world.record("delete", found, by=BY)

    # --- finding things --------------------------------------------------------------------------------------------------

    def _open(self, kind: Kind, fields: dict[str, Any], udf_fields: dict[str, Any] | None) -> str:
        if udf_fields:
            fields["udf_fields"] = dict(udf_fields)
        return self._world.add(kind, fields, told_fields(fields, self._world, kind), by=BY).id

    def _decide(self, change: str, approver: str, decision: str, text: str) -> str:
        asked = self._asked(change, approver)
        self._carry_out(asked, decision, text)
        return asked.approval.id

    def _carry_out(self, asked: _Asked, decision: str, text: str) -> None:
        decider = asked.approval.delegate or asked.approval.approver
        if not asked.approval.mails:
            raise Impossible("the approver was not asked yet: the notification is not sent")
        decide(
            self._world,
            asked.ticket,
            asked.level,
            asked.approval,
            _OUTCOMES[decision],
            comments=text,
            decided_by=decider,
            by=BY,
        )

    def _asked(self, change: str, approver: str) -> _Asked:
        ticket = self._ticket("change", change)
        wanted = self._user(approver).id if approver else ""
        found = [
            _Asked(ticket, level, approval)
            for level in ticket.levels
            for approval in level.approvals
            if not approval.deleted and (approval.approver == wanted if wanted else approval.is_open)
        ]
        if not found:
            raise Impossible(f"change {change} has no approval for {approver or 'anyone'}")
        found.sort(key=lambda asked: (not asked.approval.is_open, not asked.approval.mails))
        return found[0]

    def _ticket(self, kind: Kind, name: str) -> Ticket:
        tickets = self._world.tickets.get(kind, {})
        found = tickets.get(name) or next((each for each in tickets.values() if each.number == name), None)
        if found is None or found.deleted:
            raise Impossible(f"there is no {kind} {name}")
        return found

    def _user(self, email: str) -> User:
        user = self._world.setup.user_by_email(email)
        if user is None:
            raise Impossible(f"nobody has the address {email}")
        return user

    def _row(self, table: str, name: str) -> str:
        try:
            return self._world.setup.named(table, name).id
        except KeyError as exc:
            raise Impossible(str(exc)) from exc

    def _place(self, stage: str, status: str) -> stages.Move:
        try:
            return stages.place(self._world, stage, status)
        except (KeyError, Refusal) as exc:
            raise Impossible(f"there is no {stage} / {status}") from exc
