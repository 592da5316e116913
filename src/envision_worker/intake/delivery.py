"""The life of one message, from the moment it is begun to its outcome on disk."""

from collections.abc import Mapping
from dataclasses import dataclass

from envision_worker.clock import from_epoch_ms
from envision_worker.config.sections import ScopeSettings
from envision_worker.ensono.fields import MalformedMessage
from envision_worker.ensono.messages import Transaction
from envision_worker.ensono.parsing import parse
from envision_worker.ensono.spool import SpoolFull
from envision_worker.errors import KeyRefused, Malformed, PeerError, Refused, Throttled, Unsure
from envision_worker.handlers import table
from envision_worker.handlers.counterpart import AppliedBefore
from envision_worker.handlers.effects import Effects, StillUnknown, Unsettled
from envision_worker.handlers.work import Peers, Turn, Work
from envision_worker.intake.calls import Handling, handling
from envision_worker.ledger.records import Kept, LedgerUnavailable, State
from envision_worker.outcome import Applied, DeadLetter, DeadLetterReason, LaterReason, Outcome, OutOfScope, RetryLater
from envision_worker.vocabulary import desk_kind

LAST_RETRY_S = 6 * 3600.0
UNCLEAN_ENDS_ALONE = 2
"""After so many unclean ends with it in hand a message is tried alone; after one more it is kept aside (contract, P6)."""
DETAIL_LENGTH = 2000

_BEGINS_ANEW = frozenset({DeadLetterReason.PROCESS_ENDED, DeadLetterReason.RESTORED})
"""What was kept aside for these reasons has not failed by itself: once it is tried, it is a message like any other."""
_STATES: Mapping[type, State] = {Applied: State.APPLIED, OutOfScope: State.OUT_OF_SCOPE, RetryLater: State.RETRY_LATER}


@dataclass(frozen=True, slots=True)
class Rules:
    """What of the configuration decides about messages, whatever a handler does.

    Attributes:
        first_retry_s: how long a dead letter waits at least before its copy is tried again.
    """

    scope: ScopeSettings
    max_receives: int
    first_retry_s: float


