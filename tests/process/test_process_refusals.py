"""What keeps the program from starting: clear words on stderr and the contract's exit code, and never a traceback."""

import asyncio
import json
import os
import socket
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cli.command_line import configuration
from process.real_worker import Plant, run, until


async def refused(plant: Plant) -> tuple[int, str]:
    program = await plant.launch("run", "--config", str(plant.config))
    code = await program.ended()
    assert program.stdout == b""
    said = "\n".join(line for line in program.stderr if not line.startswith("{"))
    assert "Traceback" not in said
    return code, said


async def test_a_second_process_on_the_ledger_is_refused_with_69_and_let_in_when_the_first_was_killed(
    plant: Plant,
) -> None:
    first = await plant.run()

    code, said = await refused(plant)

    assert code == 69
    assert str(plant.ledger) in said
    assert f"pid {first.process.pid}" in said
    assert first.process.returncode is None
    await first.kill()
    number = plant.ensono.scenario.incident_create()
    second = await plant.run()
    await plant.quiet()
    assert len(plant.of(number)) == 1
    assert await second.stop() == 0


async def test_a_port_that_is_taken_ends_it_with_69_and_names_the_address(plant: Plant) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        plant.configure(http={"listen": listen})

        code, said = await refused(plant)

    assert code == 69
    assert said.startswith("http.listen: ")
    assert listen in said


def refused_here(config: Path) -> tuple[int, str]:
    """The same within this process: what is refused before anything runs needs no other."""
    ran = run("run", "--config", config)
    assert ran.out == ""
    return ran.code, "\n".join(line for line in ran.err.splitlines() if not line.startswith("{"))


def a_file_as_folder(ledger: Path) -> str:
    ledger.parent.write_text("no folder")
    return str(ledger.parent)


def garbage(ledger: Path) -> str:
    ledger.parent.mkdir()
    ledger.write_bytes(os.urandom(8192))
    return "not a database"


def another_database(ledger: Path) -> str:
    ledger.parent.mkdir()
    with sqlite3.connect(ledger) as connection:
        connection.execute("CREATE TABLE messages (body TEXT)")
    connection.close()
    return str(ledger)


@pytest.mark.parametrize("spoil", [a_file_as_folder, garbage, another_database])
def test_a_ledger_that_cannot_be_opened_ends_it_with_69_and_says_which_file_and_why(
    tmp_path: Path, spoil: Callable[[Path], str]
) -> None:
    ledger = tmp_path / "state" / "ledger.db"
    expected = spoil(ledger)

    code, said = refused_here(configuration(tmp_path, state={"url": f"sqlite:///{ledger}"}))

    assert code == 69
    assert expected in said
    assert len(said.splitlines()) == 1


def test_a_folder_that_cannot_be_made_ends_it_with_69(tmp_path: Path) -> None:
    code, said = refused_here(configuration(tmp_path, state={"url": "sqlite:////proc/envision-worker/ledger.db"}))

    assert code == 69
    assert "/proc/envision-worker" in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_ends_it_with_69(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o500)

    code, said = refused_here(configuration(tmp_path, state={"url": f"sqlite:///{folder}/ledger.db"}))

    assert code == 69
    assert str(folder) in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_a_spool_that_may_not_be_looked_into_ends_it_with_69(tmp_path: Path) -> None:
    spool = tmp_path / "not-ours"
    spool.mkdir(mode=0)
    given = {"state": {"url": f"sqlite:///{tmp_path}/ledger.db"}, "attachments": {"spool_dir": str(spool)}}

    code, said = refused_here(configuration(tmp_path, **given))

    assert code == 69
    assert f"attachments.spool_dir: {spool}" in said
    assert len(said.splitlines()) == 1


async def test_every_fault_of_a_configuration_is_said_at_once_with_exit_78(plant: Plant) -> None:
    wrong: dict[str, Mapping[str, Any]] = {
        "queue": {"poll_interval_s": -1, "no_such_key": 1},
        "desk": {"kind": "halo"},
        "state": {"url": "postgresql://db/ledger"},
        "no_such_table": {"x": 1},
    }
    plant.configure(**wrong)

    code, said = await refused(plant)

    assert code == 78
    keys = {line.split(":")[0] for line in said.splitlines()}
    assert keys >= {"queue.poll_interval_s", "queue.no_such_key", "desk.kind", "state.url", "no_such_table"}
    assert not plant.ledger.exists()


def test_a_configuration_that_is_not_there_ends_it_with_78(tmp_path: Path) -> None:
    code, said = refused_here(tmp_path / "none.toml")

    assert code == 78
    assert "none.toml" in said


async def test_settings_and_secrets_come_from_the_environment_and_from_credentials(plant: Plant) -> None:
    plant.configure()
    credentials = plant.folder / "credentials"
    credentials.mkdir()
    (credentials / "sdp-authtoken").write_text((plant.folder / "sdp-authtoken").read_text() + "\n")
    (plant.folder / "sdp-authtoken").write_text("wrong")
    key = (plant.folder / "ensono-api-key").read_text()
    (plant.folder / "ensono-api-key").write_text("wrong")
    number = plant.ensono.scenario.incident_create()
    moved = plant.folder / "elsewhere" / "ledger.db"

    program = await plant.run(
        CREDENTIALS_DIRECTORY=str(credentials),
        ENVISION_WORKER__ENSONO__API_KEY=key,
        ENVISION_WORKER__STATE__URL=f"sqlite:///{moved}",
        ENVISION_WORKER__LOG__LEVEL="debug",
    )
    await plant.quiet()

    assert len(plant.of(number)) == 1
    assert moved.exists()
    assert program.events("call_finished")
    assert await program.stop() == 0


async def test_the_log_is_json_on_stderr_and_nothing_is_on_stdout(plant: Plant) -> None:
    plant.ensono.scenario.incident_create()
    program = await plant.run()
    await plant.quiet()
    await program.stop()

    lines = [json.loads(line) for line in program.stderr]

    assert all({"time", "level", "event"} <= line.keys() for line in lines)
    assert {"daemon_started", "message_handled", "daemon_stopped"} <= {line["event"] for line in lines}
    assert program.stdout == b""


async def test_the_first_read_comes_at_once(plant: Plant) -> None:
    """By the processor's time, which a busy machine doesn't stretch: about 0.8 s where this was written."""
    program = await plant.run()
    await until(plant.reads)

    stat = Path(f"/proc/{program.process.pid}/stat")
    used = (await asyncio.to_thread(stat.read_text, encoding="ascii")).rpartition(")")[2].split()

    assert (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK") < 2
