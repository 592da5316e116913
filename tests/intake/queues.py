"""What the tests of the promises ask of Ensono's queue, of the desk and of the ledger, and what they let go wrong."""

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

from envision_worker.simulators.control import ObservedCall
from envision_worker.simulators.ensono.queued import Deleted, Received
from envision_worker.simulators.faults import Fault, FaultKind
from worlds.simulated import World
from worlds.virtual_time import START, world_time

POLL_S = 30.0
WINDOW_S = 30.0
REFUSAL = json.dumps(
    {
        "response_status": {
            "status_code": 4000,
            "messages": [{"status_code": 4001, "type": "failed", "message": "Not on my desk."}],
            "status": "failed",
        }
    }
).encode()
"""How the desk says no for good, without naming a field."""


async def until(
    world: World, comes_about: Callable[[], object], *, within_s: float = 3600.0, step_s: float = 0.5
) -> None:
    """Let time pass until something is so; a TimeoutError where it does not come about."""
    async with asyncio.timeout(within_s):
        while not comes_about():
            await world.clock.sleep(step_s)


def now() -> float:
    """The world's time."""
    return world_time()


def since_start() -> float:
    """Seconds since the world began."""
    return world_time() - START


# --- what happens at Ensono ------------------------------------------------------------------------------------------


def ticket(world: World, words: Iterable[str] = (), **given: str) -> str:
    """An incident with a note for each of these words; returns its number."""
    number = world.ensono.scenario.incident_create(**given)
    for word in words:
        world.ensono.scenario.notes(number, word)
    return number


def reads(world: World, *, since: float = 0.0) -> list[Received]:
    """Every GET /queue that was carried out, from a moment of the world's time on."""
    return [entry for entry in world.ensono.queue.journal if isinstance(entry, Received) and entry.at >= since]


def receives(world: World, message_id: str) -> int:
    """How often a message was received."""
    return sum(message_id in entry.message_ids for entry in reads(world))


def deleted(world: World) -> list[str]:
    """The MessageIds that were deleted, in order."""
    entries = (each for each in world.ensono.queue.journal if isinstance(each, Deleted) and each.outcome == "deleted")
    return [entry.message_id for entry in entries if entry.message_id]


def sent(world: World, number: str) -> list[str]:
    """The MessageIds of a ticket, in the order of sending."""
    return [each.message_id for each in world.ensono.scenario.announcer.announced if each.ticket == number]


def take_away(world: World, message_id: str) -> None:
    """Let a message leave the queue without the worker, as into the failure queue or by its age."""
    queue = world.ensono.queue
    [message] = [each for each in queue.messages() if each.message_id == message_id]
    queue._leave(message, world_time())
    queue.failure_queue.append(message)


# --- what stands on the desk -----------------------------------------------------------------------------------------


def texts(world: World) -> list[str]:
    """The texts of all notes on the desk, in the order of writing."""
    return [effect.what["text"] for effect in world.desk.journal if effect.verb == "note"]


def said(world: World, words: Iterable[str]) -> list[str]:
    """Which of these words stand in notes, in the order of the notes."""
    wanted = list(words)
    return [word for text in texts(world) for word in wanted if word in text]


def calls(world: World, method: str, end: str) -> list[ObservedCall]:
    """The calls of the desk with this method whose path ends so."""
    return [call for call in world.desk.calls if call.method == method and call.path.endswith(end)]


def writes(world: World) -> list[ObservedCall]:
    """The calls that were to change something on the desk."""
    return [call for call in world.desk.calls if call.method != "GET"]


# --- what the ledger says --------------------------------------------------------------------------------------------


def state(world: World, message_id: str) -> str | None:
    """Where a message stands in the ledger."""
    row = world.store.execute("SELECT state FROM messages WHERE message_id = ?", (message_id,)).fetchone()
    return str(row[0]) if row else None


def reason(world: World, message_id: str) -> str:
    """Why it stands there."""
    return str(world.store.execute("SELECT reason FROM messages WHERE message_id = ?", (message_id,)).fetchone()[0])


def unclean_ends(world: World) -> int:
    """How many unclean ends the ledger counts, over all messages."""
    return int(world.store.execute("SELECT coalesce(sum(unclean_ends), 0) FROM messages").fetchone()[0])


# --- what goes wrong -------------------------------------------------------------------------------------------------


def desk_down(world: World, *, status: int = 503) -> None:
    """From now on the desk answers everything so."""
    world.desk.faults.add(Fault(FaultKind.STATUS, status=status, times=None))


def on_desk(world: World, kind: FaultKind, *, method: str = "POST", path: str = "*", **more: Any) -> None:
    """Something goes wrong at the next call of the desk that fits, or at as many as `times` says."""
    world.desk.faults.add(Fault(kind, method=method, path=path, **more))


def desk_refuses(world: World, path: str = "*/notes", *, times: int | None = None) -> None:
    """The desk says no for good to the next so many writes that fit; None: to all."""
    on_desk(world, FaultKind.STATUS, path=path, status=400, body=REFUSAL, times=times)


def on_deletes(world: World, *, times: int | None, status: int = 503) -> None:
    """The next so many deletes of messages fail; the probe's impossible handle is no message's."""
    world.ensono.faults.add(Fault(FaultKind.STATUS, method="DELETE", path="*/queue/AQ*", status=status, times=times))


# --- what is said of it ------------------------------------------------------------------------------------------------


def closed(world: World, gate: str = "desk") -> list[str]:
    """Why this gate was closed, each time."""
    return [line["reason"] for line in world.events("gate_closed") if line["gate"] == gate]


def opened(world: World, gate: str = "desk") -> list[float]:
    """When it was opened, each time."""
    return [line["at"] for line in world.events("gate_opened") if line["gate"] == gate]
