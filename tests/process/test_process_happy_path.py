"""The real program between both simulators: every transaction type arrives, in order, and is acknowledged."""

from envision_worker.simulators.manageengine.tickets import Ticket
from process.real_worker import Plant, until


def status(plant: Plant, ticket: Ticket) -> str:
    table = "statuses" if ticket.kind == "request" else "change_statuses"
    return plant.desk.setup.row(table, ticket.fields["status"]).name


async def test_every_transaction_type_of_incidents_and_requests_arrives(plant: Plant) -> None:
    play = plant.ensono.scenario
    incident = play.incident_create(shortDescription="Printer on fire", priority="2")
    play.notes(incident, "We are on our way.")
    play.notes(incident, "Vendor case 4711.", kind="work_note")
    play.ticket_pend(incident)
    play.attachment(incident, "printer.log", b"hot\n" * 1000, "text/plain")
    play.ticket_close(incident, close_notes="Extinguished.")
    request = play.request_create(shortDescription="New laptop")
    play.ticket_cancel(request)
    local = plant.desk.people.open_request("VPN account locked")
    returned = play.return_ensono_num(local)

    program = await plant.run()
    await plant.quiet()

    [first] = plant.of(incident)
    assert first.fields["subject"] == "Printer on fire"
    assert status(plant, first) == "Closed"
    assert [each.content for each in first.attachments] == [b"hot\n" * 1000]
    said = " ".join(note.text for note in first.notes)
    assert said.index("on our way") < said.index("4711")
    assert plant.ensono.tickets[incident].client_ticket_number == first.number
    [second] = plant.of(request)
    assert status(plant, second) == "Cancelled"
    assert [each.id for each in plant.of(returned)] == [local]
    handled = program.events("message_handled", outcome="applied")
    assert {line["transaction_type"] for line in handled} == {
        "Create", "Notes", "Update", "Attachment", "Closure", "ReturnEnsonoNum",
    }  # fmt: skip
    assert await program.stop() == 0
    assert program.stdout == b""


async def test_every_transaction_type_of_changes_arrives_and_the_decision_goes_back(plant: Plant) -> None:
    play, people = plant.ensono.scenario, plant.desk.people
    program = await plant.run()
    number = play.change_create(approvers=[("CAB", "cab@example.com")], shortDescription="Patch the cluster")
    await plant.quiet()
    [change] = plant.of(number)
    assert status(plant, change) == "Approval Pending"
    people.approve(change.id, comments="Go ahead.")
    await until(lambda: plant.ensono.tickets[number].decisions)
    [decision] = plant.ensono.tickets[number].decisions
    assert "Go ahead." in decision.comment

    play.attachment(number, "plan.txt", b"1. patch", "text/plain")
    for state in ("Scheduled", "Implement"):
        play.change_state(number, state)
    play.notes(number, "Patched.")
    play.change_close(number)
    redrafted = play.change_create(shortDescription="Replace the switch")
    play.change_redraft(redrafted)
    await plant.quiet()

    assert status(plant, change) == "Completed"
    assert [each.name for each in change.attachments] == ["plan.txt"]
    [cancelled] = plant.of(redrafted)
    assert status(plant, cancelled) == "Canceled"
    handled = program.events("message_handled", outcome="applied", ticket_type="Change")
    assert {line["transaction_type"] for line in handled} == {
        "Create", "Approval Request", "Attachment", "Update", "Notes", "Closure", "Redraft",
    }  # fmt: skip
    assert await program.stop() == 0
