"""The desk's journal, read back: which writes belong to which Ensono ticket, and to which of its messages."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from envision_worker.config.mapping import MappingKind, fold
from envision_worker.simulators.control import ObservedCall
from envision_worker.simulators.manageengine.tickets import Effect
from worlds.configuration import NUMBER_FIELD
from worlds.simulated import World

MARK = re.compile(r"tk\d{4}x|e-C(?:S|HG)\d+|Ensono ref \w+")
"""What tells writes apart: the text of a message, the ticket's number, the worker's own mark."""
MISSING = "An attachment from Ensono is missing here"
_TOKEN = re.compile(r"tk\d{4}x")
_STATE = re.compile(r"Ensono moved it to (\w+)")


@dataclass(frozen=True)
class Sent:
    """One message as Ensono sent it, in the order of sending within its ticket."""

    message_id: str
    ticket: str
    transaction_type: str
    body: Mapping[str, Any] = field(repr=False)
    again: bool = False
    """Ensono sent it before, under another MessageId."""

    @property
    def tokens(self) -> frozenset[str]:
        """The texts that only this message brings."""
        own = {
            "Create": ("shortDescription",),
            "Notes": ("notes",),
            "Update": ("changed",),
            "Closure": ("closeNotes",),
            "Attachment": ("attachmentName",),
            "Approval Request": ("approverEmail",),
        }.get(self.transaction_type, ())
        return frozenset(_TOKEN.findall(json.dumps([self.body.get(name) for name in own])))

    @property
    def titled(self) -> frozenset[str]:
        """The title that it bears, whoever gave it: what was made without one gets it from any message."""
        return frozenset(_TOKEN.findall(str(self.body.get("shortDescription"))))

    @property
    def state(self) -> str | None:
        """The change state that it brings."""
        moves = self.transaction_type in {"Create", "Update", "Closure", "Redraft"}
        return self.body.get("state") if moves else None

    @property
    def opens_again(self) -> bool:
        """Whether an open status comes with it."""
        return fold((self.body.get("changed") or {}).get("status", "")) in {"open", "workingprogress"}

    def statuses(self, world: World) -> frozenset[str]:
        """The desk's names of the status that it sets."""
        changed = self.body.get("changed") or {}
        table = world.config.mapping.table(MappingKind.STATUS)
        said = (changed.get("statusNextAction"), changed.get("status"))
        return frozenset(table[fold(each)] for each in said if each and fold(each) in table)


def sent_by_ensono(world: World, resent: Mapping[str, str]) -> dict[str, list[Sent]]:
    """By ticket, in order; `resent`: the first MessageId by the second one."""
    announced = {each.message_id: each for each in world.ensono.scenario.announcer.announced}
    found: dict[str, list[Sent]] = defaultdict(list)
    for message_id in world.ensono.queue._ids.values():
        each = announced.get(resent.get(message_id, message_id))
        if each is not None:  # else poison
            again = message_id in resent
            found[each.ticket].append(Sent(message_id, each.ticket, each.transaction_type, each.body, again))
    return found


