"""What an operator can have done: by the running daemon, or in its place while it is stopped."""

from collections.abc import Mapping

from envision_worker.app import Worker
from envision_worker.errors import PeerError
from envision_worker.handlers.effects import StillUnknown
from envision_worker.ledger.records import ApprovalStatus, Kept, State
from envision_worker.outcome import (
    Applied,
    DeadLetter,
    DeadLetterReason,
    Outcome,
    OutOfScope,
    RetryLater,
    metric_label,
)
from envision_worker.relay.approvals import VIA_COMMAND_LINE
from envision_worker.relay.decisions import Decision
from envision_worker.report import Report, Result
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId

ACTIONS: Mapping[str, frozenset[str]] = {
    "pause": frozenset(),
    "resume": frozenset(),
    "retry": frozenset({"ref"}),
    "discard": frozenset({"ref", "reason"}),
    "resend": frozenset({"approval_id"}),
    "decide": frozenset({"approval_id", "verdict", "email", "reason"}),
}
"""What an operator can ask for, each with the named texts that it needs."""


_SLICE_S = 0.2


class NotUnderstood(ValueError):
    """There is no such action, or it lacks something."""


class Operations:
    """The operator's actions on a worker. Each may raise `LedgerUnavailable`."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._ledger = worker.parts.ledger

    async def carry_out(self, action: str, asked: Mapping[str, str]) -> Report:
        """One of `ACTIONS`, by name.

        Raises:
            NotUnderstood: it is none of them, or lacks something.
        """
        if action not in ACTIONS or not ACTIONS[action] <= asked.keys():
            raise NotUnderstood(f"{action} needs {', '.join(sorted(ACTIONS.get(action, ())))}")
        match action:
            case "pause":
                return await self.pause()
            case "resume":
                return await self.resume()
            case "retry":
                return await self.retry(asked["ref"])
            case "discard":
                return await self.discard(asked["ref"], asked["reason"])
            case "resend":
                return await self.resend(asked["approval_id"])
            case _:
                approve = asked["verdict"] == "approve"
                return await self.decide(
                    asked["approval_id"], approve=approve, email=asked["email"], reason=asked["reason"]
                )

    async def pause(self) -> Report:
        """Stop reading; what runs is finished."""
        await self._worker.pause(paused=True)
        return Report(Result.DONE, ("paused: the queue is not read until you resume",))

    async def resume(self) -> Report:
        """Read again."""
        await self._worker.pause(paused=False)
        return Report(Result.DONE, ("resumed",))

    async def retry(self, ref: str) -> Report:
        """Run a ticket's kept messages in order, from its dead letter on; still failing while one of them stops there."""
        dead = await self._dead_letter(ref)
        if dead is None:
            return _unknown(ref)
        await self._ledger.messages.release(dead.message_id)
        await self._ledger.messages.note_event(
            at=self._now(),
            ticket=dead.ticket,
            message_id=dead.message_id,
            what="retry",
            detail="asked for by an operator",
        )
        await self._unknown_writes_shown(dead.ticket)
        outcomes = await self._worker.lanes.run_copies(dead.ticket, forced=True)
        now = await self._ledger.messages.get(dead.message_id)
        settled = now is None or now.state.settled
        through = all(isinstance(outcome, Applied | OutOfScope) for _, outcome in outcomes)
        what = "has gone through meanwhile" if settled else "waits behind another message"
        lines = [_told(kept, outcome) for kept, outcome in outcomes] or [f"{dead.message_id}: {what}"]
        return Report(Result.DONE if settled and through else Result.STILL_FAILING, tuple(lines))

    async def discard(self, ref: str, reason: str) -> Report:
        """Give a dead letter up and let the next message of its ticket follow."""
        dead = await self._dead_letter(ref)
        if dead is None:
            return _unknown(ref)
        async with self._worker.tickets.holding(dead.ticket):
            if await self._dead_letter(dead.message_id) is None:  # it went through while we waited for its ticket
                return _unknown(ref)
            await self._ledger.messages.settle(
                dead.message_id, State.DISCARDED, at=self._now(), reason="operator", detail=reason
            )
        self._worker.parts.facts.dead_letter_resolved(message_id=dead.message_id, ticket=dead.ticket, how="discarded")
        return Report(Result.DONE, (f"{dead.message_id}: discarded: {reason}", *await self._next_followed(dead.ticket)))

    async def _next_followed(self, ticket: EnsonoTicketNumber) -> list[str]:
        """Run what a ticket has left, unless it begins with what may have been applied: that is the operator's to judge as well."""
        left = await self._ledger.messages.undone(ticket)
        if left and left[0].state is State.DEAD_LETTER and left[0].reason == DeadLetterReason.RESTORED:
            return [f"{left[0].message_id} {left[0].transaction_type}: {left[0].reason}: {left[0].detail}"]
        await self._unknown_writes_shown(ticket)
        outcomes = await self._worker.lanes.run_copies(ticket, forced=True)
        return [_told(kept, outcome) for kept, outcome in outcomes]

    async def resend(self, approval_id: str) -> Report:
        """Ask the approvers once more, or send a decision that Ensono has not confirmed."""
        record = await self._ledger.approvals.get(approval_id)
        if record is None:
            return _no_approval(approval_id)
        await self._unknown_writes_shown(record.ticket)
        if record.status is ApprovalStatus.WAITING:
            return await self._ask_again(approval_id)
        if record.status in {ApprovalStatus.APPROVED, ApprovalStatus.REJECTED} and record.sent is None:
            await self._worker.relay.send_again(approval_id)
            return await self._sent(approval_id)
        return Report(Result.DONE, (f"{approval_id}: {record.status.value}; there is nothing to send",))

    async def decide(self, approval_id: str, *, approve: bool, email: str, reason: str) -> Report:
        """Decide an approval where the desk can't; kept in the ledger with who, when and why."""
        status = ApprovalStatus.APPROVED if approve else ApprovalStatus.REJECTED
        decision = Decision(status, (email, email, ""), self._now(), reason, VIA_COMMAND_LINE)
        if await self._worker.relay.decide(approval_id, decision) is not None:
            return await self._sent(approval_id)
        record = await self._ledger.approvals.get(approval_id)
        if record is None:
            return _no_approval(approval_id)
        return Report(Result.UNKNOWN, (f"{approval_id}: {record.status.value} already; see `approvals show`",))

    async def _ask_again(self, approval_id: str) -> Report:
        try:
            await self._worker.relay.ask_again(approval_id)
        except (PeerError, StillUnknown) as exc:
            return Report(Result.STILL_FAILING, (f"{approval_id}: {exc}",))
        record = await self._ledger.approvals.get(approval_id)
        if record is None or record.status is not ApprovalStatus.WAITING:
            return Report(Result.DONE, (f"{approval_id}: was decided meanwhile",))
        return Report(Result.DONE, (f"{approval_id}: asked again: {', '.join(record.desk_approvers)}",))

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

    async def _unknown_writes_shown(self, ticket: EnsonoTicketNumber) -> None:
        """Wait for a write whose answer was lost: a command that runs in the daemon's place would meet it each time anew."""
        while (wait_s := self._worker.relay.unsettled.wait_s(ticket)) and not self._worker.consumer.stopping:
            await self._worker.parts.clock.sleep(min(wait_s, _SLICE_S))

    def _now(self) -> float:
        return self._worker.parts.clock.now().timestamp()


def _no_approval(approval_id: str) -> Report:
    return Report(Result.UNKNOWN, (f"{approval_id}: no approval has this id; `approvals list` shows them",))


def _unknown(ref: str) -> Report:
    return Report(Result.UNKNOWN, (f"{ref}: not known, or nothing of it waits for an operator",))


def _told(kept: Kept, outcome: Outcome) -> str:
    came = f"{kept.message_id} {kept.transaction_type}: {metric_label(outcome)}"
    return f"{came}: {outcome.reason}: {outcome.detail}" if isinstance(outcome, DeadLetter | RetryLater) else came
