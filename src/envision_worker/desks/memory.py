"""The reference desk: obeys the contract of `desk.py`, keeps everything in memory, and can be made to fail anywhere.

Its journal tells every effect that really happened, in order; that is what tests look at.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from envision_worker.clock import Clock
from envision_worker.desks.approval import ApprovalChecked, ApprovalLevel, ApprovalRule, DeskApproval
from envision_worker.desks.desk import DeskNames, DeskRef, DeskTicket, Fields, FileStub, Life, LocalFile, NoteStub
from envision_worker.desks.life import LifeNames
from envision_worker.desks.memory_faults import Effect, Fault, Interfere, Moment
from envision_worker.desks.memory_world import PEER, World
from envision_worker.errors import Refused, RefusedFor
from envision_worker.vocabulary import DeskKind, DeskTicketId, PartnerTicketNumber, TicketType, desk_kind

Result = TypeVar("Result")


class MemoryDesk:
    """One desk in memory.

    Attributes:
        world: what the desk keeps, its rules, and what people can do there.
        journal: every effect, in order.
        interfere: called around every effect, and before every read.
    """

    called = "the reference desk"

    def __init__(self, clock: Clock, *, life: LifeNames | None = None) -> None:
        self.world = World(clock, life or LifeNames())
        self.journal: list[Effect] = []
        self.interfere: Interfere | None = None
        self._clock = clock
        self._faults: list[Fault] = []
        self._late: list[tuple[float, Callable[[], object]]] = []

    # --- failures ----------------------------------------------------------------------------------------------------

    def fail(self, verb: str, error: Exception, *, after: bool = False, times: int = 1, late_s: float = 0) -> None:
        """Let the next calls of a verb (`*`: of any) fail.

        Args:
            after: the effect happens, its answer is lost.
            late_s: the effect happens so many seconds after the call failed.
        """
        self._faults.append(Fault(verb, error, Moment.AFTER if after else Moment.BEFORE, times, late_s))

    def heal(self) -> None:
        """No more failures; what is late still happens."""
        self._faults.clear()

    async def _meet(self, verb: str, moment: Moment, effect: Callable[[], object] | None = None) -> None:
        if self.interfere is not None:
            await self.interfere(verb, moment)
        fault = next((each for each in self._faults if each.verb in {verb, "*"} and each.moment is moment), None)
        if fault is None:
            return
        fault.times -= 1
        if fault.times <= 0:
            self._faults.remove(fault)
        if fault.late_s and effect is not None:
            self._late.append((self._clock.monotonic() + fault.late_s, effect))
        raise fault.error

    def catch_up(self) -> None:
        """Let happen what is late and due; every call does it first."""
        now = self._clock.monotonic()
        due = [effect for at, effect in self._late if at <= now]
        self._late = [(at, effect) for at, effect in self._late if at > now]
        for effect in due:
            with suppress(Refused):  # what it was meant for is gone
                effect()

    async def _read(self, verb: str) -> None:
        self.catch_up()
        await self._meet(verb, Moment.BEFORE)
        self.catch_up()

    async def _write(self, verb: str, ref: DeskRef, effect: Callable[[], Result], **what: Any) -> Result:
        def happen() -> Result:
            result = effect()
            self.journal.append(Effect(verb, result.ref if isinstance(result, DeskTicket) else ref, what))
            return result

        self.catch_up()
        await self._meet(verb, Moment.BEFORE, happen)
        self.catch_up()
        result = happen()
        await self._meet(verb, Moment.AFTER)
        return result

    # --- reading -----------------------------------------------------------------------------------------------------

    async def probe(self) -> None:
        """Answer."""
        await self._read("probe")

    async def find(self, kind: DeskKind, ensono_number: str) -> Sequence[DeskTicketId]:
        """By the number field."""
        await self._read("find")
        hits = self.world.searchable(kind)
        return [each.ref.id for each in hits if ensono_number and each.fields.ensono_number == ensono_number]

    async def bearing(self, kind: DeskKind, prefix: str) -> Sequence[DeskTicket]:
        """By the beginning of the number field."""
        await self._read("bearing")
        hits = self.world.searchable(kind)
        return [self.world.shown(each.ref) for each in hits if each.bears(prefix)]

    async def locate(self, kind: DeskKind, number: PartnerTicketNumber) -> DeskTicketId | None:
        """By the number that people use."""
        await self._read("locate")
        return next((each.ref.id for each in self.world.searchable(kind) if each.number == number.strip()), None)

    async def read(self, ref: DeskRef) -> DeskTicket:
        """One ticket."""
        await self._read("read")
        return self.world.shown(ref)

    async def notes(self, ref: DeskRef) -> Sequence[NoteStub]:
        """All notes."""
        await self._read("notes")
        return [NoteStub(each.id, each.added) for each in self.world.ticket(ref).notes]

    async def note_text(self, ref: DeskRef, note_id: str) -> str:
        """One note's text."""
        await self._read("note_text")
        found = [each.html for each in self.world.ticket(ref).notes if each.id == note_id]
        if not found:
            raise Refused(PEER, "note_text", "no such note", why=RefusedFor.NOT_FOUND)
        return found[0]

    async def files(self, ref: DeskRef) -> Sequence[FileStub]:
        """All files."""
        await self._read("files")
        return [stub for stub, _ in self.world.ticket(ref).files]

    async def approvals(self, ref: DeskRef) -> Sequence[ApprovalLevel]:
        """All levels."""
        await self._read("approvals")
        return tuple(level.shown() for level in self.world.ticket(ref).levels)

    async def approvals_of_level(self, ref: DeskRef, level_id: str) -> Sequence[DeskApproval]:
        """One level's."""
        await self._read("approvals_of_level")
        levels = self.world.ticket(ref).levels
        return tuple(each for level in levels if level.id == level_id for each in level.approvals)

    async def knows_user(self, email: str) -> bool:
        """Whether `world.names` has this address."""
        await self._read("knows_user")
        return self.world.knows(email)

    async def phone_of(self, email: str) -> str:
        """As in `world.phones`."""
        await self._read("phone_of")
        return self.world.phones.get(email.casefold(), "")

    async def missing(self, names: DeskNames) -> Sequence[str]:
        """What isn't in `world.names`."""
        await self._read("missing")
        return self.world.missing(names)

    async def check_approvals(self) -> ApprovalChecked:
        """Nothing: this desk has no builds."""
        await self._read("check_approvals")
        return ApprovalChecked()

    # --- writing -----------------------------------------------------------------------------------------------------

    async def create(self, ticket_type: TicketType, wanted: Fields) -> DeskTicket:
        """A new ticket."""
        kind = desk_kind(ticket_type)
        nowhere = DeskRef(kind, DeskTicketId(""))
        made = self._write(
            "create", nowhere, lambda: self.world.create(kind, wanted), ticket_type=ticket_type, wanted=wanted
        )
        return await made

    async def add_note(self, ref: DeskRef, html: str, *, public: bool) -> str:
        """A note."""
        add = self._write(
            "add_note", ref, lambda: self.world.add_note(ref, html, public=public), html=html, public=public
        )
        return await add

    async def attach(self, ref: DeskRef, file: LocalFile) -> str:
        """A file."""
        return await self._write("attach", ref, lambda: self.world.attach(ref, file), name=file.name, size=file.size)

    async def add_approval_level(
        self, ref: DeskRef, *, name: str, rule: ApprovalRule, approvers: Sequence[str]
    ) -> ApprovalLevel:
        """A level."""
        asked = tuple(approvers)
        made = self._write(
            "add_approval_level",
            ref,
            lambda: self.world.add_level(ref, name, rule, asked),
            name=name,
            rule=rule,
            approvers=asked,
        )
        return await made

    async def add_approver(self, ref: DeskRef, level_id: str, approver: str) -> DeskApproval:
        """One more approver."""
        made = self._write(
            "add_approver",
            ref,
            lambda: self.world.add_approver(ref, level_id, approver),
            level_id=level_id,
            approver=approver,
        )
        return await made

    async def update(self, ref: DeskRef, wanted: Fields) -> None:
        """Set what is given."""
        await self._write("update", ref, lambda: self.world.update(ref, wanted), wanted=wanted)

    async def set_status(self, ref: DeskRef, status: str, *, comment: str = "") -> None:
        """A request's status."""
        await self._write("set_status", ref, lambda: self.world.set_status(ref, status), status=status, comment=comment)

    async def set_resolution(self, ref: DeskRef, html: str) -> None:
        """A request's resolution."""
        await self._write("set_resolution", ref, lambda: self.world.set_resolution(ref, html), html=html)

    async def close(self, ref: DeskRef, *, status: str, closure_code: str | None, comments: str) -> None:
        """Close a request."""
        await self._write(
            "close",
            ref,
            lambda: self.world.close(ref, status, closure_code, comments),
            status=status,
            closure_code=closure_code,
            comments=comments,
        )

    async def move_change(self, ref: DeskRef, *, stage: str | None, status: str | None, comment: str) -> None:
        """Stage and status of a change."""
        await self._write(
            "move_change",
            ref,
            lambda: self.world.move(ref, stage, status),
            stage=stage,
            status=status,
            comment=comment,
        )

    async def close_change(self, ref: DeskRef, *, closure_code: str | None, comments: str) -> None:
        """Close a change."""
        await self._write(
            "close_change",
            ref,
            lambda: self.world.end_change(ref, Life.CLOSED, closure_code, comments),
            closure_code=closure_code,
            comments=comments,
        )

    async def cancel_change(self, ref: DeskRef, *, comment: str) -> None:
        """Cancel a change."""
        await self._write(
            "cancel_change",
            ref,
            lambda: self.world.end_change(ref, Life.CANCELLED, None, comment),
            comment=comment,
        )

    async def notify_approvers(self, ref: DeskRef, level_id: str, *, only: Collection[str] | None = None) -> None:
        """Mail those who have not decided."""
        await self._write("notify_approvers", ref, lambda: self.world.notify(ref, level_id, only), level_id=level_id)

    async def remove_approval_level(self, ref: DeskRef, level_id: str) -> None:
        """Withdraw a level."""
        await self._write(
            "remove_approval_level", ref, lambda: self.world.remove_level(ref, level_id), level_id=level_id
        )
