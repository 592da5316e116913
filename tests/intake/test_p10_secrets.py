"""P10: no key, token, signed query or content of a file in the log, a metric, an error, or what a command prints."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from envision_worker.cli.program import program
from envision_worker.operations import Operations
from envision_worker.simulators.faults import Fault, FaultKind
from intake.queues import REFUSAL, sent, state, ticket, until
from worker.stories import EDITIONS, virtual
from worlds.configuration import API_KEY, AUTH_TOKEN, Edition
from worlds.simulated import World

CONTENT = b"the-content-of-a-file"
SIGNED = "https://{}/f?X-Amz-Signature=5ecretsignature&X-Amz-Credential=5ecretcredential&X-Amz-Expires=7200"
COMMANDS = (("dead-letters", "list"), ("dead-letters", "show"), ("history",), ("status",))


def secrets(world: World) -> list[str]:
    """What must not be seen anywhere; the tokens that the desk in the cloud handed out too."""
    keys = world.desk.credentials
    handed_out = [API_KEY, AUTH_TOKEN, keys.client_secret, keys.refresh_token, *world.desk.keys.tokens]
    return [*handed_out, "5ecretsignature", "5ecretcredential", "X-Amz-Signature=", CONTENT.decode()]


async def a_bad_day(world: World) -> str:
    """A ticket to which everything happens that makes programs talkative; returns its number."""
    number = ticket(world, ["a note"])
    scenario = world.ensono.scenario
    scenario.attachment(number, "fine.txt", CONTENT, "text/plain")
    scenario.attachment(number, "elsewhere.txt", CONTENT, "text/plain", link=SIGNED.format("evil.example.com"))
    scenario.attachment(number, "gone.txt", CONTENT, "text/plain", link=SIGNED.format("b.s3.amazonaws.com"))
    for kind in (FaultKind.HTML, FaultKind.TRUNCATED, FaultKind.REFUSE, FaultKind.HANG_AFTER, FaultKind.STATUS):
        world.desk.faults.add(Fault(kind, path="*/requests*", seconds=40.0))
    for kind in (FaultKind.LOSE_ANSWER, FaultKind.HTML):
        world.ensono.faults.add(Fault(kind, path="*/returnptn", seconds=70.0))
    world.ensono.faults.add(Fault(FaultKind.STATUS, path="*/bucket/*", status=500, skip=1, times=3))
    await world.quiet(within_s=12 * 3600)
    world.desk.switches.key_revoked = True
    world.desk.keys.expire_tokens()
    scenario.notes(number, "while the key is refused")
    await world.clock.sleep(300)
    world.desk.switches.key_revoked = False
    await world.quiet()
    malformed = scenario.attachment(number, "odd.txt", CONTENT, "text/plain")
    world.ensono.queue.messages()[-1].content["Body"]["attachmentSize"] = {}
    await until(world, lambda: state(world, malformed) == "dead_letter")
    return number


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_a_desk_that_quotes_the_key_in_its_errors_does_not_get_it_shown(tmp_path: Path, edition: Edition) -> None:
    world = World(tmp_path, edition=edition)
    number = ticket(world)
    async with world.working():
        await world.quiet()
        keys = " ".join(world.desk.keys.tokens) or AUTH_TOKEN
        body = REFUSAL.replace(b"Not on my desk.", f"{keys} may not.".encode())
        world.desk.faults.add(Fault(FaultKind.STATUS, path="*/notes", status=400, body=body, times=None))
        note = world.ensono.scenario.notes(number, "a note")
        await until(world, lambda: state(world, note) == "dead_letter")
    assert "may not." in json.dumps(world.log, default=repr)
    assert not [secret for secret in secrets(world) if secret in json.dumps(world.log, default=repr)]
    rows = str(world.store.execute("SELECT detail FROM messages UNION SELECT detail FROM events").fetchall())
    assert "may not." in rows
    assert not [secret for secret in secrets(world) if secret in rows]


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_a_bad_day_shows_no_secret_anywhere(tmp_path: Path, edition: Edition) -> None:
    world = World(tmp_path, edition=edition)
    async with world.working() as worker:
        number = await a_bad_day(world)
        reports = [await world.inside(Operations(worker).retry(number)) for _ in range(2)]
        said = {"log": json.dumps(world.log, default=repr), "reports": repr(reports), "worker": repr(worker.parts)}
        said["metrics"] = worker.parts.facts._metrics.exposition("")[0].decode()
    with closing(sqlite3.connect(world.config.state.path)) as file:
        world.store.backup(file)
    for command in COMMANDS:
        ref = [] if command[-1] in {"list", "status"} else [number]
        for form in ([], ["--json"]):
            ran = CliRunner().invoke(program, [*command, *ref, "--config", str(tmp_path / "config.toml"), *form])
            assert ran.exit_code == 0, ran.output
            said[" ".join([*command, *form])] = ran.output
    assert len(sent(world, number)) > 5
    assert number in said["history"]
    assert "odd.txt" in said["dead-letters show"]
    assert {where for where, text in said.items() for secret in secrets(world) if secret in text} == set()
