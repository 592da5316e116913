"""The questions asked of each simulation: whether the promises of the contract were kept (P1 to P7, P12)."""

from collections import Counter, defaultdict, deque
from typing import Any

from envision_worker.app import Parts
from envision_worker.ledger.records import State
from envision_worker.ledger.sqlite_messages import SqliteMessages
from envision_worker.simulators.ensono.queue import FifoQueue
from envision_worker.simulators.ensono.queued import Received
from envision_worker.simulators.manageengine.tickets import Effect
from envision_worker.vocabulary import EnsonoTicketNumber, MessageId
from simulation.desk_story import DeskStory, Sent, explained_by, sent_by_ensono, tokens_of
from simulation.plan import Plan
from simulation.traffic import Known
from simulation.weather import Outage, OutageKind
from worlds.simulated import World
from worlds.virtual_time import START, world_time

SETTLED = ("applied", "out_of_scope", "discarded")
MOST_RECEIVES_IN_AN_OUTAGE = 3
SAVING_TAKES_S = 60.0
REMEMBERED = 32
A_MOMENT_S = 0.5
OFTEN_ENOUGH = 6
"""So many deliveries of a message that was settled, and it must have been acknowledged."""
CALM = 0.06
"""Up to so many calls in a hundred may go wrong where receives are counted."""


class WatchedQueue(FifoQueue):
    """Tells of each read, and of each message that is deleted, at the moment when it is."""

    watcher: "Oracles"

    def receive(self) -> list[Any]:
        self.watcher.reads()
        return super().receive()

    def delete(self, handle: str) -> None:
        super().delete(handle)
        last = self.journal[-1]
        if not isinstance(last, Received) and last.outcome == "deleted" and last.message_id:
            self.watcher.deleted(last.message_id)


class WatchedMessages(SqliteMessages):
    """Tells of each message that is begun and of each that is settled."""

    watcher: "Oracles"

    async def begin(self, message_id: MessageId) -> MessageId | None:
        self.watcher.begins(message_id)
        return await super().begin(message_id)

    async def settle(self, message_id: MessageId, *args: Any, **kwargs: Any) -> None:
        await super().settle(message_id, *args, **kwargs)
        self.watcher.settled(message_id, args[0])


