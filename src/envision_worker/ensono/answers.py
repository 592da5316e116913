"""Ensono's answers, sorted by what to do about them.

The same text comes with different statuses, and errors come with 200, so the text is looked at first and the status after it
(guide, Common error responses; API Gateway and SQS stand behind it and answer in their own words).
"""

import json
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NoReturn

import httpx

from envision_worker.clock import Clock
from envision_worker.ensono.text import identifier
from envision_worker.errors import KeyRefused, Malformed, PeerError, Refused, RefusedFor, Throttled, Unreachable, Unsure
from envision_worker.wire import retry_after

PEER = "ensono"
_QUOTED_CHARACTERS = 300
_LONGEST_NUMBER = 1000


class _Verdict(Enum):
    CONFIGURATION = auto()
    KEY = auto()
    TICKET = auto()
    THROTTLED = auto()
    LOST = auto()
    HANDLE_EXPIRED = auto()
    HANDLE_INVALID = auto()


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a text that an answer begins with means, and what a person can do about it."""

    begins: str
    verdict: _Verdict
    remedy: str = ""

    def fits(self, text: str) -> bool:
        return text.strip().casefold().startswith(self.begins.casefold())


_MEANINGS = (
    _Meaning(
        "Missing Authentication Token",
        _Verdict.CONFIGURATION,
        "look at ensono.environment and ensono.base_url, the case matters",
    ),
    _Meaning("Bad Path", _Verdict.CONFIGURATION, "look at ensono.base_url and ensono.environment"),
    _Meaning("Unable to find mapping for ClientName", _Verdict.CONFIGURATION, "look at ensono.client_name"),
    _Meaning("Forbidden", _Verdict.KEY, "look at ensono.base_url, the case matters, and at ensono.api_key"),
    _Meaning("APIKey not authorized for ticket company", _Verdict.TICKET, "the ticket belongs to another company"),
    _Meaning("Too Many Requests", _Verdict.THROTTLED),
    _Meaning("Limit Exceeded", _Verdict.THROTTLED),
    _Meaning("Rate exceeded", _Verdict.THROTTLED),
    _Meaning("Endpoint request timed out", _Verdict.LOST),
    _Meaning("Internal server error", _Verdict.LOST),
    _Meaning("Service Unavailable", _Verdict.LOST),
)
_THROTTLE_CODES = ("throttl", "overlimit", "toomanyrequests")


@dataclass(frozen=True, slots=True)
class AnswerReader:
    """Reads the answer to one call.

    Attributes:
        writes: whether the call could change anything at Ensono, so that a lost answer leaves that open.
        clock: for a `Retry-After` that is a date.
    """

    operation: str
    response: httpx.Response
    writes: bool
    clock: Clock

    def document(self) -> dict[str, Any]:
        """The JSON object of an answer that reports success and names no error.

        Raises:
            Refused: HANDLE_EXPIRED, HANDLE_INVALID, CONFIGURATION (the detail names the key) or OTHER.
            KeyRefused, Throttled: nothing happened.
            Unsure: a server's error on a call that writes; Unreachable: on one that reads.
            Malformed: HTML, truncated JSON, an empty body, or no JSON object.
        """
        document, problem = _decoded(self.response.content)
        text = _told(document)
        meaning = next((one for one in _MEANINGS if one.fits(text)), None)
        if meaning is not None:
            self._fail(meaning.verdict, _quoted(text), meaning.remedy)
        if isinstance(document.get("Error"), dict):
            self._queue_error(document["Error"])
        self._by_status(problem, text)
        if isinstance(document.get("Response"), list):
            self._fail(_Verdict.TICKET, _quoted(text))
        return document

    def says_nothing(self) -> bool:
        """Whether it reports success with an empty body, or an empty object."""
        return self.response.is_success and self.response.content.strip() in {b"", b"{}"}

    def malformed(self, detail: str) -> Malformed:
        """The error for an answer whose shape nobody documented."""
        return Malformed(PEER, self.operation, self._with_status(detail), status=self.response.status_code)

    def _by_status(self, problem: str | None, text: str) -> None:
        status = self.response.status_code
        if status == httpx.codes.TOO_MANY_REQUESTS:
            self._fail(_Verdict.THROTTLED, _quoted(text))
        if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.REQUEST_TIMEOUT:
            self._fail(_Verdict.LOST, problem or _quoted(text))
        if problem is not None:
            raise self.malformed(problem)
        if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            self._fail(_Verdict.KEY, _quoted(text), "look at ensono.api_key and ensono.base_url")
        if status >= httpx.codes.BAD_REQUEST:
            self._fail(_Verdict.TICKET, _quoted(text))
        if not self.response.is_success:
            raise self.malformed("no documented status; look at ensono.base_url")

    def _queue_error(self, error: dict[str, Any]) -> NoReturn:
        """SQS's own error; the text decides, because the codes for an expired handle differ (guide, Common error responses)."""
        code, message = str(error.get("Code", "")), str(error.get("Message", ""))
        about_handle = "receipt handle" in message.casefold() or "receipthandle" in (code + message).casefold()
        if about_handle and "expired" in message.casefold():
            self._fail(_Verdict.HANDLE_EXPIRED, f"{code}: the receipt handle has expired")
        if about_handle:
            self._fail(_Verdict.HANDLE_INVALID, f"{code}: not a valid receipt handle")
        if any(word in code.casefold() for word in _THROTTLE_CODES):
            self._fail(_Verdict.THROTTLED, _quoted(f"{code}: {message}"))
        lost = error.get("Type") == "Receiver" or self.response.is_server_error
        self._fail(_Verdict.LOST if lost else _Verdict.TICKET, _quoted(f"{code}: {message}"))

    def _fail(self, verdict: _Verdict, detail: str, remedy: str = "") -> NoReturn:
        raise self._error(verdict, self._with_status(f"{detail}: {remedy}" if remedy else detail))

    def _error(self, verdict: _Verdict, detail: str) -> PeerError:
        status = self.response.status_code
        match verdict:
            case _Verdict.KEY:
                return KeyRefused(PEER, self.operation, detail, status=status)
            case _Verdict.THROTTLED:
                wait = retry_after(self.response.headers, self.clock)
                return Throttled(PEER, self.operation, detail, status=status, retry_after=wait)
            case _Verdict.LOST:
                kind = Unsure if self.writes else Unreachable
                return kind(PEER, self.operation, detail, status=status)
            case _:
                return Refused(PEER, self.operation, detail, status=status, why=_WHY[verdict])

    def _with_status(self, detail: str) -> str:
        return f"HTTP {self.response.status_code}: {detail}"


