"""The runbook's ten incidents as they happen to a worker; each ends while it still lasts."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace

from envision_worker.ensono.connect import EnvisionConnect, QueueRead
from envision_worker.parts import Parts
from envision_worker.simulators.faults import Fault, FaultKind
from worlds.simulated import World
from worlds.watched import Watched

Scene = Callable[[World, Watched], Awaitable[None]]
LASTS_MIN = 20


async def the_desk_is_down(world: World, watched: Watched) -> None:
    world.unreachable.add("desk")
    world.ensono.scenario.incident_create()
    await watched.watch(minutes=LASTS_MIN)


async def the_desks_key_was_revoked(world: World, watched: Watched) -> None:
    world.desk.switches.key_revoked = True
    world.ensono.scenario.incident_create()
    await watched.watch(minutes=LASTS_MIN)


async def ensonos_key_was_revoked(world: World, watched: Watched) -> None:
    body = json.dumps({"message": "Forbidden"}).encode()
    world.ensono.faults.add(Fault(FaultKind.STATUS, times=None, status=403, body=body))
    await watched.watch(minutes=LASTS_MIN)


async def a_mapping_is_missing(world: World, watched: Watched) -> None:
    world.ensono.scenario.incident_create(priority="5 - Planning")
    await watched.watch(minutes=LASTS_MIN)


async def a_message_cant_be_read(world: World, watched: Watched) -> None:
    attributes = {"MessageGroupId": "e-CS0879727", "TransactionType": "Notes"}
    world.ensono.scenario.push({"MessageId": "poison", "Body": {"number": "e-CS0879727"}, "Attributes": attributes})
    await watched.watch(minutes=LASTS_MIN)


async def the_desk_refuses_a_message(world: World, watched: Watched) -> None:
    world.ensono.scenario.return_ensono_num("4711")
    await watched.watch(minutes=LASTS_MIN)


async def ensono_is_down(world: World, watched: Watched) -> None:
    world.unreachable.add("ensono")
    await watched.watch(minutes=LASTS_MIN)


async def the_clock_is_ahead(world: World, watched: Watched) -> None:
    world.clock.skew_s = 300.0
    world.ensono.scenario.incident_create()
    await watched.watch(minutes=LASTS_MIN)


async def the_clock_is_behind(world: World, watched: Watched) -> None:
    world.clock.skew_s = -300.0
    world.ensono.scenario.incident_create()
    await watched.watch(minutes=LASTS_MIN)


async def the_disk_is_full(world: World, watched: Watched) -> None:
    """The ledger can grow no more; the file system that it is said to lie on has no room (see `NO_ROOM` in the test)."""
    [(pages,)] = world.store.execute("PRAGMA page_count").fetchall()
    world.store.execute(f"PRAGMA max_page_count = {pages}")
    for _ in range(20):
        world.ensono.scenario.incident_create(description="x" * 2000)
    assert world.worker is not None
    await world.worker.lost
    await world.kill()
    await watched.watch(minutes=LASTS_MIN)


async def a_link_died_before_the_message_was_read(world: World, watched: Watched) -> None:
    number = world.ensono.scenario.incident_create()
    await world.quiet()
    await world.stop()
    world.ensono.scenario.attachment(number, "core.dmp", b"core")
    await world.clock.sleep(3 * 3600)
    await world.start()
    await watched.watch(minutes=LASTS_MIN)


async def a_link_died_while_its_host_could_not_be_reached(world: World, watched: Watched) -> None:
    number = world.ensono.scenario.incident_create()
    await world.quiet()
    world.unreachable.add("bucket")
    world.ensono.scenario.attachment(number, "core.dmp", b"core")
    await watched.watch(minutes=300)


async def an_approval_was_forgotten(world: World, watched: Watched) -> None:
    world.ensono.scenario.change_create(approvers=[("CAB", "cab@example.com")])
    await watched.watch(minutes=50 * 60)


class Hanging(EnvisionConnect):
    """As a bug may have it: from some moment on a read never ends, not even by its time-out."""

    hangs = False

    async def read_queue(self) -> QueueRead:
        if self.hangs:
            await asyncio.Event().wait()
        return await super().read_queue()


def with_a_connection_that_may_hang(parts: Parts) -> Parts:
    """For `World.alter`."""
    return replace(parts, connect=Hanging(parts.connect._settings, parts.connect._wire))


async def the_reading_hangs(world: World, watched: Watched) -> None:
    world.ensono.scenario.incident_create()
    await world.quiet()
    assert world.worker is not None
    assert isinstance(world.worker.parts.connect, Hanging)
    world.worker.parts.connect.hangs = True
    await watched.watch(minutes=LASTS_MIN)


async def the_process_hangs(world: World, watched: Watched) -> None:
    """Nothing answers any more: seen from outside it is gone."""
    world.ensono.scenario.incident_create()
    await world.quiet()
    await world.kill()
    await watched.watch(minutes=LASTS_MIN)
