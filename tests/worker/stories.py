"""A story: what Ensono's users do, told to a running worker in virtual time, and what can then be seen on both sides."""

import html
import json
import re
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec
from urllib.parse import unquote

from envision_worker.ledger.records import Kept
from envision_worker.simulators.control import ObservedCall
from envision_worker.simulators.ensono.queued import Deleted
from envision_worker.simulators.manageengine.tickets import Ticket
from worlds.configuration import API_KEY, AUTH_TOKEN, NUMBER_FIELD, Edition
from worlds.simulated import World
from worlds.virtual_time import in_virtual_time

P = ParamSpec("P")

EDITIONS: tuple[Edition, ...] = ("on_premises", "cloud")
DESK_GROUPS = {"Ensono Support": "Network", "CLIENT - Ensono Other": "Network"}
DESK_CATEGORIES = {"Private Cloud": "Managed Services", "Other": "General"}
FITTING = {"mapping": {"group": DESK_GROUPS, "category": DESK_CATEGORIES}}
"""Settings with which the desk has a name for everything that a plain ticket says."""
_TAGS = re.compile(r"<[^>]*>")


def virtual(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an asynchronous test in made-up time."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        in_virtual_time(test(*args, **kwargs))

    return run


@asynccontextmanager
async def story(
    folder: Path, *, edition: Edition = "on_premises", settings: Mapping[str, Any] | None = None
) -> AsyncIterator[World]:
    """A world with a running worker. What is sent before the first `await` is there at the first read."""
    world = World(folder, edition=edition, settings=settings)
    async with world.working():
        yield world
    assert_clean(world)


async def dies_at(world: World, step: int) -> bool:
    """Let the worker die (kill -9) at its so many-th step from now; False where everything was done before that."""
    world.life.dies_after = step
    while world.ensono.queue.messages() and not world.life.dead:
        await world.clock.sleep(0.5)
    world.life.dies_after = None
    if world.life.dead:
        await world.kill()
        return True
    return False


def assert_clean(world: World) -> None:
    """Nothing unforeseen happened, and nothing secret was told (P10)."""
    unforeseen = [traceback.format_exception(line["exc_info"]) for line in world.events("unforeseen")]
    assert not unforeseen, "".join(unforeseen[0])
    told = json.dumps([world.log, world.desk.journal], default=str)
    keys = world.desk.credentials
    for secret in (API_KEY, AUTH_TOKEN, keys.client_secret, keys.refresh_token, "X-Amz-Signature", "X-Amz-Credential"):
        assert secret not in told


def fitting(**tables: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with which the desk has a name for everything, and these."""
    mapping = {**FITTING["mapping"], **tables.pop("mapping", {})}
    return {"mapping": mapping, **tables}


# --- what stands on the desk ---------------------------------------------------------------------------------------------


def only_request(world: World) -> Ticket:
    """The one request that there is."""
    [request] = world.requests()
    return request


def words(markup: str) -> str:
    """What people read of some HTML, a line for each break."""
    return html.unescape(_TAGS.sub("", markup.replace("<br>", "\n").replace("</div>", "\n")))


def description(ticket: Ticket) -> str:
    """What people read in a ticket's description."""
    return words(str(ticket.fields["description"]))


def note_words(ticket: Ticket) -> list[str]:
    """What people read in a ticket's notes, oldest first."""
    return [words(note.text) for note in ticket.notes]


def named(world: World, ticket: Ticket, name: str) -> str | None:
    """The name of a value that was chosen from a list."""
    tables = {"priority": "priorities", "urgency": "urgencies", "category": "categories"}
    table = tables.get(name, f"{name}s" if name != "status" else "statuses")
    row = ticket.fields.get(name)
    return world.desk.setup.row(table, row).name if row else None


def status(world: World, ticket: Ticket) -> str | None:
    """A request's status."""
    return named(world, ticket, "status")


def number_on(world: World, ticket: Ticket) -> str | None:
    """What stands in a request's number field."""
    value = (ticket.fields.get("udf_fields") or {}).get(NUMBER_FIELD[world.edition][0])
    return str(value) if value else None


def requester(world: World, ticket: Ticket) -> str | None:
    """The address of a request's requester."""
    return world.desk.setup.users[ticket.fields["requester"]].email


def verbs(world: World, ticket: Ticket | None = None) -> list[str]:
    """What the worker changed, in order."""
    effects = [each for each in world.desk.journal if each.by == "api"]
    return [each.verb for each in effects if ticket is None or each.ticket == ticket.id]


# --- what happened at Ensono -----------------------------------------------------------------------------------------


def returned(world: World, number: str) -> list[str]:
    """The desk numbers that Ensono was told for a ticket."""
    return world.ensono.tickets[number].returned_numbers


def return_calls(world: World, number: str) -> list[ObservedCall]:
    """The calls that returned a desk number for this ticket, or tried to."""
    wanted = f"/tickets/{number}/returnptn"
    return [call for call in world.ensono.journal.calls if unquote(call.path).endswith(wanted)]


def deletes(world: World) -> list[Deleted]:
    """The deletes that took a message off the queue."""
    return [entry for entry in world.ensono.queue.journal if isinstance(entry, Deleted) and entry.outcome == "deleted"]


# --- what the worker says of it --------------------------------------------------------------------------------------


async def dead_letters(world: World) -> list[Kept]:
    """All dead letters, oldest first."""
    assert world.worker is not None
    return await world.inside(world.worker.parts.ledger.messages.dead_letters())


def outcomes(world: World, message_id: str) -> list[str]:
    """How the handlings of a message ended."""
    return [line["outcome"] for line in world.events("message_handled") if line["message_id"] == message_id]
