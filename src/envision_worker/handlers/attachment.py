"""Attachment: the file, once; one that can't be had becomes a note that says which, why, and how to get it."""

from collections.abc import Mapping
from typing import Any

from envision_worker.desks.desk import FileStub, LocalFile
from envision_worker.ensono.file_names import safe_name
from envision_worker.ensono.messages import Attachment
from envision_worker.errors import Malformed, Refused, RefusedFor
from envision_worker.handlers import texts
from envision_worker.handlers.counterpart import counterpart
from envision_worker.handlers.effects import Answer
from envision_worker.handlers.work import Counterpart, NotFetched, Work
from envision_worker.handlers.writing import add_remark
from envision_worker.outcome import Applied

_NOT_ABOUT_THE_FILE = frozenset({RefusedFor.NOT_FOUND, RefusedFor.MERGED})


async def apply(work: Work, transaction: Attachment) -> Applied:
    """Attach the bytes that were fetched when the message was first seen."""
    found = await counterpart(work)
    if found is None:
        return Applied()
    placing = _Placing(work, found, transaction)
    if await work.effects.answer(placing.key) is not None:
        await work.peers.files.done_with(transaction)
        return Applied(already=True)
    file = await work.peers.files.of(transaction)
    missing = await placing.why_not(file)
    if missing:
        await _tell_missing(work, found, transaction, missing)
    await work.peers.files.done_with(transaction)
    work.saw(found.ticket)
    return Applied()


class _Placing:
    """One file on its way to the counterpart."""

    def __init__(self, work: Work, found: Counterpart, transaction: Attachment) -> None:
        self._work = work
        self._ref = found.ticket.ref
        self._of_counterpart = f"file:{found.link.generation}:"  # not by the desk's id: a merge gives it another
        self._transaction = transaction
        self._what = f"attach {safe_name(transaction.file.name)}"
        self.key = f"{self._of_counterpart}{transaction.file.key}"

    async def why_not(self, file: LocalFile | NotFetched) -> str | None:
        """Attach it; why that can't be, None where it is on the desk."""
        if isinstance(file, NotFetched):
            return None if await self._is_there() else file.why
        try:
            await self._attach(file)
        except Refused as exc:
            if exc.why in _NOT_ABOUT_THE_FILE:
                raise
            self._tell_refused()
            return f"the service desk did not take it: {exc.detail}"
        return None

    async def _attach(self, file: LocalFile) -> None:
        desk = self._work.peers.desk

        async def write() -> Answer:
            return {"id": await desk.attach(self._ref, file)}

        async def look(before: Mapping[str, Any]) -> Answer | None:
            return await self._among_files(before, file.name, file.size)

        known, look_first = await self._there_before(), self._work.may_be_repeated
        await self._work.effects.add(self.key, self._what, write, look, known=known, look_first=look_first)

    async def _there_before(self) -> Mapping[str, Any]:
        """What stands on the ticket; nothing where the desk does not list it: it may take a file all the same."""
        try:
            return {"ids": sorted(stub.id for stub in await self._work.peers.desk.files(self._ref))}
        except (Refused, Malformed) as exc:
            if isinstance(exc, Refused) and exc.why in _NOT_ABOUT_THE_FILE:
                raise
            return {}

    async def _is_there(self) -> bool:
        """Whether it was attached though nobody knows: its answer was lost, or a ledger before this one was."""
        wanted = self._transaction.file

        async def look(before: Mapping[str, Any]) -> Answer | None:
            return await self._among_files(before, safe_name(wanted.name), wanted.size)

        look_first = self._work.may_be_repeated
        return await self._work.effects.look_for(self.key, self._what, look, look_first=look_first) is not None

    async def _among_files(self, before: Mapping[str, Any], name: str, size: int | None) -> Answer | None:
        """A file that stood there before the upload is not it, whatever its name: people call their pictures image001.png, too."""
        others = await self._work.effects.claimed(self._of_counterpart) | set(before.get("ids", ()))
        for stub in await self._work.peers.desk.files(self._ref):
            if stub.id not in others and stub.name == name and _may_have(stub, size):
                return {"id": stub.id}
        return None

    def _tell_refused(self) -> None:
        self._work.peers.facts.attachment_not_fetched(
            message_id=self._transaction.message_id,
            ticket=self._transaction.ticket,
            name=self._transaction.file.name,
            reason="refused_by_desk",
            for_good=True,
        )


def _may_have(stub: FileStub, size: int | None) -> bool:
    """Whether a file of so many bytes would be told so; None: of any number."""
    return size is None or stub.size is None or abs(stub.size - size) <= stub.rounded_by


async def _tell_missing(work: Work, found: Counterpart, transaction: Attachment, why: str) -> None:
    await add_remark(
        work,
        found.ticket.ref,
        "An attachment from Ensono is missing here",
        texts.file_missing(transaction.file, why),
        key=f"file:{transaction.file.key}",
    )
