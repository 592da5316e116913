"""Reads `multipart/form-data`, the form in which files are uploaded."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from envision_worker.simulators.http import Request
from envision_worker.simulators.manageengine import refusals
from envision_worker.simulators.manageengine.refusals import Complaint, Refusal

_BOUNDARY = re.compile(r'boundary="?([^";,]+)"?', re.IGNORECASE)
_PARAMETER = re.compile(r'(\w+)(\*?)=(?:"([^"]*)"|([^;\s]+))')


@dataclass(frozen=True)
class Part:
    """One part of the form; `filename` is None where it is a plain value."""

    name: str
    filename: str | None
    content_type: str
    content: bytes


def split(request: Request) -> list[Part]:
    """The parts of a call's body.

    Raises:
        Refusal: the body is no multipart form, or a part of it can't be read.
    """
    boundary = _BOUNDARY.search(request.headers.get("content-type", ""))
    if request.media_type != "multipart/form-data" or boundary is None:
        raise Refusal(Complaint(refusals.CONTENT_TYPE, "Unsupported content type"))
    mark = b"--" + boundary.group(1).encode()
    pieces = (b"\r\n" + request.body).split(b"\r\n" + mark)
    if len(pieces) < 3 or pieces[-1].strip() != b"--":  # noqa: PLR2004 (what is before, one part, what is behind)
        raise refusals.invalid("input_file", "The multipart body is incomplete")
    return [_part(piece) for piece in pieces[1:-1]]


def _part(piece: bytes) -> Part:
    head, separator, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    headers = dict(_header(line) for line in head.decode("utf-8", "replace").split("\r\n"))
    parameters = _parameters(headers.get("content-disposition", ""))
    if not separator or "name" not in parameters:
        raise refusals.invalid("input_file", "A part of the form has no name")
    return Part(parameters["name"], parameters.get("filename"), headers.get("content-type", "text/plain"), content)


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


def _parameters(disposition: str) -> dict[str, str]:
    """The parameters; `filename*` is decoded, and a quote in a name is sent as %22 by browsers."""
    found: dict[str, str] = {}
    for name, extended, quoted, bare in _PARAMETER.findall(disposition):
        value = quoted or bare
        found[name.lower()] = unquote(value.rpartition("'")[2]) if extended else value.replace("%22", '"')
    return found
