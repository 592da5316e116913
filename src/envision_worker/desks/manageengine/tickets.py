"""Requests and changes alike: read, find, create, update."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeVar

from envision_worker.desks.desk import DeskRef, DeskTicket, Fields, Life
from envision_worker.desks.life import LifeNames
from envision_worker.desks.manageengine.answers import PEER
from envision_worker.desks.manageengine.client import Client
from envision_worker.desks.manageengine.fields import UDF, FieldMap, number_field
from envision_worker.desks.manageengine.flavour import Flavour
from envision_worker.desks.manageengine.settings import ManageEngineSettings
from envision_worker.desks.manageengine.shapes import Json, moment, rank, text
from envision_worker.errors import Malformed, PeerError, Refused, RefusedFor, Unsure
from envision_worker.vocabulary import DeskKind, DeskTicketId, PartnerTicketNumber

COLLECTION: Mapping[DeskKind, str] = {DeskKind.REQUEST: "requests", DeskKind.CHANGE: "changes"}
ENTITY: Mapping[DeskKind, str] = {DeskKind.REQUEST: "request", DeskKind.CHANGE: "change"}
ENDED = frozenset({Life.CLOSED, Life.CANCELLED})
MAX_UNTOLD = 100
"""Hits of one search that don't show the number field and so are read one by one. More means that the search is ignored."""
ENOUGH = 500
"""Of the tickets that bear any number of Ensono's only so many are looked at, the newest."""
_MAX_ID_DIGITS = 19

Answer = TypeVar("Answer")


