"""SIGTERM and SIGINT (contract, P8): no further read, what runs is finished within the grace, exit 0."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from envision_worker.simulators.faults import Fault, FaultKind
from process.real_worker import Plant, Program, until

GRACE_S = 0.6
TICKETS = 12


def once_each(plant: Plant, numbers: list[str]) -> bool:
    return all(len(plant.of(number)) == 1 for number in numbers)


def unclean_ends(plant: Plant) -> int:
    return int(plant.asked("SELECT coalesce(sum(unclean_ends), 0) FROM messages")[0][0])


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_at_rest_ends_it_at_once_with_exit_0(plant: Plant, sent: signal.Signals) -> None:
    program = await plant.run()
    await until(plant.reads, programs=plant.programs)
    before = time.monotonic()

    assert await program.stop(sent) == 0

    assert time.monotonic() - before < 2
    assert program.events("daemon_stopping", signal=sent.name)
    assert program.events("daemon_stopped", clean=True)


async def test_sigterm_under_load_lets_what_runs_end_begins_nothing_more_and_loses_nothing(plant: Plant) -> None:
    play = plant.ensono.scenario
    numbers = [play.incident_create() for _ in range(TICKETS)]
    for number in numbers:
        for each in range(3):
            play.notes(number, f"part{each}")
    plant.desk.faults.add(Fault(FaultKind.SLOW, times=None, seconds=0.05))
    program = await plant.run()
    await until(lambda: len(plant.requests()) > 1)

    assert await program.stop() == 0

    assert program.events("daemon_stopped", clean=True)
    assert plant.ensono.queue.messages()
    assert plant.asked("SELECT * FROM effects WHERE outcome IS NULL") == []
    assert unclean_ends(plant) == 0
    reads = plant.reads()
    plant.desk.faults.clear()
    again = await plant.run()
    await plant.quiet()
    assert plant.reads() > reads
    assert once_each(plant, numbers)
    assert [plant.parts(number) for number in numbers] == [[0, 1, 2]] * TICKETS
    assert await again.stop() == 0
    assert unclean_ends(plant) == 0


async def test_what_outlives_the_grace_is_cut_off_recorded_as_unknown_and_looked_for_afterwards(plant: Plant) -> None:
    plant.configure(worker={"shutdown_grace_s": GRACE_S})
    number = plant.ensono.scenario.incident_create()
    plant.desk.faults.add(Fault(FaultKind.HANG_AFTER, method="POST", path="*/requests", seconds=30))
    program = await plant.run()
    await until(plant.requests)
    before = time.monotonic()

    assert await program.stop() == 0

    assert GRACE_S <= time.monotonic() - before < GRACE_S + 2
    assert program.events("daemon_stopped", clean=False)
    assert len(plant.asked("SELECT * FROM effects WHERE outcome IS NULL")) == 1
    assert unclean_ends(plant) == 0
    again = await plant.run()
    await plant.quiet()
    assert len(plant.of(number)) == 1
    assert again.events("outcome_found", happened=True)


async def test_the_answer_of_a_read_in_flight_is_kept_and_nothing_of_it_is_begun(plant: Plant) -> None:
    numbers = [plant.ensono.scenario.incident_create() for _ in range(3)]
    plant.ensono.faults.add(Fault(FaultKind.HANG_AFTER, method="GET", path="*/queue", seconds=0.5))
    program = await plant.run()
    await until(lambda: plant.ensono.queue.journal)

    assert await program.stop() == 0

    assert plant.asked("SELECT count(*), max(attempts) FROM messages") == [(3, 0)]
    assert plant.requests() == []
    await plant.run()
    await plant.quiet()
    assert once_each(plant, numbers)


async def test_a_read_that_outlives_the_grace_is_cut_off(plant: Plant) -> None:
    plant.configure(worker={"shutdown_grace_s": GRACE_S})
    plant.ensono.faults.add(Fault(FaultKind.HANG_AFTER, method="GET", path="*/queue", seconds=30))
    program = await plant.run()
    await until(plant.reads, programs=plant.programs)
    before = time.monotonic()

    assert await program.stop() == 0

    assert GRACE_S <= time.monotonic() - before < GRACE_S + 2


async def test_the_grace_is_one_budget_for_a_read_a_write_and_a_command(plant: Plant) -> None:
    plant.configure(worker={"shutdown_grace_s": 1.0})
    stuck = plant.ensono.scenario.incident_create(shortDescription="stuck")
    plant.desk.faults.add(Fault(FaultKind.HANG_BEFORE, method="POST", path="*/requests", seconds=30))
    program = await plant.run()
    await until(lambda: plant.asked("SELECT * FROM effects"))
    asking = await plant.launch("dead-letters", "retry", stuck, "--config", str(plant.config))
    plant.ensono.faults.add(Fault(FaultKind.HANG_AFTER, method="GET", path="*/queue", seconds=30))
    await asyncio.sleep(0)
    before = time.monotonic()

    assert await program.stop() == 0

    assert 1.0 <= time.monotonic() - before < 3.0
    assert program.events("daemon_stopped", clean=False)
    assert unclean_ends(plant) == 0
    await asking.ended()


async def test_a_signal_during_the_start_ends_it_with_exit_0(plant: Plant) -> None:
    plant.configure()
    program = await plant.launch("run", "--config", str(plant.config))
    await until(lambda: program.events("configuration_warning"))

    assert await program.stop() == 0

    assert await _reads_of(plant, program) == 0


async def _reads_of(plant: Plant, program: Program) -> int:
    assert program.process.returncode == 0
    return plant.reads()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_while_it_starts_is_a_clean_stop_too(tmp_path: Path, sent: signal.Signals) -> None:
    config = tmp_path / "still.toml"
    os.mkfifo(config)
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "envision_worker", "run", "--config", str(config), stderr=asyncio.subprocess.PIPE
    )
    writing = await asyncio.to_thread(os.open, config, os.O_WRONLY)  # returns once the program reads its configuration
    program.send_signal(sent)
    _, said = await program.communicate()
    os.close(writing)
    assert (program.returncode, said) == (0, b"")
