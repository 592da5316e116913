"""The tickets API: create, update, notes, returnptn, approve, reject, files.

Errors that the guide prints are answered word for word; those that it doesn't print (missing fields, limits, escapes) say a sentence of our
own in the same form. The guide gives no HTTP status for `{"Response": …}` errors: `error_status` is used.
"""

from collections.abc import Mapping
from typing import Protocol

from envision_worker.simulators.ensono.bucket import Bucket, StoredFile
from envision_worker.simulators.ensono.case_view import case_view
from envision_worker.simulators.ensono.payload import ApiRefused, Payload, read_payload, refusal
from envision_worker.simulators.ensono.records import Comment, Records, Ticket, is_ticket_number, utc
from envision_worker.simulators.ensono.uploads import check_name, uploaded
from envision_worker.simulators.http import Now, Request, Response, json_response

STATUSES = ("open", "workingprogress", "pending", "resolved", "closed", "cancelled")
GROUPS = frozenset(
    {"Ensono Service Desk", "Ensono Network Support", "Ensono Support", "CS - 1st Line", "CLIENT - Ensono Other"}
)
_FIELDS = ("status", "description", "shortDescription", "group", "priority", "impact", "urgency", "closeNotes")
_LEVELS = {"priority": "1234", "impact": "123", "urgency": "123"}


class Echo(Protocol):
    """Sends what a client did back to it, as if an Ensono user had done it (guide, "Environments", echo)."""

    def created(self, ticket: Ticket) -> None:
        """The client opened a ticket."""

    def updated(self, ticket: Ticket, changed: Mapping[str, str]) -> None:
        """The client changed fields, the status included."""

    def commented(self, ticket: Ticket, comment: Comment) -> None:
        """The client added a comment."""

    def file_added(self, ticket: Ticket, name: str, file: StoredFile) -> None:
        """The client uploaded a file."""


