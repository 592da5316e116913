"""How the desk says no: codes, HTTP statuses and texts of the error table, and the envelope they come in.

Sources: the page of common error codes (the same for both products); texts as seen on live servers.
"""

from dataclasses import dataclass
from typing import Any

from envision_worker.simulators.http import Response, json_response

GENERIC = 4000
INVALID = 4001
FORBIDDEN = 4002
CLOSURE_RULE = 4003
INTERNAL = 4004
NOT_FOUND = 4007
NOT_UNIQUE = 4008
MANDATORY = 4012
CONTENT_TYPE = 4013
READ_ONLY = 4014
THROTTLED = 4015
CLASH = 4016
WRONG_TYPE = 4021
BAD_KEY = 4022

_HTTP_STATUS = {FORBIDDEN: 403, INTERNAL: 500, NOT_FOUND: 404, CONTENT_TYPE: 415, THROTTLED: 429, BAD_KEY: 401}
_RANK = (GENERIC, WRONG_TYPE, READ_ONLY, FORBIDDEN, INVALID, NOT_UNIQUE, MANDATORY)
EXTRA_KEY = "Extra key found in JSON"


@dataclass(frozen=True)
class Complaint:
    """One thing that is wrong with a call.

    Attributes:
        code: the specific code, such as 4001.
        message: the text, or the object that tells of a merger; empty: none is given.
        field: the field it is about.
        fields: the mandatory fields that are missing.
    """

    code: int
    message: str | dict[str, Any] = "Invalid Input"
    field: str = ""
    fields: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        """What is looked at first is reported first: the JSON's form, then types, values and last what is missing."""
        if self.message == EXTRA_KEY:
            return -1
        return _RANK.index(self.code) if self.code in _RANK else len(_RANK)

    def as_json(self, *, names_fields: bool) -> dict[str, Any]:
        """As it stands in `response_status.messages`."""
        shown: dict[str, Any] = {"status_code": self.code, "type": "failed"}
        if self.message:
            shown["message"] = self.message
        if names_fields and self.field:
            shown["field"] = self.field
        if names_fields and self.fields:
            shown["fields"] = list(self.fields)
        return shown


class Refusal(Exception):
    """The desk says no, and nothing happened."""

    def __init__(self, *complaints: Complaint, http_status: int | None = None) -> None:
        super().__init__(", ".join(f"{each.code} {each.field} {each.message}" for each in complaints))
        self.complaints = complaints
        self.http_status = http_status

    def response(self, *, names_fields: bool, all_faults: bool) -> Response:
        """The answer; with `all_faults` every complaint, else the one that is met first."""
        ordered = sorted(self.complaints, key=lambda each: each.rank)
        told = ordered if all_faults else ordered[:1]
        status = self.http_status or _HTTP_STATUS.get(ordered[0].code, 400)
        messages = [each.as_json(names_fields=names_fields) for each in told]
        return json_response(
            {"response_status": {"status_code": GENERIC, "messages": messages, "status": "failed"}}, status
        )


class Page(Refusal):
    """An answer that does not come in the API's envelope: a proxy's page, a throttle's sentence."""

    def __init__(self, page: Response) -> None:
        super().__init__(Complaint(GENERIC, page.body.decode()))
        self._page = page

    def response(self, *, names_fields: bool, all_faults: bool) -> Response:  # noqa: ARG002 (names nothing)
        """The page."""
        return self._page


def invalid(field: str, message: str = "Invalid Input") -> Refusal:
    """A value that does not exist, is not in use, or can't be set."""
    return Refusal(Complaint(INVALID, message, field))


def extra_key(name: str) -> Refusal:
    """A key that the entity or the lookup does not have."""
    return Refusal(Complaint(INVALID, EXTRA_KEY, name))


def wrong_type(field: str) -> Refusal:
    """A value of another JSON type than the field has."""
    return Refusal(Complaint(WRONG_TYPE, "Invalid Data type", field))


def missing(*names: str) -> Refusal:
    """Mandatory fields without a value: they are named in an array, without a text."""
    return Refusal(Complaint(MANDATORY, "", fields=names))


def forbidden(message: str, field: str = "") -> Refusal:
    """An operation that is not allowed."""
    return Refusal(Complaint(FORBIDDEN, message, field))


def not_found() -> Refusal:
    """No such URL, or no such thing behind it: the same answer."""
    return Refusal(Complaint(NOT_FOUND, "Invalid URL"))


def merged(ticket_id: str, parent_id: str) -> Refusal:
    """A request that was merged: its message is an object that names the parent."""
    text = f"Request Id(s) {ticket_id} has been Merged with Parent Request {parent_id}."
    return Refusal(Complaint(NOT_FOUND, {"parent_request": {"id": parent_id}, "message": text}))


def extra_parameter() -> Refusal:
    """A parameter in the query or the form that this call does not take."""
    return Refusal(Complaint(GENERIC, "Extra parameter(s) not allowed"))
