"""Text on its way to Ensono (guide, Special characters): escaped twice, cut to what the fields take."""

import unicodedata

SHORT_LIMIT = 160
"""Characters that shortDescription takes (guide, Fields for opening a ticket)."""
LONG_LIMIT = 4000
"""Characters that description, closeNotes and a comment's body take."""

_ELLIPSIS = "…"
_PAIRS = str.maketrans({"\\": "\\\\", '"': '\\"', "\r": "\\r", "\n": "\\n", "\t": "\\t"})
_UNSENDABLE = frozenset({"Cc", "Cs"})  # control characters; halves of surrogate pairs, which UTF-8 can't carry


def escaped(text: str, limit: int = LONG_LIMIT) -> str:
    r"""Free text as Ensono wants it before the JSON encoding, in at most `limit` characters.

    `\`, `"`, CR, LF and TAB become two characters each, a backslash and the character or its letter; other control
    characters go. What is too long is cut between two such pairs and ends with an ellipsis.
    """
    whole = _without_unsendable(text.translate(_PAIRS))
    if len(whole) <= limit:
        return whole
    kept = whole[: limit - len(_ELLIPSIS)]
    backslashes = len(kept) - len(kept.rstrip("\\"))
    return kept[: len(kept) - backslashes % 2] + _ELLIPSIS


def identifier(value: str) -> str:
    """A number, an id or a name that Ensono compares: as it is, without what can't be sent."""
    return _without_unsendable(value)


def _without_unsendable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char for char in text if unicodedata.category(char) not in _UNSENDABLE)
