"""The questions asked while it goes on: whether the promises about reads, windows and deletes were kept (contract, P2, P5, P7, P8)."""

import re
import sqlite3
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any

from envision_worker.app import Worker
from envision_worker.handlers.work import Turn
from envision_worker.intake.delivery import Deliveries
from envision_worker.ledger.records import Kept
from envision_worker.outcome import Applied, Outcome, OutOfScope
from envision_worker.simulators.ensono.queue import FifoQueue
from envision_worker.simulators.ensono.queued import Received
from simulation.desk_story import told_by
from simulation.plan import Plan
from simulation.traffic import Known
from simulation.weather import WRITES, Outage, OutageKind
from worlds.simulated import World
from worlds.virtual_time import START, world_time

SETTLED = ("applied", "out_of_scope", "discarded")
MOST_RECEIVES_IN_AN_OUTAGE = 3
SAVING_TAKES_S = 60.0
REMEMBERED = 15
"""So many handlings of late the worker remembers at least."""
A_MOMENT_S = 0.5
ENSONO_WRITES = frozenset({"return_ptn", "approve", "reject"})
CALM = 0.06
"""Up to so many calls in a hundred may go wrong where receives are counted."""


class WatchedQueue(FifoQueue):
    """Tells of each read, and of each message that is deleted, at the moment when it is."""

    watcher: "Oracles"

    def receive(self) -> list[Any]:
        self.watcher.reads()
        received = super().receive()
        self.watcher.received(self.journal[-1])
        return received

    def delete(self, handle: str) -> None:
        super().delete(handle)
        last = self.journal[-1]
        if not isinstance(last, Received) and last.outcome == "deleted" and last.message_id:
            self.watcher.deleted(last.message_id)


class WatchedDeliveries(Deliveries):
    """Tells of each message that is begun, and of how its handling ended."""

    watcher: "Oracles"

    async def handle(self, kept: Kept, turn: Turn, *, live: bool) -> Outcome:
        self.watcher.begins(kept, live=live)
        outcome: Outcome | None = None
        try:
            outcome = await super().handle(kept, turn, live=live)
        finally:
            self.watcher.ends(kept, outcome)
        return outcome


@dataclass
class Past:
    """What only who was there can tell.

    Attributes:
        violations: what was wrong, each with its promise.
        lost_ledger_at: how many writes the desk had seen when the ledger was lost, each time.
        on_their_way: what the desk was told but did not show yet, then.
        discarded: how many writes the desk had seen when an operator gave up a message, by MessageId.
    """

    violations: list[str] = field(default_factory=list)
    lost_ledger_at: list[int] = field(default_factory=list)
    on_their_way: list[str] = field(default_factory=list)
    discarded: dict[str, int] = field(default_factory=dict)

    def wrong(self, promise: str, what: str) -> None:
        """A promise was broken."""
        self.violations.append(f"{promise}: {what} (at {world_time() - START:.1f})")


