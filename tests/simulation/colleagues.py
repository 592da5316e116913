"""What people at the desk do with requests that the worker made: trash, merge, close, write on them, attach files of the same names."""

import asyncio
import hashlib
import random

from envision_worker.simulators.manageengine.tickets import Attachment, Ticket
from simulation.plan import Plan
from simulation.traffic import Known
from worlds.chance import dice
from worlds.configuration import NUMBER_FIELD
from worlds.simulated import World

MY_FILE_HAS = 5000
"""Bytes; more than any that Ensono sends here."""


class Colleagues:
    """All of them in one simulation. What somebody opened at the desk for Ensono's number they leave alone."""

    def __init__(self, world: World, known: Known, plan: Plan) -> None:
        self._world = world
        self._known = known
        self._plan = plan

    async def run(self) -> None:
        """Until each has done what he wanted."""
        rng, plan = dice(f"{self._plan.seed} colleagues"), self._plan
        for _ in range(plan.habits.tidies):
            await asyncio.sleep(rng.uniform(0.2, 1.8) * plan.span_s / plan.habits.tidies)
            present = self._present()
            if present:
                self._do_something(rng, *rng.choice(present))

    def _present(self) -> list[tuple[str, Ticket]]:
        """Every request that bears a number of Ensono's, with that."""
        name = NUMBER_FIELD[self._world.edition][0]
        bearing = [
            (str((each.fields.get("udf_fields") or {}).get(name) or ""), each) for each in self._world.requests()
        ]
        gone = {each.id for each in self._world.requests() if each.trashed or each.deleted or each.merged_into}
        return [
            (number, each)
            for number, each in bearing
            if number.startswith("e-CS") and each.id not in gone and number not in self._known.linked
        ]

    def _do_something(self, rng: random.Random, number: str, request: Ticket) -> None:
        people = self._world.desk.people
        match rng.choice(("trash", "merge", "close", "write", "attach", "attach")):
            case "trash":
                self._known.taken_away[number] += 1
                self._known.tidied.add(number)
                people.trash("request", request.id)
            case "merge":
                self._known.taken_away[number] += 1
                self._known.tidied.add(number)
                people.merge(request.id, people.open_request("the same thing"))
            case "close":
                self._known.closed[number] += 1
                self._known.tidied.add(number)
                people.close("request", request.id)
            case "write":
                people.write_note("request", request.id, "I look into it")
            case "attach":
                self._attach(number, request)

    def _attach(self, number: str, request: Ticket) -> None:
        """A file of one's own that is called as one of Ensono's. One that is as long, too, nobody could tell from it."""
        announced = self._world.ensono.scenario.announcer.announced
        sent = [each.body.get("attachmentName") for each in announced if each.ticket == number]
        names = [name for name in sent if name]
        if not names:
            return
        world, mine = self._world.desk.world, bytes(MY_FILE_HAS)
        digest = hashlib.sha256(mine).hexdigest()
        file = Attachment(
            world.ids.new("attachments"), names[-1], mine, "text/plain", digest, world.now_ms, world.key_owner.id
        )
        request.attachments.append(file)
