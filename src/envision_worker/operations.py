"""What an operator can have done: by the running daemon, or in its place while it is stopped."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from envision_worker.app import Worker
from envision_worker.errors import PeerError
from envision_worker.ledger.records import ApprovalRecord, ApprovalStatus, Kept, State
from envision_worker.outcome import Outcome, metric_label
from envision_worker.relay.approvals import VIA_COMMAND_LINE, Decision
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId


class Result(StrEnum):
    """How it went; each is an exit code of the command line."""

    DONE = "done"
    UNKNOWN = "unknown"
    STILL_FAILING = "still_failing"


@dataclass(frozen=True, slots=True)
class Report:
    """The result, and what to tell the operator, one line each."""

    result: Result
    lines: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For the control socket."""
        return {"result": self.result.value, "lines": list(self.lines)}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "Report":
        """Back from the control socket."""
        return cls(Result(given["result"]), tuple(given["lines"]))


class Operations:
    """The operator's actions on a worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._ledger = worker.parts.ledger

    async def pause(self) -> Report:
        """Stop reading; what runs is finished."""
        await self._worker.pause(paused=True)
        return Report(Result.DONE, ("paused: the queue is not read until you resume",))

    async def resume(self) -> Report:
        """Read again."""
        await self._worker.pause(paused=False)
        return Report(Result.DONE, ("resumed",))

    async def retry(self, ref: str) -> Report:
        """Run a ticket's kept messages in order, from the dead letter on."""
        dead = await self._dead_letter(ref)
        if dead is None:
            return _unknown(ref)
        await self._ledger.messages.release(dead.message_id)
        await self._event(dead, "retry", "asked for by an operator")
        outcomes = await self._worker.lanes.run_copies(dead.ticket, forced=True)
        now = await self._ledger.messages.get(dead.message_id)
        settled = now is not None and now.state.settled
        lines = [_told(kept, outcome) for kept, outcome in outcomes] or [
            f"{dead.message_id}: waits behind another message"
        ]
        return Report(Result.DONE if settled else Result.STILL_FAILING, tuple(lines))

    async def discard(self, ref: str, reason: str) -> Report:
        """Give a dead letter up and let the next message of its ticket follow."""
        dead = await self._dead_letter(ref)
        if dead is None:
            return _unknown(ref)
        async with self._worker.tickets.holding(dead.ticket):
            at = self._worker.parts.clock.now().timestamp()
            await self._ledger.messages.settle(
                dead.message_id, State.DISCARDED, at=at, reason="operator", detail=reason
            )
        self._worker.parts.facts.dead_letter_resolved(message_id=dead.message_id, ticket=dead.ticket, how="discarded")
        outcomes = await self._worker.lanes.run_copies(dead.ticket, forced=True)
        lines = [f"{dead.message_id}: discarded: {reason}", *(_told(kept, outcome) for kept, outcome in outcomes)]
        return Report(Result.DONE, tuple(lines))

    async def resend(self, approval_id: str) -> Report:
        """Ask the approvers once more, or send a decision that Ensono has not confirmed."""
        record = await self._ledger.approvals.get(approval_id)
        if record is None:
            return _unknown(approval_id)
        if record.status is ApprovalStatus.WAITING:
            return await self._ask_again(record)
        if record.status in {ApprovalStatus.APPROVED, ApprovalStatus.REJECTED} and record.sent is None:
            await self._worker.relay.round()
            return await self._sent(approval_id)
        return Report(Result.DONE, (f"{approval_id}: {record.status.value}; there is nothing to send",))

    async def decide(self, approval_id: str, *, approve: bool, email: str, reason: str) -> Report:
        """Decide an approval where the desk can't; kept in the ledger with who, when and why."""
        status = ApprovalStatus.APPROVED if approve else ApprovalStatus.REJECTED
        at = self._worker.parts.clock.now().timestamp()
        decision = Decision(status, (email, email, ""), at, reason, VIA_COMMAND_LINE)
        if await self._ledger.approvals.get(approval_id) is None:
            return _unknown(approval_id)
        record = await self._worker.relay.decide(approval_id, decision)
        if record is None:
            return Report(Result.UNKNOWN, (f"{approval_id}: waits for no decision; see `approvals show`",))
        return await self._sent(approval_id)

    async def _ask_again(self, record: ApprovalRecord) -> Report:
        try:
            await self._worker.relay.remind([record])
        except PeerError as exc:
            return Report(Result.STILL_FAILING, (f"{record.approval_id}: {exc}",))
        return Report(Result.DONE, (f"{record.approval_id}: asked again: {', '.join(record.desk_approvers)}",))

    async def _sent(self, approval_id: str) -> Report:
        record = await self._ledger.approvals.get(approval_id)
        if record is not None and record.sent is not None:
            return Report(Result.DONE, (f"{approval_id}: {record.status.value}, confirmed by Ensono",))
        line = f"{approval_id}: decided and kept, but Ensono has not confirmed it; it is sent again until it does"
        return Report(Result.STILL_FAILING, (line,))

    async def _dead_letter(self, ref: str) -> Kept | None:
        """By MessageId, or a ticket's first."""
        found = await self._ledger.messages.get(MessageId(ref))
        if found is not None:
            return found if found.state is State.DEAD_LETTER else None
        undone = await self._ledger.messages.undone(EnsonoTicketNumber(ref))
        return next((kept for kept in undone if kept.state is State.DEAD_LETTER), None)

    async def _event(self, kept: Kept, what: str, detail: str) -> None:
        at = self._worker.parts.clock.now().timestamp()
        await self._ledger.messages.note_event(
            at=at, ticket=kept.ticket, message_id=kept.message_id, what=what, detail=detail
        )


def _unknown(ref: str) -> Report:
    return Report(Result.UNKNOWN, (f"{ref}: not known, or nothing of it waits for an operator",))


def _told(kept: Kept, outcome: Outcome) -> str:
    detail = getattr(outcome, "detail", "")
    return f"{kept.message_id} {kept.transaction_type}: {metric_label(outcome)}{': ' + detail if detail else ''}"
