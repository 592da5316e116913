"""The signed links of attachments: whether one may be called, and until when it works."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

import httpx

from envision_worker.ensono.settings import AttachmentSettings, is_plain
from envision_worker.errors import PeerError
from envision_worker.wire import without_query

PEER = "attachments"
OPERATION = "download"

_LIFE = timedelta(hours=2)  # X-Amz-Expires=7200 in the guide's samples, counted from when the message was written
_LONGEST_LIFE = timedelta(days=7)
_SECONDS = re.compile(r"[0-9]{1,9}")
_AMBIGUOUS = re.compile(r"[\x00-\x20\x7f\\]")  # programs disagree about what these mean in an address


class FetchReason(StrEnum):
    """Why a file can't be fetched for good."""

    EXPIRED = "expired"
    TOO_LARGE = "too_large"
    HOST_NOT_ALLOWED = "host_not_allowed"
    SCHEME_NOT_ALLOWED = "scheme_not_allowed"
    NOT_FOUND = "not_found"
    REDIRECTED_ELSEWHERE = "redirected_elsewhere"
    BAD_URL = "bad_url"
    REFUSED = "refused"


class CannotFetch(PeerError):
    """A file that can't be fetched, now or later.

    Attributes:
        reason: the closed word for it. detail: a sentence for people, with the address without its query.
    """

    result = "refused"

    def __init__(self, reason: FetchReason, detail: str, *, status: int | None = None) -> None:
        super().__init__(PEER, OPERATION, detail, status=status)
        self.reason = reason


def permitted(link: str, settings: AttachmentSettings) -> httpx.URL:
    """The link as an address that may be called.

    Raises:
        CannotFetch: BAD_URL, SCHEME_NOT_ALLOWED or HOST_NOT_ALLOWED.
    """
    shown = without_query(link)
    try:
        url = httpx.URL(link.strip())
    except (httpx.InvalidURL, ValueError):
        raise CannotFetch(FetchReason.BAD_URL, f"{shown} is no address") from None
    if _AMBIGUOUS.search(link.strip()) or url.userinfo or not is_plain(url):
        raise CannotFetch(FetchReason.BAD_URL, f"{shown} is no plain address of a file")
    if url.scheme not in ({"http", "https"} if settings.allow_insecure_http else {"https"}):
        raise CannotFetch(FetchReason.SCHEME_NOT_ALLOWED, f"{shown} is not https")
    host = url.raw_host.decode("ascii").lower().removesuffix(".")
    if not _is_allowed(host, settings.allowed_hosts):
        raise CannotFetch(FetchReason.HOST_NOT_ALLOWED, f"{host} is not among attachments.allowed_hosts")
    return url


def link_expiry(link: str, sent_at: datetime) -> datetime:
    """When the link stops working: as it says itself, else two hours after its message was sent (`sent_at`, with a zone).

    Never later than S3 lets any link live, whatever it says.
    """
    try:
        asked = httpx.URL(link.strip()).params
        signed_at = datetime.strptime(asked.get("X-Amz-Date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        seconds = _SECONDS.fullmatch(asked.get("X-Amz-Expires", ""))
        says = signed_at + timedelta(seconds=int(seconds[0])) if seconds else sent_at + _LIFE
    except (httpx.InvalidURL, ValueError, OverflowError):
        return sent_at + _LIFE
    return min(says, sent_at + _LONGEST_LIFE)


def _is_allowed(host: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(host, pattern) for pattern in patterns)
