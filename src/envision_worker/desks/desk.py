"""What the worker asks of a service desk: the verbs that every product implements.

Every verb raises only the errors of `envision_worker.errors`: `Unreachable`, `Throttled`, `KeyRefused`, `Unsure` (writes only),
`Malformed`, `Refused`. No verb tries again by itself what could have been carried out. Texts named `html` are HTML, already
escaped; everything else is plain text. Values are the desk's own names (`In Progress`), already mapped.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, Self

from envision_worker.desks.approval import ApprovalChecked, ApprovalLevel, ApprovalRule, DeskApproval
from envision_worker.vocabulary import DeskKind, DeskTicketId, PartnerTicketNumber, TicketType

UDF_FIELDS = "udf_fields"
"""The key under which a desk's own user-defined fields stand among raw fields."""


@dataclass(frozen=True, slots=True)
class DeskRef:
    """One ticket on the desk: its kind decides the part of the API, its id is the desk's own."""

    kind: DeskKind
    id: DeskTicketId


class Life(StrEnum):
    """Where a desk ticket stands in its life, whatever the desk calls it."""

    OPEN = "open"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class DeskTicket:
    """A desk ticket as far as the worker needs to know it.

    Attributes:
        number: the partner ticket number: the id on premises, `display_id` in the cloud.
        ensono_number: what stands in the number field, empty where nothing does.
        status: the status's name. stage: the stage's name, None for requests.
        trashed: it is in the trash: still readable, no longer there for people.
        created: when, None where the desk does not tell.
        description: HTML; empty where the ticket stands in a list.
    """

    ref: DeskRef
    number: PartnerTicketNumber
    ensono_number: str
    title: str
    status: str
    life: Life
    stage: str | None = None
    trashed: bool = False
    created: datetime | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Fields:
    """What to set on a desk ticket; None means: leave it alone. The names here are what `Refused.fields` speaks of.

    Attributes:
        description: HTML.
        requester: as the desk wants it, for example `{"email_id": "a@b.c"}`.
        ensono_number: for the number field; an empty string clears it.
        extra: raw fields of the configuration (`[desk.create.*]`), sent as given; named values above win over them.
            A refused one is named by its own top-level key, a UDF as `udf_fields.<name>`.
    """

    title: str | None = None
    description: str | None = None
    requester: Mapping[str, Any] | None = None
    ensono_number: str | None = None
    status: str | None = None
    stage: str | None = None
    priority: str | None = None
    impact: str | None = None
    urgency: str | None = None
    group: str | None = None
    category: str | None = None
    change_type: str | None = None
    change_risk: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def names(self) -> frozenset[str]:
        """The names of what is set here, those of `extra` included, a UDF as `udf_fields.<name>`."""
        own = {f.name for f in fields(self) if f.name != "extra" and getattr(self, f.name) is not None}
        raw = self.extra.keys() - {UDF_FIELDS}
        return frozenset(own | raw | {f"{UDF_FIELDS}.{name}" for name in self._udfs()})

    def without(self, names: frozenset[str]) -> Self:
        """The same without these; names that are not set here do no harm."""
        own = {f.name: None for f in fields(self) if f.name != "extra" and f.name in names}
        extra = {key: value for key, value in self.extra.items() if key not in names}
        if UDF_FIELDS in extra:
            kept = {name: value for name, value in self._udfs().items() if f"{UDF_FIELDS}.{name}" not in names}
            extra = {**extra, UDF_FIELDS: kept} if kept else {k: v for k, v in extra.items() if k != UDF_FIELDS}
        return replace(self, **own, extra=extra)

    def value_of(self, name: str) -> object:
        """What is set under one of `names`."""
        if name.startswith(f"{UDF_FIELDS}."):
            return self._udfs()[name.partition(".")[2]]
        return self.extra[name] if name in self.extra else getattr(self, name)

    def _udfs(self) -> Mapping[str, Any]:
        given = self.extra.get(UDF_FIELDS)
        return given if isinstance(given, Mapping) else {}


@dataclass(frozen=True, slots=True)
class NoteStub:
    """A note as the list shows it: on most desks without its text."""

    id: str
    added: datetime | None