class Deliveries:
    """Handles messages, one at a time for each ticket: the caller sees to that."""

    def __init__(self, peers: Peers, unsettled: Unsettled, rules: Rules) -> None:
        self._peers = peers
        self._unsettled = unsettled
        self._rules = rules

    async def handle(self, kept: Kept, turn: Turn, *, live: bool) -> Outcome:
        """Apply one message; its outcome is durable when this returns. `live`: the queue will bring it again if need be.

        Raises:
            LedgerUnavailable: nothing can be said of its outcome; the message stays marked as in hand.
        """
        started = self._peers.clock.monotonic()
        same = await self._peers.ledger.messages.begin(kept.message_id)
        current = Handling(kept.ticket)
        token = handling.set(current)
        try:
            outcome = await self._outcome(kept, turn, said_before=same is not None)
        finally:
            handling.reset(token)
        outcome = self._unless_used_up(kept, outcome)
        await self._settle(kept, outcome, live=live)
        await self._tell(kept, outcome, seconds=self._peers.clock.monotonic() - started, calls=current.calls)
        return outcome

    async def _outcome(self, kept: Kept, turn: Turn, *, said_before: bool) -> Outcome:
        if kept.unclean_ends > UNCLEAN_ENDS_ALONE:
            detail = f"the process ended {kept.unclean_ends} times with this message in hand; it waits for an operator"
            return DeadLetter(DeadLetterReason.PROCESS_ENDED, detail)
        try:
            transaction = parse(kept.raw, ticket=kept.ticket, message_id=kept.message_id, content_key=kept.content_key)
            settled = await self._settled_already(kept, transaction, said_before=said_before)
            return settled or await self._applied(kept, transaction, turn, said_before=said_before)
        except MalformedMessage as exc:
            self._peers.facts.message_malformed(
                message_id=kept.message_id, ticket=kept.ticket, field=exc.field, problem=exc.problem
            )
            return DeadLetter(DeadLetterReason.MALFORMED, str(exc))
        except AppliedBefore:
            return Applied(already=True)
        except StillUnknown as exc:
            return RetryLater(LaterReason.OUTCOME_UNKNOWN, str(exc), exc.wait_s)
        except SpoolFull as exc:
            return RetryLater(LaterReason.SPOOL_FULL, str(exc))
        except PeerError as exc:
            return verdict(exc)
        except LedgerUnavailable:
            raise
        except Exception as exc:  # noqa: BLE001 - one message's bug must cost no other message anything
            self._peers.facts.unforeseen(message_id=kept.message_id, ticket=kept.ticket, exc=exc)
            return RetryLater(LaterReason.BUG, type(exc).__name__)

    async def _applied(self, kept: Kept, transaction: Transaction, turn: Turn, *, said_before: bool) -> Outcome:
        """Apply it; where the desk refuses something to a counterpart that was not looked at just now, once more with a look."""
        work = self._work(kept, transaction, turn, said_before=said_before)
        try:
            return await table.apply(work, transaction)
        except Refused:
            if not work.from_memory:
                raise
        return await table.apply(self._work(kept, transaction, turn, said_before=said_before), transaction)

    async def _settled_already(self, kept: Kept, transaction: Transaction, *, said_before: bool) -> Outcome | None:
        """Out of scope by a rule, or the same transaction under another MessageId; None: it is to be applied."""
        if await self._is_out_of_scope(transaction, kept):
            return OutOfScope(self._rule_number(transaction, kept))
        return Applied(already=True) if said_before and transaction.repeatable_key else None

    async def _is_out_of_scope(self, transaction: Transaction, kept: Kept) -> bool:
        """A ticket that has a counterpart is never out of scope; Ensono knowing our number means that it has one.

        A ledger that was lost may have known one, so the desk is asked as well.
        """
        if not self._rule_number(transaction, kept) or transaction.client_ticket_number:
            return False
        if await self._peers.ledger.links.current(kept.ticket) is not None:
            return False
        return not await self._peers.desk.find(desk_kind(transaction.ticket_type), kept.ticket)

    def _rule_number(self, transaction: Transaction, kept: Kept) -> int:
        """Which rule matches, counted from 1; 0: none."""
        said = transaction.fields.given() | {
            "ticket_type": transaction.ticket_type.value,
            "transaction_type": kept.transaction_type,
        }
        rules = self._rules.scope.out_of_scope
        return next((number for number, rule in enumerate(rules, 1) if rule.matches(said)), 0)

    def _work(self, kept: Kept, transaction: Transaction, turn: Turn, *, said_before: bool) -> Work:
        peers = self._peers
        effects = Effects(
            peers.ledger.effects,
            self._unsettled,
            peers.clock,
            peers.facts,
            ticket=kept.ticket,
            message_id=kept.message_id,
        )
        seen, turn.seen = turn.seen, None
        return Work(
            transaction,
            peers,
            effects,
            turn,
            first_received=kept.first_received,
            said_before=said_before,
            seen=seen,
        )

    def _unless_used_up(self, kept: Kept, outcome: Outcome) -> Outcome:
        """What could not be done in the last receive becomes a dead letter, and a dead letter stays one until it goes through."""
        if not isinstance(outcome, RetryLater):
            return outcome
        last = f"last: {outcome.reason}: {outcome.detail}"
        if kept.state is State.DEAD_LETTER and kept.reason not in _BEGINS_ANEW:
            return DeadLetter(DeadLetterReason(kept.reason), f"tried again in vain; {last}")
        if kept.receive_count < self._rules.max_receives:
            return outcome
        return DeadLetter(DeadLetterReason.RECEIVES_USED_UP, f"all {kept.receive_count} receives are used up; {last}")

    async def _settle(self, kept: Kept, outcome: Outcome, *, live: bool) -> None:
        now = self._peers.clock.now().timestamp()
        state = State.DEAD_LETTER if isinstance(outcome, DeadLetter) else _STATES[type(outcome)]
        reason, detail = why(outcome)
        held = isinstance(outcome, DeadLetter) and outcome.reason is DeadLetterReason.PROCESS_ENDED
        comes_again = live and kept.receive_count < self._rules.max_receives
        due = None if comes_again or held else next_attempt(kept, now, first_s=self._rules.first_retry_s)
        await self._peers.ledger.messages.settle(
            kept.message_id,
            state,
            at=now,
            reason=reason,
            detail=detail[:DETAIL_LENGTH],
            next_attempt=due if state is State.DEAD_LETTER else None,
            held=held,
        )

    async def tell_settled(self, kept: Kept) -> None:
        """A message that was settled before came again: all that is left is to acknowledge it."""
        outcome: Outcome = OutOfScope(0) if kept.state is State.OUT_OF_SCOPE else Applied(already=True)
        await self._tell(kept, outcome, seconds=0.0, calls=0)

    async def _tell(self, kept: Kept, outcome: Outcome, *, seconds: float, calls: int) -> None:
        link = await self._peers.ledger.links.current(kept.ticket)
        age = (self._peers.clock.now() - from_epoch_ms(kept.sent_ms)).total_seconds()
        self._peers.facts.message_handled(
            message_id=kept.message_id,
            ticket=kept.ticket,
            partner_number=link.number if link else None,
            transaction_type=kept.transaction_type,
            ticket_type=kept.ticket_type,
            receive_count=kept.receive_count,
            age_seconds=age,
            outcome=outcome,
            seconds=seconds,
            calls=calls,
        )
        if isinstance(outcome, DeadLetter) and kept.reason != outcome.reason.value:
            self._peers.facts.dead_letter_kept(
                message_id=kept.message_id, ticket=kept.ticket, reason=outcome.reason, detail=outcome.detail
            )
        if isinstance(outcome, Applied) and kept.state is State.DEAD_LETTER:
            self._peers.facts.dead_letter_resolved(message_id=kept.message_id, ticket=kept.ticket, how="applied")


