"""Facts about messages: handled, malformed, unknown outcomes, dead letters."""

from typing import Literal

from envision_worker.outcome import Applied, DeadLetter, DeadLetterReason, Outcome, OutOfScope, RetryLater, metric_label
from envision_worker.telemetry.metrics import MAPPED_KINDS, TICKET_TYPES, TRANSACTION_TYPES, known
from envision_worker.telemetry.telling import ERROR, INFO, WARNING, Telling

Resolution = Literal["applied", "discarded", "retried"]

_REPEATED_FAILURE_S = 300.0
_REPEATED_BUG_S = 60.0


class MessageFacts(Telling):
    """Each method tells one fact: it writes the line and moves the metrics."""

    def message_handled(
        self,
        *,
        message_id: str,
        ticket: str,
        partner_number: str | None,
        transaction_type: str,
        ticket_type: str,
        receive_count: int,
        age_seconds: float | None,
        outcome: Outcome,
        seconds: float,
        calls: int,
    ) -> None:
        """The canonical line of one handling; failing again for the same reason is written once in five minutes.

        Args:
            age_seconds: since SentTimestamp; None where the message does not tell.
            seconds: how long this handling took.
            calls: made to the desk and to Ensono in it.
        """
        self._count_handling(transaction_type, ticket_type, outcome, age_seconds, seconds)
        level, every_s, verdict = _verdict(outcome)
        self._tell_rationed(
            level,
            "message_handled",
            (message_id, verdict["reason"]),
            every_s,
            message_id=message_id,
            ticket=ticket,
            partner_number=partner_number,
            transaction_type=transaction_type,
            ticket_type=ticket_type,
            receive_count=receive_count,
            age_seconds=None if age_seconds is None else round(age_seconds, 3),
            **verdict,
            seconds=round(seconds, 3),
            calls=calls,
        )

    def message_malformed(self, *, message_id: str, ticket: str | None, field: str, problem: str) -> None:
        """A message can't be read, or lacks what its transaction needs; the same fault of it is written once in five minutes."""
        self._metrics.malformed.inc()
        self._tell_rationed(
            ERROR,
            "message_malformed",
            (message_id, field),
            _REPEATED_FAILURE_S,
            message_id=message_id,
            ticket=ticket,
            field=field,
            problem=problem,
        )

    def value_unmapped(self, *, ticket: str, kind: str, value: str) -> None:
        """A value has no line in `[mapping.<kind>]`: it is written on the ticket instead of sent."""
        self._metrics.unmapped.labels(known(kind, MAPPED_KINDS)).inc()
        self._log.warning("value_unmapped", ticket=ticket, kind=kind, value=value)

    def field_dropped(self, *, ticket: str, fields: list[str], detail: str) -> None:
        """The desk refused optional fields: they stand in text instead."""
        self._metrics.fields_dropped.inc(len(fields))
        self._log.warning("field_dropped", ticket=ticket, fields=fields, detail=detail)

    def outcome_unknown(self, *, message_id: str, ticket: str, effect: str, detail: str) -> None:
        """A write's answer was lost: the ticket waits until the write must have shown, then we look."""
        self._metrics.unknown_outcomes.inc()
        self._log.warning("outcome_unknown", message_id=message_id, ticket=ticket, effect=effect, detail=detail)

    def outcome_found(self, *, message_id: str, ticket: str, effect: str, happened: bool) -> None:
        """Looking showed whether a write whose answer was lost had been carried out."""
        self._metrics.found_outcomes.labels("yes" if happened else "no").inc()
        self._log.info("outcome_found", message_id=message_id, ticket=ticket, effect=effect, happened=happened)

    def dead_letter_kept(self, *, message_id: str, ticket: str, reason: DeadLetterReason, detail: str) -> None:
        """A message became a dead letter: its copy is kept here, and the ticket's later messages wait behind it."""
        self._metrics.dead_letters_kept.labels(reason.value).inc()
        self._log.error("dead_letter_kept", message_id=message_id, ticket=ticket, reason=reason.value, detail=detail)

    def dead_letter_resolved(self, *, message_id: str, ticket: str, how: Resolution) -> None:
        """A dead letter is none any more: it went through, or an operator discarded it."""
        self._metrics.dead_letters_resolved.labels(how).inc()
        self._log.info("dead_letter_resolved", message_id=message_id, ticket=ticket, how=how)

    def unforeseen(self, *, message_id: str | None, ticket: str | None, exc: BaseException) -> None:
        """An exception that nobody foresaw, with its traceback; the same place is written once a minute."""
        self._metrics.unforeseen.inc()
        self._tell_rationed(
            ERROR,
            "unforeseen",
            (type(exc), _place(exc)),
            _REPEATED_BUG_S,
            message_id=message_id,
            ticket=ticket,
            error=type(exc).__name__,
            exc_info=exc,
        )

    def _count_handling(
        self, transaction_type: str, ticket_type: str, outcome: Outcome, age_seconds: float | None, seconds: float
    ) -> None:
        transaction_label = known(transaction_type, TRANSACTION_TYPES)
        ticket_label = known(ticket_type, TICKET_TYPES)
        label = metric_label(outcome)
        self._metrics.messages.labels(transaction_label, ticket_label, label).inc()
        self._metrics.handling.labels(transaction_label).observe(seconds)
        if isinstance(outcome, RetryLater | DeadLetter):
            self._metrics.failures.labels(label, outcome.reason.value).inc()
        if isinstance(outcome, Applied) and not outcome.already and age_seconds is not None:
            self._metrics.age.observe(max(age_seconds, 0.0))


def _verdict(outcome: Outcome) -> tuple[int, float, dict[str, str | None]]:
    """How loud an outcome is, how often it is repeated for one message, and its fields of the line."""
    label = metric_label(outcome)
    match outcome:
        case Applied():
            return INFO, 0.0, {"outcome": label, "reason": None, "detail": ""}
        case OutOfScope(rule=rule):
            return INFO, 0.0, {"outcome": label, "reason": f"rule_{rule}", "detail": ""}
        case RetryLater(reason=later, detail=detail):
            return WARNING, _REPEATED_FAILURE_S, {"outcome": label, "reason": later.value, "detail": detail}
        case DeadLetter(reason=dead, detail=detail):
            return ERROR, _REPEATED_FAILURE_S, {"outcome": label, "reason": dead.value, "detail": detail}


def _place(exc: BaseException) -> tuple[str, int] | None:
    """File and line where an exception was raised."""
    step = exc.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return (step.tb_frame.f_code.co_filename, step.tb_lineno) if step else None