@dataclass(frozen=True, slots=True)
class FileStub:
    """A file on a desk ticket. `size` is in bytes, None where the desk does not tell it, `rounded_by`: how many it may be off."""

    id: str
    name: str
    size: int | None
    rounded_by: int = 0


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on our disk that is to be attached. `size` is in bytes."""

    path: Path
    name: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class DeskNames:
    """Everything of the configuration that must exist on the desk for it to work; see `Desk.missing`."""

    statuses: frozenset[str] = frozenset()
    priorities: frozenset[str] = frozenset()
    impacts: frozenset[str] = frozenset()
    urgencies: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    closure_codes: frozenset[str] = frozenset()
    change_types: frozenset[str] = frozenset()
    change_risks: frozenset[str] = frozenset()
    change_stages: frozenset[str] = frozenset()
    change_statuses: frozenset[str] = frozenset()
    approvers: frozenset[str] = frozenset()
    requester: str | None = None


class Desk(Protocol):
    """One service desk.

    Attributes:
        called: the product's name, for people.
    """

    called: str

    # --- reading: repeats safely -------------------------------------------------------------------------------------

    async def probe(self) -> None:
        """The cheapest authenticated read there is; returns when the desk answered it properly."""
        ...

    async def find(self, kind: DeskKind, ensono_number: str) -> Sequence[DeskTicketId]:
        """The tickets whose number field holds exactly this, newest first; trashed and cancelled ones included."""
        ...

    async def bearing(self, kind: DeskKind, prefix: str) -> Sequence[DeskTicket]:
        """The tickets whose number field begins with this, newest first; where there are thousands, the newest few hundred."""
        ...

    async def locate(self, kind: DeskKind, number: PartnerTicketNumber) -> DeskTicketId | None:
        """The ticket that people know by this number; None where there is none or it is no number of this desk."""
        ...

    async def read(self, ref: DeskRef) -> DeskTicket:
        """One ticket. Raises `Refused` with `NOT_FOUND` where it is gone, `MERGED` where it was merged."""
        ...

    async def notes(self, ref: DeskRef) -> Sequence[NoteStub]:
        """All notes of a ticket, oldest first."""
        ...

    async def note_text(self, ref: DeskRef, note_id: str) -> str:
        """The text of one note, HTML as the desk keeps it. Raises `Refused` with `NOT_FOUND` where it was deleted."""
        ...

    async def files(self, ref: DeskRef) -> Sequence[FileStub]:
        """All files attached to a ticket."""
        ...

    async def approvals(self, ref: DeskRef) -> Sequence[ApprovalLevel]:
        """All levels of approval of a change, each with its approvals; empty where it has none."""
        ...

    async def approvals_of_level(self, ref: DeskRef, level_id: str) -> Sequence[DeskApproval]:
        """The approvals of one level, for less than `approvals` costs. Empty where the level is gone.

        Raises `Refused` with `NOT_FOUND` or `MERGED` where the change is.
        """
        ...

    async def knows_user(self, email: str) -> bool:
        """Whether a user with this address can be an approver."""
        ...

    async def phone_of(self, email: str) -> str:
        """The telephone number of the user with this address; empty where the desk has none or knows no such user."""
        ...

    async def missing(self, names: DeskNames) -> Sequence[str]:
        """What of these names, and of the configured UDFs, the desk lacks: one line each, `key: problem`."""
        ...

    async def check_approvals(self) -> ApprovalChecked:
        """What stands on the desk shows of how it takes approvals, beyond what `missing` looks at."""
        ...

    # --- writing what adds: never repeats by itself ------------------------------------------------------------------

    async def create(self, ticket_type: TicketType, wanted: Fields) -> DeskTicket:
        """A new request or change. The caller must have looked for it first: a desk knows no idempotency key."""
        ...

    async def add_note(self, ref: DeskRef, html: str, *, public: bool) -> str:
        """A note; returns its id. Where the desk's notes know no privacy (changes), `public` has no effect."""
        ...

    async def attach(self, ref: DeskRef, file: LocalFile) -> str:
        """A file, streamed from disk; returns its id."""
        ...

    async def add_approval_level(
        self, ref: DeskRef, *, name: str, rule: ApprovalRule, approvers: Sequence[str]
    ) -> ApprovalLevel:
        """A level of approval on a change with these approvers (addresses that `knows_user` knows); notifies nobody yet."""
        ...

    async def add_approver(self, ref: DeskRef, level_id: str, approver: str) -> DeskApproval:
        """One more approver on a level; notifies nobody yet."""
        ...

    # --- writing what sets: may be sent again unchanged --------------------------------------------------------------

    async def update(self, ref: DeskRef, wanted: Fields) -> None:
        """Sets only what is given. Status and stage have verbs of their own."""
        ...

    async def set_status(self, ref: DeskRef, status: str, *, comment: str = "") -> None:
        """The status of a request, by name; also how it is reopened or cancelled."""
        ...

    async def set_resolution(self, ref: DeskRef, html: str) -> None:
        """The resolution's text of a request; there is one, a second replaces it."""
        ...

    async def close(self, ref: DeskRef, *, status: str, closure_code: str | None, comments: str) -> None:
        """Close a request. A request that is closed already is a success. `status` is the name that closed has there."""
        ...

    async def move_change(self, ref: DeskRef, *, stage: str | None, status: str | None, comment: str) -> None:
        """Stage and status of a change. Raises `Refused` where the workflow does not allow it."""
        ...

    async def close_change(self, ref: DeskRef, *, closure_code: str | None, comments: str) -> None:
        """Close a change as completed. A change that is closed already is a success."""
        ...

    async def cancel_change(self, ref: DeskRef, *, comment: str) -> None:
        """Cancel a change. A change that is cancelled already is a success."""
        ...

    async def notify_approvers(self, ref: DeskRef, level_id: str, *, only: Collection[str] | None = None) -> None:
        """Let the desk send its mail to those of a level who have not decided; also how they are reminded.

        Args:
            only: addresses; nobody else is written to. None: all.
        """
        ...

    async def remove_approval_level(self, ref: DeskRef, level_id: str) -> None:
        """Withdraw a level with its open approvals; a level that is gone is a success."""
        ...
