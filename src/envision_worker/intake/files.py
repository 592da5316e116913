"""The bytes of attachments: fetched when their message is first seen, kept on disk until they are attached (contract, P11)."""

import asyncio
import hashlib
import mimetypes
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from envision_worker.clock import Clock
from envision_worker.desks.desk import LocalFile
from envision_worker.ensono.downloads import Downloader
from envision_worker.ensono.fields import MalformedMessage
from envision_worker.ensono.file_names import safe_name
from envision_worker.ensono.links import CannotFetch, FetchReason, link_expiry
from envision_worker.ensono.messages import Attachment, parse
from envision_worker.ensono.spool import SpoolFull
from envision_worker.errors import PeerError, Unreachable
from envision_worker.handlers.work import NotFetched
from envision_worker.ledger.records import Kept
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import MessageId, TransactionType

AT_ONCE: Final = 4
"""Downloads side by side: few, because each can be large."""
_GENERIC = "application/octet-stream"
_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,100}", re.ASCII)


class SpooledFiles:
    """Files by message. A file that is on disk is never fetched again."""

    def __init__(self, downloader: Downloader, directory: Path, clock: Clock, facts: Facts) -> None:
        self._downloader = downloader
        self._directory = directory
        self._clock = clock
        self._facts = facts
        self._places = asyncio.Semaphore(AT_ONCE)
        self._fetching: dict[MessageId, asyncio.Task[LocalFile | NotFetched]] = {}
        self._unfetched: dict[MessageId, datetime] = {}

    def first_seen(self, messages: Iterable[Kept]) -> None:
        """Begin to fetch what these messages bring, before anything else is waited for."""
        for kept in messages:
            if kept.transaction_type == TransactionType.ATTACHMENT and not kept.state.settled:
                attachment = _attachment(kept)
                if attachment is not None and not self._path(attachment.message_id).exists():
                    self._begin(attachment)

    def _begin(self, attachment: Attachment) -> asyncio.Task[LocalFile | NotFetched]:
        task = self._fetching.get(attachment.message_id)
        if task is None or task.done():
            task = asyncio.create_task(self._fetch(attachment), name=f"fetch {attachment.message_id}")
            task.add_done_callback(_retrieved)
            self._fetching[attachment.message_id] = task
            self._unfetched[attachment.message_id] = link_expiry(attachment.file.url, attachment.sent)
        return task

    async def of(self, attachment: Attachment) -> LocalFile | NotFetched:
        """See `handlers.work.Files`. Whoever waits may be cut off; the download goes on."""
        path = self._path(attachment.message_id)
        if path.exists():
            return self._local(attachment, path)
        return await asyncio.shield(self._begin(attachment))

    async def done_with(self, attachment: Attachment) -> None:
        """See `handlers.work.Files`."""
        self._forget(attachment.message_id)
        self._path(attachment.message_id).unlink(missing_ok=True)

    def first_expiry(self) -> datetime | None:
        """When the first link dies whose file is not here yet."""
        return min(self._unfetched.values(), default=None)

    def keep_only(self, messages: Iterable[MessageId]) -> None:
        """Remove what belongs to no message any more (a process that ended between settling and removing)."""
        if not self._directory.is_dir():
            return
        wanted = {_name(message_id) for message_id in messages}
        for path in self._directory.iterdir():
            if path.name.removesuffix(".part") not in wanted:
                path.unlink(missing_ok=True)

    async def close(self) -> None:
        """Cut off what is still being fetched."""
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fetch(self, attachment: Attachment) -> LocalFile | NotFetched:
        started = self._clock.monotonic()
        path = self._path(attachment.message_id)
        try:
            async with self._places:
                fetched = await self._downloader.fetch(attachment.file.url, attachment.file.name, path)
        except CannotFetch as exc:
            self._not_fetched(attachment, exc.reason.value, for_good=True)
            return NotFetched(exc.detail)
        except (Unreachable, SpoolFull) as exc:
            return self._later_or_never(attachment, exc)
        self._forget(attachment.message_id)
        self._facts.attachment_fetched(
            message_id=attachment.message_id,
            ticket=attachment.ticket,
            name=attachment.file.name,
            size=fetched.size,
            seconds=self._clock.monotonic() - started,
        )
        return self._local(attachment, path)

    def _later_or_never(self, attachment: Attachment, error: PeerError | SpoolFull) -> NotFetched:
        """Time-outs and 5xx are tried again until the link's own expiry."""
        expired = link_expiry(attachment.file.url, attachment.sent) <= self._clock.now()
        reason = FetchReason.EXPIRED.value if expired else "unreachable"
        self._not_fetched(attachment, reason, for_good=expired)
        if not expired:
            raise error
        return NotFetched(f"the link expired before the file could be fetched; last: {error}")

    def _not_fetched(self, attachment: Attachment, reason: str, *, for_good: bool) -> None:
        if for_good:
            self._forget(attachment.message_id)
        self._facts.attachment_not_fetched(
            message_id=attachment.message_id,
            ticket=attachment.ticket,
            name=attachment.file.name,
            reason=reason,
            for_good=for_good,
        )

    def _forget(self, message_id: MessageId) -> None:
        self._unfetched.pop(message_id, None)
        task = self._fetching.get(message_id)
        if task is not None and task.done():
            del self._fetching[message_id]

    def _local(self, attachment: Attachment, path: Path) -> LocalFile:
        """The name decides the content type where Ensono's says nothing."""
        name = safe_name(attachment.file.name)
        told = attachment.file.content_type
        guessed = mimetypes.guess_type(name)[0] or _GENERIC
        usable = told != _GENERIC and _TYPE.fullmatch(told) is not None
        return LocalFile(path, name, told if usable else guessed, path.stat().st_size)

    def _path(self, message_id: MessageId) -> Path:
        return self._directory / _name(message_id)


def _name(message_id: MessageId) -> str:
    return hashlib.sha256(message_id.encode()).hexdigest()[:32]


def _attachment(kept: Kept) -> Attachment | None:
    try:
        found = parse(kept.raw, ticket=kept.ticket, message_id=kept.message_id, content_key=kept.content_key)
    except MalformedMessage:  # told when it is handled
        return None
    return found if isinstance(found, Attachment) else None


def _retrieved(task: "asyncio.Task[LocalFile | NotFetched]") -> None:
    """Look at the result, so that a download that nobody waited for yet is no unhandled error."""
    if not task.cancelled():
        task.exception()
