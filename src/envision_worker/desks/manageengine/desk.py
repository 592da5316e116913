"""ServiceDesk Plus as a desk: every verb of `Desk`, for both editions, each handed to the module that knows it."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

import httpx
from pydantic import SecretStr

from envision_worker.clock import Clock
from envision_worker.desks.approval import ApprovalChecked, ApprovalLevel, ApprovalRule, DeskApproval
from envision_worker.desks.desk import DeskNames, DeskRef, DeskTicket, Fields, FileStub, LocalFile, NoteStub
from envision_worker.desks.life import LifeNames
from envision_worker.desks.manageengine.answers import PEER
from envision_worker.desks.manageengine.approval_check import ApprovalCheck
from envision_worker.desks.manageengine.approvals import Approvals
from envision_worker.desks.manageengine.changes import Changes
from envision_worker.desks.manageengine.check import Check
from envision_worker.desks.manageengine.client import Client
from envision_worker.desks.manageengine.fields import number_field
from envision_worker.desks.manageengine.files import Files
from envision_worker.desks.manageengine.flavour import Flavour, flavour_of
from envision_worker.desks.manageengine.lookups import Lookups
from envision_worker.desks.manageengine.notes import Notes
from envision_worker.desks.manageengine.oauth import AccessToken, Credentials, FixedKey, Grant
from envision_worker.desks.manageengine.requests import Requests
from envision_worker.desks.manageengine.settings import ManageEngineSettings
from envision_worker.desks.manageengine.tickets import Tickets
from envision_worker.vocabulary import DeskKind, DeskTicketId, PartnerTicketNumber, TicketType, desk_kind
from envision_worker.wire import Observe, Wire, new_client

SPARE_CONNECTIONS = 2  # for the accounts host of the cloud, beside the desk's own


@asynccontextmanager
async def open_manageengine(
    settings: ManageEngineSettings, *, life: LifeNames, clock: Clock, observe: Observe
) -> AsyncIterator["ManageEngineDesk"]:
    """The desk with its connections, which are closed at the end; nothing is called yet.

    Args:
        life: the names of statuses that mean resolved, closed, cancelled.
        observe: told of every call.
    """
    connections = settings.max_concurrency + SPARE_CONNECTIONS
    async with new_client(
        timeout_s=settings.request_timeout_s,
        max_connections=connections,
        ca_file=settings.ca_file,
        proxy=settings.proxy.get_secret_value() if settings.proxy else None,
    ) as http:
        yield ManageEngineDesk(settings, http, life=life, clock=clock, observe=observe)


class ManageEngineDesk:
    """One ServiceDesk Plus; see `Desk` for what each verb does and raises."""

    called = "ManageEngine ServiceDesk Plus"

    def __init__(
        self,
        settings: ManageEngineSettings,
        http: httpx.AsyncClient,
        *,
        life: LifeNames,
        clock: Clock,
        observe: Observe,
    ) -> None:
        flavour = flavour_of(settings)
        self._client = Client(
            http,
            _credentials(settings, flavour, http, clock, observe),
            clock,
            root=settings.base_url + flavour.api_path,
            headers={"PORTALID": flavour.portal_id} if flavour.portal_id else {},
            timeout_s=settings.request_timeout_s,
            max_concurrency=settings.max_concurrency,
            observe=observe,
        )
        life = life.with_closing_stage(flavour.change_closed_stage)
        self._tickets = Tickets(self._client, settings, flavour, life)
        self._notes = Notes(self._client, flavour, self._tickets)
        self._files = Files(self._client, flavour, self._tickets)
        self._requests = Requests(self._client, flavour, self._tickets)
        self._changes = Changes(self._client, flavour, self._tickets)
        self._lookups = Lookups(self._client, flavour)
        self._approvals = Approvals(self._client, flavour, self._tickets, self._lookups)
        self._approval_check = ApprovalCheck(
            self._client, flavour, self._tickets, self._approvals, number_field(settings, DeskKind.CHANGE)
        )
        self._check = Check(self._client, settings, flavour, self._tickets, self._lookups, self._files, self._approvals)

    async def probe(self) -> None:
        """One row of the list of requests."""
        list_info = {"row_count": 1, "start_index": 1, "fields_required": ["id"]}
        await self._client.get("probe", "requests", list_info=list_info)

    async def find(self, kind: DeskKind, ensono_number: str) -> Sequence[DeskTicketId]:
        """Search by the number field; each hit is checked."""
        return await self._tickets.find(kind, ensono_number)

    async def bearing(self, kind: DeskKind, prefix: str) -> Sequence[DeskTicket]:
        """Search by the beginning of the number field; each hit is checked."""
        return await self._tickets.bearing(kind, prefix)

    async def locate(self, kind: DeskKind, number: PartnerTicketNumber) -> DeskTicketId | None:
        """By id on premises, by display id in the cloud."""
        return await self._tickets.locate(kind, number)

    async def read(self, ref: DeskRef) -> DeskTicket:
        """One ticket."""
        return await self._tickets.read(ref)

    async def notes(self, ref: DeskRef) -> Sequence[NoteStub]:
        """All notes, oldest first."""
        return await self._notes.listed(ref)

    async def note_text(self, ref: DeskRef, note_id: str) -> str:
        """The text of one note."""
        return await self._notes.text(ref, note_id)

    async def files(self, ref: DeskRef) -> Sequence[FileStub]:
        """All files."""
        return await self._files.listed(ref)

    async def approvals(self, ref: DeskRef) -> Sequence[ApprovalLevel]:
        """All levels of a change; in the cloud a level has no name."""
        return await self._approvals.listed(ref)

    async def approvals_of_level(self, ref: DeskRef, level_id: str) -> Sequence[DeskApproval]:
        """One call; a level that was removed shows nothing but deleted approvals, so it has none."""
        return await self._approvals.of_level(ref, level_id)

    async def knows_user(self, email: str) -> bool:
        """Whether a user has this address."""
        return await self._lookups.user_id(email) is not None

    async def phone_of(self, email: str) -> str:
        """From the list of users: in the cloud approvals don't show it."""
        return await self._lookups.phone(email)

    async def missing(self, names: DeskNames) -> Sequence[str]:
        """What the desk lacks; raises what a probe raises where the desk can't be asked at all."""
        await self.probe()
        return await self._check.missing(names)

    async def check_approvals(self) -> ApprovalChecked:
        """What the newest changes show."""
        return await self._approval_check.carry_out()

    async def create(self, ticket_type: TicketType, wanted: Fields) -> DeskTicket:
        """A new request or change."""
        return await self._tickets.create(desk_kind(ticket_type), wanted)

    async def add_note(self, ref: DeskRef, html: str, *, public: bool) -> str:
        """A note; a change's are visible to all who see the change."""
        return await self._notes.add(ref, html, public=public)

    async def attach(self, ref: DeskRef, file: LocalFile) -> str:
        """A file."""
        return await self._files.attach(ref, file)

    async def add_approval_level(
        self, ref: DeskRef, *, name: str, rule: ApprovalRule, approvers: Sequence[str]
    ) -> ApprovalLevel:
        """A level in the change's present stage; in the cloud the name is lost, its levels have numbers."""
        return await self._approvals.add_level(ref, name, rule, approvers)

    async def add_approver(self, ref: DeskRef, level_id: str, approver: str) -> DeskApproval:
        """One more approver."""
        return await self._approvals.add_approver(ref, level_id, approver)

    async def update(self, ref: DeskRef, wanted: Fields) -> None:
        """A partial update."""
        await self._tickets.update(ref, wanted)

    async def set_status(self, ref: DeskRef, status: str, *, comment: str = "") -> None:
        """The status of a request; the comment goes along where this build takes one."""
        await self._requests.set_status(ref, status, comment)

    async def set_resolution(self, ref: DeskRef, html: str) -> None:
        """The resolution of a request."""
        await self._requests.set_resolution(ref, html)

    async def close(self, ref: DeskRef, *, status: str, closure_code: str | None, comments: str) -> None:
        """Close a request."""
        await self._requests.close(ref, status, closure_code, comments)

    async def move_change(self, ref: DeskRef, *, stage: str | None, status: str | None, comment: str) -> None:
        """Stage and status of a change."""
        await self._changes.move(ref, stage, status, comment)

    async def close_change(self, ref: DeskRef, *, closure_code: str | None, comments: str) -> None:
        """Close a change; where this build has no place for the closure code it stands before the comments."""
        await self._changes.close(ref, closure_code, comments)

    async def cancel_change(self, ref: DeskRef, *, comment: str) -> None:
        """Cancel a change."""
        await self._changes.cancel(ref, comment)

    async def notify_approvers(self, ref: DeskRef, level_id: str, *, only: Collection[str] | None = None) -> None:
        """Mail those who have not decided."""
        await self._approvals.notify(ref, level_id, only)

    async def remove_approval_level(self, ref: DeskRef, level_id: str) -> None:
        """Withdraw a level."""
        await self._approvals.remove_level(ref, level_id)


def _credentials(
    settings: ManageEngineSettings, flavour: Flavour, http: httpx.AsyncClient, clock: Clock, observe: Observe
) -> Credentials:
    if settings.accounts_url is None:
        return FixedKey(flavour.key_header, _given(settings.auth_token))
    wire = Wire(PEER, http, clock, timeout_s=settings.request_timeout_s, observe=observe)
    grant = Grant(
        settings.accounts_url, settings.client_id or "", _given(settings.client_secret), _given(settings.refresh_token)
    )
    return AccessToken(wire, clock, grant, header=flavour.key_header, prefix=flavour.key_prefix)


def _given(secret: SecretStr | None) -> SecretStr:
    """A secret that the settings' own checks leave no chance to be missing."""
    if secret is None:
        raise ValueError("settings of the wrong edition")
    return secret
