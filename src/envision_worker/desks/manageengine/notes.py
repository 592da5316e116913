"""Notes of requests and changes (the API's "Request note" and "Change note" pages)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from envision_worker.desks.desk import DeskRef, NoteStub
from envision_worker.desks.manageengine.answers import PEER
from envision_worker.desks.manageengine.client import Client
from envision_worker.desks.manageengine.flavour import Flavour
from envision_worker.desks.manageengine.shapes import Json, note_stub, rank, text
from envision_worker.desks.manageengine.tickets import Tickets
from envision_worker.errors import Malformed, Refused, RefusedFor
from envision_worker.vocabulary import DeskKind

_KEYS = ("note", "request_note", "change_note")
_OTHER_KEY: Mapping[DeskKind, Mapping[str, str]] = {
    DeskKind.REQUEST: {"note": "request_note", "request_note": "note"},
    DeskKind.CHANGE: {"note": "change_note", "change_note": "note"},
}
"""What a build of another age calls the same; nothing is added where the key is refused."""
_LIST_KEYS = ("notes", "request_notes", "change_notes")
_EPOCH = datetime.fromtimestamp(0, UTC)


class Notes:
    """Lists, reads and adds notes. Lists tell no text, so what a note says costs a call for each."""

    def __init__(self, client: Client, flavour: Flavour, tickets: Tickets) -> None:
        self._client = client
        self._keys: dict[DeskKind, str] = {
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
        identifier = text(_note("add_note", await self._send(ref, note)).get("id"))
        if not identifier:
            raise Malformed(PEER, "add_note", "an answer without the note's id")
        return identifier

    async def _send(self, ref: DeskRef, note: Json) -> Json:
        key = self._keys[ref.kind]
        try:
            return await self._post(ref, key, note)
        except Refused as exc:
            other = _OTHER_KEY[ref.kind].get(key)
            if other is None or not _is_about(key, exc):
                raise
            answer = await self._post(ref, other, note)
            self._keys[ref.kind] = other
            return answer

    async def _post(self, ref: DeskRef, key: str, note: Json) -> Json:
        path = self._tickets.path(ref, "notes")
        return await self._tickets.checked(ref, self._client.write("add_note", "POST", *path, body={key: note}))


def _is_about(key: str, refused: Refused) -> bool:
    """Whether a refusal is for the outer key: it names that, or a key that is too many and none in particular."""
    if refused.why is not RefusedFor.FIELDS:
        return False
    return key in refused.fields or (not refused.fields and "extra key" in refused.detail.lower())


def _note(operation: str, body: Json) -> Json:
    for key in _KEYS:
        note = body.get(key)
        if isinstance(note, Mapping):
            return note
    raise Malformed(PEER, operation, "an answer without a note")
