"""What Ensono's users do, by chance; every text of theirs bears a token, so that each write on the desk tells whose it is."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from envision_worker.simulators.ensono.announcements import Announced
from simulation.plan import Plan
from worlds.chance import dice
from worlds.simulated import World

TOKEN = "tk{:04d}x"
DEDUPLICATED_S = 301.0
"""What is sent again before is swallowed by the queue."""
A_MOMENT_S = 1.0
"""Nobody says the same twice in a second: the same body with the same update time is the same transaction."""
GARBAGE: tuple[Any, ...] = ("not json", [], None, 7, {"ticketType": "Spaceship"}, {"notes": "no object"}, "{}")


@dataclass
class Known:
    """What the simulation remembers of what was sent.

    Attributes:
        poison: MessageIds that can never be applied, and their tickets; an operator discards them.
        resent: what Ensono sent a second time: the first MessageId by the second.
        approvers: address of the one approver of each approval, by approvalId.
        ended_by: MessageId of what told that Ensono has withdrawn an approval, by approvalId.
        linked: desk ids of what people opened at the desk, by Ensono's number for it.
        taken_away: how often the counterpart of a ticket was trashed or merged at the desk.
        closed: how often it was closed there.
        tidied: tickets whose status somebody at the desk changed by that, or by closing.
        ledger_lost: nobody knows any more what was applied; what Ensono sends a second time now is new.
    """

    poison: dict[str, str] = field(default_factory=dict)
    resent: dict[str, str] = field(default_factory=dict)
    approvers: dict[str, str] = field(default_factory=dict)
    ended_by: dict[str, str] = field(default_factory=dict)
    linked: dict[str, str] = field(default_factory=dict)
    taken_away: Counter[str] = field(default_factory=Counter)
    closed: Counter[str] = field(default_factory=Counter)
    tidied: set[str] = field(default_factory=set)
    ledger_lost: bool = False


class Traffic:
    """All of Ensono's users of one simulation."""

    def __init__(self, world: World, plan: Plan) -> None:
        self.known = Known()
        self.habits = plan.habits
        self._world = world
        self._scenario = world.ensono.scenario
        self._plan = plan
        self._tokens = 0

    async def run(self) -> None:
        """Until all of them have done what they want to do."""
        await asyncio.gather(*(self._one(number) for number in range(self._plan.tickets)))

    async def _one(self, number: int) -> None:
        plan, rng = self._plan, dice(f"{self._plan.seed} ticket {number}")
        await asyncio.sleep(rng.uniform(0, plan.pause_s))
        user = rng.choices((Requester, Planner, Linker), (5, self.habits.planners, 1))[0](self, rng)
        user.begin()
        burst = rng.random() < 0.25
        for _ in range(rng.randint(1, plan.actions * (2 if burst else 1))):
            hurry = burst and rng.random() < 0.8
            await asyncio.sleep(A_MOMENT_S if hurry else max(rng.expovariate(1 / plan.pause_s), A_MOMENT_S))
            user.act()
        if rng.random() < 0.4:
            await asyncio.sleep(DEDUPLICATED_S)
            user.resend()

    def token(self) -> str:
        self._tokens += 1
        return TOKEN.format(self._tokens)

    def resend(self, rng: random.Random, number: str) -> None:
        """Ensono did not hear that a message was taken and sends it once more."""
        sent = [each for each in self._scenario.announcer.announced if each.ticket == number and _can_be_told(each)]
        lately = {message_id for _, message_id in self._world.ensono.queue._sent_lately.values()}
        comes = [each for each in sent if each.message_id not in lately]
        if sent and not self.known.ledger_lost:
            first = rng.choice(comes or sent).message_id
            second = self._scenario.resend(first)
            if second != first:  # not swallowed
                self.known.resent[second] = first

    def spoil(self, rng: random.Random, number: str) -> None:
        """A message of this ticket that nobody can apply."""
        kind = rng.choice(("Notes", "Update", "Create", "Teleport"))
        message = {
            "Body": rng.choice(GARBAGE),
            "Attributes": {"MessageGroupId": number, "TransactionType": kind, "ClientReferenceAvailable": True},
        }
        self.known.poison[self._scenario.push(message)] = number


def _can_be_told(sent: Announced) -> bool:
    """Whether the same message sent again can be told from another: a change's state without a time may be meant twice."""
    states = sent.body["ticketType"] == "Change" and sent.transaction_type in {"Create", "Update", "Closure", "Redraft"}
    return not states or any(str(sent.body.get(name, "")).strip() for name in ("updatedOn", "updateOn"))


