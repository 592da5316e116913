"""The desk's own mail, once more, to those who have not decided.

The first mail goes out with the approval (`handlers.approval_levels`). Whoever shall be told in another way, too, gets a file
like this one beside it: what it needs to know is what waits, and who was asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from envision_worker.clock import Clock
from envision_worker.desks.approval import ApprovalState, DeskApproval
from envision_worker.desks.desk import Desk, DeskRef
from envision_worker.errors import PeerError, Unreachable
from envision_worker.ledger.ledger import Ledger
from envision_worker.ledger.records import ApprovalRecord
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import DeskKind


@dataclass(frozen=True, slots=True)
class Reminding:
    """Reminds the approvers of one level, each time that they have been silent for so long.

    Attributes:
        after_s: how long, since they were asked or last reminded.
    """

    desk: Desk
    ledger: Ledger
    clock: Clock
    facts: Facts
    after_s: float

    def is_due(self, waiting: Sequence[ApprovalRecord]) -> bool:
        """Whether the approvers of what waits on a level are to be reminded by now."""
        return self._now() >= max(record.reminded or record.requested for record in waiting) + self.after_s

    async def remind(self, waiting: Sequence[ApprovalRecord], approvals: Sequence[DeskApproval]) -> None:
        """Remind them now. Only where the mail surely did not go out is it sent again before its time.

        Args:
            waiting: what waits on the level. approvals: how it stands on the desk.

        Raises:
            PeerError: as the desk left it.
        """
        ref, level_id = DeskRef(DeskKind.CHANGE, waiting[0].desk_id), waiting[0].level_id
        try:
            await self.desk.notify_approvers(ref, level_id)
        except Unreachable:
            raise
        except PeerError:
            await self._keep(waiting)
            raise
        await self._keep(waiting)
        asked = ", ".join(each.approver for each in approvals if each.state is ApprovalState.WAITING)
        self.facts.approval_reminded(waiting[0].ticket, asked)

    async def _keep(self, waiting: Sequence[ApprovalRecord]) -> None:
        await self.ledger.approvals.save(*(replace(record, reminded=self._now()) for record in waiting))

    def _now(self) -> float:
        return self.clock.now().timestamp()
