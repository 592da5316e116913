"""Writing on a desk ticket so that nothing of it is lost: a refused optional field is dropped and told, a note has its mark."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from envision_worker.desks.desk import DeskRef, DeskTicket, Fields
from envision_worker.errors import Refused, RefusedFor
from envision_worker.handlers.effects import Answer
from envision_worker.handlers.texts import bears, label, own_mark, plain, remark
from envision_worker.handlers.work import Work
from envision_worker.vocabulary import DeskTicketId

NEVER_DROPPED = frozenset({"title", "description", "requester", "ensono_number"})
_ABOUT_VALUES = frozenset({RefusedFor.FIELDS, RefusedFor.OTHER})
_MAX_ATTEMPTS = 8  # each drops at least one field, and there are not many more


class Dropping:
    """Fields that are tried again without what the desk refused."""

    def __init__(self, work: Work, wanted: Fields) -> None:
        self._work = work
        self.wanted = wanted
        self.dropped: list[str] = []

    def after(self, refused: Refused) -> None:
        """Drop what the error names; all optional fields where it names none. Raises it again where nothing can be dropped."""
        if refused.why not in _ABOUT_VALUES or len(self.dropped) >= len(self.wanted.names()) + _MAX_ATTEMPTS:
            raise refused
        named = frozenset(refused.fields) & self.wanted.names()
        out = named - NEVER_DROPPED if named else self.wanted.names() - NEVER_DROPPED
        default = self._work.peers.settings.default_requester
        other_requester = ("requester" in named or not refused.fields) and self.wanted.requester not in (None, default)
        if not out and not other_requester:
            raise refused
        if refused.fields and not named:  # it wants what we did not send: dropping others can't help
            raise refused
        self.dropped += [f"{label(name)}: {self.wanted.value_of(name)}" for name in sorted(out)]
        self.wanted = self.wanted.without(out)
        if other_requester:
            self.wanted = replace(self.wanted, requester=default)
        self._work.peers.facts.field_dropped(
            ticket=self._work.transaction.ticket, fields=sorted(out), detail=refused.detail
        )


async def set_fields(work: Work, ref: DeskRef, wanted: Fields, *, key: str) -> list[str]:
    """Set fields of a desk ticket; returns what the desk refused, as `label: value`."""
    dropping = Dropping(work, wanted)
    while dropping.wanted.names():
        current = dropping.wanted
        try:
            await work.effects.set(key, "update", lambda current=current: work.peers.desk.update(ref, current))  # type: ignore[misc]
        except Refused as exc:
            dropping.after(exc)
        else:
            break
    return dropping.dropped


async def add_note(work: Work, ref: DeskRef, html: str, *, public: bool, key: str, mark: str) -> None:
    """A note, once. It ends with `mark`, by which it is found where its answer was lost."""

    async def write() -> Answer:
        return {"id": await work.peers.desk.add_note(ref, html, public=public)}

    async def look(known: Mapping[str, Any]) -> Answer | None:
        return await find_note(work, ref, mark, words=plain(html), since=known.get("since"))

    await work.effects.add(f"note:{key}", "add note", write, look, look_first=work.may_be_repeated)


async def find_note(work: Work, ref: DeskRef, mark: str, *, words: str, since: float | None) -> Answer | None:
    """The note with this mark that no other effect of ours brought about; the one with the same words before any other."""
    claimed = await work.effects.claimed("note:")
    marked: str | None = None
    for stub in await work.peers.desk.notes(ref):
        too_old = since is not None and stub.added is not None and stub.added.timestamp() < since
        if stub.id in claimed or too_old:
            continue
        text = await _text_of(work, ref, stub.id)
        if bears(text, mark):
            if plain(text) == words:
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
    """A private note of the worker's own about this transaction; `key` tells several of one transaction apart."""
    mark = own_mark(work.transaction.ticket, work.transaction.content_key, key)
    html = remark(title, lines, mark)
    await add_note(work, ref, html, public=False, key=f"own:{ref.id}:{work.transaction.content_key}:{key}", mark=mark)


async def creating(
    work: Work, wanted: Fields, describe: Callable[[Sequence[str]], str], *, key: str, known: frozenset[str]
) -> DeskTicket:
    """A new desk ticket, once; refused optional fields are dropped and stand in its description.

    Args:
        describe: the description for what was dropped so far.
        known: ids that bear the ticket's number already; anything else that bears it afterwards is ours.
    """
    dropping = Dropping(work, wanted)
    fresh: list[DeskTicket] = []

    async def write() -> Answer:
        fields = replace(dropping.wanted, description=describe(dropping.dropped))
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
