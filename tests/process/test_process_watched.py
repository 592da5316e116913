"""How systemd, Prometheus and people see the running process."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from envision_worker.simulators.faults import Fault, FaultKind
from process.real_worker import API_KEY, AUTH_TOKEN, HOOK_SECRET, Plant, until


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_metrics_health_and_readiness_tell_how_it_stands(plant: Plant) -> None:
    plant.ensono.scenario.incident_create()
    program = await plant.run()
    await plant.quiet()

    metrics = samples((await plant.get(program, "/metrics")).text)
    handled = (("outcome", "applied"), ("ticket_type", "Incident"), ("transaction_type", "Create"))
    assert metrics["envision_messages_total", handled] == 1
    assert metrics["envision_desk_up", ()] == 1
    assert metrics["envision_ensono_up", ()] == 1
    assert metrics["envision_gate_open", ()] == 1
    assert metrics["envision_queue_unacknowledged_messages", ()] == 0
    assert (await plant.get(program, "/-/healthy")).status_code == 200
    ready = await plant.get(program, "/-/ready")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    for path in ("/", "/metrics/", "/hooks/manageengine", "/-/ready/x"):
        assert (await plant.get(program, path)).status_code == 404


async def test_readiness_names_who_does_not_answer_and_recovers(plant: Plant) -> None:
    plant.ensono.scenario.incident_create()
    plant.desk.faults.add(Fault(FaultKind.STATUS, times=None, status=503))
    program = await plant.run()
    await program.told("gate_closed", gate="desk")

    answer = await plant.get(program, "/-/ready")

    assert answer.status_code == 503
    assert answer.json()["not_answering"] == ["desk"]
    assert (await plant.get(program, "/-/healthy")).status_code == 200
    plant.desk.faults.clear()
    await plant.quiet()
    assert (await plant.get(program, "/-/ready")).status_code == 200


async def test_the_hook_wants_its_secret_and_wakes_the_poll(plant: Plant) -> None:
    (plant.folder / "hook-secret").write_text(HOOK_SECRET)
    plant.configure(hooks={"manageengine_secret_file": "hook-secret"}, approvals={"poll_interval_s": 3600})
    number = plant.ensono.scenario.change_create(approvers=[("CAB", "cab@example.com")])
    program = await plant.run()
    await plant.quiet()
    [change] = plant.of(number)
    plant.desk.people.approve(change.id)

    assert (await plant.get(program, "/hooks/manageengine", method="POST")).status_code == 403
    wrong = {"X-Hook-Secret": "wrong"}
    assert (await plant.get(program, "/hooks/manageengine", method="POST", headers=wrong)).status_code == 403
    assert plant.ensono.tickets[number].decisions == []
    right = {"X-Hook-Secret": HOOK_SECRET}
    assert (await plant.get(program, "/hooks/manageengine", method="POST", headers=right)).status_code == 202
    await until(lambda: plant.ensono.tickets[number].decisions)


@contextmanager
def manager(folder: Path) -> Iterator[tuple[str, "asyncio.Queue[dict[str, str]]"]]:
    """A service manager's socket, and what it is told."""
    path = folder / "notify"
    told: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.setblocking(False)

        def hear() -> None:
            said = listening.recv(4096).decode()
            told.put_nowait(dict(line.split("=", 1) for line in said.splitlines()))

        loop = asyncio.get_running_loop()
        loop.add_reader(listening, hear)
        try:
            yield str(path), told
        finally:
            loop.remove_reader(listening)


async def heard(told: "asyncio.Queue[dict[str, str]]", key: str) -> str:
    async with asyncio.timeout(20):
        while True:
            said = await told.get()
            if key in said:
                return said[key]


async def test_systemd_is_told_ready_how_it_stands_alive_and_stopping(plant: Plant) -> None:
    with manager(plant.folder) as (address, told):
        program = await plant.run(NOTIFY_SOCKET=address, WATCHDOG_USEC="200000")
        first = await asyncio.wait_for(told.get(), 20)
        assert first["READY"] == "1"
        assert first["STATUS"].startswith("reading dev's queue; metrics on 127.0.0.1:")
        for _ in range(3):
            assert await heard(told, "WATCHDOG") == "1"
        assert (await plant.command("pause")).code == 0
        assert await heard(told, "STATUS") == "not reading dev's queue: an operator paused it"
        assert (await plant.command("resume")).code == 0
        assert await heard(told, "STATUS") == "reading dev's queue"

        assert await program.stop() == 0

        assert await heard(told, "STOPPING") == "1"


async def test_a_pause_survives_a_restart_and_ends_with_resume(plant: Plant) -> None:
    first = await plant.run()
    assert (await plant.command("pause")).code == 0
    await first.stop()
    number = plant.ensono.scenario.incident_create()
    reads = plant.reads()
    second = await plant.run()

    shown = (await plant.command("status", "--json")).json

    assert shown["daemon"] == "paused"
    assert shown["gate_open"] is False
    assert samples((await plant.get(second, "/metrics")).text)["envision_paused", ()] == 1
    assert plant.reads() == reads
    assert (await plant.command("resume")).code == 0
    await plant.quiet()
    assert len(plant.of(number)) == 1


async def test_no_secret_is_seen_anywhere(plant: Plant) -> None:
    """Contract, P10: with everything logged, a key refused, a file that can't be had, and a dead letter with a signed link."""
    (plant.folder / "hook-secret").write_text(HOOK_SECRET)
    plant.configure(log={"level": "debug"}, hooks={"manageengine_secret_file": "hook-secret"})
    play = plant.ensono.scenario
    number = play.incident_create()
    play.attachment(number, "a.txt", b"the content of a file", "text/plain")
    plant.desk.switches.max_attachment_bytes = 4
    plant.desk.switches.key_revoked = True
    program = await plant.run()
    await program.told("key_refused", peer="desk")
    plant.desk.switches.key_revoked = False
    await plant.quiet()
    message = {
        "MessageId": "malformed-1",
        "Body": {
            "tickettype": "Incident",
            "attachment": [{"attachmentLink": "https://h.example/f?X-Amz-Signature=5ecret"}],
        },
        "Attributes": {"MessageGroupId": "e-CS0000001", "TransactionType": "Attachment"},
    }
    play.push(message)
    await program.told("message_handled", message_id="malformed-1", outcome="dead_letter")
    [link] = {
        call.query for call in plant.ensono.journal.calls if call.path.startswith("/bucket") and "a.txt" in call.path
    }

    commands = [
        ["status"],
        ["history", number],
        ["history", number, "--json"],
        ["history", "e-CS0000001", "--json"],
        ["dead-letters", "list", "--json"],
        ["dead-letters", "show", "malformed-1"],
        ["dead-letters", "show", "malformed-1", "--json"],
    ]
    ran = [await plant.command(*command) for command in commands]
    assert [each.code for each in ran] == [0] * len(commands)
    metrics = (await plant.get(program, "/metrics")).text
    shown = [*program.stderr, metrics, *(text for each in ran for text in (each.out, each.err))]

    assert link
    everything = "\n".join(shown)
    assert "h.example/f" in everything
    for secret in (API_KEY, AUTH_TOKEN, HOOK_SECRET, link, "5ecret", "the content of a file"):
        assert secret not in everything, secret
