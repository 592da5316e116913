"""A look at the approvals that are open on the desk: who decided, who must be reminded, and what is not there any more."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import groupby

from envision_worker.clock import Clock
from envision_worker.config.sections import ApprovalsSettings
from envision_worker.desks.approval import ApprovalRule, ApprovalState, DeskApproval
from envision_worker.desks.desk import Desk, DeskRef
from envision_worker.errors import PeerError, Refused, RefusedFor
from envision_worker.handlers.approval_levels import decider
from envision_worker.ledger.ledger import Ledger
from envision_worker.ledger.records import ApprovalRecord, ApprovalStatus
from envision_worker.relay.afterwards import Afterwards
from envision_worker.relay.decisions import Decision, Decisions, as_decision
from envision_worker.relay.reminding import Reminding
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import DeskKind, EnsonoTicketNumber

NOT_ON_DESK = "not on the desk any more: `approvals resend` asks anew on the change that stands there now, `approvals decide` decides"
"""What an approval says that waits for a decision which can't be made on the desk."""


class Looking:
    """Looks where something waits, one change at a time. The caller of `look` and `remind` holds the ticket."""

    def __init__(
        self,
        desk: Desk,
        ledger: Ledger,
        decisions: Decisions,
        afterwards: Afterwards,
        clock: Clock,
        facts: Facts,
        settings: ApprovalsSettings,
    ) -> None:
        self._desk = desk
        self._ledger = ledger
        self._decisions = decisions
        self._afterwards = afterwards
        self._clock = clock
        self._facts = facts
        self._settings = settings
        self._reminding = Reminding(desk, ledger, clock, facts, settings.remind_after_s)

    async def where(self) -> list[EnsonoTicketNumber]:
        """The changes with an approval that waits."""
        return list(dict.fromkeys([record.ticket for record in await self._ledger.approvals.waiting()]))

    async def look(self, ticket: EnsonoTicketNumber) -> None:
        """One change, each of its levels where something waits. Raises `LedgerUnavailable`."""
        records = [each for each in await self._ledger.approvals.of_ticket(ticket) if _waits(each)]
        for _, of_level in groupby(sorted(records, key=_level), key=_level):
            try:
                await self._look_at(list(of_level))
            except PeerError:  # told where the call was made; the next round looks again
                return

    async def _look_at(self, waiting: list[ApprovalRecord]) -> None:
        """One level: its decision, if there is one that counts."""
        approvals = await self._approvals(waiting[0])
        if not approvals:
            await self._missing(waiting)
            return
        waiting = await self._found(waiting)
        counts, approvals = await self._decider(waiting[0], approvals)
        if counts is None:
            await self._remind_if_due(waiting, approvals)
            return
        mine = _asked_for(counts, waiting) or waiting[0]
        decision = as_decision(counts, now=self._now(), via=self._desk.called)
        decided = await self._decisions.keep(mine, await self._with_phone(decision))
        self._afterwards.watch(decided)
        await self._decisions.send(await self._afterwards.hear(decided, approvals))

    async def _approvals(self, record: ApprovalRecord) -> Sequence[DeskApproval]:
        """What stands on an approval's level; nothing where the level or its change is gone."""
        try:
            return await self._desk.approvals_of_level(_ref(record), record.level_id)
        except Refused as exc:
            if exc.why not in {RefusedFor.NOT_FOUND, RefusedFor.MERGED}:
                raise
            return ()

    # --- decisions ---------------------------------------------------------------------------------------------------

    async def _decider(
        self, record: ApprovalRecord, approvals: Sequence[DeskApproval]
    ) -> tuple[DeskApproval | None, Sequence[DeskApproval]]:
        """Whose decision counts, and the level's approvals as they stand then; the level itself is asked only where it matters.

        Who made the level what it is may have decided just now. So the approvals are read once more after it.
        """
        decided = any(each.state is not ApprovalState.WAITING for each in approvals)
        if not decided or self._settings.rule is ApprovalRule.ANYONE:
            return decider(approvals, self._settings.rule, ApprovalState.WAITING), approvals
        levels = await self._desk.approvals(_ref(record))
        state = next((each.state for each in levels if each.id == record.level_id), ApprovalState.WAITING)
        if state is ApprovalState.WAITING:
            return None, approvals
        approvals = await self._approvals(record)
        return decider(approvals, self._settings.rule, state), approvals

    async def _with_phone(self, decision: Decision) -> Decision:
        """The guide wants one in the comment, and not every desk shows it beside the decision; without one it goes, too."""
        name, email, phone = decision.by
        if phone or not email:
            return decision
        with suppress(PeerError):
            phone = await self._desk.phone_of(email)
        return replace(decision, by=(name, email, phone))

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
        if not self._reminding.is_due(waiting):
            return
        if await self._is_trashed(waiting[0]):
            await self._missing(waiting)
        else:
            await self._reminding.remind(waiting, approvals)

    async def remind(self, record: ApprovalRecord) -> None:
        """Remind the approvers of this one's level now. Raises the desk's errors."""
        approvals = await self._approvals(record)
        records = await self._ledger.approvals.of_ticket(record.ticket)
        of_level = [each for each in records if _level(each) == _level(record)]
        await self._reminding.remind(list(filter(_waits, of_level)), approvals)

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _waits(record: ApprovalRecord) -> bool:
    return record.status is ApprovalStatus.WAITING


def _ref(record: ApprovalRecord) -> DeskRef:
    return DeskRef(DeskKind.CHANGE, record.desk_id)


def _level(record: ApprovalRecord) -> tuple[int, str, str]:
    return record.round, record.desk_id, record.level_id


def _asked_for(approval: DeskApproval, records: Sequence[ApprovalRecord]) -> ApprovalRecord | None:
    """The request that this approver was asked for."""
    asked = approval.approver.casefold()
    return next((each for each in records if asked in map(str.casefold, each.desk_approvers)), None)