_WHY = {
    _Verdict.CONFIGURATION: RefusedFor.CONFIGURATION,
    _Verdict.TICKET: RefusedFor.OTHER,
    _Verdict.HANDLE_EXPIRED: RefusedFor.HANDLE_EXPIRED,
    _Verdict.HANDLE_INVALID: RefusedFor.HANDLE_INVALID,
}


def _decoded(content: bytes) -> tuple[dict[str, Any], str | None]:
    """The object and no problem, or no object and what is wrong with the body.

    A broken character or a raw line break in one message must not make a whole read unreadable, so both are let through.
    """
    if not content.strip():
        return {}, "an empty body"
    try:
        document = json.loads(content.decode("utf-8-sig", errors="replace"), strict=False, parse_int=_whole_number)
    except RecursionError:
        return {}, "JSON nested too deeply"
    except ValueError:
        markup = content.lstrip().startswith(b"<")
        return {}, "HTML or XML instead of JSON" if markup else "a body that is no JSON, or breaks off"
    if not isinstance(document, dict):
        return {}, "JSON that is no object"
    return document, None


def _told(document: dict[str, Any]) -> str:
    """What API Gateway (`message`) or the bridge (`Response`, a text or ServiceNow's list) says; empty where neither does."""
    for key in ("message", "Message", "Response"):
        said = document.get(key)
        if isinstance(said, str | list):
            return said if isinstance(said, str) else " ".join(str(part) for part in said)
    return ""


def _quoted(said: str) -> str:
    """What Ensono said, as one line of bearable length."""
    line = identifier(" ".join(said.split()))
    return f'"{line[:_QUOTED_CHARACTERS]}"' if line else "no text"


def _whole_number(digits: str) -> int | str:
    """A number of more digits than Python converts stays text, so that one absurd field can't spoil a whole read."""
    return int(digits) if len(digits) <= _LONGEST_NUMBER else digits
