"""Names of attachments, made safe for any disk and any form."""

import re
import unicodedata

LONGEST_NAME_BYTES = 120
NAMELESS = "attachment"

_LONGEST_EXTENSION_BYTES = 20
_RESERVED = re.compile(r'[/\\:*?"<>|]')  # separators, and what Windows takes in no name
# Control characters, bidirectional and zero-width ones, halves of surrogate pairs.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs"})
_BLANK = frozenset({"Zs", "Zl", "Zp"})


def safe_name(name: str) -> str:
    """A file name that names the same file to people and can't do harm.

    Separators become `_`, so nothing leaves its directory; invisible characters go; no dots at either end, at most 120 bytes of
    UTF-8 with the extension kept, never empty. Letters of all scripts and emoji stay.
    """
    visible = "".join(_plain(char) for char in name)
    tidy = _RESERVED.sub("_", " ".join(visible.split())).strip(". ")
    return _shortened(tidy) or NAMELESS


def _plain(char: str) -> str:
    category = unicodedata.category(char)
    if category in _BLANK or char in "\t\r\n":
        return " "
    return "" if category in _INVISIBLE else char


def _shortened(name: str) -> str:
    if len(name.encode()) <= LONGEST_NAME_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    if not stem or not extension or len(extension.encode()) > _LONGEST_EXTENSION_BYTES:
        stem, dot, extension = name, "", ""
    room = LONGEST_NAME_BYTES - len((dot + extension).encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip(". ") + dot + extension
