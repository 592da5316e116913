"""What stands on a desk ticket as text: everything from Ensono is escaped, times are shown with their zone, marks are short."""

import hashlib
import html
import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from envision_worker.ensono.fields import TicketFields
from envision_worker.ensono.messages import Note, RemoteFile, Transaction
from envision_worker.vocabulary import TicketType
from envision_worker.wire import without_query

_LABELS = {
    "status": "Status",
    "status_next_action": "Next action",
    "off_hold_date": "Off hold",
    "priority": "Priority",
    "impact": "Impact",
    "urgency": "Urgency",
    "group": "Group",
    "ensono_group": "Ensono group",
    "category": "Category",
    "origin": "Origin",
    "cis": "CIs",
    "contact_name": "Contact",
    "contact_email": "Contact e-mail",
    "contact_phone": "Contact phone",
    "requested_by_name": "Requested by",
    "opened_time": "Opened",
    "close_code": "Close code",
    "close_notes": "Close notes",
    "closure_category": "Closure category",
    "state": "State",
    "type": "Type",
    "approval": "Approval",
    "risk": "Risk",
    "start_date": "Planned start",
    "end_date": "Planned end",
}
_SECTIONS = {
    "justification": "Justification",
    "pre_change_checks": "Pre-change checks",
    "implementation_plan": "Implementation plan",
    "test_plan": "Test plan",
    "backout_plan": "Backout plan",
}
_TIMES = frozenset({"opened_time", "off_hold_date", "start_date", "end_date"})
_TAGS = re.compile(r"<[^>]*>")
_RARE = re.compile("[\U00010000-\U0010ffff]")
MARK_LENGTH = 8
PLAIN_LIMIT = 200
"""Characters that any desk's plain field takes."""
TITLE_LIMIT = 160
"""Characters of a shortDescription (guide, Fields for opening a ticket)."""


def label(name: str) -> str:
    """A field's name for people."""
    return _LABELS.get(name) or _SECTIONS.get(name) or name.replace("_", " ").capitalize()


def escaped(text: str) -> str:
    """Plain text as HTML that shows exactly that text."""
    return html.escape(text, quote=False).replace("\r\n", "\n").replace("\r", "\n").replace("\n", "<br>")


def as_time(text: str) -> datetime | None:
    """A time of Ensono's, which is UTC where it says nothing else; None where it is no time."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def shown_time(moment: datetime, zone: ZoneInfo) -> str:
    """A time for people, in the configured zone, which it names."""
    try:
        return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")
    except OverflowError:  # the first or the last day that there is, which is another one there
        return moment.isoformat()


def shown(name: str, value: str, zone: ZoneInfo) -> str:
    """A field's value for people: times with their zone, everything else as it is."""
    moment = as_time(value) if name in _TIMES else None
    return shown_time(moment, zone) if moment else value


def description(transaction: Transaction, zone: ZoneInfo, remarks: Iterable[str] = ()) -> str:
    """The description of a desk ticket: Ensono's, then everything that has no field of its own, then our remarks."""
    fields = transaction.fields
    kind = transaction.ticket_type
    parts = [f"<div>{escaped(fields.description or fields.short_description or '')}</div>"]
    head = [f"Ensono {kind.lower()} {transaction.ticket}", *_long_title(fields)]
    parts.append(_block("From Ensono", [*head, *lines(fields, zone)]))
    if kind is TicketType.CHANGE:
        given = fields.given()
        parts += [_block(title, given[name].split("\n")) for name, title in _SECTIONS.items() if name in given]
    told = list(remarks)
    if told:
        parts.append(_block("Remarks", told))
    return "".join(parts)


def _long_title(fields: TicketFields) -> list[str]:
    """A title that is longer than Ensono's own limit may not fit into the desk's field."""
    title = fields.short_description or ""
    return [f"Title: {title}"] if len(title) > TITLE_LIMIT else []


def lines(fields: TicketFields, zone: ZoneInfo, *, but: frozenset[str] = frozenset()) -> list[str]:
    """One line, `label: value`, for each field that is there, without the long texts, the update time and those named."""
    given = fields.given()
    return [
        f"{title}: {shown(name, given[name], zone)}" for name, title in _LABELS.items() if name in given.keys() - but
    ]


def is_cut(text: str | None) -> bool:
    """Whether a desk's plain field would not show a text as it is: too long for one, or of several lines."""
    return text is not None and (len(text) > PLAIN_LIMIT or "\n" in text)


def _block(title: str, said: Iterable[str]) -> str:
    return f"<div><br><b>{escaped(title)}</b><br>{'<br>'.join(escaped(line) for line in said)}</div>"


def comment(note: Note, zone: ZoneInfo) -> str:
    """A comment of Ensono's as a note: who, when, what, and its mark."""
    moment = as_time(note.time) if note.time else None
    when = shown_time(moment, zone) if moment else note.time
    who = " ".join(
        part for part in (note.commenter, f"<{note.commenter_email}>" if note.commenter_email else "") if part
    )
    kind = "" if note.public else " (work note)"
    head = f"{who or 'Ensono'}{kind}{', ' + when if when else ''}:"
    return marked(f"<div><b>{escaped(head)}</b></div><div>{escaped(note.body)}</div>", mark_of(note.id))


def remark(title: str, said: Iterable[str], mark: str) -> str:
    """A note of the worker's own."""
    return marked(_block(title, said), mark)


def marked(body: str, mark: str) -> str:
    """A note's HTML with the mark by which it is found again (contract, section 6)."""
    return f"{body}<br>Ensono ref {escaped(mark)}"


def mark_of(note_id: str) -> str:
    """The mark of a comment of Ensono's: the first eight characters of `notes.id`."""
    return re.sub(r"\s", "", note_id)[:MARK_LENGTH]


def own_mark(*parts: str) -> str:
    """The mark of a note of the worker's own: the same for the same transaction, also after a lost ledger."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:MARK_LENGTH]


def without_rare(markup: str) -> str:
    """The same HTML for a desk that takes no characters beyond the basic plane (emoji): it still shows exactly that text."""
    return _RARE.sub(lambda found: f"&#{ord(found[0])};", markup)


def rare_named(text: str) -> str:
    """Plain text with the name of each character beyond the basic plane in its place: `[fire]`."""
    return _RARE.sub(lambda found: f"[{unicodedata.name(found[0], f'U+{ord(found[0]):X}').lower()}]", text)


def plain(markup: str) -> str:
    """The words of some HTML, for comparing: desks wrap and sanitise what they are given."""
    return " ".join(html.unescape(_TAGS.sub(" ", markup)).split())


def bears(markup: str, mark: str) -> bool:
    """Whether a note on the desk ends with this mark."""
    return plain(markup).endswith(f"Ensono ref {mark}")


def file_missing(file: RemoteFile, why: str) -> list[str]:
    """What a note says of a file that could not be fetched or placed (contract, P11)."""
    size = f", {file.size} bytes" if file.size is not None else ""
    page = f"open {without_query(file.info)} or " if file.info else ""
    return [
        f"{file.name} ({file.content_type}{size})",
        f"Why: {why}",
        f"How to get it: {page}ask Ensono to attach it again.",
    ]
