"""What the tickets API takes: the `payload` object, checked field by field as the guide's tables demand."""

import json
from collections.abc import Iterable
from typing import Any

from envision_worker.simulators.http import Request

LIMITS = {"shortDescription": 160, "description": 4000, "closeNotes": 4000, "body": 4000}
COMMENT_FIELDS = ("body", "commenter", "commentTime", "commenterEmail", "commenterPhone")
JSON_TYPE = "application/json"


class ApiRefused(Exception):
    """The API says no.

    Attributes:
        answer: the JSON to answer.
        status: the HTTP status; None: whatever the API uses for errors that the guide gives no status for.
    """

    def __init__(self, answer: Any, status: int | None = None) -> None:
        super().__init__(answer)
        self.answer = answer
        self.status = status


def refusal(sentence: str) -> ApiRefused:
    """An error in the form in which the guide prints most of them."""
    return ApiRefused({"Response": sentence})


class Payload:
    """The fields of one call; anything beyond the documented ones is ignored, as the guide says."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def given(self, names: Iterable[str]) -> dict[str, str]:
        """Those of the named fields that were sent, as a person reads them."""
        return {name: self.text(name) for name in names if name in self._fields}

    def required(self, name: str) -> str:
        """A field that must be there and not be empty."""
        value = self.text(name) if name in self._fields else ""
        if not value.strip():
            raise refusal(f"Missing required field: {name}")
        return value

    def text(self, name: str) -> str:
        """A field that was sent, as a person reads it."""
        return readable(name, self._fields[name])

    def comments(self, *, required: bool = False, fields: tuple[str, ...] = COMMENT_FIELDS) -> list[dict[str, str]]:
        """The comments array, as a person reads it."""
        given = self._fields.get("comments", [])
        if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
            raise refusal("comments must be an array of objects")
        if required and not given:
            raise refusal("Missing required field: comments")
        return [_comment(each, fields) for each in given]


def read_payload(request: Request, client_name: str) -> Payload:
    """The payload of a call.

    Raises:
        ApiRefused: not JSON, not wrapped, or not from this client.
    """
    if request.media_type != JSON_TYPE:
        raise ApiRefused({"message": "Unsupported Media Type"}, 415)
    try:
        body = json.loads(request.body.decode("utf-8"))
    except (ValueError, RecursionError) as exc:
        raise refusal("Error parsing request body: it is not valid JSON") from exc
    if not isinstance(body, dict) or not isinstance(body.get("payload"), dict):
        raise refusal("Missing payload")
    if body["payload"].get("clientName") != client_name:
        raise refusal("Unable to find mapping for ClientName")
    return Payload(body["payload"])


def readable(name: str, value: Any) -> str:
    """Undo the second escape of a text.

    The guide, "Special characters": new lines, tabs, double quotes and backslashes are escaped twice. So what the JSON parser leaves
    must by itself be the inside of a JSON text; anything else breaks Ensono's second parser.

    Raises:
        ApiRefused: no text, escaped only once, or longer than the field may be; the length counts the escapes.
    """
    if not isinstance(value, str):
        raise refusal(f"Invalid value for {name}: a string is expected")
    limit = LIMITS.get(name)
    if limit is not None and len(value) > limit:
        raise refusal(f"{name} exceeds the limit of {limit} characters")
    try:
        text = json.loads(f'"{value}"')
    except ValueError as exc:
        raise refusal(f"Error parsing {name}: unescaped special character") from exc
    return str(text)


def _comment(given: dict[str, Any], fields: tuple[str, ...]) -> dict[str, str]:
    unknown = sorted(given.keys() - set(fields))
    if unknown:
        raise refusal(f"Unexpected field in comments: {', '.join(unknown)}")
    comment = {name: readable(name, value) for name, value in given.items()}
    if not comment.get("body", "").strip():
        raise refusal("Missing required field: comments.body")
    return comment
