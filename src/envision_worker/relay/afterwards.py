"""A round that is decided is looked at again, ever more seldom: what approvers say later is kept, and not sent.

Ensono considers no decision after the first (guide, Client actions). The desk lets an approver decide late, and even change a
decision; then the desk shows what is not so at Ensono, and a person has to know.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from envision_worker.clock import Clock
from envision_worker.config.sections import ApprovalsSettings
from envision_worker.desks.approval import ApprovalRule, ApprovalState, DeskApproval
from envision_worker.desks.desk import Desk, DeskRef
from envision_worker.errors import PeerError, Refused, RefusedFor
from envision_worker.ledger.ledger import Ledger
from envision_worker.ledger.records import ApprovalRecord, ApprovalStatus, Word
from envision_worker.relay.decisions import DECIDED, Decision, as_decision
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import DeskKind, EnsonoTicketNumber

WATCHED_FOR_S = 7 * 86400.0
LONGEST_PAUSE_S = 4 * 3600.0
AT_ONCE = 5
"""How many changes are looked at in one round: after a restart all of a week are due."""
_GONE = frozenset({RefusedFor.NOT_FOUND, RefusedFor.MERGED})
_NOBODY = ("", "", "")


class Afterwards:
    """Each pause between two looks is as long as the decision is old, up to some hours. The caller of `look` and `hear` holds the ticket."""

    def __init__(self, desk: Desk, ledger: Ledger, clock: Clock, facts: Facts, settings: ApprovalsSettings) -> None:
        self._desk = desk
        self._ledger = ledger
        self._clock = clock
        self._facts = facts
        self._settings = settings
        self._next: dict[EnsonoTicketNumber, float] = {}
        self._has_recalled = False

    async def due(self) -> list[EnsonoTicketNumber]:
        """The changes to look at now. Raises `LedgerUnavailable`."""
        now = self._clock.monotonic()
        if not self._has_recalled:
            records = await self._ledger.approvals.all()
            self._next = {each.ticket: now for each in records if self._is_watched(each)} | self._next
            self._has_recalled = True
        due = sorted((at, ticket) for ticket, at in self._next.items() if at <= now)
        return [ticket for _, ticket in due[:AT_ONCE]]

    def watch(self, counted: ApprovalRecord) -> None:
        """Look again after a pause."""
        pause_s = max(self._settings.poll_interval_s, min(self._age_s(counted), LONGEST_PAUSE_S))
        self._next[counted.ticket] = self._clock.monotonic() + pause_s

    async def look(self, ticket: EnsonoTicketNumber) -> None:
        """What was said since on a change's levels of this round. Raises `LedgerUnavailable`."""
        self._next.pop(ticket, None)
        link = await self._ledger.links.current(ticket)
        records = await self._ledger.approvals.of_ticket(ticket)
        of_round = [each for each in records if link is not None and each.round == link.generation]
        counted = next(filter(self._is_watched, of_round), None)
        if counted is None:
            return
        self.watch(counted)
        for desk_id, level_id in dict.fromkeys((each.desk_id, each.level_id) for each in of_round if each.level_id):
            try:
                approvals = await self._desk.approvals_of_level(DeskRef(DeskKind.CHANGE, desk_id), level_id)
            except PeerError as exc:  # told where the call was made
                if isinstance(exc, Refused) and exc.why in _GONE:
                    continue
                return
            counted = await self.hear(counted, approvals)

    async def hear(self, counted: ApprovalRecord, approvals: Sequence[DeskApproval]) -> ApprovalRecord:
        """Keep what is new of what was said on a level; returns the decision that counts, as it is kept then."""
        records = await self._ledger.approvals.of_ticket(counted.ticket)
        of_round = [each for each in records if each.round == counted.round]
        is_outcome = not counted.words and self._made_together(counted)
        words: list[Word] = []
        void: dict[str, ApprovalRecord] = {}
        for approval in approvals:
            if approval.state is ApprovalState.WAITING or _is_known(approval, counted.words):
                continue
            said = as_decision(approval, now=self._now(), via=self._desk.called)
            told = any(_tells(each, said) for each in of_round)
            blank = (each for each in of_round if each.approval_id not in void and _waits_for(each, approval))
            mine = None if told else next(blank, None)
            is_late = not told and not (is_outcome and _may_have_made(counted, said))
            words.append(_word(approval, said, too_late=is_late and mine is None))
            if mine is not None:
                void[mine.approval_id] = said.too_late_on(mine)
            if is_late:
                self._tell(mine or counted, said, counted.status)
        if not words:
            return counted
        kept = replace(counted, words=(*counted.words, *words))
        await self._ledger.approvals.save(kept, *void.values())
        return kept

    def _made_together(self, counted: ApprovalRecord) -> bool:
        """Under `everyone` all that stands there at first has made the decision that counts."""
        return self._settings.rule is ApprovalRule.EVERYONE and counted.via == self._desk.called

    def _tell(self, record: ApprovalRecord, said: Decision, counts: ApprovalStatus) -> None:
        self._facts.decision_too_late(
            ticket=record.ticket,
            approval_id=record.approval_id,
            decision=said.status.value,
            by=said.by[1],
            counts=counts.value,
        )

    def _is_watched(self, record: ApprovalRecord) -> bool:
        return record.status in DECIDED and bool(record.level_id) and self._age_s(record) < WATCHED_FOR_S

    def _age_s(self, record: ApprovalRecord) -> float:
        return self._now() - (record.sent or record.decided or record.requested)

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _is_known(approval: DeskApproval, words: Iterable[Word]) -> bool:
    """Whether this is the last that was heard of it."""
    last = None
    for word in words:
        last = word if word.on == approval.id else last
    if last is None:
        return False
    says = (approval.state.value, approval.comments, approval.decided_by_email or approval.approver)
    return says == (last.status.value, last.comment, last.by[1])


def _tells(record: ApprovalRecord, said: Decision) -> bool:
    """Whether the record says that somebody decided so."""
    if record.decided_by[1] != said.by[1]:
        return False
    if record.status is said.status:
        return record.comment == said.comment
    return record.status is ApprovalStatus.SUPERSEDED and record.comment == said.too_late_on(record).comment


def _may_have_made(counted: ApprovalRecord, said: Decision) -> bool:
    """Of all who have to approve, nobody who rejects leaves the outcome approved."""
    return counted.status is ApprovalStatus.REJECTED or said.status is ApprovalStatus.APPROVED


def _waits_for(record: ApprovalRecord, approval: DeskApproval) -> bool:
    """Whether another decision counted before this approver, who was asked for it, had decided."""
    asked = map(str.casefold, record.desk_approvers)
    is_blank = record.status is ApprovalStatus.SUPERSEDED and record.decided_by == _NOBODY
    return is_blank and approval.approver.casefold() in asked


def _word(approval: DeskApproval, said: Decision, *, too_late: bool) -> Word:
    return Word(approval.id, said.status, said.by[:2], said.at, said.comment, too_late)
