"""The same stage for every desk: the desk under test, and the people at it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, Protocol

from desk_world import HandClock

from envision_worker.clock import SystemClock
from envision_worker.desks.approval import ApprovalState
from envision_worker.desks.desk import Desk, DeskNames, DeskRef
from envision_worker.desks.life import LifeNames
from envision_worker.desks.manageengine.settings import ManageEngineSettings
from envision_worker.desks.memory import MemoryDesk
from envision_worker.desks.table import product
from envision_worker.simulators.http import serve
from envision_worker.simulators.manageengine.simulator import ManageEngineSimulator
from envision_worker.wire import Call

CAB = "cab@example.com"
SECOND = "cab.second@example.com"
KNOWN = DeskNames(
    statuses=frozenset({"Open", "In Progress", "On Hold", "Resolved", "Closed", "Cancelled"}),
    priorities=frozenset({"Low", "High"}),
    impacts=frozenset({"High"}),
    urgencies=frozenset({"Urgent"}),
    groups=frozenset({"Network"}),
    categories=frozenset({"Software", "Managed Services"}),
    closure_codes=frozenset({"success"}),
    change_types=frozenset({"Standard", "Normal"}),
    change_stages=frozenset({"Submission", "Planning", "Implementation", "Close"}),
    change_statuses=frozenset(
        {"Requested", "In Review", "Planning In Progress", "In Progress", "Completed", "Canceled"}
    ),
    approvers=frozenset({CAB, SECOND}),
    requester="ensono@example.com",
)
"""What every desk here has."""

Flavour = Literal["on_premises", "cloud"]


class Stage(Protocol):
    """A desk, and what people there do."""

    desk: Desk

    def trash(self, ref: DeskRef) -> None: ...

    def delete(self, ref: DeskRef) -> None: ...

    def merge(self, ref: DeskRef, parent: DeskRef) -> None: ...

    def decide(self, ref: DeskRef, approver: str, state: ApprovalState, comments: str, *, by: str = "") -> None: ...

    def take_from_the_form(self, field: str) -> None: ...

    def lock_closed(self) -> None: ...

    def forbid_all_moves(self) -> None: ...

    def content(self, ref: DeskRef) -> list[bytes]: ...

    def is_public(self, ref: DeskRef, note_id: str) -> bool: ...

    def mails(self, ref: DeskRef) -> list[str]: ...


class MemoryStage:
    """The reference desk."""

    def __init__(self) -> None:
        self.memory = MemoryDesk(HandClock())
        self.memory.world.names = KNOWN
        self.desk: Desk = self.memory

    def trash(self, ref: DeskRef) -> None:
        self.memory.world.trash(ref)

    def delete(self, ref: DeskRef) -> None:
        self.memory.world.delete(ref)

    def merge(self, ref: DeskRef, parent: DeskRef) -> None:
        self.memory.world.merge(ref, parent)

    def decide(self, ref: DeskRef, approver: str, state: ApprovalState, comments: str, *, by: str = "") -> None:
        for level in self.memory.world.ticket(ref).levels:
            for asked in level.approvals:
                if asked.approver == approver:
                    self.memory.world.decide(ref, level.id, asked.id, state, by=by, comments=comments)
                    return

    def take_from_the_form(self, field: str) -> None:
        self.memory.world.refused_fields = frozenset({field})

    def lock_closed(self) -> None:
        self.memory.world.locks_closed = True

    def forbid_all_moves(self) -> None:
        self.memory.world.workflow = lambda _stage, _status: False

    def content(self, ref: DeskRef) -> list[bytes]:
        return [content for _, content in self.memory.world.ticket(ref).files]

    def is_public(self, ref: DeskRef, note_id: str) -> bool:
        return next(note.public for note in self.memory.world.ticket(ref).notes if note.id == note_id)

    def mails(self, ref: DeskRef) -> list[str]:
        return [mail for level in self.memory.world.ticket(ref).levels for mail in level.mails]


class ManageEngineStage:
    """The real client against the simulated ManageEngine, over a socket."""

    def __init__(self, desk: Desk, simulator: ManageEngineSimulator, observed: list[Call]) -> None:
        self.desk = desk
        self.simulator = simulator
        self.observed = observed

    def trash(self, ref: DeskRef) -> None:
        self.simulator.people.trash(ref.kind.value, ref.id)

    def delete(self, ref: DeskRef) -> None:
        self.simulator.people.delete(ref.kind.value, ref.id)

    def merge(self, ref: DeskRef, parent: DeskRef) -> None:
        self.simulator.people.merge(ref.id, parent.id)

    def decide(self, ref: DeskRef, approver: str, state: ApprovalState, comments: str, *, by: str = "") -> None:
        if by:
            self.simulator.people.delegate(ref.id, by, approver=approver)
        if state is ApprovalState.APPROVED:
            self.simulator.people.approve(ref.id, approver=approver, comments=comments)
        else:
            self.simulator.people.reject(ref.id, comments, approver=approver)

    def take_from_the_form(self, field: str) -> None:
        self.simulator.switches.not_on_template = frozenset({field})

    def lock_closed(self) -> None:
        self.simulator.switches.closed_is_locked = True

    def forbid_all_moves(self) -> None:
        self.simulator.switches.workflow = {"Requested": frozenset()}

    def content(self, ref: DeskRef) -> list[bytes]:
        return [each.content for each in self.simulator.ticket(ref.kind.value, ref.id).attachments]

    def is_public(self, ref: DeskRef, note_id: str) -> bool:
        notes = self.simulator.ticket(ref.kind.value, ref.id).notes
        return next(bool(note.flags.get("show_to_requester")) for note in notes if note.id == note_id)

    def mails(self, ref: DeskRef) -> list[str]:
        sent = [effect.what["to"] for effect in self.simulator.journal if effect.verb == "notify"]
        return [mail for to in sent for mail in to]


def settings_for(
    simulator: ManageEngineSimulator, url: str, edition: Flavour, /, **changes: Any
) -> ManageEngineSettings:
    """Settings that lead to a simulator."""
    known = simulator.credentials
    given: dict[str, Any] = {
        "base_url": url,
        "default_requester": {"email_id": "ensono@example.com"},
        "edition": edition,
    }
    if edition == "cloud":
        numbers = {"ensono_number_field": "txt_ensono_number", "ensono_change_number_field": "txt_ensono_number"}
        given |= numbers | {
            "client_id": known.client_id,
            "client_secret": known.client_secret,
            "refresh_token": known.refresh_token,
            "accounts_url": url,
            "portal": known.portal,
        }
    else:
        numbers = {"ensono_number_field": "udf_sline_301", "ensono_change_number_field": "udf_sline_501"}
        given |= numbers | {"auth_token": known.auth_token}
    return ManageEngineSettings.model_validate(given | changes)


async def _no_wait(seconds: float) -> None:
    del seconds


@asynccontextmanager
async def manageengine_stage(edition: Flavour, /, **changes: Any) -> AsyncIterator[ManageEngineStage]:
    """A simulated desk on a socket with the real client connected to it."""
    clock = SystemClock()
    simulator = ManageEngineSimulator(lambda: clock.now().timestamp(), _no_wait, flavour=edition)
    server = await serve(simulator.application)
    observed: list[Call] = []
    try:
        settings = settings_for(simulator, server.url, edition, **changes)
        opened = product("manageengine").open(settings, life=LifeNames(), clock=clock, observe=observed.append)
        async with opened as desk:
            yield ManageEngineStage(desk, simulator, observed)
    finally:
        await server.close()
