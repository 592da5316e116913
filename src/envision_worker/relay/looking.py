"""A look at the approvals that are open on the desk: who decided, who must be reminded, and what is not there any more."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import groupby

from envision_worker.clock import Clock
from envision_worker.config.sections import ApprovalsSettings
from envision_worker.desks.approval import ApprovalRule, ApprovalState, DeskApproval
from envision_worker.desks.desk import Desk, DeskRef
from envision_worker.errors import PeerError, Refused, RefusedFor, Unreachable
from envision_worker.handlers.approval_levels import decider
from envision_worker.ledger.ledger import Ledger
from envision_worker.ledger.records import ApprovalRecord, ApprovalStatus
from envision_worker.relay.decisions import DECIDED, Decision, Decisions
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import DeskKind, EnsonoTicketNumber

NOT_ON_DESK = "not on the desk any more: `approvals resend` asks anew on the change that stands there now, `approvals decide` decides"
"""What an approval says that waits for a decision which can't be made on the desk."""
_ASSESSED = frozenset({"", "assess"})
_NOBODY = ("", "", "")


class Looking:
    """Looks where something waits, one change at a time. The caller of `look` and `remind` holds the ticket.

    Attributes:
        late: changes whose decision counts while others may still decide, too.
    """

    def __init__(
        self,
        desk: Desk,
        ledger: Ledger,
        decisions: Decisions,
        clock: Clock,
        facts: Facts,
        settings: ApprovalsSettings,
    ) -> None:
        self._desk = desk
        self._ledger = ledger
        self._decisions = decisions
        self._clock = clock
        self._facts = facts
        self._settings = settings
        self.late: set[EnsonoTicketNumber] = set()
        self._knows_late = False

    async def where(self) -> list[EnsonoTicketNumber]:
        """The changes with an approval that is open: it waits, or its round is decided while its approver still may decide."""
        if not self._knows_late:
            self.late |= {each.ticket for each in await self._ledger.approvals.all() if _is_open_in_vain(each)}
            self._knows_late = True
        waiting = [record.ticket for record in await self._ledger.approvals.waiting()]
        return list(dict.fromkeys([*waiting, *sorted(self.late)]))

    async def look(self, ticket: EnsonoTicketNumber) -> None:
        """One change, each of its levels with something open. Raises `LedgerUnavailable`."""
        self.late.discard(ticket)  # until it shows again that it is so
        records = [each for each in await self._ledger.approvals.of_ticket(ticket) if _is_open(each)]
        for _, of_level in groupby(sorted(records, key=_level), key=_level):
            try:
                await self._look_at(list(of_level))
            except PeerError:  # told where the call was made; the next round looks again
                return

    async def _look_at(self, of_level: Sequence[ApprovalRecord]) -> None:
        """One level: its decision, if there is one that counts, then those that came too late."""
        approvals = await self._approvals(of_level[0])
        waiting = [record for record in of_level if record.status is ApprovalStatus.WAITING]
        if not approvals:
            await self._missing(waiting)
            return
        waiting = await self._found(waiting)
        counts = await self._decider(of_level[0], approvals) if waiting else None
        if counts is not None:
            mine = _asked_for(counts, waiting) or waiting[0]
            decision = await self._with_phone(self._as_decision(counts))
            await self._decisions.send(await self._decisions.keep(mine, decision))
        elif waiting:
            await self._remind_if_due(waiting, approvals)
        await self._note_late(of_level[0], approvals)

    async def _approvals(self, record: ApprovalRecord) -> Sequence[DeskApproval]:
        """What stands on an approval's level; nothing where the level or its change is gone."""
        try:
            return await self._desk.approvals_of_level(_ref(record), record.level_id)
        except Refused as exc:
            if exc.why not in {RefusedFor.NOT_FOUND, RefusedFor.MERGED}:
                raise
            return ()

    # --- decisions ---------------------------------------------------------------------------------------------------

    async def _decider(self, record: ApprovalRecord, approvals: Sequence[DeskApproval]) -> DeskApproval | None:
        """Whose decision counts; the level itself is asked only where it matters."""
        state = ApprovalState.WAITING
        decided = any(each.state is not ApprovalState.WAITING for each in approvals)
        if decided and self._settings.rule is ApprovalRule.EVERYONE:
            levels = await self._desk.approvals(_ref(record))
            state = next((each.state for each in levels if each.id == record.level_id), state)
        return decider(approvals, self._settings.rule, state)

    def _as_decision(self, approval: DeskApproval) -> Decision:
        approved = approval.state is ApprovalState.APPROVED
        by = (
            approval.decided_by_name or approval.approver,
            approval.decided_by_email or approval.approver,
            approval.decided_by_phone,
        )
        at = approval.decided_at.timestamp() if approval.decided_at else self._now()
        status = ApprovalStatus.APPROVED if approved else ApprovalStatus.REJECTED
        return Decision(status, by, at, approval.comments, self._desk.called)

    async def _with_phone(self, decision: Decision) -> Decision:
        """The guide wants one in the comment, and not every desk shows it beside the decision; without one it goes, too."""
        name, email, phone = decision.by
        if phone or not email:
            return decision
        with suppress(PeerError):
            phone = await self._desk.phone_of(email)
        return replace(decision, by=(name, email, phone))

    async def _note_late(self, record: ApprovalRecord, approvals: Sequence[DeskApproval]) -> None:
        """Decisions of others beside the one that counted, until Ensono moves on: kept, and not sent."""
        link = await self._ledger.links.current(record.ticket)
        if link is None or link.generation != record.round or link.state not in _ASSESSED:
            return
        of_level = [
            each for each in await self._ledger.approvals.of_ticket(record.ticket) if _level(each) == _level(record)
        ]
        counted = next((each for each in of_level if each.status in DECIDED), None)
        for each in filter(_is_open_in_vain, of_level):
            theirs = next((one for one in approvals if _asked_for(one, [each]) and not _is_made_by(one, counted)), None)
            if theirs is None:
                continue
            if theirs.state is ApprovalState.WAITING:
                self.late.add(each.ticket)
                continue
            decision = self._as_decision(theirs)
            await self._ledger.approvals.save(decision.too_late_on(each))
            self._facts.decision_too_late(
                ticket=each.ticket, approval_id=each.approval_id, decision=decision.status.value, by=decision.by[1]
            )

    # --- what is missing ---------------------------------------------------------------------------------------------

    async def _missing(self, waiting: Sequence[ApprovalRecord]) -> None:
        """Nobody can decide it on the desk any more, and Ensono still waits: told once, and in the list for as long as it is so."""
        new = [record for record in waiting if record.comment != NOT_ON_DESK]
        if new:
            await self._ledger.approvals.save(*(replace(record, comment=NOT_ON_DESK) for record in new))
        for record in new:
            self._facts.approval_missing(ticket=record.ticket, approval_id=record.approval_id)

    async def _found(self, waiting: list[ApprovalRecord]) -> list[ApprovalRecord]:
        """What had been missing may be back: a change taken out of the trash."""
        back = [replace(record, comment="") for record in waiting if record.comment]
        if not back or await self._is_trashed(back[0]):
            return waiting
        await self._ledger.approvals.save(*back)
        return [replace(record, comment="") for record in waiting]

    async def _is_trashed(self, record: ApprovalRecord) -> bool:
        return (await self._desk.read(_ref(record))).trashed

    # --- reminding ---------------------------------------------------------------------------------------------------

    async def _remind_if_due(self, waiting: Sequence[ApprovalRecord], approvals: Sequence[DeskApproval]) -> None:
        last = max(record.reminded or record.requested for record in waiting)
        if self._now() < last + self._settings.remind_after_s:
            return
        if await self._is_trashed(waiting[0]):
            await self._missing(waiting)
        else:
            await self._remind(waiting, approvals)

    async def remind(self, record: ApprovalRecord) -> None:
        """Remind the approvers of this one's level now. Raises the desk's errors."""
        approvals = await self._approvals(record)
        records = await self._ledger.approvals.of_ticket(record.ticket)
        of_level = [each for each in records if _level(each) == _level(record)]
        await self._remind([each for each in of_level if each.status is ApprovalStatus.WAITING], approvals)

    async def _remind(self, waiting: Sequence[ApprovalRecord], approvals: Sequence[DeskApproval]) -> None:
        """The desk's mail once more. Only where it surely did not go out is it sent again before its time."""
        try:
            await self._desk.notify_approvers(_ref(waiting[0]), waiting[0].level_id)
        except Unreachable:
            raise
        except PeerError:
            await self._keep_reminded(waiting)
            raise
        await self._keep_reminded(waiting)
        asked = ", ".join(each.approver for each in approvals if each.state is ApprovalState.WAITING)
        self._facts.approval_reminded(waiting[0].ticket, asked)

    async def _keep_reminded(self, waiting: Sequence[ApprovalRecord]) -> None:
        await self._ledger.approvals.save(*(replace(record, reminded=self._now()) for record in waiting))

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _is_open_in_vain(record: ApprovalRecord) -> bool:
    """Whether another decision counted while this approver has not decided, as far as is known."""
    return record.status is ApprovalStatus.SUPERSEDED and record.decided_by == _NOBODY and bool(record.level_id)


def _is_open(record: ApprovalRecord) -> bool:
    """Whether somebody may still decide it on the desk."""
    return record.status is ApprovalStatus.WAITING or _is_open_in_vain(record)


def _ref(record: ApprovalRecord) -> DeskRef:
    return DeskRef(DeskKind.CHANGE, record.desk_id)


def _level(record: ApprovalRecord) -> tuple[int, str, str]:
    return record.round, record.desk_id, record.level_id


def _asked_for(approval: DeskApproval, records: Sequence[ApprovalRecord]) -> ApprovalRecord | None:
    """The request that this approver was asked for."""
    asked = approval.approver.casefold()
    return next((each for each in records if asked in map(str.casefold, each.desk_approvers)), None)


def _is_made_by(approval: DeskApproval, counted: ApprovalRecord | None) -> bool:
    """Whether this is the decision that counted."""
    return counted is not None and approval.decided_by_email == counted.decided_by[1] != ""