def next_attempt(kept: Kept, now: float, *, first_s: float) -> float:
    """When a dead letter is tried again from its copy: each wait is as long as it has waited since it came last.

    Where the clock was put back since, what it says of that time means nothing; then seldom rather than often.
    """
    return now + min(max(first_s, abs(now - kept.last_received)), LAST_RETRY_S)


def verdict(error: PeerError) -> Outcome:
    """What a failed call means for its message."""
    desk = error.peer == "desk"
    if isinstance(error, Refused) and desk:
        return DeadLetter(DeadLetterReason.REFUSED_BY_DESK, error.detail)
    return RetryLater(_later(error, desk=desk), f"{error.operation}: {error.detail}")


def _later(error: PeerError, *, desk: bool) -> LaterReason:
    if error.peer == "attachments":
        return LaterReason.ATTACHMENT_UNREACHABLE
    match error:
        case Refused():
            return LaterReason.ENSONO_REFUSED
        case Throttled():
            return LaterReason.DESK_THROTTLED if desk else LaterReason.ENSONO_THROTTLED
        case KeyRefused():
            return LaterReason.DESK_KEY_REFUSED if desk else LaterReason.ENSONO_KEY_REFUSED
        case Unsure():
            return LaterReason.OUTCOME_UNKNOWN
        case Malformed():
            return LaterReason.DESK_MALFORMED if desk else LaterReason.ENSONO_MALFORMED
        case _:
            return LaterReason.DESK_UNREACHABLE if desk else LaterReason.ENSONO_UNREACHABLE


def why(outcome: Outcome) -> tuple[str, str]:
    """Reason and detail, as they are kept."""
    match outcome:
        case Applied():
            return ("already" if outcome.already else "", "")
        case OutOfScope():
            return f"rule {outcome.rule}", ""
        case RetryLater() | DeadLetter():
            return outcome.reason.value, outcome.detail
