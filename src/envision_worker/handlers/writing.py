"""Writing on a desk ticket so that nothing of it is lost: a refused optional field is dropped and told, a note has its mark."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from envision_worker.desks.desk import DeskRef, DeskTicket, Fields
from envision_worker.errors import Refused, RefusedFor
from envision_worker.handlers import texts
from envision_worker.handlers.dropping import ABOUT_VALUES, Dropping
from envision_worker.handlers.effects import Answer
from envision_worker.handlers.work import Work
from envision_worker.vocabulary import DeskTicketId


async def set_fields(work: Work, ref: DeskRef, wanted: Fields, *, key: str) -> list[str]:
    """Set fields of a desk ticket; returns what the desk refused, as `label: value`."""
    dropping = Dropping(work, wanted)

    async def write() -> None:
        await work.peers.desk.update(ref, dropping.wanted)

    while dropping.wanted.names():
        try:
            await work.effects.set(key, "update", write)
        except Refused as exc:
            dropping.after(exc)
        else:
            break
    return dropping.dropped


async def in_any_characters(write: Callable[[str], Awaitable[object]], html: str) -> None:
    """Write some HTML; on a desk that refuses rare characters, with these written out."""
    try:
        await write(html)
    except Refused as exc:
        written_out = texts.without_rare(html)
        if exc.why not in ABOUT_VALUES or written_out == html:
            raise
        await write(written_out)


async def add_note(work: Work, ref: DeskRef, html: str, *, public: bool, key: str, mark: str) -> None:
    """A note, once. It ends with `mark`, by which it is found where its answer was lost."""

    async def look(_: Mapping[str, Any]) -> Answer | None:
        return await find_note(work, ref, mark, words=texts.plain(html))

    async def send(markup: str) -> None:
        async def write() -> Answer:
            return {"id": await work.peers.desk.add_note(ref, markup, public=public)}

        await work.effects.add(f"note:{key}", "add note", write, look, look_first=work.may_be_repeated)

    await in_any_characters(send, html)


async def find_note(work: Work, ref: DeskRef, mark: str, *, words: str) -> Answer | None:
    """The note with this mark that no other effect of ours brought about; the one with the same words before any other."""
    claimed = await work.effects.claimed("note:")
    marked: str | None = None
    for stub in await work.peers.desk.notes(ref):
        if stub.id in claimed:
            continue
        text = await _text_of(work, ref, stub.id)
        if texts.bears(text, mark):
            if texts.plain(text) == words:
                return {"id": stub.id}
            marked = marked or stub.id
    return {"id": marked} if marked else None


async def _text_of(work: Work, ref: DeskRef, note_id: str) -> str:
    try:
        return await work.peers.desk.note_text(ref, note_id)
    except Refused as exc:
        if exc.why is RefusedFor.NOT_FOUND:  # deleted between the list and the look
            return ""
        raise


async def add_remark(work: Work, ref: DeskRef, title: str, lines: Sequence[str], *, key: str) -> None:
    """A private note of the worker's own about this transaction; `key` tells several of one transaction apart.

    Once on each counterpart. Which one that is, the link says: where a technician merges tickets, the desk's id becomes another.
    """
    ticket, content = work.transaction.ticket, work.transaction.content_key
    link = await work.peers.ledger.links.current(ticket)
    mark = texts.own_mark(ticket, content, key)
    html = texts.remark(title, lines, mark)
    once = f"own:{link.generation if link else 0}:{content}:{key}"
    await add_note(work, ref, html, public=False, key=once, mark=mark)


async def creating(
    work: Work, wanted: Fields, describe: Callable[[Sequence[str]], str], *, key: str, known: frozenset[str]
) -> DeskTicket:
    """A new desk ticket, once; refused optional fields are dropped and stand in its description.

    Args:
        describe: the description for what was dropped so far.
        known: ids that bear the ticket's number already; anything else that bears it afterwards is ours.
    """
    dropping = Dropping(work, replace(wanted, description=describe(())))
    fresh: list[DeskTicket] = []

    async def write() -> Answer:
        fields = replace(dropping.wanted, description=dropping.in_its_characters(describe(dropping.dropped)))
        made = await work.peers.desk.create(work.transaction.ticket_type, fields)
        fresh.append(made)
        return {"id": made.ref.id}

    async def look(before: Mapping[str, Any]) -> Answer | None:
        hits = await work.peers.desk.find(work.kind, work.transaction.ticket)
        return next(({"id": desk_id} for desk_id in hits if desk_id not in before["ids"]), None)

    while True:
        try:
            made = await work.effects.add(key, f"create {work.kind.value}", write, look, known={"ids": sorted(known)})
        except Refused as exc:
            dropping.after(exc)
        else:
            return fresh[-1] if fresh else await work.peers.desk.read(DeskRef(work.kind, DeskTicketId(made["id"])))
