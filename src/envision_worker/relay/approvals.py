"""Decisions on approvals, from the desk to Ensono: noticed by polling, one for each change and round, sent once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from envision_worker.clock import Clock, from_epoch_ms
from envision_worker.config.sections import ApprovalsSettings
from envision_worker.desks.desk import ApprovalLevel, ApprovalRule, ApprovalState, Desk, DeskApproval, DeskRef
from envision_worker.ensono.connect import EnvisionConnect
from envision_worker.errors import PeerError
from envision_worker.handlers.effects import ENSONO, Effects, StillUnknown, Unsettled
from envision_worker.handlers.texts import shown_time
from envision_worker.handlers.ticket_locks import TicketLocks
from envision_worker.ledger.ledger import Ledger
from envision_worker.ledger.records import ApprovalRecord, ApprovalStatus
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import DeskKind, EnsonoTicketNumber, MessageId

VIA_DESK = "ManageEngine ServiceDesk Plus"
VIA_COMMAND_LINE = "the command line of envision-worker"


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, by whom (name, e-mail, phone), when (epoch seconds), why, and where."""

    status: ApprovalStatus
    by: tuple[str, str, str]
    at: float
    comment: str
    via: str


@dataclass(frozen=True, slots=True)
class ApprovalRelay:
    """Looks at the open approvals, sends what was decided, reminds those who have not decided.

    Attributes:
        desk_open, ensono_open: whether the peer can take work now.
    """

    desk: Desk
    ensono: EnvisionConnect
    ledger: Ledger
    tickets: TicketLocks
    unsettled: Unsettled
    clock: Clock
    facts: Facts
    settings: ApprovalsSettings
    zone: ZoneInfo
    desk_open: Callable[[], bool]
    ensono_open: Callable[[], bool]

    async def round(self) -> None:
        """Do what is due. A peer that fails ends the round of its change, no other's. Raises `LedgerUnavailable`."""
        for record in await self.ledger.approvals.unsent():
            async with self.tickets.holding(record.ticket):
                await self._send(record)
        waiting = await self.ledger.approvals.waiting()
        for ticket in dict.fromkeys(record.ticket for record in waiting):
            if self.desk_open():
                await self._look(ticket)

    async def decide(self, approval_id: str, decision: Decision) -> ApprovalRecord | None:
        """A decision that was not made on the desk; None where this approval waits for none."""
        record = await self.ledger.approvals.get(approval_id)
        if record is None:
            return None
        async with self.tickets.holding(record.ticket):
            waiting = await self._waiting(record.ticket)
            mine = next((each for each in waiting if each.approval_id == approval_id), None)
            if mine is None:
                return None
            await self._decided(mine, waiting, decision)
        return await self.ledger.approvals.get(approval_id)

    async def remind(self, records: Sequence[ApprovalRecord]) -> None:
        """Let the desk send its mail again for the level of these approvals. Raises the desk's errors."""
        first = records[0]
        await self.desk.notify_approvers(DeskRef(DeskKind.CHANGE, first.desk_id), first.level_id)
        now = self._now()
        await self.ledger.approvals.save(*(replace(record, reminded=now) for record in records))
        for record in records:
            self.facts.approval_reminded(record.ticket, ", ".join(record.desk_approvers))

    # --- noticing ----------------------------------------------------------------------------------------------------

    async def _look(self, ticket: EnsonoTicketNumber) -> None:
        async with self.tickets.holding(ticket):
            waiting = await self._waiting(ticket)
            if not waiting:
                return
            try:
                levels = await self.desk.approvals(DeskRef(DeskKind.CHANGE, waiting[0].desk_id))
                decision, record = self._decision(levels, waiting)
                if decision is not None:
                    await self._decided(record, waiting, decision)
                elif waiting[0].level_id in {level.id for level in levels}:
                    await self._remind_if_due(waiting)
            except PeerError:  # told where the call was made; the next round looks again
                return

    async def _waiting(self, ticket: EnsonoTicketNumber) -> list[ApprovalRecord]:
        records = await self.ledger.approvals.of_ticket(ticket)
        return [record for record in records if record.status is ApprovalStatus.WAITING]

    def _decision(
        self, levels: Sequence[ApprovalLevel], waiting: Sequence[ApprovalRecord]
    ) -> tuple[Decision | None, ApprovalRecord]:
        """The decision that counts, if there is one, and the request that it answers."""
        level = next((level for level in levels if level.id == waiting[0].level_id), None)
        if level is None:
            return None, waiting[0]
        decider = self._decider(level)
        if decider is None:
            return None, waiting[0]
        asked = decider.approver.casefold()
        record = next((each for each in waiting if asked in map(str.casefold, each.desk_approvers)), waiting[0])
        return self._as_decision(decider), record

    def _decider(self, level: ApprovalLevel) -> DeskApproval | None:
        """Whose decision counts: the first under `anyone`; under `everyone` who made the level's outcome what it is."""
        decided = [each for each in level.approvals if each.state is not ApprovalState.WAITING]
        decided.sort(key=lambda each: (each.decided_at is None, each.decided_at, each.id))
        if self.settings.rule is ApprovalRule.ANYONE:
            return decided[0] if decided else None
        if level.state is ApprovalState.WAITING:
            return None
        deciding = [each for each in decided if each.state is level.state]
        if level.state is ApprovalState.REJECTED:
            return deciding[0] if deciding else None
        return deciding[-1] if deciding else None

    def _as_decision(self, approval: DeskApproval) -> Decision:
        approved = approval.state is ApprovalState.APPROVED
        by = (
            approval.decided_by_name or approval.approver,
            approval.decided_by_email or approval.approver,
            approval.decided_by_phone,
        )
        at = approval.decided_at.timestamp() if approval.decided_at else self._now()
        status = ApprovalStatus.APPROVED if approved else ApprovalStatus.REJECTED
        return Decision(status, by, at, approval.comments, VIA_DESK)

    async def _remind_if_due(self, waiting: Sequence[ApprovalRecord]) -> None:
        last = max(record.reminded or record.requested for record in waiting)
        if self._now() >= last + self.settings.remind_after_s:
            await self.remind(waiting)

    # --- deciding and sending ----------------------------------------------------------------------------------------

    async def _decided(self, mine: ApprovalRecord, waiting: Sequence[ApprovalRecord], decision: Decision) -> None:
        """One decision for each change and round: it and what it makes void are kept together, then it is sent."""
        decided = replace(
            mine,
            status=decision.status,
            decided=decision.at,
            decided_by=decision.by,
            comment=decision.comment,
            via=decision.via,
        )
        others = [
            replace(each, status=ApprovalStatus.SUPERSEDED, decided=decision.at)
            for each in waiting
            if each.approval_id != mine.approval_id and each.round == mine.round
        ]
        await self.ledger.approvals.save(decided, *others)
        self.facts.approval_decided(
            ticket=mine.ticket, approval_id=mine.approval_id, decision=decision.status.value, by=decision.by[1]
        )
        await self._send(decided)

    async def _send(self, record: ApprovalRecord) -> None:
        """Approve or reject at Ensono, which goes by the first answer: a lost one is sent again after the guide's pause."""
        link = await self.ledger.links.current(record.ticket)
        if link is None or not self.ensono_open():
            return
        send = self.ensono.approve if record.status is ApprovalStatus.APPROVED else self.ensono.reject
        effects = Effects(
            self.ledger.effects,
            self.unsettled,
            self.clock,
            self.facts,
            ticket=record.ticket,
            message_id=MessageId(f"approval {record.approval_id}"),
        )
        try:
            await effects.set(
                f"decision:{record.round}",
                f"{record.status.value} at Ensono",
                lambda: send(
                    record.ticket,
                    link.number,
                    approver=record.approver,
                    approval_id=record.approval_id,
                    comment=decision_text(record, link.number, self.zone),
                ),
                peer=ENSONO,
            )
        except (PeerError, StillUnknown):  # told where the call was made; the next round sends it again
            return
        await self.ledger.approvals.save(replace(record, sent=self._now()))

    def _now(self) -> float:
        return self.clock.now().timestamp()


def decision_text(record: ApprovalRecord, number: str, zone: ZoneInfo) -> str:
    """The one comment that goes with a decision (guide, Approving a change): who, when, and why, word for word."""
    name, email, phone = record.decided_by
    who = ", ".join(part for part in (name, f"Email: {email}", f"Phone: {phone}" if phone else "") if part)
    moment = shown_time(from_epoch_ms(round((record.decided or record.requested) * 1000)), zone)
    said = f"{who} {record.status.value} Change Request {number} via {record.via} at {moment}."
    return f"{said} Reason: {record.comment}" if record.comment else said
