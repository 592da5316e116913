"""What an answer of ServiceDesk Plus means: its body, or the error that says what to do about it.

The envelope and its codes are told in the API's "Common error codes"; what it leaves out was seen by public clients:
`response_status` is an object or, in lists, an array; `message` is a sentence or an object; the code that tells something
stands in `messages`, the one above it is nearly always 4000; and the throttle on premises answers 400 with a sentence.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from envision_worker.desks.manageengine.shapes import Json, part, text, whole
from envision_worker.errors import KeyRefused, Malformed, PeerError, Refused, RefusedFor, Throttled, Unreachable, Unsure
from envision_worker.wire import without_query

PEER = "desk"
MAX_RETRY_AFTER_S = 3600.0
CLOSING = frozenset({"close_request", "close_change", "cancel_change"})
"""Operations for which "is closed" means that it is done; for any other it means that the ticket takes no change."""

_DETAIL_LIMIT = 300
_OK_CODES = frozenset({None, 200, 2000})
_KEY_CODES = frozenset({401, 4022})
_FIELD_CODES = frozenset({4001, 4008, 4009, 4010, 4011, 4012, 4014, 4016, 4021})
_THROTTLE_CODE, _INTERNAL_CODE, _FORBIDDEN_CODE, _NOT_FOUND_CODE, _LICENCE_CODE = 4015, 4004, 4002, 4007, 7001
_THROTTLE_TEXT = re.compile(rb"maximum access limit", re.IGNORECASE)
_TRASHED_TEXT = re.compile(r"\balready in trash\b", re.IGNORECASE)
_CLOSED_TEXT = re.compile(
    r"\balready (been )?(closed|cancell?ed|completed)\b|\b(is|been) (closed|cancell?ed)\b|\b(closed|cancell?ed) (request|change)",
    re.IGNORECASE,
)
_SIZE_TEXT = re.compile(
    r"(file|attachment)s? size|size (of|limit|exceed)|exceeds? .*\bsize\b|too (large|big)|larger than", re.IGNORECASE
)
_MISUSE_TEXT = re.compile(r"extra parameter|invalid http method", re.IGNORECASE)
_EXTRA_KEY_TEXT = re.compile(r"extra key", re.IGNORECASE)
_SCOPE_TEXT = re.compile(r"\boauth[ _]?scope", re.IGNORECASE)
_VALUE_FOR_TEXT = re.compile(r"cannot give value for ['\"]?(?P<field>[\w.]+)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\s]+")


@dataclass(frozen=True, slots=True)
class Failure:
    """One complaint of the envelope.

    Attributes:
        codes: the message's own and the one above it, where they are told.
        said: the sentence, empty where there is none.
        fields: as the desk names them.
        parent: the id of the ticket that this one was merged into.
    """

    codes: frozenset[int]
    said: str
    fields: tuple[str, ...] = ()
    parent: str = ""


def judge(operation: str, response: httpx.Response, *, writes: bool) -> Json:
    """The body of an answer that says that what was asked for was done.

    Success is 2xx, a JSON object, and nothing failed in it (a bulk call can be 200 with one failed entry).

    Raises:
        Throttled, KeyRefused, Refused: the desk said so; `Refused.fields` are named as the desk names them.
        Unreachable, Unsure: 5xx to a read, to a write.
        Malformed: no JSON object, or one that says neither yes nor no.
    """
    status = response.status_code
    if _is_throttled(response):
        raise Throttled(PEER, operation, "wants fewer calls", status=status, retry_after=retry_after(response))
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise _broken(operation, f"HTTP {status}{_aside(_try_body(response))}", status, writes=writes)
    if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        raise Refused(PEER, operation, "too large", status=status, why=RefusedFor.TOO_LARGE)
    if status == httpx.codes.UNAUTHORIZED:
        raise _unauthorized(operation, _aside(_try_body(response)), status)
    if response.is_redirect:
        target = without_query(response.headers.get("location", "nowhere"))
        raise Malformed(PEER, operation, f"sent on to {target}: is the address right?", status=status)
    body = _body(operation, response)
    failures = list(_failures(body, failed=status >= httpx.codes.BAD_REQUEST))
    if failures:
        raise _verdict(operation, failures, response, writes=writes)
    if not response.is_success:
        raise Malformed(PEER, operation, f"HTTP {status} with JSON that nobody documented", status=status)
    return body


def retry_after(response: httpx.Response) -> float | None:
    """Seconds to wait as the answer's Retry-After tells them, never more than an hour; None where it tells none."""
    try:
        seconds = float(response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(seconds, MAX_RETRY_AFTER_S) if math.isfinite(seconds) and seconds >= 0 else None


def _is_throttled(response: httpx.Response) -> bool:
    """On premises the throttle is a 400 whose body may not even be JSON."""
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return True
    return response.is_client_error and _THROTTLE_TEXT.search(response.content) is not None


def _body(operation: str, response: httpx.Response) -> Json:
    body = _try_body(response)
    if body is not None:
        return body
    status = response.status_code
    raise Malformed(PEER, operation, f"HTTP {status}, but {_what(response)} in place of a JSON object", status=status)


def _try_body(response: httpx.Response) -> Json | None:
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _what(response: httpx.Response) -> str:
    """What came in place of JSON, without a word of its content: pages hold names, tokens and addresses."""
    start = response.content[:200].lstrip().lower()
    if not start:
        return "an empty body"
    if start.startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    return "truncated JSON" if start.startswith(b"{") else "something else"


def _failures(body: Json, *, failed: bool) -> Iterator[Failure]:
    """Everything the envelope complains of; `failed` tells that the HTTP status is a complaint already."""
    for entry in _listed(body.get("response_status")):
        says_failed = text(entry.get("status")).lower() == "failed"
        messages = [each for each in _listed(entry.get("messages")) if says_failed or failed or _complains(each)]
        if messages:
            yield from (_failure(each, entry) for each in messages)
        elif says_failed or failed or whole(entry.get("status_code")) not in _OK_CODES:
            yield _failure({}, entry)


def _listed(value: Any) -> list[Json]:
    entries = value if isinstance(value, list) else [value]
    return [entry for entry in entries if isinstance(entry, Mapping)]


def _complains(message: Json) -> bool:
    return text(message.get("type")).lower() == "failed"


def _failure(message: Json, entry: Json) -> Failure:
    said = message.get("message", entry.get("message"))
    parent = text(part(said, "parent_request", "id")) or text(part(said, "parent_change", "id"))
    sentence = text(part(said, "message")) if isinstance(said, Mapping) else text(said)
    several = message.get("fields")
    named = [message.get("field"), *(several if isinstance(several, list) else [])]
    fields = tuple(each for each in map(text, named) if each)
    if not fields and (match := _VALUE_FOR_TEXT.search(sentence)):
        fields = (match["field"],)
    codes = (whole(each.get("status_code")) for each in (message, entry))
    return Failure(frozenset(code for code in codes if code is not None), sentence, fields, parent)


def _verdict(operation: str, failures: list[Failure], response: httpx.Response, *, writes: bool) -> PeerError:
    codes = frozenset[int]().union(*(failure.codes for failure in failures))
    detail, status = _detail(failures), response.status_code
    if _THROTTLE_CODE in codes:
        return Throttled(PEER, operation, detail, status=status, retry_after=retry_after(response))
    if codes & _KEY_CODES:
        return KeyRefused(PEER, operation, detail, status=status)
    if _INTERNAL_CODE in codes:
        return _broken(operation, detail, status, writes=writes)
    fields = tuple(dict.fromkeys(field for failure in failures for field in failure.fields))
    parent = next((failure.parent for failure in failures if failure.parent), None)
    why = RefusedFor.MERGED if parent else _why(operation, failures, codes, status)
    return Refused(PEER, operation, detail, status=status, why=why, fields=fields, merged_into=parent)


def _why(operation: str, failures: list[Failure], codes: frozenset[int], status: int) -> RefusedFor:
    """Sentences come before codes: 4001 is also "already closed", 4016 also "already in trash", 4021 also a wrong method."""
    said = " ".join(failure.said for failure in failures)
    if _NOT_FOUND_CODE in codes or status == httpx.codes.NOT_FOUND:
        return RefusedFor.NOT_FOUND
    if _TRASHED_TEXT.search(said):
        return RefusedFor.ALREADY
    if _CLOSED_TEXT.search(said):
        return RefusedFor.ALREADY if operation in CLOSING else RefusedFor.CLOSED
    if operation == "attach" and _SIZE_TEXT.search(said):
        return RefusedFor.TOO_LARGE
    if _MISUSE_TEXT.search(said) or _LICENCE_CODE in codes:
        return RefusedFor.CONFIGURATION
    named = any(failure.fields for failure in failures)
    forbidden = _FORBIDDEN_CODE in codes or status == httpx.codes.FORBIDDEN
    if codes & _FIELD_CODES or _EXTRA_KEY_TEXT.search(said) or (forbidden and named):
        return RefusedFor.FIELDS
    return RefusedFor.OTHER


def _unauthorized(operation: str, said: str, status: int) -> PeerError:
    """In the cloud a key that is right, but has not been given a module's scope, is answered like a wrong one."""
    if _SCOPE_TEXT.search(said):
        detail = f"the key lacks the scope for it{said}"
        return Refused(PEER, operation, detail, status=status, why=RefusedFor.CONFIGURATION)
    return KeyRefused(PEER, operation, f"the key is refused{said}", status=status)


def _broken(operation: str, detail: str, status: int, *, writes: bool) -> PeerError:
    kind = Unsure if writes else Unreachable
    return kind(PEER, operation, detail, status=status)


def _aside(body: Json | None) -> str:
    detail = _detail(list(_failures(body or {}, failed=True)))
    return f": {detail}" if detail else ""


def _detail(failures: list[Failure]) -> str:
    """What the desk said, on one line and not too long."""
    shown = "; ".join(
        " ".join(filter(None, (str(max(each.codes, default="")), ", ".join(each.fields), each.said)))
        for each in failures
    )
    return _CONTROL.sub(" ", shown).strip()[:_DETAIL_LIMIT]
