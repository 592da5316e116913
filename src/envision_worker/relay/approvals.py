"""Decisions on approvals, from the desk to Ensono: noticed by polling, one for each change and round, sent once."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from envision_worker.clock import Clock
from envision_worker.config.sections import ApprovalsSettings
from envision_worker.desks.desk import Desk
from envision_worker.ensono.connect import EnvisionConnect
from envision_worker.handlers.effects import Unsettled
from envision_worker.handlers.ticket_locks import TicketLocks
from envision_worker.ledger.ledger import Ledger
from envision_worker.ledger.records import ApprovalRecord, ApprovalStatus
from envision_worker.relay.afterwards import Afterwards
from envision_worker.relay.asking_again import AskingAgain
from envision_worker.relay.decisions import DECIDED, Decision, Decisions
from envision_worker.relay.looking import Looking
from envision_worker.relay.restoring import Restoring
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import EnsonoTicketNumber

VIA_COMMAND_LINE = "the command line of envision-worker"


@dataclass
class ApprovalRelay:
    """Looks at the open approvals, sends what was decided, reminds those who have not decided.

    Attributes:
        born: when the ledger was made, epoch seconds.
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
    born: float
    desk_open: Callable[[], bool]
    ensono_open: Callable[[], bool]
    _decisions: Decisions = field(init=False)
    _afterwards: Afterwards = field(init=False)
    _looking: Looking = field(init=False)
    _again: AskingAgain = field(init=False)
    _restoring: Restoring = field(init=False)

    def __post_init__(self) -> None:
        clock, facts, ledger = self.clock, self.facts, self.ledger
        self._decisions = Decisions(self.ensono, ledger, self.unsettled, clock, facts, self.zone, self.ensono_open)
        self._afterwards = Afterwards(self.desk, ledger, clock, facts, self.settings)
        self._looking = Looking(self.desk, ledger, self._decisions, self._afterwards, clock, facts, self.settings)
        self._again = AskingAgain(self.desk, ledger, self.unsettled, clock, facts, self.settings)
        self._restoring = Restoring(
            self.desk, ledger, self.tickets, clock, facts, born=self.born, after_s=self.settings.poll_interval_s
        )

    async def round(self) -> None:
        """Do what is due. A peer that fails ends the round of its change, no other's. Raises `LedgerUnavailable`."""
        if self.desk_open():
            await self._restoring.go_on()
        for record in await self.ledger.approvals.unsent():
            async with self.tickets.holding(record.ticket):
                await self._send(record.approval_id)
        await self._for_each(await self._looking.where(), self._looking.look)
        await self._for_each(await self._afterwards.due(), self._afterwards.look)

    async def _for_each(
        self, tickets: Iterable[EnsonoTicketNumber], look: Callable[[EnsonoTicketNumber], Awaitable[None]]
    ) -> None:
        for ticket in tickets:
            if self.desk_open():
                async with self.tickets.holding(ticket):
                    await look(ticket)

    async def decide(self, approval_id: str, decision: Decision) -> ApprovalRecord | None:
        """A decision that was not made on the desk; None where this approval waits for none."""
        record = await self.ledger.approvals.get(approval_id)
        if record is None:
            return None
        async with self.tickets.holding(record.ticket):
            mine = await self.ledger.approvals.get(approval_id)
            if mine is None or mine.status is not ApprovalStatus.WAITING:
                return None
            decided = await self._decisions.keep(mine, decision)
            self._afterwards.watch(decided)
            await self._decisions.send(decided, at_once=True)
        return await self.ledger.approvals.get(approval_id)

    async def send_again(self, approval_id: str) -> None:
        """Send a decision that Ensono has not confirmed, at once if that can be."""
        record = await self.ledger.approvals.get(approval_id)
        if record is not None:
            async with self.tickets.holding(record.ticket):
                await self._send(approval_id, at_once=True)

    async def ask_again(self, approval_id: str) -> None:
        """Let the desk send its mail again; who is not on the level (any more) is put there before.

        Raises:
            PeerError, StillUnknown: as the desk, and the write before it, left it.
        """
        record = await self.ledger.approvals.get(approval_id)
        if record is None:
            return
        async with self.tickets.holding(record.ticket):
            mine = await self.ledger.approvals.get(approval_id)
            if mine is not None and mine.status is ApprovalStatus.WAITING:
                await self._looking.remind(await self._again.ask(mine))

    async def _send(self, approval_id: str, *, at_once: bool = False) -> None:
        """As it stands now: a redraft may have come while this waited for its turn."""
        record = await self.ledger.approvals.get(approval_id)
        if record is not None and record.status in DECIDED and record.sent is None:
            await self._decisions.send(record, at_once=at_once)