class _User:
    """Whoever works on one ticket at Ensono."""

    def __init__(self, traffic: Traffic, rng: random.Random) -> None:
        self.traffic = traffic
        self.rng = rng
        self.world = traffic._world
        self.scenario = traffic._scenario
        self.number = ""

    def token(self) -> str:
        return self.traffic.token()

    def comment(self) -> None:
        self.scenario.notes(
            self.number, f'{self.token()} \\ "said" <b>so</b>', kind=self.rng.choice(("comment", "work"))
        )

    def attach(self) -> None:
        content = self.rng.randbytes(self.rng.choice((0, 1, 900)))
        self.scenario.attachment(self.number, f"{self.token()}.txt", content, "text/plain")

    def resend(self) -> None:
        self.traffic.resend(self.rng, self.number)

    def spoil(self) -> None:
        self.traffic.spoil(self.rng, self.number)

    def act_one_of(self, acts: dict[Callable[[], None], float]) -> None:
        self.rng.choices(list(acts), list(acts.values()))[0]()


class Requester(_User):
    """Of an incident or a request."""

    def begin(self) -> None:
        opened = self.rng.choice((self.scenario.incident_create, self.scenario.request_create))
        self.number = opened(shortDescription=self.token(), group="", category="")
        self.ended = False

    def act(self) -> None:
        self.act_one_of(
            {
                self.comment: self.traffic.habits.comments,
                self.attach: 2,
                self.retitle: 3,
                self.hold: 1,
                self.end: 1.5,
                self.resend: self.traffic.habits.resends,
                self.spoil: self.traffic.habits.spoils,
            }
        )

    def retitle(self) -> None:
        changed = {"shortDescription": self.token()}
        if self.rng.random() < 0.5:
            changed["priority"] = self.rng.choice("1234")
        if self.ended or self.rng.random() < 0.3:
            changed["status"] = "workingprogress"
            self.ended = False
        self.scenario.ticket_update(self.number, **changed)

    def hold(self) -> None:
        if not self.ended:
            self.scenario.ticket_pend(self.number)

    def end(self) -> None:
        if self.ended:
            self.scenario.ticket_reopen(self.number)
            self.ended = False
            return
        ends = (self.scenario.ticket_resolve, self.scenario.ticket_close, self.scenario.ticket_cancel)
        self.rng.choice(ends)(self.number, close_notes=self.token())
        self.ended = True


class Linker(Requester):
    """Of an incident that the desk opened; Ensono tells its number for it."""

    def begin(self) -> None:
        desk_id = self.world.desk.people.open_request(f"opened here {self.token()}")
        self.number = self.scenario.return_ensono_num(self.world.desk.ticket("request", desk_id).number)
        self.traffic.known.linked[self.number] = desk_id
        self.ended = False


class Planner(_User):
    """Of a change. Whatever leads out of a round withdraws its approvals; the message that says so is remembered."""

    def begin(self) -> None:
        kind = self.rng.choice(("Normal", "Normal", "Standard", "Emergency"))
        self.number = self.scenario.change_create(
            change_type=kind, shortDescription=self.token(), group="", category=""
        )
        if kind == "Normal":
            self.ask()

    def act(self) -> None:
        record = self.scenario.records.tickets[self.number]
        before = set(record.withdrawn)
        self._act()
        told = self.scenario.announcer.announced[-1].message_id
        self.traffic.known.ended_by.update(dict.fromkeys(record.withdrawn - before, told))

    def _act(self) -> None:
        self.act_one_of(
            {
                self.comment: self.traffic.habits.comments,
                self.attach: 1,
                self.move: 3,
                self.redraft: 1,
                self.ask: self.traffic.habits.asks,
                self.end: 0.5,
                self.resend: self.traffic.habits.resends,
                self.spoil: self.traffic.habits.spoils,
            }
        )

    @property
    def state(self) -> str:
        return self.scenario.records.tickets[self.number].fields["state"]

    def ask(self) -> None:
        if self.state not in ("Assess", "Authorize"):
            self.move()
            return
        for _ in range(self.rng.choice((1, 1, 2))):
            email = f"cab.{self.token()}@example.com"
            self.world.desk.setup.add_user(email, "Cab", technician=True)
            approval_id = self.scenario.approval_request(self.number, approver_name="Cab", approver_email=email)
            self.traffic.known.approvers[approval_id] = email

    def move(self) -> None:
        follows = {
            "Assess": ("Authorize",), "Authorize": ("Scheduled",), "Scheduled": ("Implement",), "Implement": ("Review",),
            "Review": ("Review",), "New": ("Assess",), "Cancelled": ("Assess",), "Closed": (),
        }[self.state]  # fmt: skip
        if self.state not in ("New", "Cancelled", "Assess") and self.rng.random() < 0.15:
            follows = ("Assess",)
        if follows:
            state = self.rng.choice(follows)
            self.scenario.change_state(self.number, state, transaction_type="Create" if state == "Assess" else "Update")

    def redraft(self) -> None:
        if self.state not in ("New", "Cancelled", "Closed"):
            self.scenario.change_redraft(self.number)

    def end(self) -> None:
        if self.state in ("New", "Cancelled", "Closed"):
            return
        if self.rng.random() < 0.5:
            self.scenario.change_close(self.number, close_notes=self.token())
        else:
            self.scenario.change_cancel(self.number)
