"""A disk that is full while the program runs: a clear error, exit 69, nothing half-written, and on it goes once there is room."""

import asyncio
import re
import resource
import secrets
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from process.real_worker import Plant, Program, until

TICKETS = 6
ALARMING = 1e8
"""From where on EnvisionDiskFull fires."""


async def ends_with_a_clear_error(program: Program) -> None:
    assert await program.ended() == 69
    [failed] = program.events("ledger_failed")
    assert failed["level"] == "error"
    assert failed["detail"]
    assert program.events("daemon_stopped")
    assert not program.events("unforeseen")


async def takes_up_the_room(plant: Plant, program: Program) -> None:
    """A start reserves some room in the ledger: tickets come until that is used up."""
    while program.process.returncode is None:
        plant.ensono.scenario.incident_create(description=secrets.token_urlsafe(20_000))
        await asyncio.sleep(0.05)


def is_whole(plant: Plant) -> bool:
    connection = sqlite3.connect(plant.ledger)
    try:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))
    finally:
        connection.close()


async def goes_on(plant: Plant, numbers: list[str]) -> None:
    program = await plant.run()
    await plant.quiet()
    for number in numbers:
        [ticket] = plant.of(number)
        assert len([note for note in ticket.notes if "part" in note.text]) == 1
    assert await program.stop() == 0
    [checked] = program.events("ledger_checked")
    assert checked["complete"]
    assert plant.asked("SELECT max(unclean_ends) FROM messages") == [(0,)]  # a full disk is no message's fault


async def test_a_ledger_that_can_grow_no_more_ends_it_with_69_and_it_goes_on_afterwards(plant: Plant) -> None:
    program = await plant.run()
    await until(plant.reads, programs=plant.programs)
    wal = plant.ledger.with_name("ledger.db-wal")
    resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (wal.stat().st_size, resource.RLIM_INFINITY))

    numbers = [plant.ensono.scenario.incident_create() for _ in range(TICKETS)]
    for number in numbers:
        plant.ensono.scenario.notes(number, "part")
    await takes_up_the_room(plant, program)

    await ends_with_a_clear_error(program)
    assert is_whole(plant)
    await goes_on(plant, numbers)


@pytest.fixture
def small_disk(plant: Plant) -> Iterator[Path]:
    """A disk of 16 MB where the ledger is."""
    folder = plant.ledger.parent
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None or subprocess.call([mount, "-t", "tmpfs", "-o", "size=16m", "none", folder]):  # noqa: S603 - fixed arguments
        pytest.skip("may not mount anything here; the test above does without")
    yield folder
    subprocess.run([umount, "--lazy", folder], check=True)  # noqa: S603 - fixed arguments


async def test_a_full_disk_ends_it_with_69_and_it_goes_on_when_there_is_room(plant: Plant, small_disk: Path) -> None:
    filler = small_disk / "filler"
    program = await plant.run()
    await until(plant.reads, programs=plant.programs)
    numbers = [plant.ensono.scenario.incident_create() for _ in range(TICKETS)]
    metrics = (await plant.get(program, "/metrics")).text
    [free] = re.findall(r"^envision_disk_free_bytes (.+)$", metrics, flags=re.MULTILINE)
    assert 0 < float(free) < ALARMING
    fill(filler)
    for number in numbers:
        plant.ensono.scenario.notes(number, "part")
    await takes_up_the_room(plant, program)

    await ends_with_a_clear_error(program)

    assert "full" in program.events("ledger_failed")[0]["detail"]
    read = plant.reads()
    code, said = await starting_on(plant)
    assert code == 69
    assert "full" in said
    assert plant.reads() == read  # no message pays for it
    filler.unlink()
    assert is_whole(plant)
    await goes_on(plant, numbers)


def fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


async def starting_on(plant: Plant) -> tuple[int, str]:
    program = await plant.launch("run", "--config", str(plant.config))
    code = await program.ended()
    return code, "\n".join(program.stderr)
