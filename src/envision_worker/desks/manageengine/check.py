"""What of a configuration the desk lacks: names, UDFs, users, and addresses that differ between builds."""

from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from envision_worker.desks.desk import DeskNames, DeskRef
from envision_worker.desks.manageengine.approvals import Approvals
from envision_worker.desks.manageengine.client import Client
from envision_worker.desks.manageengine.fields import UDF, number_field
from envision_worker.desks.manageengine.files import Files
from envision_worker.desks.manageengine.flavour import Flavour
from envision_worker.desks.manageengine.flavour_settings import ChangeEnd
from envision_worker.desks.manageengine.lookups import Lookups
from envision_worker.desks.manageengine.settings import CreateSettings, ManageEngineSettings
from envision_worker.desks.manageengine.shapes import part, text
from envision_worker.desks.manageengine.tickets import COLLECTION, Tickets
from envision_worker.errors import KeyRefused, Refused, RefusedFor
from envision_worker.vocabulary import DeskKind, DeskTicketId, TicketType, desk_kind

NO_TICKET = "envision-worker-check"
"""An Ensono number that no ticket has; searched for to see whether the desk takes the search at all."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One name that the desk must have. `key` is where the configuration gets it from."""

    key: str
    kind: str
    called: str


_SINGULAR: Mapping[str, str] = {
    "statuses": "status",
    "priorities": "priority",
    "impacts": "impact",
    "urgencies": "urgency",
    "groups": "group",
    "categories": "category",
    "closure_codes": "closure code",
    "change_types": "change type",
    "change_risks": "change risk",
    "change_stages": "change stage",
    "change_statuses": "change status",
}
"""The attributes of `DeskNames` that are lists of the desk, and what one of each is called."""

_CREATE_LISTS: Mapping[DeskKind, Mapping[str, str]] = {
    DeskKind.REQUEST: {
        "status": "statuses",
        "priority": "priorities",
        "impact": "impacts",
        "urgency": "urgencies",
        "group": "groups",
        "category": "categories",
    },
    DeskKind.CHANGE: {
        "stage": "change_stages",
        "status": "change_statuses",
        "priority": "priorities",
        "impact": "impacts",
        "urgency": "urgencies",
        "group": "groups",
        "category": "categories",
        "change_type": "change_types",
        "risk": "change_risks",
    },
}
"""The list of the desk that a key of `[desk.create.*]` must be in."""


class Check:
    """Compares a configuration with the desk; reads only."""

    def __init__(
        self,
        client: Client,
        settings: ManageEngineSettings,
        flavour: Flavour,
        tickets: Tickets,
        lookups: Lookups,
        files: Files,
        approvals: Approvals,
    ) -> None:
        self._client = client
        self._settings = settings
        self._flavour = flavour
        self._lists = {each: (each,) for each in _SINGULAR} | {
            "groups": flavour.group_lists,
            "change_risks": flavour.risk_lists,
        }
        self._tickets = tickets
        self._lookups = lookups
        self._files = files
        self._approvals = approvals

    async def missing(self, names: DeskNames) -> list[str]:
        """What the desk lacks, one line each: `key: problem`. The key is one of the configuration, or an attribute of `names`."""
        lines = [line async for line in self._names(names)]
        lines += [line async for line in self._users(names)]
        for kind in DeskKind:
            lines += [line async for line in self._udfs(kind)]
            lines += [line async for line in self._addresses(kind)]
        return lines

    async def _names(self, names: DeskNames) -> AsyncIterator[str]:
        """Lists that this build doesn't publish can't be compared with; what they lack shows when it is sent."""
        has_changes = bool(names.change_stages or names.change_statuses)
        ends = _ends(self._flavour) if has_changes else ()
        wanted = [*_mapped(names), *_created(self._settings.create), *ends]
        for kind in dict.fromkeys(each.kind for each in wanted):
            asked = [each for each in wanted if each.kind == kind]
            try:
                known = await self._lookups.names(*self._lists[kind])
            except (Refused, KeyRefused) as exc:
                yield f"{kind}: the key may not list them: {exc.detail}"
                continue
            for each in asked:
                if known is not None and each.called not in known:
                    yield f"{each.key}: the desk has no {_SINGULAR[kind]} {each.called!r}{_hint(each.called, known)}"

    async def _users(self, names: DeskNames) -> AsyncIterator[str]:
        people = [("requester", names.requester)] if names.requester else []
        for key, email in [*people, *(("approvers", each) for each in sorted(names.approvers))]:
            try:
                known = await self._lookups.user_id(email) is not None
            except (Refused, KeyRefused) as exc:
                yield f"{key}: the key may not look for users: {exc.detail}"
                return
            if not known:
                yield f"{key}: the desk has no user {email!r}"

    async def _udfs(self, kind: DeskKind) -> AsyncIterator[str]:
        key = "ensono_change_number_field" if kind is DeskKind.CHANGE else "ensono_number_field"
        number = number_field(self._settings, kind)
        try:
            known = await self._lookups.udfs(kind)
        except (Refused, KeyRefused) as exc:
            yield f"desk.{key}: the key may not see the fields of {COLLECTION[kind]}: {exc.detail}"
            return
        wanted = {f"desk.{key}": number} | _created_udfs(self._settings.create, kind)
        for place, called in wanted.items():
            if called not in known:
                yield f"{place}: the desk's {COLLECTION[kind]} have no field {called!r}"
        if number in known:
            search = self._tickets.find(kind, NO_TICKET)
            async for line in _refusals(f"desk.{key}", "the desk refuses the search by it", search):
                yield line

    async def _addresses(self, kind: DeskKind) -> AsyncIterator[str]:
        """Addresses under a ticket that differ between builds; they need some ticket to be tried on."""
        collection = COLLECTION[kind]
        try:
            body = await self._client.get(f"find_any_{kind}", collection, list_info={"row_count": 1, "start_index": 1})
        except (Refused, KeyRefused) as exc:
            yield f"desk: the key may not list {collection}: {exc.detail}"
            return
        rows = body.get(collection)
        some = text(part(rows[0], "id")) if isinstance(rows, list) and rows else ""
        if not some:
            return
        ref = DeskRef(kind, DeskTicketId(some))
        problem = "this build lists them elsewhere"
        async for line in _refusals(f"desk.flavour.{kind}_files", problem, self._files.listed(ref)):
            yield line
        problem = "this build has its approvals elsewhere"
        async for line in _refusals("desk.flavour.approval_summary", problem, self._approvals.listed(ref)):
            yield line