class Oracles:
    """Looks at the world; what is wrong stands in `violations`."""

    def __init__(self, world: World, known: Known, plan: Plan) -> None:
        self.violations: list[str] = []
        self._world = world
        self._known = known
        self._plan = plan
        self._lost_ledger_at: list[int] = []
        self._deleted: set[str] = set()
        self._deaths: list[float] = []
        self._in_hand: dict[str, float] = {}
        self._took: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self._discarded: dict[str, int] = {}
        self._begun_in: set[tuple[float, str]] = set()
        queue = world.ensono.queue
        queue.__class__ = WatchedQueue
        assert isinstance(queue, WatchedQueue)
        queue.watcher = self
        self._queue = queue

    @property
    def messages(self) -> int:
        """How many messages Ensono sent."""
        return len({each for entry in self._queue.journal if isinstance(entry, Received) for each in entry.message_ids})

    def watch(self, parts: Parts) -> Parts:
        """Be told of what this life of the worker begins."""
        messages = parts.ledger.messages
        messages.__class__ = WatchedMessages
        assert isinstance(messages, WatchedMessages)
        messages.watcher = self
        self._in_hand.clear()
        self._took.clear()
        return parts

    # --- told while it goes on ---------------------------------------------------------------------------------------

    def reads(self) -> None:
        """P5: while a gate is closed nothing but a read that only saves reaches the queue."""
        worker = self._world.worker
        if worker is None or self._world.life.dead:
            return
        closed_s = min(
            (gate.closed_for() for gate in (worker.desk_gate, worker.ensono_gate) if not gate.is_open), default=0.0
        )
        saving = any(self._now() - line["at"] < SAVING_TAKES_S for line in self._world.events("saving_read")[-1:])
        if closed_s > self._on_its_way_s() + self._plan.latency_s + A_MOMENT_S and not saving:
            self._wrong("P5", f"the queue is read while a gate has been closed for {closed_s:.0f} s")

    def _on_its_way_s(self) -> float:
        """How long ago the oldest read came in that is not answered yet; a fault may have held it up."""
        calls = self._world.ensono.journal.calls
        recent = (call for call in calls[-200:] if call.method == "GET" and call.path.endswith("/queue"))
        arrived = min((call.at for call in recent if call.status is None), default=self._now())
        return self._now() - arrived

    def begins(self, message_id: str) -> None:
        """P7: not twice at a time, and not with too little of its window left, but for the first of its ticket in a read."""
        ticket = self._ticket_of(message_id)
        if ticket in self._in_hand:
            self._wrong("P7", f"{message_id} is begun while {ticket} is in hand")
        self._in_hand[ticket] = self._now()
        lanes = self._world.worker.lanes._reading if self._world.worker else {}
        lane = lanes[EnsonoTicketNumber(ticket)][0] if ticket in lanes else None
        if lane is None or lane._current != message_id or message_id not in lane._live:
            return  # from its copy
        window = lane._live[MessageId(message_id)].window
        left_s = window.left(self._world.clock)
        took_s = max(self._took[self._type_of(message_id)], default=0.0)
        if left_s <= took_s and (window.sent_at, ticket) in self._begun_in:
            why = f"{left_s:.1f} s left and not the first of its read, though such take {took_s:.1f} s"
            self._wrong("P7", f"{message_id} is begun with {why}")
        self._begun_in.add((window.sent_at, ticket))

    def settled(self, message_id: str, state: State) -> None:
        """Its handling is over."""
        began = self._in_hand.pop(self._ticket_of(message_id), None)
        if began is not None and state.settled:
            self._took[self._type_of(message_id)].append(self._now() - began)

    def deleted(self, message_id: str) -> None:
        """P2: what is deleted must be settled in the ledger by now."""
        self._deleted.add(message_id)
        state = self._state(message_id)
        if state is None and self._lost_ledger_at:  # sent by who knew, before the ledger was lost
            return
        if state not in SETTLED:
            self._wrong("P2", f"{message_id} was deleted while it was {state}")

    def ledger_lost(self) -> None:
        """From here on the same values may be set again, in order."""
        self._lost_ledger_at.append(len(self._world.desk.journal))
        self._known.ledger_lost = True

    def began(self) -> None:
        """A process began to work."""

    def ended(self) -> None:
        """A process ended."""
        self._deaths.append(self._now())

    def stopped(self, seconds: float) -> None:
        """P8: within the grace."""
        if seconds > self._world.config.worker.shutdown_grace_s + 1.0:
            self._wrong("P8", f"a clean stop took {seconds:.1f} s")

    def outage_began(self, outage: Outage) -> None:
        """Nothing to ask yet."""

    def outage_ended(self, outage: Outage) -> None:
        """P5: no message lost more than three receives to it."""
        at_the_same_time = [each for each in self._plan.outages if each.start < outage.end and each.end > outage.start]
        if {each.kind for each in at_the_same_time} & {OutageKind.QUEUE_503, OutageKind.DESK_WRITES_500}:
            return
        if max(self._plan.trouble.values()) > CALM:  # what else goes wrong costs receives of its own
            return
        began = self._now() - (outage.end - outage.start)
        receives = Counter(
            each
            for entry in self._queue.journal
            if isinstance(entry, Received) and entry.at > began and self._reached_the_worker(entry)
            for each in entry.message_ids
        )
        deaths = sum(death > began for death in self._deaths)
        for message_id, count in receives.items():
            if self._blocked(message_id):  # what it loses, it loses to that
                continue
            if count > MOST_RECEIVES_IN_AN_OUTAGE * len(at_the_same_time):
                why = f"{count} receives in {outage.kind.value} of {outage.end - outage.start:.0f} s, {deaths} deaths"
                self._wrong("P5", f"{message_id} lost {why}")

    # --- asked at the end --------------------------------------------------------------------------------------------

    def undone(self) -> list[tuple[Any, ...]]:
        """What the ledger has that is not settled."""
        sql = "SELECT ticket, message_id, transaction_type, state, reason, receive_count, gone FROM messages WHERE state NOT IN {}"
        return self._world.store.execute(sql.format(SETTLED)).fetchall()

    def undecided(self) -> list[tuple[Any, ...]]:
        """Approvals that still wait for something."""
        sql = """SELECT approval_id, status, sent FROM approvals
                 WHERE status = 'waiting' OR status IN ('approved', 'rejected') AND sent IS NULL"""
        return self._world.store.execute(sql).fetchall()

    def what_hangs(self) -> str:
        """For people: what did not come to its end."""
        left = [message.message_id for message in self._queue.messages()]
        return f"queue {left}; undone {self.undone()}; undecided {self.undecided()}"

    def at_the_end(self) -> None:
        """Everything that can be asked only when all is done."""
        self._bugs()
        story = DeskStory(self._world)
        for ticket, sent in sent_by_ensono(self._world).items():
            self._order(story, ticket, sent)
            self._blocking(story, ticket, sent)
            self._complete(story, ticket, sent)
            self._once(story, ticket, sent)
            self._nothing_lost(sent)
            self._decisions(ticket)
        self._links()
        self._acknowledging()

    def resumed(self, outage: Outage, ended: float, within_s: float) -> None:
        """P5: reading has resumed in time."""
        if not any(isinstance(entry, Received) and entry.at >= ended for entry in self._queue.journal):
            self._wrong("P5", f"{within_s:.0f} s after {outage.kind.value} the queue is still not read")

    def discarded(self, message_id: str) -> None:
        """An operator has given this one up."""
        self._discarded[message_id] = len(self._world.desk.journal)

    def _bugs(self) -> None:
        for line in self._world.events("unforeseen"):
            self._wrong("P9", f"a bug: {line}")

    def _order(self, story: DeskStory, ticket: str, sent: list[Sent]) -> None:
        """P1: effects in the order of sending; only a lost ledger lets them begin again."""
        place = 0
        lost = list(self._lost_ledger_at)
        journal = {id(effect): number for number, effect in enumerate(self._world.desk.journal)}
        for effect in story.effects(ticket):
            if lost and journal[id(effect)] >= lost[0]:
                lost.pop(0)
                place = 0
            places = explained_by(self._world, effect, sent)
            if places is None:
                continue
            later = [each for each in places if each >= place]
            if not later:
                self._wrong(
                    "P1", f"{ticket}: {effect} came after message {place} {sent[place].message_id}; may be of {places}"
                )
                return
            place = later[0]

    def _blocking(self, story: DeskStory, ticket: str, sent: list[Sent]) -> None:
        """P6: nothing of what was sent after a dead letter reaches the desk before somebody gave it up."""
        place_of = {id(effect): number for number, effect in enumerate(self._world.desk.journal)}
        serials = {message_id: serial for serial, message_id in self._queue._ids.items()}
        for poison, when in self._discarded.items():
            if self._known.poison.get(poison) != ticket:
                continue
            before = {token for each in sent if serials[each.message_id] < serials[poison] for token in each.tokens}
            later = {token for each in sent for token in each.tokens} - before
            for effect in story.effects(ticket):
                if tokens_of(effect) & later and place_of[id(effect)] < when and effect.verb != "create":
                    self._wrong("P6", f"{ticket}: {effect} came before {poison} was given up")

    def _complete(self, story: DeskStory, ticket: str, sent: list[Sent]) -> None:
        """P4: what was applied can be seen on the desk."""
        seen = {token for effect in story.effects(ticket) for token in tokens_of(effect)}
        for each in sent:
            if each.transaction_type in {"Approval Request", "Redraft", "ReturnEnsonoNum"}:
                continue
            if each.tokens and not each.tokens & seen:
                self._wrong("P4", f"{ticket}: nothing on the desk of {each}")

    def _once(self, story: DeskStory, ticket: str, sent: list[Sent]) -> None:
        """P3: tickets, notes, files and approvals once each."""
        record = self._world.ensono.tickets[ticket]
        made = story.created()[ticket]
        wanted = 0 if ticket in self._known.linked else max(record.round, 1)
        if self._plan.reopen == "new_ticket" and not record.is_change:
            reopened = sum(
                "workingprogress" in str(each.body.get("changed")) or "'open'" in str(each.body.get("changed"))
                for each in sent
            )
            if not wanted <= made <= wanted + reopened:
                self._wrong("P3", f"{ticket}: {made} desk tickets, {wanted} wanted, reopened {reopened} times")
        elif made != wanted and not (self._lost_ledger_at and 0 < made < wanted):  # in which state it was is lost, too
            self._wrong("P3", f"{ticket}: {made} desk tickets, {wanted} wanted")
        effects = story.effects(ticket)
        for what, counted in (
            ("note", Counter(each.what["text"] for each in effects if each.verb == "note")),
            ("file", Counter(each.what["name"] for each in effects if each.verb == "attach")),
            ("approval", _asked(effects)),
        ):
            for which, times in counted.items():
                if times > 1:
                    self._wrong("P3", f"{ticket}: {times} times the {what} {which}")
        comments = Counter(token for each in effects if each.verb == "note" for token in tokens_of(each))
        for each in sent:
            if each.transaction_type == "Notes" and any(comments[token] > 1 for token in each.tokens):
                self._wrong("P3", f"{ticket}: the comment of {each} stands on the desk more than once")

    def _nothing_lost(self, sent: list[Sent]) -> None:
        """P4: every message is settled here; what a lost ledger knew was off the queue or comes again."""
        for each in sent:
            state = self._state(each.message_id)
            if state in SETTLED or (state is None and self._lost_ledger_at):
                continue
            self._wrong("P4", f"{each} is {state}")

    def _decisions(self, ticket: str) -> None:
        """P3: one decision for each change and round; the same one where it was sent again."""
        told: dict[int, set[tuple[str, str, str]]] = {}
        for each in self._world.ensono.tickets[ticket].decisions:
            told.setdefault(each.round, set()).add((each.verb, each.approval_id, each.comment))
        for number, decisions in told.items():
            if len(decisions) > 1 and not self._lost_ledger_at:  # Ensono goes by the first
                self._wrong("P3", f"{ticket}: round {number} was decided more than once: {decisions}")

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

    def _reached_the_worker(self, entry: Received) -> bool:
        """Whether its answer was not lost; what a lost answer costs is no outage's fault."""
        within = entry.at + 2 * self._plan.latency_s + 0.5
        return any(
            line["event"] == "queue_read" and line["messages"] and entry.at <= line["at"] <= within
            for line in reversed(self._world.log)
        )

    def _blocked(self, message_id: str) -> bool:
        """Whether its ticket has, or had, a dead letter, in this ledger or in one that was lost."""
        poison = self._known.poison
        sent = self._world.ensono.scenario.announcer.announced
        announced = next((each.ticket for each in sent if each.message_id == message_id), "")
        ticket = poison.get(message_id) or announced or self._ticket_of(message_id)
        sql = "SELECT 1 FROM events WHERE ticket = ? AND what LIKE 'dead_letter%'"
        return ticket in poison.values() or self._world.store.execute(sql, (ticket,)).fetchone() is not None

    def _ticket_of(self, message_id: str) -> str:
        return self._facts(message_id)[0] or ""

    def _type_of(self, message_id: str) -> str:
        return self._facts(message_id)[1] or ""

    def _state(self, message_id: str) -> str | None:
        return self._facts(message_id)[2]

    def _facts(self, message_id: str) -> tuple[str | None, str | None, str | None]:
        """Ticket, transaction type and state, as the ledger has them."""
        sql = "SELECT ticket, transaction_type, state FROM messages WHERE message_id = ?"
        return self._world.store.execute(sql, (message_id,)).fetchone() or (None, None, None)

    def _now(self) -> float:
        return world_time()

    def _wrong(self, promise: str, what: str) -> None:
        self.violations.append(f"{promise}: {what} (at {self._now() - START:.1f})")


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
