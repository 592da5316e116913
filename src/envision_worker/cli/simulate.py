"""`simulate`: one simulator alone, to try a configuration against."""

import asyncio
import os
import secrets
import signal
import time

import click

from envision_worker.cli import exits
from envision_worker.cli.terminal import Unavailable, say
from envision_worker.simulators.ensono.app import EnsonoSimulator
from envision_worker.simulators.http import RunningServer, serve
from envision_worker.simulators.manageengine.simulator import ManageEngineSimulator

# What is printed is TOML as a whole: the output of both simulators, one after the other, is a configuration.
_ENSONO = """\
# A simulated Envision Connect listens on {url}; its queue holds one message of each kind in the guide. Ctrl-C ends it.
[ensono]
base_url = "{url}/testclient57"
environment = "dev"
client_name = "testClient"
api_key = "{key}"

[attachments]
allowed_hosts = ["127.0.0.1"]
allow_insecure_http = true
spool_dir = "spool"

# More messages:   curl -X POST {url}/_simulator/scenario -d '{{"do": "incident_create", "shortDescription": "Printer on fire"}}'
# What happened:   curl {url}/_simulator/journal    its queue: {url}/_simulator/queue    its tickets: {url}/_simulator/tickets
# Make trouble:    curl -X PUT {url}/_simulator/faults -d '[{{"kind": "lose_answer", "method": "PUT"}}]'"""

_DESK = """\
# A simulated ServiceDesk Plus (on premises) listens on {url}. Ctrl-C ends it.
[desk]
kind = "manageengine"
base_url = "{url}"
edition = "on_premises"
auth_token = "{key}"
ensono_number_field = "udf_sline_301"
ensono_change_number_field = "udf_sline_501"
default_requester = {{ email_id = "ensono@example.com" }}

# What is there:   curl {url}/_simulator/tickets    what was written: {url}/_simulator/effects
# Let people act:  curl -X POST {url}/_simulator/people -d '{{"do": "approve", "change": "1"}}'
# Make trouble:    curl -X PUT {url}/_simulator/faults -d '[{{"kind": "lose_answer", "method": "POST"}}]'"""


@click.command()
@click.argument("peer", type=click.Choice(["ensono", "manageengine"]))
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="On loopback; without it any free port.")
def command(peer: str, port: int) -> int:
    """One simulator alone, for a person to try a configuration against; prints the part of a configuration that fits it."""
    asyncio.run(_simulate(peer, port))
    return exits.OK


async def _simulate(peer: str, port: int) -> None:
    key = secrets.token_hex(16)
    stop = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    try:
        server, text = await (_ensono(key, port) if peer == "ensono" else _desk(key, port))
    except OSError as exc:
        raise Unavailable(f"port {port} can't be had: {os.strerror(exc.errno) if exc.errno else exc}") from exc
    try:
        say(text.format(url=server.url, key=key))
        await stop.wait()
    finally:
        await server.close()


async def _ensono(key: str, port: int) -> tuple[RunningServer, str]:
    simulator = EnsonoSimulator(time.time, asyncio.sleep, api_key=key)
    server = await simulator.serve(port=port)
    simulator.scenario.push_samples()
    return server, _ENSONO


async def _desk(key: str, port: int) -> tuple[RunningServer, str]:
    simulator = ManageEngineSimulator(time.time, asyncio.sleep, auth_token=key)
    return await serve(simulator.application, port=port), _DESK