def _mapped(names: DeskNames) -> Iterator[Wanted]:
    for kind in _SINGULAR:
        yield from (Wanted(kind, kind, each) for each in sorted(getattr(names, kind)))


def _ends(flavour: Flavour) -> Iterator[Wanted]:
    """The names by which changes are closed and cancelled, where that goes by names."""
    if flavour.change_end is ChangeEnd.ACTION:
        return
    kinds = ("stage", "status") if flavour.change_end is ChangeEnd.STAGE_AND_STATUS else ("status",)
    for end in ("closed", "cancelled"):
        for kind in kinds:
            key = f"change_{end}_{kind}"
            plural = "change_stages" if kind == "stage" else "change_statuses"
            yield Wanted(f"desk.flavour.{key}", plural, getattr(flavour, key))


def _created(create: CreateSettings) -> Iterator[Wanted]:
    """The names in `[desk.create.*]`."""
    for ticket_type in TicketType:
        for key, kind in _CREATE_LISTS[desk_kind(ticket_type)].items():
            called = part(fields_of(create, ticket_type).get(key), "name")
            if isinstance(called, str):
                yield Wanted(f"desk.create.{ticket_type.lower()}.{key}", kind, called)


def _created_udfs(create: CreateSettings, kind: DeskKind) -> dict[str, str]:
    """The UDFs in `[desk.create.*]`, by their place in the configuration."""
    return {
        f"desk.create.{ticket_type.lower()}.{UDF}.{each}": each
        for ticket_type in TicketType
        if desk_kind(ticket_type) is kind
        for each in fields_of(create, ticket_type).get(UDF) or {}
    }


def fields_of(create: CreateSettings, ticket_type: TicketType) -> Mapping[str, Any]:
    """The table of `[desk.create.*]` for this type of ticket."""
    tables = {
        TicketType.INCIDENT: create.incident,
        TicketType.REQUEST: create.request,
        TicketType.CHANGE: create.change,
    }
    return tables[ticket_type]


def _hint(called: str, known: frozenset[str]) -> str:
    near = next((each for each in sorted(known) if each.strip().casefold() == called.strip().casefold()), None)
    return f" (it has {near!r})" if near else ""


async def _refusals(key: str, problem: str, asked: Awaitable[object]) -> AsyncIterator[str]:
    try:
        await asked
    except Refused as exc:
        if exc.why not in {RefusedFor.NOT_FOUND, RefusedFor.MERGED}:  # the ticket it was tried on went meanwhile
            yield f"{key}: {problem}: {exc.detail}"
    except KeyRefused as exc:
        yield f"{key}: the key may not read it: {exc.detail}"