class Oracles:
    """Is told what happens, and looks at the world; what is wrong stands in `past.violations`."""

    def __init__(self, world: World, known: Known, plan: Plan) -> None:
        self.past = Past()
        self._world = world
        self._known = known
        self._plan = plan
        self._in_hand: dict[str, float] = {}
        self._took: dict[str, deque[tuple[float, float]]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self._last_read: dict[str, float] = {}
        self._begun_in: set[tuple[float, str]] = set()
        self._lost_ledgers: list[float] = []
        self._deaths: list[float] = []
        queue = world.ensono.queue
        queue.__class__ = WatchedQueue
        assert isinstance(queue, WatchedQueue)
        queue.watcher = self
        self._queue = queue

    @property
    def messages(self) -> int:
        """How many messages the worker was given."""
        return len(self._last_read)

    def watch(self, worker: Worker) -> None:
        """Be told of what this life of the worker begins."""
        deliveries = worker.lanes._parts.deliveries
        watched = type("Watched", (WatchedDeliveries, type(deliveries)), {})
        deliveries.__class__ = watched
        deliveries.watcher = self  # type: ignore[attr-defined]
        self._in_hand.clear()
        self._took.clear()

    # --- told while it goes on ---------------------------------------------------------------------------------------

    def reads(self) -> None:
        """P5: while a gate is closed nothing but a read that only saves reaches the queue."""
        worker = self._world.worker
        if worker is None or self._world.life.dead:
            return
        closed = [gate.closed_for() for gate in (worker.desk_gate, worker.ensono_gate) if not gate.is_open]
        if not closed:
            return
        sent_s = self._on_its_way_s() + self._plan.latency_s + A_MOMENT_S
        saving_s = min((world_time() - line["at"] for line in self._world.events("saving_read")), default=inf)
        if min(closed) > sent_s and saving_s > sent_s + SAVING_TAKES_S:
            self.past.wrong("P5", f"the queue is read while a gate has been closed for {min(closed):.0f} s")

    def _on_its_way_s(self) -> float:
        """How long ago the oldest read came in that is not answered yet; a fault may have held it up."""
        calls = self._world.ensono.journal.calls
        recent = (call for call in calls[-200:] if call.method == "GET" and call.path.endswith("/queue"))
        arrived = min((call.at for call in recent if call.status is None), default=world_time())
        return world_time() - arrived

    def received(self, entry: Any) -> None:
        """A read hid these."""
        self._last_read.update(dict.fromkeys(entry.message_ids, entry.at))

    def begins(self, kept: Kept, *, live: bool) -> None:
        """P7: not twice at a time, and not with too little of its window left, but for the first of its ticket in a read."""
        if kept.ticket in self._in_hand:
            self.past.wrong("P7", f"{kept.message_id} is begun while {kept.ticket} is in hand")
        self._in_hand[kept.ticket] = world_time()
        if not live:
            return  # from its copy
        read_at = self._last_read[kept.message_id]
        now = world_time()
        left_s = read_at + self._world.config.queue.visibility_timeout_s - now
        took_s = max((took_s for at, took_s in self._took[kept.transaction_type] if at < now), default=0.0)
        if left_s <= took_s and (read_at, kept.ticket) in self._begun_in:
            why = f"{left_s:.1f} s left and not the first of its read, though such take {took_s:.1f} s"
            self.past.wrong("P7", f"{kept.message_id} is begun with {why}")
        self._begun_in.add((read_at, kept.ticket))

    def ends(self, kept: Kept, outcome: Outcome | None) -> None:
        """Its handling is over."""
        began = self._in_hand.pop(kept.ticket, None)
        if began is not None and isinstance(outcome, Applied | OutOfScope):
            self._took[kept.transaction_type].append((world_time(), world_time() - began))

    def deleted(self, message_id: str) -> None:
        """P2: what is deleted must be settled in the ledger by now."""
        state = state_of(self._world.store, message_id)
        if state is None and self.past.lost_ledger_at:  # sent by who knew, before the ledger was lost
            return
        if state not in SETTLED:
            self.past.wrong("P2", f"{message_id} was deleted while it was {state}")

    def ledger_lost(self) -> None:
        """From here on the same values may be set again, in order."""
        self._lost_ledgers.append(world_time())
        self.past.lost_ledger_at.append(len(self._world.desk.journal))
        self._known.ledger_lost = True
        calls = self._world.desk.calls
        self.past.on_their_way += [told_by(each) for each in calls if each.status is None and each.method in WRITES]

    def died(self) -> None:
        """The process ended, one way or the other."""
        self._deaths.append(world_time())

    def stopped(self, seconds: float) -> None:
        """P8: within the grace."""
        if seconds > self._world.config.worker.shutdown_grace_s + 1.0:
            self.past.wrong("P8", f"a clean stop took {seconds:.1f} s")

    def discarded(self, message_id: str) -> None:
        """An operator has given this one up."""
        self.past.discarded[message_id] = len(self._world.desk.journal)

    # --- outages -----------------------------------------------------------------------------------------------------

    def outage_ended(self, outage: Outage) -> None:
        """P5: no message lost more than three receives to it."""
        at_the_same_time = [each for each in self._plan.outages if each.start < outage.end and each.end > outage.start]
        if {each.kind for each in at_the_same_time} & {OutageKind.QUEUE_503, OutageKind.DESK_WRITES_500}:
            return
        if (
            max(self._plan.trouble.values()) > CALM or self._plan.slow_s
        ):  # what else goes wrong costs receives of its own
            return
        began, other = world_time() - (outage.end - outage.start), outage.kind.other_peer
        both_are_down = any(each.kind.peer == other for each in at_the_same_time)
        closed = (line for line in self._world.events("gate_closed") if line["gate"] == other)
        if not both_are_down and any(line["at"] > began for line in closed):
            return
        receives = Counter(
            each
            for entry in self._queue.journal
            if isinstance(entry, Received) and entry.at > began and self._was_worked_on(entry)
            for each in entry.message_ids
        )
        losses = sum(at > began for at in self._lost_ledgers)  # each new one meets the outage anew
        most = MOST_RECEIVES_IN_AN_OUTAGE * (len(at_the_same_time) + losses)
        for message_id, count in receives.items():
            if count > most and not self._blocked(message_id) and not self._suffered_from(other, message_id, began):
                why = f"{count} receives in {outage.kind.value} of {outage.end - outage.start:.0f} s"
                self.past.wrong("P5", f"{message_id} lost {why}")

    def resumed(self, outage: Outage, ended: float, within_s: float) -> None:
        """P5: reading has resumed in time."""
        if not any(isinstance(entry, Received) and entry.at >= ended for entry in reversed(self._queue.journal)):
            self.past.wrong("P5", f"{within_s:.0f} s after {outage.kind.value} the queue is still not read")

    def _was_worked_on(self, entry: Received) -> bool:
        """Whether its answer was not lost, nor the process with it; what that costs is no outage's fault."""
        ends = entry.at + self._world.config.queue.visibility_timeout_s
        if any(entry.at < at <= ends for at in self._deaths):
            return False
        within = entry.at + 2 * self._plan.latency_s + 0.5
        return any(
            line["event"] == "queue_read" and line["messages"] and entry.at <= line["at"] <= within
            for line in reversed(self._world.log)
        )

    def _suffered_from(self, peer: str, message_id: str, since: float) -> bool:
        """Whether a message of its ticket was put off because of this peer: such receives it would have lost without the outage, too."""
        return any(at > since and culprit == peer for at, culprit in self._failures(self._ticket(message_id)))

    def _failures(self, ticket: str) -> Iterator[tuple[float, str]]:
        """When a message of this ticket was put off, and because of which peer; a wait for a lost answer is that write's."""
        culprit = ""
        for line in self._world.events("message_handled"):
            if line["ticket"] != ticket or line["outcome"] != "retry_later":
                continue
            operation = re.match(r"(\w+): ", line["detail"])
            if line["reason"] != "outcome_unknown":
                culprit = line["reason"].partition("_")[0]
            elif operation:
                culprit = "ensono" if operation[1] in ENSONO_WRITES else "desk"
            yield line["at"], culprit

    def _ticket(self, message_id: str) -> str:
        sent = self._world.ensono.scenario.announcer.announced
        resent = self._known.resent.get(message_id, message_id)
        announced = next((each.ticket for each in sent if each.message_id == resent), "")
        return self._known.poison.get(message_id) or announced or _ticket_of(self._world.store, message_id)

    def _blocked(self, message_id: str) -> bool:
        """Whether its ticket has, or had, a dead letter, in this ledger or in one that was lost: what it loses, it loses to that."""
        ticket = self._ticket(message_id)
        sql = "SELECT 1 FROM events WHERE ticket = ? AND what LIKE 'dead_letter%'"
        return ticket in self._known.poison.values() or self._world.store.execute(sql, (ticket,)).fetchone() is not None


def state_of(store: sqlite3.Connection, message_id: str) -> str | None:
    """Where the ledger has it; None where it knows nothing of it."""
    row = store.execute("SELECT state FROM messages WHERE message_id = ?", (message_id,)).fetchone()
    return row[0] if row else None


def _ticket_of(store: sqlite3.Connection, message_id: str) -> str:
    row = store.execute("SELECT ticket FROM messages WHERE message_id = ?", (message_id,)).fetchone()
    return row[0] if row else ""
