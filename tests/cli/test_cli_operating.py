"""Commands that change something: by the running daemon, or in the place of a stopped one."""

import asyncio
import json
import stat
from pathlib import Path

import pytest

from envision_worker.control_socket import socket_path
from envision_worker.simulators.faults import Fault, FaultKind
from process.real_worker import Plant, until


async def a_dead_letter(plant: Plant, *, running: bool) -> str:
    """An incident that the desk refuses, with two notes behind it; the daemon goes on, or is stopped."""
    plant.desk.switches.template_mandatory = frozenset({"site"})
    number = plant.ensono.scenario.incident_create(shortDescription="Printer on fire")
    for each in range(2):
        plant.ensono.scenario.notes(number, f"part{each}")
    program = await plant.run()
    await program.told("dead_letter_kept", ticket=number)
    await until(lambda: plant.asked("SELECT count(*) FROM messages") == [(3,)])
    if not running:
        assert await program.stop() == 0
    return number


def mend(plant: Plant) -> None:
    """What a person does on the desk."""
    plant.desk.switches.template_mandatory = frozenset()


# --- dead letters ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
async def test_a_retry_runs_the_tickets_kept_messages_in_order_once_it_is_mended(
    plant: Plant, *, running: bool
) -> None:
    number = await a_dead_letter(plant, running=running)

    failing = await plant.command("dead-letters", "retry", number)

    assert failing.code == 75
    assert "dead_letter: " in failing.out
    assert plant.of(number) == []
    mend(plant)
    mended = await plant.command("dead-letters", "retry", number)
    assert mended.code == 0
    [ticket] = plant.of(number)
    assert ticket.fields["subject"] == "Printer on fire"
    assert plant.parts(number) == [0, 1]
    assert plant.ensono.tickets[number].client_ticket_number == ticket.number
    assert (await plant.command("dead-letters", "retry", number)).code == 66
    if not running:
        await plant.run()
    await plant.quiet()
    assert plant.parts(number) == [0, 1]
    assert plant.ensono.queue.failure_queue == []


async def test_a_discard_lets_the_next_one_follow_and_the_queue_is_told(plant: Plant) -> None:
    number = await a_dead_letter(plant, running=True)
    mend(plant)
    [message_id] = [row[0] for row in plant.asked("SELECT message_id FROM messages WHERE state = 'dead_letter'")]

    ran = await plant.command("dead-letters", "discard", message_id, "--reason", "done by hand")

    assert ran.code == 0
    assert ran.out.startswith(f"{message_id}: discarded: done by hand\n")
    assert plant.parts(number) == [0, 1]
    await plant.quiet()
    assert len(plant.of(number)) == 1
    story = (await plant.command("history", message_id, "--json")).json
    assert story[0]["messages"][0]["state"] == "discarded"
    assert ("discarded: operator", "done by hand") in {(line["what"], line["detail"]) for line in story[0]["timeline"]}


async def test_a_retry_in_place_of_a_stopped_daemon_is_no_unclean_end(plant: Plant) -> None:
    number = await a_dead_letter(plant, running=False)
    plant.desk.faults.add(Fault(FaultKind.HANG_BEFORE, method="POST", path="*/requests", seconds=30))
    plant.configure(worker={"shutdown_grace_s": 0.2})
    program = await plant.launch("dead-letters", "retry", number, "--config", str(plant.config))
    await until(lambda: any(call.status is None and call.method == "POST" for call in plant.desk.calls))
    program.process.send_signal(2)

    assert await program.ended() == 130

    assert plant.asked("SELECT sum(in_hand), sum(unclean_ends) FROM messages") == [(0, 0)]
    assert "Traceback" not in "\n".join(program.stderr)


async def test_a_desk_that_is_down_leaves_it_failing_and_says_so_to_people_and_machines(plant: Plant) -> None:
    number = await a_dead_letter(plant, running=False)
    plant.desk.faults.add(Fault(FaultKind.STATUS, times=None, status=503))

    to_people = await plant.command("dead-letters", "retry", number)
    to_machines = await plant.command("dead-letters", "retry", number, "--json")

    assert (to_people.code, to_machines.code) == (75, 75)
    assert "desk_unreachable" in to_people.out
    assert to_machines.json["result"] == "still_failing"
    assert len(to_machines.json["lines"]) == 1


