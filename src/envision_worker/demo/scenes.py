"""The scenes: what Ensono's people and the desk's people do, one transaction type after the other."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from envision_worker.demo.stage import Stage
from envision_worker.simulators.faults import Fault, FaultKind

REJECTION = "It collides with the year-end freeze; please move it to January."


@dataclass(frozen=True, slots=True)
class Scene:
    """What was played: the transaction types that it showed, and what came of it, for people."""

    types: str
    told: str


async def incident(stage: Stage) -> AsyncIterator[Scene]:
    """An incident from its creation to its closure."""
    play, desk = stage.ensono.scenario, stage.desk
    number = play.incident_create(
        shortDescription="E-mail gateway rejects messages",
        description="Since 06:00 UTC.\n<b>All</b> sites & users.",
        priority="2",
    )
    await stage.until_quiet()
    request = desk.tickets("request")[-1]
    returned = stage.ensono.tickets[number].client_ticket_number
    yield Scene("Create", f"incident {number} is request {request.number} on the desk; Ensono knows it as {returned}")
    play.notes(number, "The certificate expired, we are renewing it.")
    play.notes(number, "Vendor case 4711 opened.", kind="work_note")
    await stage.until_quiet()
    yield Scene("Notes", f"{len(request.notes)} comments on request {request.number}: one public, one private")
    play.ticket_pend(number)
    await stage.until_quiet()
    yield Scene(
        "Update", f"request {request.number} is {_status(stage, request.fields['status'])}, the off-hold date in a note"
    )
    play.attachment(number, "gateway log.txt", b"06:00:01 TLS handshake failed\n" * 2000, "text/plain")
    await stage.until_quiet()
    yield Scene("Attachment", f"{request.attachments[0].name} fetched over its signed link and attached")
    play.ticket_resolve(number, close_notes="Certificate renewed.")
    await stage.until_quiet()
    play.ticket_reopen(number)
    await stage.until_quiet()
    play.ticket_close(number, close_notes="Certificate renewed on the second node, too.")
    await stage.until_quiet()
    yield Scene(
        "Closure",
        f"resolved, opened again by Ensono, closed: request {request.number} is {_status(stage, request.fields['status'])}",
    )


async def lost_answer(stage: Stage) -> AsyncIterator[Scene]:
    """The desk makes a request, and its answer never arrives."""
    before = len(stage.desk.tickets("request"))
    stage.desk.faults.add(Fault(FaultKind.LOSE_ANSWER, method="POST", path="*/requests"))
    number = stage.ensono.scenario.request_create(shortDescription="New laptop for a colleague")
    await stage.until_quiet()
    made = len(stage.desk.tickets("request")) - before
    yield Scene(
        "Create", f"request {number}: the desk's answer was lost; the worker looked before writing again: {made} ticket"
    )
    stage.ensono.scenario.ticket_cancel(number)
    await stage.until_quiet()
    request = stage.desk.tickets("request")[-1]
    yield Scene(
        "Closure", f"{number} cancelled: request {request.number} is {_status(stage, request.fields['status'])}"
    )


async def number_returned(stage: Stage) -> AsyncIterator[Scene]:
    """A ticket that the desk opened, whose Ensono number came too late to be in the answer."""
    local = stage.desk.people.open_request("VPN account locked", requester="requester@example.com")
    number = stage.ensono.scenario.return_ensono_num(local)
    await stage.until_quiet()
    yield Scene("ReturnEnsonoNum", f"request {local}, opened on the desk, now bears {number}")


async def approved_change(stage: Stage) -> AsyncIterator[Scene]:
    """A normal change: asked, approved, carried out, closed."""
    play, desk = stage.ensono.scenario, stage.desk
    number = play.change_create(approvers=[("CAB", "cab@example.com")], shortDescription="Patch the database cluster")
    await stage.until_quiet()
    change = desk.tickets("change")[-1]
    yield Scene(
        "Create", f"change {number} is change {change.number} on the desk, in {_stage(stage, change.fields['stage'])}"
    )
    yield Scene("Approval Request", f"cab@example.com was asked on change {change.number}")
    desk.people.approve(change.id, comments="Go ahead.")
    await _decided(stage, number)
    yield Scene("Approval Request", f"approved on the desk; Ensono has: {_decision(stage, number)}")
    for state in ("Authorize", "Scheduled", "Implement", "Review"):
        play.change_state(number, state)
    play.notes(number, "Both nodes patched.")
    play.change_close(number, close_notes="Patched without downtime.")
    await stage.until_quiet()
    yield Scene(
        "Update, Notes, Closure",
        f"through all states to closed: change {change.number} is in {_stage(stage, change.fields['stage'])}",
    )


async def rejected_change(stage: Stage) -> AsyncIterator[Scene]:
    """A change that is rejected with a reason, drafted anew, and assessed again."""
    play, desk = stage.ensono.scenario, stage.desk
    number = play.change_create(approvers=[("CAB", "cab@example.com")], shortDescription="Replace the core switch")
    await stage.until_quiet()
    first = desk.tickets("change")[-1]
    desk.people.reject(first.id, REJECTION)
    await _decided(stage, number)
    yield Scene("Approval Request", f"rejected on the desk; Ensono has: {_decision(stage, number)}")
    play.change_redraft(number)
    await stage.until_quiet()
    yield Scene("Redraft", f"change {first.number} is cancelled on the desk")
    play.change_state(number, "Assess", approvers=[("CAB", "cab@example.com")])
    await stage.until_quiet()
    second = desk.tickets("change")[-1]
    yield Scene(
        "Update",
        f"assessed again: a new change {second.number}, and Ensono knows it as {stage.ensono.tickets[number].client_ticket_number}",
    )


async def _decided(stage: Stage, number: str) -> None:
    await stage.until(lambda: bool(stage.ensono.tickets[number].decisions))


def _decision(stage: Stage, number: str) -> str:
    return stage.ensono.tickets[number].decisions[-1].comment


def _status(stage: Stage, row: str) -> str:
    return stage.desk.setup.row("statuses", row).name


def _stage(stage: Stage, row: str) -> str:
    return stage.desk.setup.row("change_stages", row).name


SCENES = (incident, lost_answer, number_returned, approved_change, rejected_change)
