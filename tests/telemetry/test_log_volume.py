"""How much a real worker writes while something is wrong for long: an outage must neither fill the disk nor drown its own cause."""

from collections.abc import Callable
from pathlib import Path

import pytest

from envision_worker.simulators.faults import Fault, FaultKind
from worlds.simulated import World
from worlds.virtual_time import in_virtual_time

HOURS = 3
SETTLED_AFTER_H = 1
A_DAY_AT_MOST = 2000
"""Lines: some 700 kB. Three days of an outage, the longest that Ensono's retention allows for, stay below 2.5 MB."""
NOT_WRITTEN = {"call_finished", "queue_read", "message_acknowledged"}
"""They weigh debug; a worker writes from info on, unless told otherwise."""


def the_desk_is_down(world: World) -> None:
    world.unreachable.add("desk")


def the_desk_throttles(world: World) -> None:
    world.desk.faults.add(Fault(FaultKind.STATUS, times=None, status=429))


def a_key_is_revoked(world: World) -> None:
    world.desk.switches.key_revoked = True


def ensono_is_down(world: World) -> None:
    world.unreachable.add("ensono")


def ensono_loses_its_answers(world: World) -> None:
    world.ensono.faults.add(Fault(FaultKind.LOSE_ANSWER, times=None))


def thirty_messages_are_poison(world: World) -> None:
    for serial in range(30):
        attributes = {"MessageGroupId": f"e-CS08{serial:05}", "TransactionType": "Notes"}
        world.ensono.scenario.push({"MessageId": f"poison-{serial}", "Body": {}, "Attributes": attributes})


def nothing_is_wrong(world: World) -> None:
    return


@pytest.mark.parametrize(
    ("trouble", "a_day_at_most"),
    [
        (the_desk_is_down, A_DAY_AT_MOST),
        (the_desk_throttles, A_DAY_AT_MOST),
        (
            a_key_is_revoked,
            2 * A_DAY_AT_MOST,
        ),  # key_refused beside call_failed: that somebody has to act must not be overlooked
        (ensono_is_down, A_DAY_AT_MOST),
        (ensono_loses_its_answers, A_DAY_AT_MOST),
        (thirty_messages_are_poison, A_DAY_AT_MOST),
        (nothing_is_wrong, 0),
    ],
)
def test_it_writes_a_bounded_number_of_lines_however_long_it_lasts(
    tmp_path: Path, trouble: Callable[[World], None], a_day_at_most: int
) -> None:
    world = World(tmp_path)

    async def main() -> None:
        async with world.working():
            world.ensono.scenario.incident_create()
            await world.quiet()
            trouble(world)
            if trouble is not nothing_is_wrong:
                for _ in range(20):
                    world.ensono.scenario.incident_create()
            await world.clock.sleep(SETTLED_AFTER_H * 3600)
            world.log.clear()
            await world.clock.sleep(HOURS * 3600)

    in_virtual_time(main())
    written = [line["event"] for line in world.log if line["event"] not in NOT_WRITTEN]
    assert len(written) * 24 / HOURS <= a_day_at_most, sorted(written)