class DeskStory:
    """What was written on the desk, by Ensono ticket."""

    def __init__(self, world: World) -> None:
        self._journal = world.desk.journal
        self._place = {id(effect): place for place, effect in enumerate(self._journal)}
        self._owner: dict[tuple[str, str], str] = {}
        field_of = dict(zip(("request", "change"), NUMBER_FIELD[world.edition], strict=True))
        for effect in self._journal:
            number = (effect.what.get("fields") or {}).get("udf_fields", {}).get(field_of[effect.kind])
            if effect.by == "api" and number:
                self._owner.setdefault((effect.kind, effect.ticket), number)

    def effects(self, ticket: str) -> list[Effect]:
        """The worker's writes for one Ensono ticket, in order."""
        return [each for each in self._journal if each.by == "api" and self._ticket_of(each) == ticket]

    def late(self, ticket: str, on_their_way: Iterable[str], since: int) -> list[Effect]:
        """As many writes for one Ensono ticket as showed only after the ledger was lost which knew of them.

        Args:
            on_their_way: what the desk had been told by then (`told_by`), and did not show yet.
            since: how many writes of anybody's there were then.
        """
        texts = list(on_their_way)
        found = []
        for effect in self.effects(ticket):
            text = next((each for each in texts if self.may_be_late(effect, [each], since)), None)
            if text is not None:
                texts.remove(text)
                found.append(effect)
        return found

    def may_be_late(self, effect: Effect, on_their_way: Iterable[str], since: int) -> bool:
        """Whether this may be one of those."""
        return self.place_of(effect) >= since and any(_may_be(effect, text) for text in on_their_way)

    def place_of(self, effect: Effect) -> int:
        """How many writes of anybody's came before it."""
        return self._place[id(effect)]

    def created(self) -> Counter[str]:
        """How many desk tickets the worker made for each Ensono ticket."""
        return Counter(self._ticket_of(each) for each in self._journal if each.by == "api" and each.verb == "create")

    def desk_ids(self, ticket: str) -> list[tuple[str, str]]:
        """Kind and id of every desk ticket that ever stood for it."""
        return [desk for desk, owner in self._owner.items() if owner == ticket]

    def _ticket_of(self, effect: Effect) -> str:
        return self._owner.get((effect.kind, effect.ticket), "")


def told_by(call: ObservedCall) -> str:
    """All that a call says."""
    return unquote_plus(f"{call.path}?{call.query} {call.body.decode('utf-8', 'replace')}")


def _may_be(effect: Effect, text: str) -> bool:
    """Whether this call may be that of this effect: the same ticket, and the same words or the same approvers' level."""
    if effect.verb == "create":
        number = json.dumps(effect.what["fields"].get("udf_fields", {}))
        return any(mark in text for mark in MARK.findall(number))
    if not re.search(rf"/{effect.ticket}[/?]", text):
        return False
    if effect.verb in {"add_level", "add_approver"}:
        return "/approval_levels" in text
    if effect.verb == "status":
        return str(effect.what["after"]).rpartition(" / ")[2] in text
    return any(mark in text for mark in MARK.findall(json.dumps(effect.what)))


def tokens_of(effect: Effect) -> frozenset[str]:
    """The tokens in what an effect wrote."""
    return frozenset(_TOKEN.findall(json.dumps(effect.what)))


def explained_by(
    world: World, effect: Effect, sent: Sequence[Sent], before: Collection[Effect], *, forgotten: bool
) -> Iterable[int] | None:
    """The places of the messages that may have brought this effect about; None where nothing can be told of it.

    What Ensono sent again does nothing, but for a file: where the desk had refused it, or where its ticket has a new counterpart
    meanwhile, it is put there now, or a note that it can't be had.

    Args:
        before: the worker's earlier effects for the same ticket.
        forgotten: a ledger was lost before it, and with it that something came again.
    """
    if effect.verb == "create":
        return None
    tokens = tokens_of(effect)
    if tokens and effect.verb != "notify":
        of_a_file = effect.verb == "attach" or MISSING in str(effect.what.get("text"))
        again = forgotten or (of_a_file and any(tokens_of(each) & tokens for each in before))
        completes = effect.verb == "update" and "description" in effect.what["fields"]
        return [
            place
            for place, each in enumerate(sent)
            if (each.tokens & tokens and (again or not each.again)) or (completes and each.titled & tokens)
        ]
    first = [(place, each) for place, each in enumerate(sent) if forgotten or not each.again]
    if effect.verb == "status" and effect.kind == "request":
        after = effect.what["after"]
        return [place for place, each in first if after in each.statuses(world)]
    moved = _STATE.search(str(effect.what.get("comment", "")))
    if moved and effect.kind == "change":
        return [place for place, each in first if each.state == moved[1]]
    if effect.what.get("comment") == "Cancelled by Ensono":
        return [place for place, each in first if each.state == "Cancelled"]
    if effect.what.get("comment") == "Redrafted by Ensono":
        return [place for place, each in first if each.state in {"New", "Assess"}]
    return None
