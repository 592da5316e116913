"""Notes of requests and changes (the API's "Request note" and "Change note" pages)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from envision_worker.desks.desk import DeskRef, NoteStub
from envision_worker.desks.manageengine.answers import PEER
from envision_worker.desks.manageengine.client import Client
from envision_worker.desks.manageengine.flavour import Flavour
from envision_worker.desks.manageengine.shapes import Json, note_stub, rank, text
from envision_worker.desks.manageengine.tickets import Tickets
from envision_worker.errors import Malformed
from envision_worker.vocabulary import DeskKind

_KEYS = ("note", "request_note", "change_note")
_LIST_KEYS = ("notes", "request_notes", "change_notes")
_EPOCH = datetime.fromtimestamp(0, UTC)


class Notes:
    """Lists, reads and adds notes. Lists tell no text, so what a note says costs a call for each."""

    def __init__(self, client: Client, flavour: Flavour, tickets: Tickets) -> None:
        self._client = client
        self._keys: Mapping[DeskKind, str] = {
            DeskKind.REQUEST: flavour.request_note_key,
            DeskKind.CHANGE: flavour.change_note_key,
        }
        self._tickets = tickets

    async def listed(self, ref: DeskRef) -> Sequence[NoteStub]:
        """All notes, oldest first; the desk's own order is by the last edit."""
        path = self._tickets.path(ref, "notes")
        rows = await self._client.rows("list_notes", *path, keys=_LIST_KEYS)
        stubs = {stub.id: stub for row in rows if (stub := note_stub(row)) is not None}
        return sorted(stubs.values(), key=lambda stub: (stub.added or _EPOCH, rank(stub.id)))

    async def text(self, ref: DeskRef, note_id: str) -> str:
        """What one note says."""
        body = await self._client.get("read_note", *self._tickets.path(ref, "notes", note_id))
        return text(_note("read_note", body).get("description"))

    async def add(self, ref: DeskRef, html: str, *, public: bool) -> str:
        """A new note; returns its id. A change's notes know no privacy and refuse to be told of it."""
        note: dict[str, object] = {"description": html}
        if ref.kind is DeskKind.REQUEST:
            note["show_to_requester"] = public
        path = self._tickets.path(ref, "notes")
        call = self._client.write("add_note", "POST", *path, body={self._keys[ref.kind]: note})
        identifier = text(_note("add_note", await self._tickets.checked(ref, call)).get("id"))
        if not identifier:
            raise Malformed(PEER, "add_note", "an answer without the note's id")
        return identifier


def _note(operation: str, body: Json) -> Json:
    for key in _KEYS:
        note = body.get(key)
        if isinstance(note, Mapping):
            return note
    raise Malformed(PEER, operation, "an answer without a note")
