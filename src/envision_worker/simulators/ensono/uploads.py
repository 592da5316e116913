"""Files from the client: which names are taken, and what becomes of the bytes."""

import base64
import binascii
import mimetypes
import re

from envision_worker.simulators.ensono.bucket import StoredFile
from envision_worker.simulators.ensono.payload import refusal
from envision_worker.simulators.ensono.records import ClientFile

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*\.[A-Za-z0-9-]+")
_BASE64 = ".base64"
_TYPES = mimetypes.MimeTypes()  # the built-in table alone, the same on every machine


def check_name(name: str) -> None:
    """Refuse what may not be uploaded (guide, "Transferring files": letters, digits, hyphens and dots; no exe).

    Raises:
        ApiRefused: says why.
    """
    if not _NAME.fullmatch(name):
        raise refusal("Invalid file name")
    if name.removesuffix(_BASE64).lower().endswith(".exe"):
        raise refusal("File type not allowed")


def uploaded(name: str, file: StoredFile, at: float) -> tuple[ClientFile, StoredFile]:
    """What a finished upload comes to: the entry on the ticket, and the file itself, decoded where it came as Base64.

    The store takes any bytes; a file whose Content-Type or Base64 is wrong is then not added to the ticket.
    """
    plain_name = name.removesuffix(_BASE64)
    if plain_name != name:
        return _decoded(plain_name, file, at)
    expected, _ = _TYPES.guess_type(name)
    wrong = expected is not None and file.content_type != expected
    refused = f"Content-Type is {file.content_type or 'missing'}, not {expected}" if wrong else ""
    return ClientFile(at, name, file.content_type, len(file.content), refused), file


def _decoded(name: str, file: StoredFile, at: float) -> tuple[ClientFile, StoredFile]:
    content_type = _TYPES.guess_type(name)[0] or "application/octet-stream"
    try:
        content = base64.b64decode(file.content, validate=True)
    except binascii.Error:
        return ClientFile(at, name, content_type, len(file.content), "not Base64"), file
    refused = "" if file.content_type == "text/plain" else f"Content-Type is {file.content_type}, not text/plain"
    return ClientFile(at, name, content_type, len(content), refused), StoredFile(content, content_type)