class Tickets:
    """What requests and changes have in common."""

    def __init__(self, client: Client, settings: ManageEngineSettings, flavour: Flavour, life: LifeNames) -> None:
        self._client = client
        self._flavour = flavour
        self._maps = {kind: FieldMap(kind, number_field(settings, kind), flavour, life) for kind in DeskKind}

    def path(self, ref: DeskRef, *more: str) -> tuple[str, ...]:
        """The address of a ticket, or of something under it."""
        return (COLLECTION[ref.kind], ref.id, *more)

    async def raw(self, ref: DeskRef) -> Json:
        """A ticket as the desk tells it."""
        operation = f"read_{ref.kind}"
        body = await self._client.get(operation, *self.path(ref))
        entity = body.get(ENTITY[ref.kind])
        if not isinstance(entity, Mapping):
            raise Malformed(PEER, operation, f"an answer without a {ref.kind}")
        return entity

    async def read(self, ref: DeskRef) -> DeskTicket:
        """A ticket."""
        return self._maps[ref.kind].ticket(f"read_{ref.kind}", await self.raw(ref))

    async def find(self, kind: DeskKind, ensono_number: str) -> Sequence[DeskTicketId]:
        """The tickets whose number field holds this, newest first.

        The desk's search is a hint: servers have been seen to widen or ignore a filter, and builds differ in whether a list
        shows UDFs. So each row is checked, by reading the ticket where the row doesn't show the field.
        """
        field_map, operation, wanted = self._maps[kind], f"find_{kind}", ensono_number.strip()
        if not wanted:
            return []
        field = f"{UDF}.{field_map.number_field}"
        hits = await self._search(operation, kind, field, wanted, ["id", "created_time", field])
        told = {text(row.get("id")): (field_map.ensono_number(row), row) for row in hits}
        if "" in told:
            raise Malformed(PEER, operation, "a list with a row that has no id")
        if sum(number is None for number, _ in told.values()) > MAX_UNTOLD:
            raise Malformed(PEER, operation, f"{len(told)} hits for one number: the desk ignores the search by {field}")
        held = {each: row for each, (number, row) in told.items() if number == wanted or number is None}
        for identifier, (number, _) in told.items():
            if number is None and not await self._holds(DeskRef(kind, DeskTicketId(identifier)), wanted):
                del held[identifier]
        return [DeskTicketId(each) for each in sorted(held, key=lambda each: _age(each, held[each]), reverse=True)]

    async def bearing(self, kind: DeskKind, prefix: str) -> Sequence[DeskTicket]:
        """The newest tickets whose number field begins with this; as with `find` the desk's search is only a hint."""
        field_map, operation = self._maps[kind], f"find_numbered_{kind}"
        field = f"{UDF}.{field_map.number_field}"
        place = ["stage"] if kind is DeskKind.CHANGE else []
        shown = ["id", self._flavour.number, "created_time", "status", *place, field]
        hits = await self._search(operation, kind, field, prefix, shown, condition="starts with", enough=ENOUGH)
        untold = [text(row.get("id")) for row in hits if field_map.ensono_number(row) is None]
        told = [field_map.ticket(operation, row) for row in hits if field_map.ensono_number(row) is not None]
        for identifier in untold[:MAX_UNTOLD]:
            try:
                told.append(await self.read(DeskRef(kind, DeskTicketId(identifier))))
            except Refused as exc:
                if exc.why not in {RefusedFor.NOT_FOUND, RefusedFor.MERGED}:
                    raise
        return [ticket for ticket in told if ticket.ensono_number.startswith(prefix)]

    async def _holds(self, ref: DeskRef, number: str) -> bool:
        """Whether a ticket holds the number, told by itself. One that was merged can't tell; its parent may."""
        try:
            return (await self.read(ref)).ensono_number == number
        except Refused as exc:
            if exc.why not in {RefusedFor.NOT_FOUND, RefusedFor.MERGED}:
                raise
            return exc.why is RefusedFor.MERGED

    async def locate(self, kind: DeskKind, number: PartnerTicketNumber) -> DeskTicketId | None:
        """The ticket that people know by this number."""
        wanted = number.strip()
        if self._flavour.number == "id":
            return await self._locate_by_id(kind, wanted)
        if not wanted or not wanted.isprintable():
            return None
        field = self._flavour.change_number_search if kind is DeskKind.CHANGE else self._flavour.request_number_search
        hits = await self._search(f"locate_{kind}", kind, field, wanted, ["id", "display_id"])
        field_map = self._maps[kind]
        found = (text(row.get("id")) for row in hits if field_map.shown_number(row) == wanted)
        return next((DeskTicketId(each) for each in found if each), None)

    async def _locate_by_id(self, kind: DeskKind, wanted: str) -> DeskTicketId | None:
        if not (wanted.isascii() and wanted.isdigit() and len(wanted) <= _MAX_ID_DIGITS):
            return None
        ref = DeskRef(kind, DeskTicketId(wanted))
        try:
            return (await self.read(ref)).ref.id
        except Refused as exc:
            if exc.why is RefusedFor.NOT_FOUND:
                return None
            if exc.why is RefusedFor.MERGED:
                return ref.id
            raise

    async def _search(
        self,
        operation: str,
        kind: DeskKind,
        field: str,
        value: str,
        shown: list[str],
        *,
        condition: str = "is",
        enough: int | None = None,
    ) -> list[Json]:
        criterion = {"field": field, "condition": condition, "value": value}
        list_info = {
            "sort_field": "created_time",
            "sort_order": "desc",
            "fields_required": shown,
            "search_criteria": [criterion] if self._flavour.search_form == "array" else criterion,
        }
        collection = COLLECTION[kind]
        return await self._client.rows(operation, collection, keys=[collection], list_info=list_info, enough=enough)

    async def create(self, kind: DeskKind, wanted: Fields) -> DeskTicket:
        """A new ticket."""
        field_map, operation = self._maps[kind], f"create_{kind}"
        sent = field_map.to_json(operation, wanted)
        if kind is DeskKind.CHANGE and not sent.keys() & self._flavour.change_defaults.keys():
            sent |= self._flavour.change_defaults
        try:
            body = await self._send(operation, "POST", (COLLECTION[kind],), kind, sent)
        except Refused as exc:
            raise field_map.by_own_key(exc, wanted) from exc
        made = field_map.ticket(operation, body.get(ENTITY[kind]))
        return made if made.number else await self._numbered(operation, made.ref)

    async def _numbered(self, operation: str, ref: DeskRef) -> DeskTicket:
        """A ticket just made whose number the answer did not tell; it exists whatever goes wrong here."""
        try:
            made = await self.read(ref)
        except PeerError as exc:
            raise Unsure(PEER, operation, f"made, but could not be read: {exc.detail}", status=exc.status) from exc
        if not made.number:
            raise Malformed(PEER, operation, "made, but the desk tells no number for it")
        return made

    async def update(self, ref: DeskRef, wanted: Fields) -> None:
        """Set what is given; nothing given, no call."""
        operation = f"update_{ref.kind}"
        sent = self._maps[ref.kind].to_json(operation, wanted)
        if sent:
            await self.put(operation, ref, sent)

    async def put(self, operation: str, ref: DeskRef, sent: dict[str, Any], *more: str) -> None:
        """Set these keys of a ticket, named as the desk names them, at its address or at one under it."""
        await self.checked(ref, self._send(operation, "PUT", self.path(ref, *more), ref.kind, sent))

    async def _send(
        self, operation: str, method: str, path: tuple[str, ...], kind: DeskKind, sent: dict[str, Any]
    ) -> Json:
        try:
            return await self._client.write(operation, method, *path, body={ENTITY[kind]: sent})
        except Refused as exc:
            raise self._maps[kind].neutral(exc, sent) from exc

    async def checked(
        self, ref: DeskRef, call: Awaitable[Answer], *, otherwise: RefusedFor = RefusedFor.CONFIGURATION
    ) -> Answer:
        """The answer of a call on a ticket, whose vague refusals are made out by reading the ticket.

        To a ticket that is gone and to an address that this build lacks the desk says the same "Invalid URL", and taking one
        for the other would make a second ticket. To a ticket that is locked because it is closed it may say no more than that
        this isn't allowed.

        Raises:
            Refused: `NOT_FOUND` or `MERGED` where the ticket itself is, `otherwise` where it is there but not what was asked
                for under it; `CLOSED` where the refusal gives no reason and the ticket has ended.
        """
        try:
            return await call
        except Refused as exc:
            if exc.why is RefusedFor.NOT_FOUND:
                await self.read(ref)
                raise _refused_as(otherwise, exc, f"the {ref.kind} is there, but not this address under it") from exc
            if exc.why is RefusedFor.OTHER and (await self.read(ref)).life in ENDED:
                raise _refused_as(RefusedFor.CLOSED, exc, f"the {ref.kind} has ended") from exc
            raise


def _refused_as(why: RefusedFor, told: Refused, reason: str) -> Refused:
    return Refused(PEER, told.operation, f"{reason}: {told.detail}", status=told.status, why=why, fields=told.fields)


def _age(identifier: str, row: Json) -> tuple[float, tuple[int, str]]:
    created = moment(row.get("created_time"))
    return (created.timestamp() if created else 0.0, rank(identifier))
