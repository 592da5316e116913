"""Each sample of the guide, pushed through the simulated queue, has its effect on the simulated desk (contract, section 6)."""

from pathlib import Path

import pytest

from envision_worker.simulators.ensono.guide_samples import samples
from worker.stories import (
    EDITIONS,
    dead_letters,
    deletes,
    description,
    fitting,
    named,
    note_words,
    number_on,
    only_request,
    outcomes,
    return_calls,
    returned,
    status,
    story,
    verbs,
    virtual,
)
from worlds.configuration import Edition

CLOSURE_CODES = {"resolved*": "success", "Successful Outside Change Window": "success"}
INCIDENT, CHANGE = "e-CS0879727", "e-CHG0032103"


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_the_incident_of_the_samples_arrives_whole_and_in_order(tmp_path: Path, edition: Edition) -> None:
    names = ("incident-create", "incident-update", "incident-notes", "incident-closure")
    async with story(tmp_path, edition=edition, settings=fitting()) as world:
        world.ensono.scenario.push_samples(names)
        await world.quiet()
    request = only_request(world)
    assert (request.fields["subject"], number_on(world, request)) == ("test", INCIDENT)
    assert named(world, request, "priority") == "Low"
    assert status(world, request) == "Resolved"
    assert verbs(world, request) == ["create", "status", "note", "note", "resolve", "status"]
    changed, comment = note_words(request)
    assert "Next action: pending-caller\nOff hold: 2023-01-28 22:26:23 UTC" in changed
    assert comment.startswith("Ensono User <Ensono.User@Ensono.com>, 2023-01-27 22:26:29 UTC:\nadding comment\n")
    assert [note.flags["show_to_requester"] for note in request.notes] == [False, True]
    assert request.resolution is not None
    assert request.resolution[0] == "<div>test close notes</div><div>Close code: resolved*</div>"
    assert returned(world, INCIDENT) == [request.number]


@virtual
async def test_the_create_of_the_samples_is_readable_on_the_desk(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        world.ensono.scenario.push_samples(["incident-create"])
        await world.quiet()
    assert description(only_request(world)).splitlines() == [
        "test",
        "",
        "From Ensono",
        "Ensono incident e-CS0879727",
        "Status: open",
        "Priority: 4",
        "Impact: 3",
        "Urgency: 3",
        "Group: Ensono Support",
        "Ensono group: CS - 1st Line",
        "Category: Private Cloud",
        "Origin: Web",
        "Opened: 2023-01-27 22:24:53 UTC",
    ]


@pytest.mark.parametrize("name", ["incident-update", "incident-notes", "incident-closure"])
@virtual
async def test_a_sample_without_counterpart_first_creates_it_from_what_it_carries(tmp_path: Path, name: str) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        world.ensono.scenario.push_samples([name])
        await world.quiet()
    request = only_request(world)
    assert (request.fields["subject"], number_on(world, request)) == ("test", INCIDENT)
    assert status(world, request) == ("Resolved" if name == "incident-closure" else "On Hold")
    assert returned(world, INCIDENT) == [request.number]


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_the_ensono_number_of_the_samples_lands_on_the_request_that_it_names(
    tmp_path: Path, edition: Edition
) -> None:
    async with story(tmp_path, edition=edition) as world:
        desk_id = world.desk.people.open_request("Made here")
        message = samples()["return-ensono-num"]
        message["Body"]["clientTicketNumber"] = world.desk.ticket("request", desk_id).number
        world.ensono.scenario.push(message)
        await world.quiet()
    assert number_on(world, only_request(world)) == "e-CS0881847"
    assert verbs(world) == ["update"]
    assert return_calls(world, "e-CS0881847") == []


@virtual
async def test_the_ensono_number_of_the_samples_names_a_request_that_the_desk_lacks(tmp_path: Path) -> None:
    async with story(tmp_path) as world:
        world.ensono.scenario.push_samples(["return-ensono-num"])
        [message] = world.ensono.queue.messages()
        await world.quiet()
        [kept] = await dead_letters(world)
    assert (kept.message_id, kept.ticket, kept.reason) == (message.message_id, "e-CS0881847", "no_counterpart")
    assert "INC1235678" in kept.detail
    assert world.requests() == []


@pytest.mark.parametrize("edition", EDITIONS)
@virtual
async def test_the_change_of_the_samples_arrives_whole_and_in_order(tmp_path: Path, edition: Edition) -> None:
    async with story(tmp_path, edition=edition, settings=fitting(mapping={"closure_code": CLOSURE_CODES})) as world:
        world.desk.setup.add_user("noreply@client.com", "Default User", technician=True)
        world.ensono.scenario.push_samples([name for name in samples() if name.startswith("change-")])
        await world.quiet()
    [change] = world.changes()  # the Redraft is about another one, of which there is nothing to cancel
    assert change.fields["title"] == "test"
    assert world.desk.setup.row("change_stages", change.fields["stage"]).name == "Close"
    told = "\n".join(note_words(change))
    assert "Adding a comment" in told
    assert "rocket.jpg (image/jpeg, 138092 bytes)" in told
    assert "close notes text" in told
    assert len(change.levels) == 1
    assert returned(world, CHANGE) == [change.number if edition == "on_premises" else f"CH-{change.number}"]


@virtual
async def test_every_sample_is_deleted_once_and_applied(tmp_path: Path) -> None:
    async with story(tmp_path, settings=fitting()) as world:
        world.desk.setup.add_user("noreply@client.com", "Default User", technician=True)
        sent = world.ensono.scenario.push_samples([name for name in samples() if name != "return-ensono-num"])
        await world.quiet()
    assert sorted(str(entry.message_id) for entry in deletes(world)) == sorted(sent)
    assert {message_id: outcomes(world, message_id) for message_id in sent} == {each: ["applied"] for each in sent}
