"""What a call to a peer can come to, sorted by what to do about it, not by where it comes from.

| error         | did it happen?  | what to do                                                        |
|---------------|-----------------|-------------------------------------------------------------------|
| `Unreachable` | no              | try again later                                                   |
| `Throttled`   | no              | try again later, not before `retry_after` seconds; stop reading   |
| `KeyRefused`  | no              | try again slowly, say it loudly; stop reading                     |
| `Unsure`      | perhaps         | look before writing again                                         |
| `Malformed`   | perhaps         | the answer can't be read; for a write the same as `Unsure`        |
| `Refused`     | no              | the peer answered no: the request itself is wrong                 |

No message holds a secret: addresses are given without their query. Each can be kept and sent on: no half of a surrogate pair is left.
"""

from enum import StrEnum


class PeerError(Exception):
    """A call to Ensono or to the desk did not succeed.

    Attributes:
        peer: `ensono`, `desk` or `attachments`.
        operation: what was asked for, as in the metric label (`read_queue`, `create_request`…).
        status: the HTTP status of the answer, None where there was none.
    """

    result = "error"

    def __init__(self, peer: str, operation: str, detail: str, *, status: int | None = None) -> None:
        said = detail.encode(
            "utf-8", "replace"
        ).decode()  # JSON may bring half an emoji, which neither file nor peer takes
        super().__init__(f"{peer}: {operation}: {said}")
        self.peer = peer
        self.operation = operation
        self.detail = said
        self.status = status


class Unreachable(PeerError):
    """Nothing happened: no connection, or a read that was answered with 5xx or not at all."""

    result = "unreachable"


class Throttled(Unreachable):
    """Nothing happened: the peer wants fewer calls. `retry_after` is in seconds, None where it did not say."""

    result = "throttled"

    def __init__(
        self, peer: str, operation: str, detail: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(peer, operation, detail, status=status)
        self.retry_after = retry_after


class KeyRefused(Unreachable):
    """Nothing happened: the peer does not accept our key. Only a person can mend it."""

    result = "refused"


class Unsure(PeerError):
    """A write that may or may not have been carried out: its answer was lost, or was a 5xx."""

    result = "unsure"


class Malformed(PeerError):
    """An answer that can't be read: HTML, truncated JSON, an empty body, a shape that nobody documented."""

    result = "malformed"


class RefusedFor(StrEnum):
    """Why a peer said no, as far as it changes what we do next."""

    FIELDS = "fields"
    """Values that the peer does not take; `fields` names them where it told."""
    NOT_FOUND = "not_found"
    """The ticket does not exist (any more)."""
    MERGED = "merged"
    """The ticket was merged; `merged_into` is its parent."""
    ALREADY = "already"
    """What we asked for is already so (closed, in the trash)."""
    CLOSED = "closed"
    """The ticket is closed and takes no such change."""
    TOO_LARGE = "too_large"
    """The file is larger than the peer takes."""
    HANDLE_EXPIRED = "handle_expired"
    """The receipt handle's window has passed: read the message again."""
    HANDLE_INVALID = "handle_invalid"
    """The receipt handle was never one: wrong encoding, or made up."""
    CONFIGURATION = "configuration"
    """The address, the path, the client name or the key's scope is wrong: nothing will succeed until a person mends it."""
    OTHER = "other"


class Refused(PeerError):
    """The peer answered no, and nothing happened.

    Attributes:
        why: what to do about it.
        fields: the desk-neutral names of the fields it refused (see `desks.desk.Fields`), empty where it named none.
        merged_into: the parent's id where `why` is MERGED.
    """

    result = "refused"

    def __init__(
        self,
        peer: str,
        operation: str,
        detail: str,
        *,
        status: int | None = None,
        why: RefusedFor = RefusedFor.OTHER,
        fields: tuple[str, ...] = (),
        merged_into: str | None = None,
    ) -> None:
        super().__init__(peer, operation, detail, status=status)
        self.why = why
        self.fields = fields
        self.merged_into = merged_into
