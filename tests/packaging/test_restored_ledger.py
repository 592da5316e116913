"""A backup that is put in the ledger's place is older than the desk: what was applied since must not be applied again."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from worlds.backups import Backups
from worlds.simulated import World
from worlds.virtual_time import in_virtual_time

LONG_S = 4000.0
"""Longer than two clocks may be apart."""


def notes(world: World) -> list[str]:
    """The one word of each note on the only ticket."""
    [ticket] = world.requests()
    return [found[0] for note in ticket.notes if (found := re.findall(r"\b(?:first|second|third)\b", str(note)))]


Scene = Callable[[World, Backups, str], Awaitable[None]]


async def received_but_not_applied(world: World, backups: Backups, number: str) -> None:
    backups.make_once("SELECT 1 FROM messages WHERE state = 'waiting'")
    world.ensono.scenario.notes(number, "second")
    await world.quiet()
    assert backups.are_made


async def not_even_sent(world: World, backups: Backups, number: str) -> None:
    """And the machine dies before its message is deleted at Ensono."""
    backups.make()
    world.ensono.scenario.notes(number, "second")
    async with asyncio.timeout(600):
        while len(notes(world)) < 2:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("scene", [received_but_not_applied, not_even_sent])
def test_what_was_applied_after_the_backup_is_not_applied_again(tmp_path: Path, scene: Scene) -> None:
    world = World(tmp_path)
    backups = Backups(world, tmp_path)

    async def main() -> None:
        async with world.working():
            number = world.ensono.scenario.incident_create()
            world.ensono.scenario.notes(number, "first")
            await world.quiet()
            await asyncio.sleep(LONG_S)
            await scene(world, backups, number)
            await backups.put_back()
            world.ensono.scenario.notes(number, "third")
            await world.quiet()
            await asyncio.sleep(600)

    in_virtual_time(main())
    assert notes(world) == ["first", "second", "third"]
    assert len(world.requests()) == 1


def test_a_backup_knows_what_the_ledger_knew(tmp_path: Path) -> None:
    world = World(tmp_path)
    backups = Backups(world, tmp_path)

    async def main() -> None:
        async with world.working():
            number = world.ensono.scenario.incident_create()
            await world.quiet()
            backups.make()
            await backups.put_back()
            world.ensono.scenario.notes(number, "first")
            await world.quiet()

    in_virtual_time(main())
    assert len(world.requests()) == 1
    assert world.store.execute("SELECT count(*) FROM messages WHERE state = 'applied'").fetchone() == (2,)
