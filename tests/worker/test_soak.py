"""Days of work leave nothing behind: neither in memory nor in the ledger does the worker keep more than it did days before."""

import asyncio
import gc
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

from envision_worker.app import Worker
from envision_worker.operations import Operations
from envision_worker.simulators.faults import Fault, FaultKind
from worker.stories import virtual
from worlds.simulated import World

DAY_S = 86400.0
SETTINGS = {
    "queue": {"poll_interval_s": 3600, "retention_s": 2 * DAY_S},
    "approvals": {"poll_interval_s": 3600},
    "state": {"keep_applied_days": 2},
}
CONTAINERS = (Mapping, list, set, frozenset, deque, tuple)


async def a_day(world: World, number: int) -> None:
    """Five tickets with all that happens to them, a desk that is down for two hours, answers that are lost."""
    scenario = world.ensono.scenario
    for place in range(5):
        ticket = scenario.incident_create()
        scenario.notes(ticket, f"day {number}, note {place}")
        scenario.attachment(ticket, "log.txt", b"log", "text/plain")
        scenario.ticket_close(ticket)
        await world.clock.sleep(DAY_S / 12)
        match place:
            case 0:
                world.desk.faults.add(Fault(FaultKind.STATUS, status=503, times=None))
            case 1:
                world.desk.faults.clear()
            case 2:
                world.ensono.faults.add(Fault(FaultKind.LOSE_ANSWER, method="GET", path="*/queue"))
                world.desk.faults.add(Fault(FaultKind.LOSE_ANSWER, method="POST", path="*/notes"))
            case 3:
                scenario.push({"Body": "garbage", "Attributes": {"MessageGroupId": f"e-CS99{number:05}"}})
    await world.clock.sleep(DAY_S * 14 / 24)
    assert world.worker is not None
    for dead in await world.inside(world.worker.parts.ledger.messages.dead_letters()):
        await world.inside(Operations(world.worker).discard(dead.message_id, "garbage"))


def remembered(worker: Worker) -> int:
    """How much the worker's own objects hold, in entries; but for what is kept by design up to a number that is not reached here."""
    links, kinds_of_lines = vars(worker.parts.ledger.links)["_current"], worker.parts.facts._ration._kinds
    seen = {id(links), id(kinds_of_lines)}
    waiting, entries = deque[object]([worker]), 0
    while waiting:
        each = waiting.popleft()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, CONTAINERS):
            entries += len(each)
            waiting.extend(each.values() if isinstance(each, Mapping) else each)
        elif type(each).__module__.startswith("envision_worker.") and "simulators" not in type(each).__module__:
            waiting.extend(_attributes(each))
    return entries


def _attributes(owner: object) -> Iterator[object]:
    yield from vars(owner).values() if hasattr(owner, "__dict__") else ()
    for kind in type(owner).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if hasattr(owner, name):
                yield getattr(owner, name)


def rows(world: World) -> int:
    """All rows of the ledger but for the links."""
    sql = """SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM receives) + (SELECT count(*) FROM events)
             + (SELECT count(*) FROM effects) + (SELECT count(*) FROM approvals) + (SELECT count(*) FROM remembered)"""
    return int(world.store.execute(sql).fetchone()[0])


def alive(worker: Worker) -> int:
    """The worker's objects that are in memory; but for the same."""
    gc.collect()
    modules = (str(type(each).__module__) for each in gc.get_objects())
    mine = sum(name.startswith("envision_worker.") and "simulators" not in name for name in modules)
    return mine - len(vars(worker.parts.ledger.links)["_current"]) - len(worker.parts.facts._ration._kinds)


@virtual
async def test_after_twelve_days_of_work_and_trouble_nothing_has_grown(tmp_path: Path) -> None:
    world = World(tmp_path, settings=SETTINGS)
    found: list[tuple[int, int, int, int]] = []
    async with world.working() as worker:
        for number in range(12):
            await a_day(world, number)
            world.log.clear()
            if number in {5, 11}:
                found.append((remembered(worker), len(asyncio.all_tasks()), rows(world), alive(worker)))
    first, second = found
    assert all(later <= earlier * 1.02 for earlier, later in zip(first, second, strict=True)), found