# --- approvals -------------------------------------------------------------------------------------------------------


async def a_waiting_approval(plant: Plant, *, running: bool) -> tuple[str, str]:
    """A change and the id of its approval; the daemon goes on, or is stopped."""
    number = plant.ensono.scenario.change_create(approvers=[("CAB", "cab@example.com")])
    program = await plant.run()
    await plant.quiet()
    if not running:
        assert await program.stop() == 0
    return number, plant.ensono.tickets[number].approvals[0].approval_id


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
async def test_a_decision_by_command_goes_to_ensono_with_who_and_why(plant: Plant, *, running: bool) -> None:
    number, approval_id = await a_waiting_approval(plant, running=running)

    ran = await plant.command(
        "approvals", "decide", approval_id, "reject", "--as", "boss@example.com", "--reason", "Not in December."
    )

    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"{approval_id}: rejected, confirmed by Ensono\n"
    [decision] = plant.ensono.tickets[number].decisions
    assert decision.approval_id == approval_id
    assert "boss@example.com" in decision.comment
    assert "Not in December." in decision.comment
    [shown] = (await plant.command("approvals", "show", approval_id, "--json")).json
    assert (shown["status"], shown["decided_by"]) == ("rejected", "boss@example.com")
    again = await plant.command("approvals", "decide", approval_id, "approve", "--as", "b@example.com", "--reason", "x")
    assert again.code == 66
    assert len(plant.ensono.tickets[number].decisions) == 1


async def test_a_decision_that_ensono_does_not_take_yet_is_kept_and_sent_by_resend(plant: Plant) -> None:
    number, approval_id = await a_waiting_approval(plant, running=False)
    plant.ensono.faults.add(Fault(FaultKind.STATUS, method="PUT", status=503))

    ran = await plant.command(
        "approvals", "decide", approval_id, "approve", "--as", "boss@example.com", "--reason", "fine"
    )

    assert ran.code == 75
    assert "sent again" in ran.out
    assert (await plant.command("approvals", "resend", approval_id)).code == 0
    [decision] = plant.ensono.tickets[number].decisions
    assert decision.approval_id == approval_id
    assert (await plant.command("approvals", "resend", approval_id)).code == 0
    assert len(plant.ensono.tickets[number].decisions) == 1


async def test_resend_lets_the_desk_ask_its_approvers_once_more(plant: Plant) -> None:
    number, approval_id = await a_waiting_approval(plant, running=True)
    [change] = plant.of(number)
    [approval] = [each for level in change.levels for each in level.approvals]
    mails = len(approval.mails)

    ran = await plant.command("approvals", "resend", approval_id)

    assert ran.code == 0
    assert "cab@example.com" in ran.out
    assert len(approval.mails) == mails + 1


# --- pause, backup ---------------------------------------------------------------------------------------------------


async def test_a_pause_while_the_daemon_is_stopped_holds_when_it_starts(plant: Plant) -> None:
    plant.configure()
    number = plant.ensono.scenario.incident_create()

    assert (await plant.command("pause")).code == 0

    program = await plant.run()
    assert json.loads((await plant.command("status", "--json")).out)["daemon"] == "paused"
    assert "resume" in (await plant.command("status")).out
    assert plant.reads() == 0
    await program.stop()
    assert (await plant.command("resume")).code == 0
    await plant.run()
    await plant.quiet()
    assert len(plant.of(number)) == 1


async def test_a_backup_while_messages_flow_can_take_the_ledgers_place(plant: Plant) -> None:
    numbers = [plant.ensono.scenario.incident_create() for _ in range(8)]
    program = await plant.run()
    await until(lambda: plant.of(numbers[0]))
    copy = plant.folder / "copy.db"

    assert (await plant.command("backup", str(copy))).code == 0

    await plant.quiet()
    await program.kill()
    put_in_place(copy, plant.ledger)
    for number in numbers:
        plant.ensono.scenario.notes(number, "part0")
    await plant.run()
    await plant.quiet()
    assert [plant.parts(number) for number in numbers] == [[0]] * 8


def put_in_place(copy: Path, ledger: Path) -> None:
    """As the runbook says: the copy alone, without what SQLite kept beside the lost one."""
    for each in ledger.parent.glob("ledger.db*"):
        each.unlink()
    copy.rename(ledger)


