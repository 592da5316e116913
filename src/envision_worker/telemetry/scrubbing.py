"""The last resort before a line is written: no secret, no signed address, no control character, no value without end.

Whoever logs keeps secrets out beforehand; this catches what slips through an exception's text or a library's message.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from structlog.typing import EventDict

REMOVED = "[removed]"
VALUE_AT_MOST_BYTES = 2048  # `journalctl -o json` shows null for fields over 4096 bytes
_READ_AT_MOST = 65536  # of a value of any length, what may still come to stand in those bytes
_ITEMS_AT_MOST = 50
_DEPTH_AT_MOST = 5
_INTEGER_AT_MOST_BITS = 128  # SequenceNumber's; beyond thousands of digits Python refuses to print one

# All patterns take time in proportion to the text: what they read may come from anybody.
_WORD = re.compile(r"[^\s\"'<>]+")
_ADDRESS_USER = re.compile(r"(?i)(\bhttps?://)[^\s/@\"'<>]+@")
_NAMED = re.compile(
    r"(?i)\b(x-amz-[a-z0-9-]{1,40}|authtoken|technician_key|x-api-key|x-hook-secret|api[_-]?key|access[_-]?token"
    r"|refresh[_-]?token|client[_-]?secret|signature|awsaccesskeyid|secret)"
    r"(%3d|[\"']?\s{0,9}[=:]\s{0,9}(?:b?[\"'])?|[\"']\s{0,9},\s{0,9}b?[\"'])(?!\[removed\])[^\s\"'<>&,;)}\]]+"
)
_SCHEMED = re.compile(
    r"(?i)\b(zoho-oauthtoken\s{1,9}|bearer\s{1,9}(?=\S{16})|authorization[\"']?\s{0,9}[=:,]\s{0,9}(?:b?[\"'])?(?:basic\s{1,9})?)"
    r"(?!\[removed\]|basic|bearer|zoho)[^\s\"'<>]+"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_WORTH_A_LOOK = re.compile(r"(?i)https?:|x-amz|token|key|secret|signature|bearer|authorization")


class Scrubber:
    """A structlog processor that leaves only plain, short, secret-free values in a line.

    Args:
        secrets: the very values that must never be seen: keys, tokens, the hook's secret.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        spellings = {spelling for secret in secrets if secret for spelling in _spellings(secret)}
        longest_first = sorted(spellings, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if spellings else None

    def __call__(self, _logger: object, _method: str, line: EventDict) -> EventDict:
        """Scrub every field of a line, the event included."""
        return {key: self._value(value, keep_end=key == "exception", depth=0) for key, value in line.items()}

    def text(self, text: str, *, keep_end: bool = False) -> str:
        """The text without secrets and control characters, cut to `VALUE_AT_MOST_BYTES`; of a traceback the end tells most."""
        scrubbed = self._secrets.sub(REMOVED, text) if self._secrets is not None else text
        # A long text is cut between lines at its head, so that no address loses the question mark that gives its query away.
        near = scrubbed[-_READ_AT_MOST:].partition("\n")[2] if keep_end else scrubbed[:_READ_AT_MOST]
        scrubbed = scrubbed if len(scrubbed) <= _READ_AT_MOST else near
        if _WORTH_A_LOOK.search(scrubbed):
            scrubbed = _WORD.sub(_without_query, scrubbed)
            scrubbed = _ADDRESS_USER.sub(rf"\1{REMOVED}@", scrubbed)
            scrubbed = _NAMED.sub(rf"\1\2{REMOVED}", scrubbed)
            scrubbed = _SCHEMED.sub(rf"\1{REMOVED}", scrubbed)
        scrubbed = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", scrubbed)
        return _cut(scrubbed, f"({len(text)} characters)", keep_end=keep_end)

    def _value(self, value: object, *, keep_end: bool, depth: int) -> object:
        if value is None:
            return None
        if isinstance(value, int):
            return value if value.bit_length() <= _INTEGER_AT_MOST_BITS else f"<a number of {value.bit_length()} bits>"
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, str):
            return self.text(value, keep_end=keep_end)
        if depth < _DEPTH_AT_MOST and isinstance(value, Mapping):
            items = list(value.items())[:_ITEMS_AT_MOST]
            return {self._short(key): self._value(each, keep_end=False, depth=depth + 1) for key, each in items}
        if depth < _DEPTH_AT_MOST and isinstance(value, list | tuple | set | frozenset):
            return [self._value(each, keep_end=False, depth=depth + 1) for each in list(value)[:_ITEMS_AT_MOST]]
        return self._short(value)

    def _short(self, value: object) -> str:
        return self.text(_printed(value))


def _without_query(word: re.Match[str]) -> str:
    """An address without what follows its question mark; any other word as it is."""
    text = word[0]
    start = text.find("://")
    query = text.find("?", start) if start >= 0 else -1
    return text if query < 0 else f"{text[:query]}?{REMOVED}"


def _spellings(secret: str) -> tuple[str, ...]:
    """How a secret may stand in a line: as it is, percent-encoded, or escaped by JSON or repr."""
    return secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]


def _printed(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything, and a log line must never be what fails
        return f"<{type(value).__name__} that can't be printed>"


def _cut(text: str, note: str, *, keep_end: bool) -> str:
    """At most `VALUE_AT_MOST_BYTES` of UTF-8, with a note where something is missing."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= VALUE_AT_MOST_BYTES:
        return raw.decode()
    room = VALUE_AT_MOST_BYTES - len(note) - 4  # a blank and the three bytes of an ellipsis
    if keep_end:
        return f"{note} …{raw[-room:].decode(errors='ignore')}"
    return f"{raw[:room].decode(errors='ignore')}… {note}"
