"""The file store behind pre-signed links: downloads for two hours, uploads once and for two minutes."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

from envision_worker.simulators.http import Now, Request, Response

PATH = "bucket"
DOWNLOAD_S = 7200
UPLOAD_S = 120
_STAMP = "%Y%m%dT%H%M%SZ"
_SESSION = "IQoJb3JpZ2luX2VjEPL//////////wEaCXVzLXdlc3QtMSJH+simulated+token=="
_HOST_ID = "6tHHwHVXP5UivsbusxVCiOnWmaLTiV1tta2di3aw1SpE7eH3vLgXj/JScFqbmcXj4Duu64ogSN0="


@dataclass(frozen=True)
class StoredFile:
    """What lies under a key."""

    content: bytes
    content_type: str


@dataclass(frozen=True)
class BucketCall:
    """One call; `key_sent` tells whether it bore an x-api-key, which it needn't and shouldn't."""

    at: float
    method: str
    key: str
    status: int
    key_sent: bool


class Bucket:
    """The store.

    Args:
        url: where its keys are reached, such as `http://127.0.0.1:40123/bucket`, without a slash at the end.

    Attributes:
        files: by key.
        calls: every call that reached it, in order.
    """

    def __init__(self, now: Now, url: str, seed: int = 0) -> None:
        self.url = url
        self.files: dict[str, StoredFile] = {}
        self.calls: list[BucketCall] = []
        self._now = now
        self._secret = f"signing key {seed}".encode()
        self._awaited: dict[str, Callable[[StoredFile], None]] = {}

    def download_link(self, key: str, file: StoredFile, *, expires_in: int = DOWNLOAD_S) -> str:
        """Store a file and sign a link to it."""
        self.files[key] = file
        return self._link("GET", key, expires_in)

    def upload_link(self, key: str, received: Callable[[StoredFile], None]) -> str:
        """Sign a link that takes one file, and then call `received` with it."""
        self._awaited[key] = received
        return self._link("PUT", key, UPLOAD_S)

    def answer(self, request: Request) -> Response:
        """Answer a call to `/bucket/<key>`."""
        key = "/".join(request.segments[1:])
        response = self._refusal(request, key) or self._carry_out(request, key)
        self.calls.append(BucketCall(self._now(), request.method, key, response.status, "x-api-key" in request.headers))
        return response

    def _carry_out(self, request: Request, key: str) -> Response:
        if request.method == "PUT":
            return self._receive(request, key)
        file = self.files.get(key)
        if file is None:
            return _error(404, "NoSuchKey", "The specified key does not exist.", {"Key": key})
        return Response(200, file.content, file.content_type)

    def _receive(self, request: Request, key: str) -> Response:
        received = self._awaited.pop(key, None)
        if received is None:
            return _error(403, "AccessDenied", "Access Denied", {})
        file = StoredFile(request.body, request.media_type)
        self.files[key] = file
        received(file)
        return Response(200, b"", "application/xml")

    def _refusal(self, request: Request, key: str) -> Response | None:
        """What S3 answers where the link isn't good: wrong or changed, or too old."""
        given = dict(request.query_values)
        signature = given.pop("X-Amz-Signature", "")
        if not hmac.compare_digest(signature.encode(), self._signature(request.method, key, given).encode()):
            message = "The request signature we calculated does not match the signature you provided."
            return _error(403, "SignatureDoesNotMatch", message, {})
        expires_in = int(given["X-Amz-Expires"])
        expires_at = datetime.strptime(given["X-Amz-Date"], _STAMP).replace(tzinfo=UTC).timestamp() + expires_in
        if self._now() < expires_at:
            return None
        facts = {
            "X-Amz-Expires": str(expires_in),
            "Expires": _xml_time(expires_at),
            "ServerTime": _xml_time(self._now()),
        }
        return _error(403, "AccessDenied", "Request has expired", facts)

    def _link(self, method: str, key: str, expires_in: int) -> str:
        date = datetime.fromtimestamp(self._now(), UTC).strftime(_STAMP)
        parameters = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"ASIAYCQITFFPAUMR3XNB/{date[:8]}/us-west-1/s3/aws4_request",
            "X-Amz-Date": date,
            "X-Amz-Expires": str(expires_in),
            "X-Amz-Security-Token": _SESSION,
            "X-Amz-SignedHeaders": "host",
        }
        signature = self._signature(method, key, parameters)
        query = urlencode(dict(sorted({**parameters, "X-Amz-Signature": signature}.items())), quote_via=quote, safe="")
        return f"{self.url}/{quote(key)}?{query}"

    def _signature(self, method: str, key: str, parameters: Mapping[str, str]) -> str:
        signed = "\n".join([method, key, urlencode(sorted(parameters.items()))])
        return hmac.new(self._secret, signed.encode(), hashlib.sha256).hexdigest()


def _xml_time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _error(status: int, code: str, message: str, facts: Mapping[str, str]) -> Response:
    known = {"Code": code, "Message": message, **facts, "RequestId": "FC887DC0042A67FF", "HostId": _HOST_ID}
    parts = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in known.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{parts}</Error>'
    return Response(status, body.encode(), "application/xml")