# --- the socket ------------------------------------------------------------------------------------------------------


async def test_only_its_user_can_ask_the_daemon_and_the_socket_goes_with_it(plant: Plant) -> None:
    program = await plant.run()
    path = socket_path(plant.ledger)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    assert await program.stop() == 0
    assert not path.exists()


async def test_the_socket_that_a_killed_daemon_left_is_in_nobodys_way(plant: Plant) -> None:
    await (await plant.run()).kill()
    assert socket_path(plant.ledger).exists()

    assert (await plant.command("pause")).code == 0
    await plant.run()
    assert (await plant.command("status", "--json")).json["daemon"] == "paused"
    assert (await plant.command("resume")).out == "resumed\n"


async def test_a_ledger_in_a_very_deep_folder_has_a_socket_too(plant: Plant) -> None:
    deep = plant.folder.joinpath(*["a-folder-with-a-long-name"] * 6)
    plant.configure(state={"url": f"sqlite:///{deep / 'ledger.db'}"})
    await plant.run()

    assert (await plant.command("status", "--json")).json["daemon"] == "running"
    assert (await plant.command("pause")).code == 0
    assert (await plant.command("status", "--json")).json["daemon"] == "paused"


async def test_a_command_to_a_daemon_that_is_stopping_is_carried_out_in_its_place(plant: Plant) -> None:
    plant.configure(worker={"shutdown_grace_s": 3})
    plant.ensono.scenario.incident_create()
    plant.desk.faults.add(Fault(FaultKind.HANG_BEFORE, method="POST", path="*/requests", seconds=1.5))
    program = await plant.run()
    await until(lambda: plant.asked("SELECT * FROM effects"))
    program.process.terminate()
    await program.told("daemon_stopping")

    ran = await plant.command("pause")

    assert ran.code == 0
    assert ran.out.startswith("paused")
    assert "waiting" in ran.err
    assert await program.ended() == 0
    assert plant.asked("SELECT value FROM remembered WHERE name = 'paused'") == [("yes",)]


async def test_a_command_that_is_carried_out_when_the_stop_comes_is_finished(plant: Plant) -> None:
    number = await a_dead_letter(plant, running=True)
    mend(plant)
    plant.desk.faults.add(Fault(FaultKind.HANG_BEFORE, method="POST", path="*/requests", seconds=0.5))
    before = len(plant.desk.calls)
    retrying = asyncio.create_task(plant.command("dead-letters", "retry", number))
    await until(lambda: any(call.method == "POST" for call in plant.desk.calls[before:]))

    assert await plant.programs[0].stop() == 0

    ran = await retrying
    assert ran.code in {0, 75}
    assert len(plant.of(number)) == 1
    assert plant.asked("SELECT sum(unclean_ends) FROM messages") == [(0,)]


async def test_a_daemon_that_is_killed_while_it_is_asked_leaves_a_clear_word(plant: Plant) -> None:
    number = await a_dead_letter(plant, running=True)
    mend(plant)
    plant.desk.faults.add(Fault(FaultKind.HANG_BEFORE, method="POST", path="*/requests", seconds=30))
    before = len(plant.desk.calls)
    retrying = asyncio.create_task(plant.command("dead-letters", "retry", number))
    await until(lambda: any(call.method == "POST" for call in plant.desk.calls[before:]))
    await plant.programs[0].kill()

    ran = await retrying

    assert ran.code == 75
    assert "ended before it answered" in ran.err


async def test_nonsense_on_the_socket_is_refused_and_the_daemon_goes_on(plant: Plant) -> None:
    program = await plant.run()
    head = b"POST /retry HTTP/1.1\r\nHost: x\r\nContent-Length: "
    for question in (
        head + b"2\r\n\r\n{}",
        head + b"3\r\n\r\nxyz",
        b"GET /unknown HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x00\xff\r\n\r\n",
    ):
        reader, writer = await asyncio.open_unix_connection(str(socket_path(plant.ledger)))
        writer.write(question)
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
        assert answer.split()[1][:1] == b"4", question

    assert (await plant.command("status", "--json")).json["daemon"] == "running"
    assert not [line for line in program.stderr if "Traceback" in line]
