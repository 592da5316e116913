"""`simulate` and `demo`: what a person meets first."""

import asyncio
import signal
import socket
import tomllib
from pathlib import Path

import pytest

from envision_worker.vocabulary import TransactionType
from process.real_worker import Plant, Program, toml, until


async def printed(program: Program, last: str) -> str:
    await until(lambda: last.encode() in program.stdout)
    return program.stdout.decode()


async def test_a_worker_configured_with_exactly_what_both_simulators_print_works(plant: Plant) -> None:
    ensono = await plant.launch("simulate", "ensono")
    desk = await plant.launch("simulate", "manageengine")
    text = await printed(ensono, "Make trouble") + await printed(desk, "Make trouble")
    own = {"state": {"url": f"sqlite:///{plant.ledger}"}, "http": {"listen": "127.0.0.1:0"}}
    plant.config.write_text(
        text + "\n" + "\n".join(f"[{table}]\n{toml(keys)}" for table, keys in own.items()), encoding="utf-8"
    )
    assert tomllib.loads(text).keys() == {"ensono", "attachments", "desk"}

    ran = await plant.command("check", "--connect")
    assert ran.code == 0, ran
    program = await plant.run()
    await program.told("message_handled", outcome="applied")

    assert await program.stop() == 0
    assert await ensono.stop(signal.SIGINT) == 0
    assert await desk.stop(signal.SIGTERM) == 0
    assert (ensono.stderr, desk.stderr) == ([], [])


async def test_the_port_is_the_one_asked_for(plant: Plant) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = await plant.launch("simulate", "ensono", "--port", str(port))

    assert f'base_url = "http://127.0.0.1:{port}/' in await printed(program, "Make trouble")


@pytest.mark.parametrize("peer", ["ensono", "manageengine"])
async def test_a_port_that_is_taken_ends_with_69(plant: Plant, peer: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = await plant.launch("simulate", peer, "--port", str(port))

        assert await program.ended() == 69

    assert program.stdout == b""
    assert program.stderr == [f"port {port} can't be had: Address already in use"]


async def test_the_demo_shows_every_transaction_type_and_where_to_look_next(plant: Plant) -> None:
    before = asyncio.get_running_loop().time()
    program = await plant.launch("demo")

    assert await program.ended(within_s=60) == 0

    shown = program.stdout.decode()
    assert all(each.value in shown for each in TransactionType)
    assert "What reached the service desk" in shown
    config = Path(shown.partition("its configuration")[2].split()[0])
    history = await plant.launch("history", "e-CS0900001", "--config", str(config))
    assert await history.ended() == 0
    assert program.stderr == []
    assert asyncio.get_running_loop().time() - before < 60
