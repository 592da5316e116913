"""Applied messages are forgotten after a while, in pieces small enough that nobody waits for it; links and dead letters stay."""

import asyncio
from pathlib import Path

from intake.queues import desk_refuses, said, sent, state, ticket, until
from worker.stories import verbs, virtual
from worlds.simulated import World

DAY_S = 86400.0
MANY = 1000
"""Some pieces of what is pruned at once."""


def grown_old(world: World, days: float) -> None:
    """Let everything in the ledger have happened so long ago."""
    world.store.execute(
        "UPDATE messages SET settled = settled - :s, acknowledged = acknowledged - :s", {"s": days * DAY_S}
    )


def kept(world: World) -> int:
    return int(world.store.execute("SELECT count(*) FROM messages").fetchone()[0])


@virtual
async def test_what_was_applied_is_forgotten_after_its_time_and_its_ticket_goes_on_all_the_same(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.working():
        number = ticket(world, ["before."])
        await world.quiet()
        grown_old(world, 29)
        await world.clock.sleep(60)
        assert kept(world) == 2
        grown_old(world, 2)
        await until(world, lambda: kept(world) == 0, within_s=120)
        world.ensono.scenario.notes(number, "after.")
        await world.quiet()
    assert said(world, ["before.", "after."]) == ["before.", "after."]
    assert verbs(world).count("create") == 1


@virtual
async def test_dead_letters_and_what_waits_behind_them_are_kept_for_good(tmp_path: Path) -> None:
    world = World(tmp_path)
    number = ticket(world, ["first.", "second."])
    desk_refuses(world)
    async with world.working():
        await until(world, lambda: state(world, sent(world, number)[1]) == "dead_letter")
        world.store.execute("UPDATE messages SET first_received = first_received - ?", (99 * DAY_S,))
        grown_old(world, 99)
        await until(world, lambda: kept(world) == 2, within_s=120)
        assert [state(world, each) for each in sent(world, number)] == [None, "dead_letter", "waiting"]


@virtual
async def test_others_get_to_the_ledger_while_much_is_pruned(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.working() as worker:
        ticket(world)
        await world.quiet()
        world.store.execute("CREATE TEMP TABLE one AS SELECT * FROM messages")
        for number in range(MANY):
            world.store.execute("UPDATE one SET message_id = ?", (f"copy {number}",))
            world.store.execute("INSERT INTO messages SELECT * FROM one")
        grown_old(world, 31)
        left = [kept(world)]
        round_ = asyncio.create_task(worker.housekeeping.round())
        while not round_.done():
            await worker.parts.ledger.recall("paused")
            left.append(kept(world))
    assert left[0] > MANY
    assert left[-1] == 0
    assert len(set(left)) > 4  # somebody else was served after each piece
