"""Attachment: the file, once; one that can't be had becomes a note that says which, why, and how to get it."""

from collections.abc import Mapping
from typing import Any

from envision_worker.desks.desk import LocalFile
from envision_worker.ensono.messages import Attachment
from envision_worker.errors import Refused, RefusedFor
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
    if await work.effects.answer(_key(found, transaction)) is not None:
        await work.peers.files.done_with(transaction)
        return Applied(already=True)
    file = await work.peers.files.of(transaction)
    missing = file.why if isinstance(file, NotFetched) else await _refusal(work, found, transaction, file)
    if missing:
        await _tell_missing(work, found, transaction, missing)
    await work.peers.files.done_with(transaction)
    work.saw(found.ticket)
    return Applied()


async def _refusal(work: Work, found: Counterpart, transaction: Attachment, file: LocalFile) -> str | None:
    """Attach; why the desk does not take this file, None where it took it."""
    try:
        await _attach(work, found, transaction, file)
    except Refused as exc:
        if exc.why in _NOT_ABOUT_THE_FILE:
            raise
        work.peers.facts.attachment_not_fetched(
            message_id=transaction.message_id,
            ticket=transaction.ticket,
            name=transaction.file.name,
            reason="refused_by_desk",
            for_good=True,
        )
        return f"the service desk did not take it: {exc.detail}"
    return None


async def _attach(work: Work, found: Counterpart, transaction: Attachment, file: LocalFile) -> None:
    ref = found.ticket.ref

    async def write() -> Answer:
        return {"id": await work.peers.desk.attach(ref, file)}

    async def look(_: Mapping[str, Any]) -> Answer | None:
        claimed = await work.effects.claimed(f"file:{ref.id}:")
        for stub in await work.peers.desk.files(ref):
            same_size = stub.size is None or stub.size == file.size
            if stub.id not in claimed and stub.name == file.name and same_size:
                return {"id": stub.id}
        return None

    await work.effects.add(
        _key(found, transaction), f"attach {file.name}", write, look, look_first=work.may_be_repeated
    )


def _key(found: Counterpart, transaction: Attachment) -> str:
    return f"file:{found.ticket.ref.id}:{transaction.file.key}"


async def _tell_missing(work: Work, found: Counterpart, transaction: Attachment, why: str) -> None:
    await add_remark(
        work,
        found.ticket.ref,
        "An attachment from Ensono is missing here",
        texts.file_missing(transaction.file, why),
        key=f"file:{transaction.file.key}",
    )
