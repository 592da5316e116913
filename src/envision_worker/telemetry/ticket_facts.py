"""Facts about what belongs to tickets: attachments and approvals."""

from envision_worker.telemetry.metrics import UNKNOWN
from envision_worker.telemetry.telling import INFO, WARNING, Telling

_REPEATED_FAILURE_S = 300.0
_DECISIONS = {"approve": "approved", "approved": "approved", "reject": "rejected", "rejected": "rejected"}


class TicketFacts(Telling):
    """Each method tells one fact: it writes the line and moves the metrics."""

    def attachment_fetched(self, *, message_id: str, ticket: str, name: str, size: int, seconds: float) -> None:
        """An attachment's bytes are in the spool."""
        self._metrics.attachments.labels("fetched").inc()
        self._metrics.attachment_bytes.inc(size)
        self._log.info(
            "attachment_fetched",
            message_id=message_id,
            ticket=ticket,
            name=name,
            size=size,
            seconds=round(seconds, 3),
        )

    def attachment_not_fetched(self, *, message_id: str, ticket: str, name: str, reason: str, for_good: bool) -> None:
        """An attachment could not be fetched; `for_good`: it won't be tried again, a note on the ticket says so."""
        self._metrics.attachments.labels("given_up" if for_good else "failed").inc()
        self._tell_rationed(
            WARNING,
            "attachment_not_fetched",
            (message_id, reason, for_good),
            _REPEATED_FAILURE_S,
            message_id=message_id,
            ticket=ticket,
            name=name,
            reason=reason,
            for_good=for_good,
        )

    def approval_requested(self, *, ticket: str, approval_id: str, approver: str) -> None:
        """An approval stands on the desk and its approver was asked."""
        self._metrics.approvals.labels("requested").inc()
        self._log.info("approval_requested", ticket=ticket, approval_id=approval_id, approver=approver)

    def approval_decided(self, *, ticket: str, approval_id: str, decision: str, by: str) -> None:
        """A decision (`approve`, `reject`) counts and is Ensono's to know."""
        self._metrics.approvals.labels(_DECISIONS.get(decision.strip().lower(), UNKNOWN)).inc()
        self._log.info("approval_decided", ticket=ticket, approval_id=approval_id, decision=decision, by=by)

    def approval_reminded(self, ticket: str, approver: str) -> None:
        """The desk was asked to notify an approver again."""
        self._metrics.approvals.labels("reminded").inc()
        self._log.info("approval_reminded", ticket=ticket, approver=approver)

    def approval_withdrawn(self, *, ticket: str, approval_id: str, reason: str) -> None:
        """Ensono no longer wants this decision: the approval was withdrawn on the desk."""
        self._metrics.approvals.labels("withdrawn").inc()
        self._log.info("approval_withdrawn", ticket=ticket, approval_id=approval_id, reason=reason)

    def approval_missing(self, *, ticket: str, approval_id: str) -> None:
        """An approval that waits is gone from the desk: nobody can decide it there, and Ensono goes on waiting."""
        self._log.warning("approval_missing", ticket=ticket, approval_id=approval_id)

    def approval_restored(self, *, ticket: str, approval_id: str) -> None:
        """An approval that the ledger did not know was found on the desk."""
        self._log.info("approval_restored", ticket=ticket, approval_id=approval_id)

    def approvals_not_restored(self, detail: str, *, has_changes: bool) -> None:
        """The desk does not list its changes, so a new ledger can't be told of approvals that stand there.

        No more than worth knowing where it has none, for want of the module or of the key's scope.
        """
        self._log.log(WARNING if has_changes else INFO, "approvals_not_restored", detail=detail)

    def decision_refused(self, *, ticket: str, approval_id: str, detail: str) -> None:
        """Ensono does not take a decision; it is sent again at growing intervals."""
        self._log.error("decision_refused", ticket=ticket, approval_id=approval_id, detail=detail)

    def decision_too_late(self, *, ticket: str, approval_id: str, decision: str, by: str, counts: str) -> None:
        """Somebody decided after the decision that counts (`approved`, `rejected`): kept, and not sent.

        A warning where it says otherwise: the desk shows what is not so at Ensono.
        """
        self._log.log(
            INFO if decision == counts else WARNING,
            "decision_too_late",
            ticket=ticket,
            approval_id=approval_id,
            decision=decision,
            by=by,
            counts=counts,
        )
