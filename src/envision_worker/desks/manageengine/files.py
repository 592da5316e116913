"""Files on requests and changes (the API's "V3 attachment API changes" page; the cloud's as public clients use it)."""

from collections.abc import Mapping, Sequence

from envision_worker.desks.desk import DeskRef, FileStub, LocalFile
from envision_worker.desks.manageengine.answers import PEER
from envision_worker.desks.manageengine.client import Client
from envision_worker.desks.manageengine.flavour import Flavour
from envision_worker.desks.manageengine.flavour_settings import FilesFrom, Upload
from envision_worker.desks.manageengine.shapes import Json, file_stub, flag, uploaded_id
from envision_worker.desks.manageengine.tickets import Tickets
from envision_worker.errors import Malformed, Refused, RefusedFor
from envision_worker.vocabulary import DeskKind

ATTACH = "attach"
_KEY = "attachments"
_OTHER_PATH = {"_uploads": "uploads"}
"""For the cloud the sources disagree about it."""


class Files:
    """Lists and attaches files."""

    def __init__(self, client: Client, flavour: Flavour, tickets: Tickets) -> None:
        self._client = client
        self._flavour = flavour
        self._tickets = tickets
        self._upload_path = flavour.upload_path

    async def listed(self, ref: DeskRef) -> Sequence[FileStub]:
        """All files of a ticket."""
        rows = await self._rows(ref)
        return [stub for row in rows if (stub := file_stub(row)) is not None]

    async def attach(self, ref: DeskRef, file: LocalFile) -> str:
        """Upload a file; returns its id. The order of the two calls of `THEN_BIND` leaves nothing on the ticket half-way."""
        identifier = uploaded_id(await self._upload(ref, file))
        if not identifier:
            raise Malformed(PEER, ATTACH, "an answer without the file's id")
        if self._flavour.upload is Upload.THEN_BIND:
            await self._bind(ref, identifier)
        return identifier

    async def _upload(self, ref: DeskRef, file: LocalFile) -> Json:
        path = self._upload_path
        try:
            return await self._send(ref, file, path)
        except Refused as exc:
            if exc.why is not RefusedFor.CONFIGURATION or path not in _OTHER_PATH:
                raise
            answer = await self._send(ref, file, _OTHER_PATH[path])
            self._upload_path = _OTHER_PATH[path]
            return answer

    async def _send(self, ref: DeskRef, file: LocalFile, last: str) -> Json:
        flavour, path = self._flavour, self._tickets.path(ref, last)
        upload = self._client.upload(
            ATTACH, flavour.upload_method, *path, file=file, name=flavour.upload_part, form=flavour.upload_form
        )
        return await self._tickets.checked(ref, upload)

    async def _bind(self, ref: DeskRef, identifier: str) -> None:
        """Name all files, the new one last: whether such an update adds or replaces is nowhere told."""
        kept = [{"id": stub.id} for stub in await self.listed(ref) if stub.id != identifier]
        await self._tickets.put(ATTACH, ref, {_KEY: [*kept, {"id": identifier}]})

    async def _rows(self, ref: DeskRef) -> Sequence[Json]:
        flavour = self._flavour
        source = flavour.change_files if ref.kind is DeskKind.CHANGE else flavour.request_files
        if source is FilesFrom.TICKET:
            return _of_ticket(await self._tickets.raw(ref))
        call = self._client.rows("list_files", *self._tickets.path(ref, _KEY), keys=[_KEY])
        try:
            return await self._tickets.checked(ref, call)
        except Refused as exc:
            if ref.kind is not DeskKind.CHANGE or exc.why is not RefusedFor.CONFIGURATION:
                raise
            entity = await self._tickets.raw(ref)
            if not isinstance(entity.get(_KEY), list):
                raise
            return _of_ticket(entity)  # the list is documented for requests only: a build may lack it for changes


def _of_ticket(entity: Json) -> Sequence[Json]:
    rows = entity.get(_KEY)
    if rows is None and not flag(entity.get("has_attachments")):
        return []
    if not isinstance(rows, list):
        raise Malformed(PEER, "list_files", "a ticket that has files and doesn't list them: set desk.flavour.*_files")
    return [row for row in rows if isinstance(row, Mapping)]
