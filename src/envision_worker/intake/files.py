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
from envision_worker.ensono.messages import Attachment, RemoteFile
from envision_worker.ensono.parsing import parse
from envision_worker.ensono.spool import SpoolFull, is_there, names_in, remove, size_of
from envision_worker.errors import PeerError, Unreachable
from envision_worker.handlers.work import NotFetched
from envision_worker.ledger.records import Kept
from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import MessageId, TransactionType

AT_ONCE: Final = 4
"""Downloads side by side: few, because each can be large."""
AGAIN_AFTER_S: Final = 300.0
"""A download that failed is begun again after so long, though its message waits for something else."""
Fetching = asyncio.Task[LocalFile | NotFetched]
_GENERIC = "application/octet-stream"
_PART = ".part"
_PAGES = frozenset({"text/html", "application/xhtml+xml", "message/rfc822"})
_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,100}", re.ASCII)


class SpooledFiles:
    """Files by message. A file that is on disk is never fetched again."""

    def __init__(self, downloader: Downloader, directory: Path, clock: Clock, facts: Facts) -> None:
        self._downloader = downloader
        self._directory = directory
        self._clock = clock
        self._facts = facts
        self._places = asyncio.Semaphore(AT_ONCE)
        self._seen: dict[MessageId, Attachment] = {}
        self._fetching: dict[MessageId, Fetching] = {}
        self._unfetched: dict[MessageId, datetime] = {}
        self._begun: dict[MessageId, float] = {}

    def first_seen(self, messages: Iterable[Kept]) -> None:
        """Begin to fetch what these messages bring, before anything else is waited for."""
        for attachment in self._saw(messages):
            self._begin(attachment)

    def never_seen(self, messages: Iterable[MessageId]) -> list[MessageId]:
        """Those that a process before this one received, and which were not delivered since."""
        return [message_id for message_id in messages if message_id not in self._seen]

    def go_on(self, recalled: Iterable[Kept]) -> None:
        """Fetch what is not here though its link lives: of these messages, and what could not be had a while ago.

        Its message may wait for another of its ticket or for the desk until its link is dead (contract, P11).
        """
        now, begun_before = self._clock.now(), self._clock.monotonic() - AGAIN_AFTER_S
        for attachment in self._saw(recalled):
            if _expiry(attachment) > now:
                self._begin(attachment)
        for message_id, expiry in list(self._unfetched.items()):
            rested = self._begun.get(message_id, begun_before) <= begun_before
            if message_id in self._seen and rested and expiry > now:
                self._begin(self._seen[message_id])

    async def of(self, attachment: Attachment) -> LocalFile | NotFetched:
        """See `handlers.work.Files`. Whoever waits may be cut off; the download goes on."""
        try:
            return await self._had(attachment)
        except SpoolFull:
            if not self._make_room_for(attachment):
                raise
        return await self._had(attachment)

    async def done_with(self, attachment: Attachment) -> None:
        """See `handlers.work.Files`."""
        self._forget(attachment.message_id)
        remove(self._path(attachment.message_id))

    def first_expiry(self) -> datetime | None:
        """When the first link dies whose file is not here yet."""
        return min(self._unfetched.values(), default=None)

    def keep_only(self, messages: Iterable[MessageId], *, strangers: bool) -> None:
        """Remove what belongs to no message any more: of one that was settled without it, or when the process ended just then.

        Args:
            strangers: whether to keep whole files that this process knows nothing of: a ledger that was lost may have known them, and
                Ensono may yet send their messages again, with links that are dead by then.
        """
        kept = set(messages)
        over = {each for each in (self._seen.keys() | self._fetching.keys()) - kept if not self._is_fetching(each)}
        for message_id in over:
            self._forget(message_id)
        wanted = {_name(message_id) for message_id in kept | self._fetching.keys()}
        done_with = {_name(message_id) for message_id in over}
        for name in names_in(self._directory):
            whole = name.removesuffix(_PART)
            is_stranger = whole == name and name not in done_with
            if whole not in wanted and not (strangers and is_stranger):
                remove(self._directory / name)

    async def close(self) -> None:
        """Cut off what is still being fetched."""
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _saw(self, messages: Iterable[Kept]) -> list[Attachment]:
        """Those of them that bring a file that is still to be attached."""
        undone = (
            each for each in messages if each.transaction_type == TransactionType.ATTACHMENT and not each.state.settled
        )
        brought = [attachment for kept in undone if (attachment := _attachment(kept)) is not None]
        self._seen.update((attachment.message_id, attachment) for attachment in brought)
        return brought

    # --- fetching ----------------------------------------------------------------------------------------------------

    async def _had(self, attachment: Attachment) -> LocalFile | NotFetched:
        task = self._begin(attachment)
        return await asyncio.shield(task) if task else self._local(attachment, self._path(attachment.message_id))

    def _begin(self, attachment: Attachment) -> "Fetching | None":
        """The download under way, or the one that found that there is nothing to be had; None where the file is here."""
        if is_there(self._path(attachment.message_id)):
            return None
        task = self._fetching.get(attachment.message_id)
        if task is None or _may_be_repeated(task):
            task = asyncio.create_task(self._fetch(attachment), name=f"fetch {attachment.message_id}")
            task.add_done_callback(_retrieved)
            self._fetching[attachment.message_id] = task
            self._begun[attachment.message_id] = self._clock.monotonic()
            self._unfetched[attachment.message_id] = _expiry(attachment)
        return task

    def _make_room_for(self, attachment: Attachment) -> bool:
        """Give up the bytes of the ticket's later files, which wait behind this one and can be fetched again; whether there are any."""
        later = [
            each
            for each in self._seen.values()
            if each.ticket == attachment.ticket and each.sent > attachment.sent and _expiry(each) > self._clock.now()
        ]
        here = [each for each in later if is_there(self._path(each.message_id))]
        for each in here:
            remove(self._path(each.message_id))
            self._unfetched[each.message_id] = _expiry(each)
        return bool(here)

    async def _fetch(self, attachment: Attachment) -> LocalFile | NotFetched:
        started = self._clock.monotonic()
        path = self._path(attachment.message_id)
        try:
            async with self._places:
                fetched = await self._downloader.fetch(
                    attachment.file.url, attachment.file.name, path, may_be_page=_may_be_page(attachment.file)
                )
        except CannotFetch as exc:
            self._not_fetched(attachment, exc.reason.value, for_good=True)
            return NotFetched(exc.detail)
        except (Unreachable, SpoolFull) as exc:
            return self._later_or_never(attachment, exc)
        self._unfetched.pop(attachment.message_id, None)
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
        expired = _expiry(attachment) <= self._clock.now()
        reason = "spool_full" if isinstance(error, SpoolFull) else "unreachable"
        self._not_fetched(attachment, FetchReason.EXPIRED.value if expired else reason, for_good=expired)
        if not expired:
            raise error
        return NotFetched(f"the link expired before the file could be fetched; last: {error}")

    def _not_fetched(self, attachment: Attachment, reason: str, *, for_good: bool) -> None:
        if for_good:
            self._unfetched.pop(attachment.message_id, None)
        self._facts.attachment_not_fetched(
            message_id=attachment.message_id,
            ticket=attachment.ticket,
            name=attachment.file.name,
            reason=reason,
            for_good=for_good,
        )

    def _forget(self, message_id: MessageId) -> None:
        for known in (self._seen, self._unfetched, self._fetching, self._begun):
            known.pop(message_id, None)

    def _is_fetching(self, message_id: MessageId) -> bool:
        return message_id in self._fetching and not self._fetching[message_id].done()

    def _local(self, attachment: Attachment, path: Path) -> LocalFile:
        """The name decides the content type where Ensono's says nothing."""
        name = safe_name(attachment.file.name)
        told = attachment.file.content_type
        guessed = mimetypes.guess_type(name)[0] or _GENERIC
        usable = told != _GENERIC and _TYPE.fullmatch(told) is not None
        return LocalFile(path, name, told if usable else guessed, size_of(path))

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


def _expiry(attachment: Attachment) -> datetime:
    return link_expiry(attachment.file.url, attachment.sent)


def _may_be_page(file: RemoteFile) -> bool:
    """Whether the file itself may be a web page: its type or its name says so, or neither says anything."""
    told = {file.content_type.partition(";")[0].strip().lower(), mimetypes.guess_type(file.name)[0]}
    types = told - {_GENERIC, None}
    return not types or not types.isdisjoint(_PAGES)


def _may_be_repeated(task: Fetching) -> bool:
    """Whether it has ended, and not by finding that the file can't be had for good."""
    if not task.done():
        return False
    return task.cancelled() or task.exception() is not None or not isinstance(task.result(), NotFetched)


def _retrieved(task: Fetching) -> None:
    """Look at the result, so that a download that nobody waited for yet is no unhandled error."""
    if not task.cancelled():
        task.exception()
