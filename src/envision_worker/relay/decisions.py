"""A decision on its way to Ensono: one comment, and sent until it is confirmed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from envision_worker.clock import Clock, from_epoch_ms
from envision_worker.desks.approval import ApprovalState, DeskApproval
from envision_worker.ensono.connect import EnvisionConnect
from envision_worker.errors import PeerError, Refused
from envision_worker.handlers.effects import ENSONO, Effects, StillUnknown, Unsettled
from envision_worker.handlers.texts import shown_time
from envision_worker.ledger.ledger import Ledger
from envision_worker.ledger.records import ApprovalRecord, ApprovalStatus, EffectOutcome
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import MessageId

DECIDED = frozenset({ApprovalStatus.APPROVED, ApprovalStatus.REJECTED})
FIRST_PAUSE_S = 60.0
LONGEST_PAUSE_S = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, by whom (name, e-mail, phone), when (epoch seconds), why, and where."""

    status: ApprovalStatus
    by: tuple[str, str, str]
    at: float
    comment: str
    via: str

    def on(self, record: ApprovalRecord) -> ApprovalRecord:
        """The record with this decision."""
        return replace(
            record, status=self.status, decided=self.at, decided_by=self.by, comment=self.comment, via=self.via
        )

    def too_late_on(self, record: ApprovalRecord) -> ApprovalRecord:
        """The record where another decision counted; its comment says what this one was."""
        said = f"{self.status.value}: {self.comment}" if self.comment else self.status.value
        return replace(self.on(record), status=ApprovalStatus.SUPERSEDED, comment=said)


def as_decision(approval: DeskApproval, *, now: float, via: str) -> Decision:
    """What an approver of the desk decided. `now` counts where the desk does not tell when."""
    by = (
        approval.decided_by_name or approval.approver,
        approval.decided_by_email or approval.approver,
        approval.decided_by_phone,
    )
    at = approval.decided_at.timestamp() if approval.decided_at else now
    status = ApprovalStatus.APPROVED if approval.state is ApprovalState.APPROVED else ApprovalStatus.REJECTED
    return Decision(status, by, at, approval.comments, via)


@dataclass(frozen=True, slots=True)
class Decisions:
    """Sends decisions to Ensono, which goes by the first answer of each change and round.

    Attributes:
        ensono_open: whether Ensono can take work now.
    """

    ensono: EnvisionConnect
    ledger: Ledger
    unsettled: Unsettled
    clock: Clock
    facts: Facts
    zone: ZoneInfo
    ensono_open: Callable[[], bool]

    async def keep(self, mine: ApprovalRecord, decision: Decision) -> ApprovalRecord:
        """One decision for each change and round: it and what it makes void are kept together, before it is sent."""
        decided = decision.on(mine)
        why = f"{decision.status.value} by {decision.by[0] or decision.by[1]} before ({mine.approval_id})"
        others = [
            replace(each, status=ApprovalStatus.SUPERSEDED, decided=decision.at, comment=why)
            for each in await self.ledger.approvals.of_ticket(mine.ticket)
            if each.round == mine.round
            and each.approval_id != mine.approval_id
            and each.status is ApprovalStatus.WAITING
        ]
        await self.ledger.approvals.save(decided, *others)
        self.facts.approval_decided(
            ticket=mine.ticket, approval_id=mine.approval_id, decision=decision.status.value, by=decision.by[1]
        )
        return decided

    async def send(self, record: ApprovalRecord, *, at_once: bool = False) -> None:
        """Approve or reject at Ensono; one that is not confirmed is sent again by a later call.

        A lost answer: after the guide's pause. A refusal, which may be mended there: at growing intervals, or `at_once`.
        """
        link = await self.ledger.links.current(record.ticket)
        if link is None or not self.ensono_open() or not (at_once or await self._is_due(record)):
            return
        send = self.ensono.approve if record.status is ApprovalStatus.APPROVED else self.ensono.reject
        comment = decision_text(record, link.number, self.zone)

        async def write() -> None:
            await send(
                record.ticket, link.number, approver=record.approver, approval_id=record.approval_id, comment=comment
            )

        try:
            await self._effects(record).set(_key(record), f"{record.status.value} at Ensono", write, peer=ENSONO)
        except Refused as exc:
            self.facts.decision_refused(ticket=record.ticket, approval_id=record.approval_id, detail=exc.detail)
            return
        except (PeerError, StillUnknown):  # told where the call was made
            return
        await self.ledger.approvals.save(replace(record, sent=self._now()))

    async def _is_due(self, record: ApprovalRecord) -> bool:
        """Each pause after a refusal is as long as it has taken so far."""
        effect = await self.ledger.effects.find(record.ticket, _key(record))
        if effect is None or effect.outcome is not EffectOutcome.REFUSED or effect.finished is None:
            return True
        taken_s = effect.finished - (record.decided or record.requested)
        return self._now() >= effect.finished + min(max(taken_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)

    def _effects(self, record: ApprovalRecord) -> Effects:
        return Effects(
            self.ledger.effects,
            self.unsettled,
            self.clock,
            self.facts,
            ticket=record.ticket,
            message_id=MessageId(f"approval {record.approval_id}"),
        )

    def _now(self) -> float:
        return self.clock.now().timestamp()


def _key(record: ApprovalRecord) -> str:
    return f"decision:{record.round}"


def decision_text(record: ApprovalRecord, number: str, zone: ZoneInfo) -> str:
    """The one comment that goes with a decision (guide, Approving a change): who, when, and why, word for word."""
    name, email, phone = record.decided_by
    told = [name if name != email else "", f"Email: {email}" if email else "", f"Phone: {phone}" if phone else ""]
    who = ", ".join(part for part in told if part) or "An approver"
    moment = shown_time(from_epoch_ms(round((record.decided or record.requested) * 1000)), zone)
    said = f"{who} {record.status.value} Change Request {number} via {record.via} at {moment}."
    return f"{said} Reason: {record.comment}" if record.comment else said
