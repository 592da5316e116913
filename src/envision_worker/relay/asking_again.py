"""When an operator wants it, approvers are asked anew: where level or change is gone from the desk, or others are configured now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from envision_worker.clock import Clock
from envision_worker.config.sections import ApprovalsSettings
from envision_worker.desks.desk import Desk, DeskRef
from envision_worker.ensono.messages import Approval
from envision_worker.errors import Refused, RefusedFor
from envision_worker.handlers.approval_levels import Asked, Asking, ask_for
from envision_worker.handlers.approval_notes import TITLE, note_lines
from envision_worker.handlers.effects import Answer, Effects, Unsettled
from envision_worker.handlers.texts import bears, own_mark, remark
from envision_worker.ledger.ledger import Ledger
from envision_worker.ledger.records import ApprovalRecord
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import DeskKind, MessageId


@dataclass(frozen=True, slots=True)
class AskingAgain:
    """Asks on the change that stands for the ticket now. The caller holds the ticket."""

    desk: Desk
    ledger: Ledger
    unsettled: Unsettled
    clock: Clock
    facts: Facts
    settings: ApprovalsSettings

    async def ask(self, record: ApprovalRecord) -> ApprovalRecord:
        """Put whom the configuration names now on the level, which is made where there is none; returns the record as it is then.

        Nobody is written to yet. Where everything stands already, nothing is done.

        Raises:
            Refused: there is no change to ask on, nobody whom the desk takes, or nothing to ask any more.
            PeerError, StillUnknown: it may be tried again.
        """
        link = await self.ledger.links.current(record.ticket)
        desk_id = link.desk_id if link else record.desk_id
        ref = DeskRef(DeskKind.CHANGE, desk_id)
        effects = self._effects(record)
        records = await self.ledger.approvals.of_ticket(record.ticket)
        of_round = [each for each in records if each.round == record.round]
        asking = Asking(self.desk, effects, ref, self.settings.rule, record.round)
        asked, not_asked = await ask_for(asking, self.settings, record.approver, of_round)
        if not asked.approvers:
            detail = "decided on the desk: the next look sends it" if asked.decided else "; ".join(not_asked)
            raise Refused("desk", "ask again", detail, why=RefusedFor.OTHER)
        there = record.desk_approvers if asked.level_id == record.level_id else ()
        new = [email for email in asked.approvers if email not in there]
        if not new:
            return record
        await self._write_note(effects, ref, record, asked, not_asked)
        again = replace(record, desk_id=desk_id, level_id=asked.level_id, desk_approvers=(*there, *new), comment="")
        await self.ledger.approvals.save(again)
        self.facts.approval_requested(
            ticket=record.ticket, approval_id=record.approval_id, approver=", ".join(asked.approvers)
        )
        return again

    def _effects(self, record: ApprovalRecord) -> Effects:
        return Effects(
            self.ledger.effects,
            self.unsettled,
            self.clock,
            self.facts,
            ticket=record.ticket,
            message_id=MessageId(f"approval {record.approval_id}"),
        )

    async def _write_note(
        self, effects: Effects, ref: DeskRef, record: ApprovalRecord, asked: Asked, not_asked: Sequence[str]
    ) -> None:
        approval = Approval(record.approval_id, record.approver_name, record.approver)
        who = ",".join(asked.approvers)
        mark = own_mark(record.ticket, record.approval_id, asked.level_id, who)
        html = remark(TITLE, note_lines(approval, asked.approvers, not_asked, asked.level_id), mark)

        async def write() -> Answer:
            return {"id": await self.desk.add_note(ref, html, public=False)}

        async def look(_: Mapping[str, Any]) -> Answer | None:
            for stub in reversed(await self.desk.notes(ref)):
                if bears(await self.desk.note_text(ref, stub.id), mark):
                    return {"id": stub.id}
            return None

        key = f"note:approval:{record.approval_id}:{asked.level_id}:{who}"
        await effects.add(key, "add note", write, look)