class TicketsApi:
    """The calls under `/tickets`.

    Args:
        views: whether `GET /tickets/{number}` exists here (dev only).
        echo: told of everything; None: nobody.

    Attributes:
        groups: the groups that Ensono knows.
        error_status: HTTP status of `{"Response": …}` errors.
    """

    def __init__(
        self, records: Records, bucket: Bucket, now: Now, *, views: bool = False, echo: Echo | None = None
    ) -> None:
        self.records = records
        self.groups = set(GROUPS)
        self.error_status = 400
        self._bucket = bucket
        self._now = now
        self._views = views
        self._echo = echo

    def offers(self, method: str, path: tuple[str, ...]) -> bool:
        """Whether there is such a method and path; else the gateway answers before this API is reached.

        Args:
            path: decoded segments behind `tickets`.
        """
        if not path:
            return method == "POST"
        return not (method == "GET" and len(path) == 1 and not self._views)

    def answer(self, request: Request, path: tuple[str, ...]) -> Response:
        """Carry out a call of the right client with the right key."""
        try:
            return self._route(request, path)
        except ApiRefused as exc:
            return json_response(exc.answer, exc.status or self.error_status)

    def _route(self, request: Request, path: tuple[str, ...]) -> Response:
        if path and not is_ticket_number(path[0]):
            raise refusal("Bad Path")
        match request.method, path:
            case "POST", ():
                return self._create(self._payload(request))
            case "GET", (number,) if not number.startswith("e-CHG"):
                return json_response({"Response": case_view(self._ticket(number))})
            case "GET", (number, "attachments", name) if not number.startswith("e-CHG"):
                return self._upload_url(self._ticket(number), name)
            case "PUT", (number,) if not number.startswith("e-CHG"):
                return self._update(*self._addressed(request, number))
            case "PUT", (number, "returnptn"):
                return self._return_number(*self._addressed(request, number))
            case "PUT", (number, "notes"):
                return self._add_notes(*self._addressed(request, number, also="Incident"))
            case "PUT", (number, "approve" | "reject" as verb) if number.startswith("e-CHG"):
                return self._decide(verb, *self._addressed(request, number))
        raise refusal("Bad Path")

    def _payload(self, request: Request) -> Payload:
        return read_payload(request, self.records.company)

    def _ticket(self, number: str) -> Ticket:
        ticket = self.records.tickets.get(number)
        if ticket is None or ticket.company != self.records.company:
            raise refusal("APIKey not authorized for ticket company")
        return ticket

    def _addressed(self, request: Request, number: str, *, also: str = "") -> tuple[Ticket, Payload]:
        """The ticket and the payload; every payload bears the ticket's type and the client's number.

        Args:
            also: a ticketType that is taken on a change as well: the guide's sample of notes on one says Incident.
        """
        payload = self._payload(request)
        ticket = self._ticket(number)
        ticket_type = payload.required("ticketType")
        if ticket_type != ticket.ticket_type and not (ticket.is_change and ticket_type == also):
            raise refusal(f"Invalid ticketType: {ticket_type}")
        payload.required("clientTicketNumber")
        return ticket, payload

    def _create(self, payload: Payload) -> Response:
        ticket_type = payload.required("ticketType")
        if ticket_type not in {"Incident", "Request"}:
            raise refusal(f"Invalid ticketType: {ticket_type}")
        client_number = payload.required("clientTicketNumber")
        contact = {name: payload.required(name) for name in ("contactName", "contactEmail")}
        contact |= payload.given(["contactPhone"])
        texts = {name: payload.required(name) for name in ("description", "shortDescription")}
        given = payload.given(["group", "cis", *_LEVELS])
        self._check_group(given, "created")
        comments = payload.comments()
        fields = {
            "status": "open",
            **texts,
            "group": given.get("group") or "Ensono Service Desk",
            "ensonoGroup": "CS - 1st Line",
            **{name: _level(name, given.get(name, "")) for name in _LEVELS},
            "openedTime": utc(self._now()),
            "category": "",
            "origin": "Integration",
            "cis": given.get("cis", ""),
        }
        ticket = self.records.open(ticket_type, fields)
        ticket.client_ticket_number = client_number
        ticket.contact = contact
        if self._echo:
            self._echo.created(ticket)
        self._add(ticket, comments)
        return json_response({"Response": ticket.number})

    def _update(self, ticket: Ticket, payload: Payload) -> Response:
        self._refuse_closed(ticket)
        changed = payload.given(_FIELDS)
        status = changed.get("status")
        if status is not None and status not in STATUSES:
            raise refusal(f"Invalid status: {status}")
        closing = status in {"resolved", "closed"}
        if closing:
            payload.required("closeNotes")
        if status == "closed" and ticket.fields.get("status") != "resolved":
            raise refusal("The ticket must be in the resolved state to be closed")
        self._check_group(changed, "updated")
        comments = [] if closing else payload.comments()
        if closing:
            changed = {name: changed[name] for name in ("status", "closeNotes")}
        changed |= {name: _level(name, changed[name]) for name in _LEVELS if name in changed}
        ticket.fields |= changed
        if self._echo and changed:
            self._echo.updated(ticket, changed)
        self._add(ticket, comments)
        if closing:
            return json_response({"Response": "Ticket Closed Successfully"})
        return json_response({"Response": "Update Successful"}, 202)

    def _return_number(self, ticket: Ticket, payload: Payload) -> Response:
        ticket.client_ticket_number = payload.required("clientTicketNumber")
        ticket.returned_numbers.append(ticket.client_ticket_number)
        return json_response({"Response": "PTN added"})

    def _add_notes(self, ticket: Ticket, payload: Payload) -> Response:
        self._refuse_closed(ticket)
        self._add(ticket, payload.comments(required=True))
        return json_response({"Response": "Comments added"})

    def _decide(self, verb: str, ticket: Ticket, payload: Payload) -> Response:
        approval = ticket.approval(payload.required("approvalId"))
        if approval is None:
            raise refusal("Approval not found")
        approver = payload.required("approver")
        if approver.lower() != approval.approver_email.lower():
            raise refusal("Approver does not match the approval")
        comments = payload.comments(required=True, fields=("body",))
        text = "\n".join(comment["body"] for comment in comments)
        ticket.decide(self._now(), verb, approval, approver, text)
        spoken = "Approval Received Successfully" if verb == "approve" else " Rejection Received Successfully"
        return json_response({"Response": spoken})

    def _upload_url(self, ticket: Ticket, name: str) -> Response:
        check_name(name)

        def received(file: StoredFile) -> None:
            entry, content = uploaded(name, file, self._now())
            ticket.files.append(entry)
            if self._echo and not entry.refused:
                self._echo.file_added(ticket, entry.name, content)

        link = self._bucket.upload_link(f"{self.records.new_id()}.{name}", received)
        return json_response({"Response": {"code": 200, "body": link}})

    def _add(self, ticket: Ticket, comments: list[dict[str, str]]) -> None:
        for given in comments:
            comment = Comment(
                self._now(),
                given["body"],
                given.get("commenter", ""),
                given.get("commentTime", ""),
                given.get("commenterEmail", ""),
                given.get("commenterPhone", ""),
            )
            ticket.comments.append(comment)
            if self._echo:
                self._echo.commented(ticket, comment)

    def _check_group(self, given: Mapping[str, str], verb: str) -> None:
        if given.get("group") and given["group"] not in self.groups:
            sentences = ["assignment_group sys_id or name not found.", f"This ticket cannot be {verb}."]
            raise ApiRefused({"Response": sentences})

    def _refuse_closed(self, ticket: Ticket) -> None:
        if not ticket.is_change and ticket.fields.get("status") == "closed":
            raise refusal("The ticket is closed and takes no more updates")


def _level(name: str, value: str) -> str:
    """Priority, impact and urgency default to 3 where nothing valid is given."""
    return value if len(value) == 1 and value in _LEVELS[name] else "3"
