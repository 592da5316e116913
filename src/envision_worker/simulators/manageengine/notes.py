"""Notes on requests and changes.

Sources: the pages about request notes (whose key and names differ between the products) and change notes (which know no
privacy: `show_to_requester` is refused). A list of notes does not bring their texts (seen on live servers).
"""

from collections.abc import Mapping
from typing import Any

from envision_worker.simulators.http import Response
from envision_worker.simulators.manageengine import answers, listing, refusals
from envision_worker.simulators.manageengine.calls import Call
from envision_worker.simulators.manageengine.fields import HTML, Field, Flag, Opaque
from envision_worker.simulators.manageengine.listing import Listing
from envision_worker.simulators.manageengine.shown import shown_time, shown_user
from envision_worker.simulators.manageengine.tickets import Note, Ticket
from envision_worker.simulators.manageengine.world import World

_REQUEST_FLAGS = ("show_to_requester", "notify_technician", "mark_first_response", "add_to_linked_requests")
_REQUEST: Mapping[str, Field] = {"description": HTML, **{name: Flag() for name in _REQUEST_FLAGS}}
_CHANGE: Mapping[str, Field] = {"description": HTML}
_CHANGE_CLOUD: Mapping[str, Field] = {"description": HTML, "notify_to": Opaque()}


def add(call: Call) -> Response:
    """`POST …/notes`."""
    given = call.entity(_key(call), _fields(call), mandatory=("description",))
    note = write(call.world, call.subject, given.pop("description"), flags=given)
    return answers.entity(_key(call), _shown(note, call), status=answers.CREATED)


def write(world: World, ticket: Ticket, text: str, *, flags: dict[str, Any], by: str = "api", author: str = "") -> Note:
    """Put a note on a ticket."""
    now = world.now_ms
    note = Note(world.ids.new("notes"), text, author or world.key_owner.id, now, now, flags)
    ticket.notes.append(note)
    if world.switches.note_touches_ticket:
        world.touch(ticket)
    world.record("note", ticket, by=by, id=note.id, text=text, public=bool(flags.get("show_to_requester")))
    return note


def show_list(call: Call) -> Response:
    """`GET …/notes`: without the texts, whatever is asked for."""
    ticket = call.subject
    who, when = _names(call)
    columns = {"id", "attachments", ticket.kind, who, when}
    if ticket.kind == "request":
        columns.add("show_to_requester")
        columns |= set() if call.world.flavour.is_cloud else {"last_updated_by", "last_updated_time"}
    listed = Listing(
        "notes",
        fields=frozenset(columns | set(_fields(call))),
        columns=tuple(sorted(columns)),
        sort_field=call.world.flavour.note_sort_field if ticket.kind == "request" else when,
        never=frozenset({"description"}),
    )
    return listing.answer(call, listed, lambda: [_shown(each, call) for each in ticket.notes])


def read(call: Call) -> Response:
    """`GET …/notes/{note}`: the only way to a note's text."""
    call.expect_nothing()
    return answers.entity(_key(call), _shown(_note(call), call))


def edit(call: Call) -> Response:
    """`PUT …/notes/{note}`."""
    note = _note(call)
    given = call.entity(_key(call), _fields(call))
    text = given.pop("description", note.text)
    if text is None:
        raise refusals.missing("description")
    note.text = text
    note.flags.update(given)
    note.updated = call.world.now_ms
    call.world.record("edit_note", call.subject, id=note.id, text=note.text)
    return answers.entity(_key(call), _shown(note, call))


def remove(call: Call) -> Response:
    """`DELETE …/notes/{note}`: for good."""
    call.expect_nothing()
    note = _note(call)
    call.subject.notes.remove(note)
    call.world.record("remove_note", call.subject, id=note.id)
    return answers.done("Note deleted successfully")


def _note(call: Call) -> Note:
    for note in call.subject.notes:
        if note.id == call.ids["note"]:
            return note
    raise refusals.not_found()


def _key(call: Call) -> str:
    switches = call.world.switches
    if call.subject.kind == "change":
        return switches.change_note_key
    return switches.note_key or call.world.flavour.request_note_key


def _names(call: Call) -> tuple[str, str]:
    if call.subject.kind == "change":
        return call.world.flavour.change_note_names
    return ("added_by", "added_time") if _key(call) == "note" else ("created_by", "created_time")


def _fields(call: Call) -> Mapping[str, Field]:
    if call.subject.kind == "request":
        return _REQUEST
    return _CHANGE_CLOUD if call.world.flavour.is_cloud else _CHANGE


def _shown(note: Note, call: Call) -> dict[str, Any]:
    world, ticket = call.world, call.subject
    who, when = _names(call)
    author = shown_user(world.setup.users[note.author], cloud=world.flavour.is_cloud)
    title = ticket.fields["subject" if ticket.kind == "request" else "title"]
    shown = {
        ticket.kind: {("subject" if ticket.kind == "request" else "title"): title, "id": ticket.id},
        who: author,
        when: shown_time(note.added),
        "attachments": [],
        "has_attachments": False,
        "description": HTML.show(note.text, world),
        "id": note.id,
    }
    if ticket.kind == "request":
        shown["show_to_requester"] = bool(note.flags.get("show_to_requester"))
    if ticket.kind == "request" and not world.flavour.is_cloud:
        shown |= {"last_updated_by": author, "last_updated_time": shown_time(note.updated)}
    if ticket.kind == "request" and world.flavour.is_cloud:
        shown |= {name: bool(note.flags.get(name)) for name in _REQUEST_FLAGS}
    return shown
