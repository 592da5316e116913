"""What an operator does about a dead letter, what the queue sees of deletes, and a ledger that is gone: the real program."""

from envision_worker.simulators.ensono.queued import Deleted
from process.real_worker import Plant, until


def desk_down(plant: Plant, *, down: bool) -> None:
    """Every call to the desk is refused for its key, or none any more."""
    plant.desk.switches.key_revoked = down


async def test_a_dead_letter_stays_one_until_it_goes_through_whatever_happens_meanwhile(plant: Plant) -> None:
    """Contract, section 2 and P6: 75 as often as it fails, with the daemon running or stopped; then those behind it follow."""
    plant.desk.switches.template_mandatory = frozenset({"subcategory"})
    plant.configure(queue={"poll_interval_s": 0.2, "visibility_timeout_s": 30})
    number = plant.ensono.scenario.incident_create()
    plant.ensono.scenario.notes(number, "part1")
    daemon = await plant.run()
    await daemon.told("dead_letter_kept", ticket=number)

    desk_down(plant, down=True)
    assert (await plant.command("dead-letters", "retry", number)).code == 75
    await daemon.stop()
    assert (await plant.command("dead-letters", "retry", number)).code == 75
    desk_down(plant, down=False)
    assert (await plant.command("dead-letters", "retry", number)).code == 75
    [kept] = (await plant.command("dead-letters", "list", "--json")).json
    assert (kept["ticket"], kept["waiting_behind"]) == (number, 1)
    assert (await plant.command("dead-letters", "retry", "e-CS404")).code == 66

    plant.desk.switches.template_mandatory = frozenset()
    assert (await plant.command("dead-letters", "retry", number)).code == 0
    assert plant.parts(number) == [1]
    status = (await plant.command("status", "--json")).json
    assert (status["daemon"], status["dead_letters"], status["blocked_tickets"]) == ("stopped", 0, [])
    assert (await plant.command("dead-letters", "discard", number, "--reason", "late")).code == 66


async def test_the_queue_sees_one_delete_for_each_message_with_its_own_handle_after_the_effect(plant: Plant) -> None:
    """Contract, P2 and section 4: no impossible handle but by `check --connect`, and no GET /queue by anything but the daemon."""
    plant.configure()
    plant.desk.switches.template_mandatory = frozenset({"subcategory"})
    number = plant.ensono.scenario.incident_create()
    plant.ensono.scenario.notes(number, "part1")
    daemon = await plant.run()
    await daemon.told("dead_letter_kept", ticket=number)
    await until(lambda: plant.reads() > 3, programs=plant.programs)
    assert [each for each in plant.ensono.queue.journal if isinstance(each, Deleted)] == []

    plant.desk.switches.template_mandatory = frozenset()
    await plant.quiet()
    deletes = [each for each in plant.ensono.queue.journal if isinstance(each, Deleted)]
    assert [each.outcome for each in deletes] == ["deleted"] * 2

    assert (await plant.command("pause")).code == 0
    await until(lambda: bool(daemon.events("gate_closed", gate="operator")), programs=plant.programs)
    reads = plant.reads()
    for command in (["check", "--connect"], ["status"], ["history", number], ["dead-letters", "list"]):
        assert (await plant.command(*command)).code in (0, 78)
    assert (await plant.get(daemon, "/-/ready")).status_code == 200
    assert plant.reads() == reads
    (asked,) = [each for each in plant.ensono.queue.journal if isinstance(each, Deleted)][len(deletes) :]
    assert asked.outcome == "invalid"


async def test_a_ledger_that_is_deleted_between_two_runs_makes_nothing_twice(plant: Plant) -> None:
    """Contract, P12: the same messages once more, and the counterpart, the note and the file are found on the desk."""
    play = plant.ensono.scenario
    number = play.incident_create()
    note_id = "54ea87031bf02d1026a2da49b04bcb8e"
    play.notes(number, "part1", note_id=note_id)
    play.attachment(number, "a.txt", b"content", "text/plain")
    plant.configure()
    first = await plant.run()
    await plant.quiet()
    await first.kill()
    for file in plant.ledger.parent.glob("ledger.db*"):
        file.unlink()

    play.notes(number, "part1", note_id=note_id)
    play.notes(number, "part2")
    await plant.run()
    await plant.quiet()

    assert plant.parts(number) == [1, 2]
    assert len(plant.requests()) == 1
    assert len(plant.requests()[0].attachments) == 1
