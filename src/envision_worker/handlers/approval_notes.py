"""What stands on a change about an approval, for people, and for a ledger that was lost (contract, P12)."""

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from envision_worker.desks.approval import ApprovalState
from envision_worker.desks.desk import Desk, DeskRef, Life
from envision_worker.ensono.messages import Approval
from envision_worker.errors import Refused, RefusedFor
from envision_worker.handlers.texts import plain
from envision_worker.ledger.ledger import Ledger
from envision_worker.ledger.records import ApprovalRecord, Link
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import DeskKind

TITLE = "Approval"
_NOTE = re.compile(
    rf"{TITLE} .*? is asked by Ensono to decide\. Asked here: (?P<asked>.*?) (?:Not asked: .*? )?"
    r"Ensono approval (?P<id>\S+) for (?P<email>.+?) \(level (?P<level>\S+)\) Ensono ref \S+"
)


@dataclass(frozen=True, slots=True)
class Told:
    """An approval as a note tells it; `at`: when it was written, None where the desk does not say."""

    approval_id: str
    approver: str
    asked: tuple[str, ...]
    level_id: str
    at: datetime | None = None


def note_line(approval_id: str, approver: str, level_id: str) -> str:
    """How an approval stands on the desk; read back by `read_note`."""
    return f"Ensono approval {approval_id} for {approver} (level {level_id})"


def note_lines(approval: Approval, asked: Sequence[str], not_asked: Sequence[str], level_id: str) -> list[str]:
    """The note on the change: who wants to know, who was asked here, who could not be, and the approvalId."""
    lines = [f"{approval.approver_name} <{approval.approver_email}> is asked by Ensono to decide."]
    lines.append(f"Asked here: {', '.join(asked)}")
    lines += [f"Not asked: {', '.join(not_asked)}"] if not_asked else []
    return [*lines, note_line(approval.id, approval.approver_email, level_id)]


def read_note(markup: str, at: datetime | None = None) -> Told | None:
    """What a note on a change tells of an approval; None: it is no such note."""
    found = _NOTE.fullmatch(plain(markup))
    if found is None:
        return None
    asked = tuple(each.strip() for each in found["asked"].split(",") if each.strip())
    return Told(found["id"], found["email"], asked, found["level"], at)


async def restore_approvals(
    desk: Desk, ledger: Ledger, facts: Facts, link: Link, life: Life, *, now: float
) -> list[ApprovalRecord]:
    """Take up again the approvals that stand on a change that this ledger did not make; returns those it did not know.

    Each waits again: whether its decision went to Ensono nobody knows any more, and Ensono goes by the first. Of a change that has
    ended only what was not approved still matters: the rejection that ended it. Raises the desk's errors.
    """
    if link.kind is not DeskKind.CHANGE:
        return []
    ref = DeskRef(link.kind, link.desk_id)
    levels = await desk.approvals(ref)
    ids = {level.id for level in levels if life is Life.OPEN or level.state is not ApprovalState.APPROVED}
    told = [each for each in await _told_on(desk, ref) if each.level_id in ids] if ids else []
    restored = [_record(each, link, now) for each in _latest(told) if not await ledger.approvals.get(each.approval_id)]
    if restored:
        await ledger.approvals.save(*restored)
    for record in restored:
        facts.approval_restored(ticket=record.ticket, approval_id=record.approval_id)
    return restored


def _latest(told: Iterable[Told]) -> Iterable[Told]:
    """An approval that was asked anew has several notes; the last counts."""
    return {each.approval_id: each for each in told}.values()


async def is_told_on(desk: Desk, ref: DeskRef, approval_id: str) -> bool:
    """Whether a note on a change tells of this approval, whoever was asked or was not. Raises the desk's errors."""
    line = re.compile(rf"{TITLE} .*Ensono approval {re.escape(approval_id)} .*")
    return any([line.fullmatch(plain(text)) async for text, _ in _notes(desk, ref)])


async def _told_on(desk: Desk, ref: DeskRef) -> list[Told]:
    told = [read_note(text, added) async for text, added in _notes(desk, ref)]
    return [each for each in told if each is not None]


async def _notes(desk: Desk, ref: DeskRef) -> AsyncIterator[tuple[str, datetime | None]]:
    for stub in await desk.notes(ref):
        try:
            yield await desk.note_text(ref, stub.id), stub.added
        except Refused as exc:
            if exc.why is not RefusedFor.NOT_FOUND:  # deleted between the list and the look
                raise


def _record(told: Told, link: Link, now: float) -> ApprovalRecord:
    return ApprovalRecord(
        approval_id=told.approval_id,
        ticket=link.ticket,
        round=link.generation,
        desk_id=link.desk_id,
        approver=told.approver,
        approver_name=told.approver,
        desk_approvers=told.asked,
        level_id=told.level_id,
        requested=told.at.timestamp() if told.at else now,
    )
