"""What the reference desk keeps and the rules it keeps it by; also what people do there, which is how tests act as them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import fields, replace
from typing import Any

from envision_worker.clock import Clock
from envision_worker.desks.approval import ApprovalLevel, ApprovalRule, ApprovalState, DeskApproval
from envision_worker.desks.desk import DeskNames, DeskRef, DeskTicket, Fields, FileStub, Life, LocalFile
from envision_worker.desks.life import LifeNames
from envision_worker.desks.memory_tickets import Level, Note, Ticket
from envision_worker.errors import Refused, RefusedFor
from envision_worker.vocabulary import DeskKind, DeskTicketId, PartnerTicketNumber

PEER = "desk"
ENDED = frozenset({Life.CLOSED, Life.CANCELLED})
OPEN, CLOSED, CANCELLED, COMPLETED = "Open", "Closed", "Canceled", "Completed"
SUBMISSION, REQUESTED, CLOSE = "Submission", "Requested", "Close"

_NAMED = tuple(each.name for each in fields(Fields) if each.name != "extra")
_LISTS = {
    "priority": "priorities",
    "impact": "impacts",
    "urgency": "urgencies",
    "group": "groups",
    "category": "categories",
    "change_type": "change_types",
    "change_risk": "change_risks",
}


class World:
    """Everything on one desk.

    Attributes:
        tickets: all that were ever made and not deleted.
        names: where set, names that are not in it are refused, and so are approvers.
        phones: telephone numbers by address in small letters.
        refused_fields: names of fields that are refused; with `tells_fields` off, without saying which.
        locks_closed: whether a closed ticket refuses updates.
        workflow: whether a change may take this stage and status.
        search_lag_s: how long a new ticket stays invisible to a search.
    """

    def __init__(self, clock: Clock, life: LifeNames) -> None:
        self.tickets: dict[DeskRef, Ticket] = {}
        self.names: DeskNames | None = None
        self.phones: dict[str, str] = {}
        self.refused_fields: frozenset[str] = frozenset()
        self.tells_fields = True
        self.locks_closed = False
        self.workflow: Callable[[str | None, str | None], bool] = lambda _stage, _status: True
        self.search_lag_s = 0.0
        self._clock = clock
        self._life = life
        self._last_id = 1000

    # --- looking -----------------------------------------------------------------------------------------------------

    def ticket(self, ref: DeskRef) -> Ticket:
        """One ticket; `Refused` where it is gone or was merged."""
        found = self.tickets.get(ref)
        if found is None:
            raise _no("no such ticket", RefusedFor.NOT_FOUND)
        if found.merged_into is not None:
            raise _no("merged", RefusedFor.MERGED, merged_into=found.merged_into)
        return found

    def shown(self, ref: DeskRef) -> DeskTicket:
        """One ticket as the contract shows it."""
        ticket = self.ticket(ref)
        status, stage = ticket.fields.status or "", ticket.fields.stage or ""
        is_change = ref.kind is DeskKind.CHANGE
        return DeskTicket(
            ref=ref,
            number=ticket.number,
            ensono_number=ticket.fields.ensono_number or "",
            title=ticket.fields.title or "",
            status=status,
            life=self._life.of_change(stage, status) if is_change else self._life.of_request(status),
            stage=stage if is_change else None,
            trashed=ticket.trashed,
            created=ticket.created,
            description=ticket.fields.description or "",
        )

    def searchable(self, kind: DeskKind) -> list[Ticket]:
        """The tickets that a search sees, newest first."""
        now = self._clock.now()
        seen = [
            each
            for each in self.tickets.values()
            if each.ref.kind is kind and (now - each.created).total_seconds() >= self.search_lag_s
        ]
        return sorted(seen, key=lambda each: (each.created, int(each.ref.id)), reverse=True)

    def level(self, ref: DeskRef, level_id: str) -> Level:
        """One level of approval; `Refused` for another reason than `NOT_FOUND`, since the change itself is there."""
        found = next((each for each in self.ticket(ref).levels if each.id == level_id), None)
        if found is None:
            raise _no("no such level of approval", RefusedFor.OTHER)
        return found

    def knows(self, email: str) -> bool:
        """Whether a user has this address: all do, unless `names` tells who."""
        if self.names is None:
            return True
        return email.casefold() in {each.casefold() for each in (*self.names.approvers, self.names.requester or "")}

    def missing(self, names: DeskNames) -> list[str]:
        """What of these names isn't in this desk's."""
        if self.names is None:
            return []
        kinds = [kind for kind in DeskNames.__dataclass_fields__ if kind not in {"requester", "approvers"}]
        lines = [
            f"{kind}: the desk has no {each!r}"
            for kind in kinds
            for each in sorted(getattr(names, kind) - getattr(self.names, kind))
        ]
        people = [("approvers", each) for each in sorted(names.approvers)]
        people += [("requester", names.requester)] if names.requester else []
        return lines + [f"{kind}: the desk has no user {each!r}" for kind, each in people if not self.knows(each)]

    # --- what the worker does ----------------------------------------------------------------------------------------

    def create(self, kind: DeskKind, wanted: Fields) -> DeskTicket:
        """A new ticket."""
        self._check(kind, wanted)
        if not wanted.title:
            raise _no("mandatory", RefusedFor.FIELDS, fields=("title",))
        is_change = kind is DeskKind.CHANGE
        status = wanted.status or (REQUESTED if is_change else OPEN)
        begun = replace(wanted, status=status, stage=(wanted.stage or SUBMISSION) if is_change else None)
        identifier = self._next_id()
        ref = DeskRef(kind, DeskTicketId(identifier))
        self.tickets[ref] = Ticket(ref, PartnerTicketNumber(identifier), self._clock.now(), begun)
        return self.shown(ref)

    def update(self, ref: DeskRef, wanted: Fields) -> None:
        """Set what is given."""
        ticket = self._unlocked(ref)
        self._check(ref.kind, wanted)
        given = {key: value for key in _NAMED if (value := getattr(wanted, key)) is not None}
        ticket.fields = replace(ticket.fields, **given, extra={**ticket.fields.extra, **wanted.extra})

    def set_status(self, ref: DeskRef, status: str) -> None:
        """The status of a request."""
        ticket = self.ticket(ref)
        self._check_name("status", "statuses", status)
        ticket.fields = replace(ticket.fields, status=status)

    def set_resolution(self, ref: DeskRef, html: str) -> None:
        """The resolution of a request."""
        self._unlocked(ref).resolution = html

    def close(self, ref: DeskRef, status: str, closure_code: str | None, comments: str) -> None:
        """Close a request; one that is closed stays as it is."""
        if self.shown(ref).life is Life.CLOSED:
            return
        if closure_code is not None:
            self._check_name("closure_code", "closure_codes", closure_code)
        self.set_status(ref, status)
        self.ticket(ref).closure = (closure_code, comments)

    def move(self, ref: DeskRef, stage: str | None, status: str | None) -> None:
        """Stage and status of a change."""
        ticket = self._unlocked(ref)
        for key, listed, value in (("stage", "change_stages", stage), ("status", "change_statuses", status)):
            if value is not None:
                self._check_name(key, listed, value)
        if not self.workflow(stage, status):
            raise _no("the workflow does not allow it", RefusedFor.OTHER)
        kept = ticket.fields
        ticket.fields = replace(kept, stage=stage or kept.stage, status=status or kept.status)

    def end_change(self, ref: DeskRef, life: Life, closure_code: str | None, comments: str) -> None:
        """Close or cancel a change; one that has ended so stays as it is, one that has ended otherwise refuses."""
        ticket, present = self.ticket(ref), self.shown(ref).life
        if present is life:
            return
        if present in ENDED:
            raise _no(f"the change is {present}", RefusedFor.CLOSED)
        if closure_code is not None:
            self._check_name("closure_code", "closure_codes", closure_code)
        ticket.fields = replace(ticket.fields, stage=CLOSE, status=COMPLETED if life is Life.CLOSED else CANCELLED)
        ticket.closure = (closure_code, comments)

    def add_note(self, ref: DeskRef, html: str, *, public: bool) -> str:
        """A note; those of changes know no privacy."""
        note = Note(self._next_id(), html, public or ref.kind is DeskKind.CHANGE, self._clock.now())
        self.ticket(ref).notes.append(note)
        return note.id

    def attach(self, ref: DeskRef, file: LocalFile) -> str:
        """A file."""
        stub = FileStub(self._next_id(), file.name, file.size)
        self.ticket(ref).files.append((stub, file.path.read_bytes()))
        return stub.id

    def add_level(self, ref: DeskRef, name: str, rule: ApprovalRule, approvers: Sequence[str]) -> ApprovalLevel:
        """A level of approval; nobody is notified."""
        ticket = self.ticket(ref)
        level = Level(self._next_id(), name, rule, [self._approval(each) for each in approvers])
        ticket.levels.append(level)
        return level.shown()

    def add_approver(self, ref: DeskRef, level_id: str, approver: str) -> DeskApproval:
        """One more approver; not notified."""
        level, made = self.level(ref, level_id), self._approval(approver)
        level.approvals.append(made)
        return made

    def notify(self, ref: DeskRef, level_id: str, only: Collection[str] | None) -> None:
        """Mail those who have not decided."""
        level = self.level(ref, level_id)
        waiting = [each for each in level.approvals if each.is_to_be_asked(only)]
        level.mails += [each.approver for each in waiting]
        level.approvals = [replace(each, sent=True) if each in waiting else each for each in level.approvals]

    def remove_level(self, ref: DeskRef, level_id: str) -> None:
        """Withdraw a level; one that is gone is no failure."""
        ticket = self.ticket(ref)
        ticket.levels = [each for each in ticket.levels if each.id != level_id]

    # --- what people do ----------------------------------------------------------------------------------------------

    def trash(self, ref: DeskRef) -> None:
        """Somebody puts it into the trash: still readable."""
        self.ticket(ref).trashed = True

    def delete(self, ref: DeskRef) -> None:
        """Somebody deletes it for good."""
        del self.tickets[ref]

    def merge(self, ref: DeskRef, parent: DeskRef) -> None:
        """Somebody merges it into another."""
        self.ticket(ref).merged_into = parent.id

    def decide(
        self, ref: DeskRef, level_id: str, approval_id: str, state: ApprovalState, *, by: str = "", comments: str = ""
    ) -> None:
        """An approver, or the delegate `by`, decides; the desk takes no decision before its mail has gone out."""
        level = self.level(ref, level_id)
        place = next(number for number, each in enumerate(level.approvals) if each.id == approval_id)
        asked = level.approvals[place]
        if not asked.sent:
            raise _no("the approver has not been notified", RefusedFor.OTHER)
        email = by or asked.approver
        level.approvals[place] = replace(
            asked,
            state=state,
            decided_by_name=email.partition("@")[0],
            decided_by_email=email,
            decided_at=self._clock.now(),
            comments=comments,
        )

    # --- rules -------------------------------------------------------------------------------------------------------

    def _next_id(self) -> str:
        self._last_id += 1
        return str(self._last_id)

    def _unlocked(self, ref: DeskRef) -> Ticket:
        ticket = self.ticket(ref)
        if self.locks_closed and self.shown(ref).life in ENDED:
            raise _no("the ticket is closed", RefusedFor.CLOSED)
        return ticket

    def _approval(self, approver: str) -> DeskApproval:
        if not self.knows(approver):
            raise _no(f"no user {approver!r}", RefusedFor.FIELDS, fields=("approvers",))
        return DeskApproval(self._next_id(), approver, ApprovalState.WAITING, sent=False)

    def _check(self, kind: DeskKind, wanted: Fields) -> None:
        change_only = {"stage", "change_type", "change_risk"} if kind is DeskKind.REQUEST else set[str]()
        refused = sorted(wanted.names() & (self.refused_fields | change_only))
        if refused:
            raise _no("not on the form", RefusedFor.FIELDS, fields=tuple(refused) if self.tells_fields else ())
        statuses = "statuses" if kind is DeskKind.REQUEST else "change_statuses"
        for key, listed in {**_LISTS, "status": statuses, "stage": "change_stages"}.items():
            value = getattr(wanted, key)
            if value is not None:
                self._check_name(key, listed, value)

    def _check_name(self, key: str, listed: str, value: str) -> None:
        if self.names is not None and value not in getattr(self.names, listed):
            raise _no(f"there is no {key} {value!r}", RefusedFor.FIELDS, fields=(key,) if self.tells_fields else ())


def _no(detail: str, why: RefusedFor, **more: Any) -> Refused:
    return Refused(PEER, "memory", detail, why=why, **more)
