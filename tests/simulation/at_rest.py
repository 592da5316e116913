"""The questions asked when all has come to rest: whether everything is on the desk, once and in order (contract, P1, P3, P4, P6, P7, P12)."""

import hashlib
from collections import Counter
from typing import Any

from envision_worker.config.mapping import MappingKind, fold
from envision_worker.relay.restoring import RESTORED
from envision_worker.simulators.manageengine.tickets import Effect
from simulation.board import Board
from simulation.desk_story import DeskStory, Sent, explained_by, sent_by_ensono, tokens_of
from simulation.oracles import CALM, SETTLED, Past, state_of
from simulation.plan import Plan
from simulation.traffic import Known
from worlds.simulated import World

OFTEN_ENOUGH = 6
"""So many deliveries of a message that was settled, and it must have been acknowledged."""


class AtRest:
    """Looks at the whole story; what is wrong goes to `past`."""

    def __init__(self, world: World, known: Known, plan: Plan, past: Past) -> None:
        self._world = world
        self._known = known
        self._plan = plan
        self._past = past
        self._wrong = past.wrong

    # --- whether it is at rest ---------------------------------------------------------------------------------------

    def is_reached(self) -> bool:
        """Whether nothing is left to do."""
        if self._world.ensono.queue.messages() or self._undone():
            return False
        return not self._undecided() and self._is_restored()

    def _is_restored(self) -> bool:
        """Whether a ledger that is new knows what waits on the desk; on a desk that fails now and then that takes its time."""
        sql = "SELECT 1 FROM remembered WHERE name = ?"
        return self._world.store.execute(sql, (RESTORED,)).fetchone() is not None

    def what_hangs(self) -> str:
        """For people: what did not come to its end."""
        left = [message.message_id for message in self._world.ensono.queue.messages()]
        return f"queue {left}; undone {self._undone()}; undecided {self._undecided()}"

    def _undone(self) -> list[tuple[Any, ...]]:
        """What the ledger has that is not settled."""
        sql = "SELECT ticket, message_id, transaction_type, state, reason, receive_count, gone FROM messages WHERE state NOT IN {}"
        return self._world.store.execute(sql.format(SETTLED)).fetchall()

    def _undecided(self) -> list[tuple[Any, ...]]:
        """Approvals that still wait for something."""
        sql = """SELECT approval_id, status, sent FROM approvals
                 WHERE status = 'waiting' OR status IN ('approved', 'rejected') AND sent IS NULL"""
        return self._world.store.execute(sql).fetchall()

    # --- the questions -----------------------------------------------------------------------------------------------

    def ask(self) -> None:
        """All of them."""
        self._bugs()
        story = DeskStory(self._world)
        board = Board(self._world, self._known, self._plan, self._past)
        for ticket, sent in sent_by_ensono(self._world, self._known.resent).items():
            self._order(story, ticket, sent)
            self._blocking(story, ticket, sent)
            self._complete(story, ticket, sent)
            self._once(story, ticket, sent)
            self._whole(story, ticket)
            self._stands(story, ticket)
            self._nothing_lost(sent)
            board.ask(ticket, story.desk_ids(ticket))
        self._links()
        self._acknowledging()

    def _bugs(self) -> None:
        for line in self._world.events("unforeseen"):
            self._wrong("P9", f"a bug: {line}")

    def _order(self, story: DeskStory, ticket: str, sent: list[Sent]) -> None:
        """P1: effects in the order of sending; only a lost ledger lets them begin again."""
        place = 0
        lost = list(self._past.lost_ledger_at)
        effects = story.effects(ticket)
        for number, effect in enumerate(effects):
            if self._past.on_their_way and story.may_be_late(
                effect, self._past.on_their_way, self._past.lost_ledger_at[0]
            ):
                continue
            if lost and story.place_of(effect) >= lost[0]:
                lost.pop(0)
                place = 0
            forgotten = len(lost) < len(self._past.lost_ledger_at)
            places = explained_by(self._world, effect, sent, effects[:number], forgotten=forgotten)
            if places is None:
                continue
            later = [each for each in places if each >= place]
            if not later:
                after = f"{place} {sent[place].message_id}"
                self._wrong("P1", f"{ticket}: {effect} came after message {after}; may be of {places}")
                return
            place = later[0]

    def _blocking(self, story: DeskStory, ticket: str, sent: list[Sent]) -> None:
        """P6: nothing of what was sent after a dead letter reaches the desk before somebody gave it up."""
        for poison, when in self._past.discarded.items():
            if self._known.poison.get(poison) != ticket:
                continue
            serials = {message_id: serial for serial, message_id in self._world.ensono.queue._ids.items()}
            before = {token for each in sent if serials[each.message_id] < serials[poison] for token in each.tokens}
            later = {token for each in sent for token in each.tokens} - before
            for effect in story.effects(ticket):
                if tokens_of(effect) & later and story.place_of(effect) < when and effect.verb != "create":
                    self._wrong("P6", f"{ticket}: {effect} came before {poison} was given up")

    def _complete(self, story: DeskStory, ticket: str, sent: list[Sent]) -> None:
        """P4: what was applied can be seen on the desk; what Ensono had moved away nobody has any more where its copy was lost, too."""
        seen = {token for effect in story.effects(ticket) for token in tokens_of(effect)}
        moved = (
            {each.message_id for each in self._world.ensono.queue.failure_queue} if self._past.lost_ledger_at else ()
        )
        for each in sent:
            if each.transaction_type in {"Approval Request", "Redraft", "ReturnEnsonoNum"} or each.message_id in moved:
                continue
            if each.tokens and not each.tokens & seen:
                self._wrong("P4", f"{ticket}: nothing on the desk of {each}")

    def _once(self, story: DeskStory, ticket: str, sent: list[Sent]) -> None:
        """P3: tickets, comments and approvals once each; a file or a remark once on each counterpart that the ticket ever had."""
        self._counterparts(story, ticket, sent)
        late = self._late(story, ticket)
        effects = [each for each in story.effects(ticket) if each not in late]
        for what, counted in (
            ("note", Counter((each.ticket, each.what["text"]) for each in effects if each.verb == "note")),
            ("file", Counter((each.ticket, each.what["name"]) for each in effects if each.verb == "attach")),
            ("approval", _asked(effects)),
        ):
            for which, times in counted.items():
                if times > 1:
                    self._wrong("P3", f"{ticket}: {times} times the {what} {which}")
        most = 1 + self._known.taken_away[ticket]  # whether it stands on what was trashed meanwhile cannot be seen
        comments = Counter(token for each in effects if each.verb == "note" for token in tokens_of(each))
        for each in sent:
            if each.transaction_type == "Notes" and any(comments[token] > most for token in each.tokens):
                self._wrong("P3", f"{ticket}: the comment of {each} stands on the desk more than once")

    def _counterparts(self, story: DeskStory, ticket: str, sent: list[Sent]) -> None:
        """One for each round of a change; for a request one more each time that it was opened again, where the policy says so."""
        record = self._world.ensono.tickets[ticket]
        made = story.created()[ticket]
        least = most = 0 if ticket in self._known.linked else max(record.round, 1)
        if self._plan.reopen == "new_ticket" and not record.is_change:
            most += sum(each.opens_again and not each.again for each in sent)
            most += self._known.closed[ticket]
        most += self._known.taken_away[ticket]
        if self._past.lost_ledger_at:  # in which state the last one was is lost, too; so is what had been sent before
            least = min(least, 1)
            most += sum(each.again and each.state is not None for each in sent)
            most += sum(each.verb == "create" for each in self._late(story, ticket))
        if not least <= made <= most:
            self._wrong("P3", f"{ticket}: {made} desk tickets, {least} to {most} wanted")

    def _late(self, story: DeskStory, ticket: str) -> list[Effect]:
        """What no ledger knew of, and the desk did not show yet, when one was lost: nobody could look for it."""
        lost = self._past.lost_ledger_at
        return story.late(ticket, self._past.on_their_way, lost[0]) if lost else []

    def _whole(self, story: DeskStory, ticket: str) -> None:
        """P4: a file on the desk is the file that Ensono has."""
        bucket = self._world.ensono.bucket.files.items()
        has = {key.rpartition("/")[2]: hashlib.sha256(file.content).hexdigest() for key, file in bucket}
        for each in story.effects(ticket):
            if each.verb == "attach" and each.what["sha256"] != has[each.what["name"]]:
                self._wrong("P4", f"{ticket}: {each} is not the file that Ensono sent")

    def _stands(self, story: DeskStory, ticket: str) -> None:
        """P1, P4: an incident or a request has the status at last that it has at Ensono; also of what leaves no other trace."""
        record = self._world.ensono.tickets[ticket]
        if (
            record.is_change
            or ticket in self._known.tidied
            or self._plan.reopen == "comments"
            or self._plan.refusals
            or self._past.lost_ledger_at
        ):
            return
        said = (record.fields.get("statusNextAction"), record.fields["status"])
        table = self._world.config.mapping.table(MappingKind.STATUS)
        wanted = next(table[fold(each)] for each in said if each and fold(each) in table)
        desk_ids = [desk_id for _, desk_id in story.desk_ids(ticket)] or [self._known.linked[ticket]]
        fields = self._world.desk.ticket("request", desk_ids[-1]).fields
        stands = self._world.desk.setup.row("statuses", fields["status"]).name
        if stands != wanted:
            self._wrong("P4", f"{ticket} is {wanted} at Ensono, and {stands} on the desk")

    def _nothing_lost(self, sent: list[Sent]) -> None:
        """P4: every message is settled here; what a lost ledger knew was off the queue or comes again."""
        for each in sent:
            state = state_of(self._world.store, each.message_id)
            if state in SETTLED or (state is None and self._past.lost_ledger_at):
                continue
            self._wrong("P4", f"{each} is {state}")

    def _acknowledging(self) -> None:
        """P7: what outlived its window is acknowledged when it comes again."""
        again = Counter(
            line["message_id"]
            for line in self._world.events("message_handled")
            if line["outcome"] == "already_applied" and not line["seconds"]
        )
        for message_id, times in again.items():
            if times >= OFTEN_ENOUGH and max(self._plan.trouble.values()) <= CALM:
                self._wrong("P7", f"{message_id} was settled and came again {times} times")

    def _links(self) -> None:
        """What people opened at the desk bears Ensono's number."""
        for number, desk_id in self._known.linked.items():
            fields = self._world.desk.ticket("request", desk_id).fields
            if number not in str(fields.get("udf_fields")) and self._plan.reopen != "new_ticket":
                self._wrong("P4", f"{number} does not stand on request {desk_id}")


def _asked(effects: list[Effect]) -> Counter[tuple[str, str]]:
    """How often each approver is asked for each change, on levels that were not taken off again."""
    removed = {each.what["id"] for each in effects if each.verb == "remove_level"}
    asked: Counter[tuple[str, str]] = Counter()
    for each in effects:
        if each.verb == "add_level" and each.what["id"] not in removed:
            asked.update((each.ticket, email) for email in each.what["approvers"])
        if each.verb == "add_approver" and each.what["level"] not in removed:
            asked[each.ticket, each.what["approver"]] += 1
    return asked
