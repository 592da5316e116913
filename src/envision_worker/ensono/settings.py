"""The configuration's tables `[ensono]`, `[queue]` and `[attachments]`."""

import ipaddress
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import httpx
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

_BYTES_IN_A_MB = 1024 * 1024
_NAME = re.compile(r"([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")


class Environment(StrEnum):
    """The environments of a client stack (guide, Environments); they are case-sensitive."""

    DEV = "dev"
    ECHO = "echo"
    CERT = "cert"
    PROD = "prod"


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("should be a number")  # noqa: TRY004 - pydantic turns only a ValueError into a fault
    return value


Seconds = Annotated[float, BeforeValidator(_number), Field(gt=0, le=366 * 86400, allow_inf_nan=False)]
"""A time, whole or fractional."""
Megabytes = Annotated[float, BeforeValidator(_number), Field(gt=0, le=1_000_000, allow_inf_nan=False)]
"""A size in MB of 1024 x 1024 bytes, whole or fractional."""


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def is_plain(url: httpx.URL) -> bool:
    """Whether host and port can be read in one way only: a name or an IP address, no blanks, no percent signs, not empty."""
    host = url.raw_host.decode("ascii").lower()
    is_port = url.port is None or 0 < url.port < 65536  # noqa: PLR2004 - 16 bits
    return is_port and (_NAME.fullmatch(host) is not None or _address(host) is not None)


def _parsed(address: str, problem: str) -> httpx.URL:
    try:
        url = httpx.URL(address.strip())
    except httpx.InvalidURL:
        raise ValueError(problem) from None
    if not is_plain(url) or "?" in address or "#" in address:
        raise ValueError(problem)
    return url


def _base_url(address: str) -> str:
    url = _parsed(address, "should look like https://smconnect.ensono.com/testclient57, without query")
    if url.userinfo:
        raise ValueError("should hold no user name and no password")
    if url.scheme == "http" and not _is_loopback(url.host):
        raise ValueError("should begin with https://; http:// is for 127.0.0.1, localhost and [::1] only")
    if url.scheme not in {"http", "https"}:
        raise ValueError("should begin with https://")
    return str(url).rstrip("/")


def _proxy(address: SecretStr) -> SecretStr:
    url = _parsed(address.get_secret_value(), "should look like http://proxy.example.com:3128")
    if url.scheme not in {"http", "https"} or url.path not in {"", "/"}:
        raise ValueError("should look like http://proxy.example.com:3128")
    return SecretStr(address.get_secret_value().strip())


def _api_key(key: SecretStr) -> SecretStr:
    """A header can carry only this; and httpx would quote a header that it can't send, key and all."""
    plain = key.get_secret_value().strip()
    if re.fullmatch(r"[!-~]+", plain) is None:
        raise ValueError("should be the key alone: visible ASCII characters, no blanks, not empty")
    return SecretStr(plain)


def _client_name(name: str) -> str:
    if not name.strip():
        raise ValueError("should be the clientName that Ensono gave you")
    return name.strip()


def _host_pattern(pattern: str) -> str:
    """A `*` may stand for any part of a name, but a dot must follow: `*amazonaws.com` would let evilamazonaws.com in."""
    host = pattern.strip().lower().removeprefix("[").removesuffix("]")
    if host == "*" or _address(host) or re.fullmatch(r"([a-z0-9_.*-]*\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*", host):
        return host
    raise ValueError("should be a host name without scheme and port, with a dot after each `*`, like *.amazonaws.com")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class EnsonoSettings(_Section):
    """`[ensono]`: where Envision Connect is and who we are there."""

    base_url: Annotated[str, AfterValidator(_base_url)] = Field(
        description="Address of the client stack without the environment; the case matters."
    )
    environment: Environment = Field(description="dev, echo, cert or prod; echo reads its queue from dev's.")
    client_name: Annotated[str, AfterValidator(_client_name)] = Field(description="clientName, provided by Ensono.")
    api_key: Annotated[SecretStr, AfterValidator(_api_key)] = Field(description="x-api-key, provided by Ensono.")
    request_timeout_s: Seconds = Field(default=60, description="Seconds that a call may take.")
    resend_after_s: Seconds = Field(
        default=90,
        description="Seconds before a write of the tickets API that timed out is sent again; the guide says 60 to 120.",
    )
    proxy: Annotated[SecretStr, AfterValidator(_proxy)] | None = Field(
        default=None, description="HTTP proxy, for Ensono and for its attachments."
    )
    ca_file: Path | None = Field(default=None, description="PEM file of the authority that signed the certificate.")

    @property
    def tickets_url(self) -> str:
        """The tickets API's root: `/{number}/returnptn` and so on follow it."""
        return f"{self.base_url}/{self.environment.value}/tickets"

    @property
    def queue_url(self) -> str:
        """The queue; echo's transactions flow to the queue of dev (guide, Environments)."""
        environment = Environment.DEV if self.environment is Environment.ECHO else self.environment
        return f"{self.base_url}/{environment.value}/queue"

    def advice(self) -> tuple[str, ...]:
        """What is accepted but unusual, one line each, `key: problem`."""
        lines = []
        if not 60 <= self.resend_after_s <= 120:  # noqa: PLR2004 - the guide's numbers
            lines.append("ensono.resend_after_s: the guide advises 60 to 120 seconds (Error handling and retry)")
        if self.base_url.rpartition("/")[2] in set(Environment):
            lines.append("ensono.base_url: ends like an environment, which belongs into ensono.environment alone")
        return tuple(lines)


class QueueSettings(_Section):
    """`[queue]`: how Ensono's queue behaves (guide, Reading, processing, and deleting from the queue)."""

    poll_interval_s: Seconds = Field(
        default=30, description="Seconds of pause after an empty read; the guide says 30 to 300."
    )
    visibility_timeout_s: Seconds = Field(default=30, description="Seconds that messages stay hidden after a read.")
    max_receives: Annotated[int, BeforeValidator(_number)] = Field(
        default=20, ge=1, description="Reads after which Ensono moves a message to its failure queue."
    )
    retention_s: Seconds = Field(default=345600, description="Seconds after which Ensono deletes a message unread.")

    def advice(self) -> tuple[str, ...]:
        """What is accepted but differs from the guide, one line each, `key: problem`."""
        guide = {"visibility_timeout_s": 30, "max_receives": 20, "retention_s": 345600}
        lines = [
            f"queue.{key}: the guide says {value}; should be what Ensono's queue really does"
            for key, value in guide.items()
            if getattr(self, key) != value
        ]
        if not 30 <= self.poll_interval_s <= 300:  # noqa: PLR2004 - the guide's numbers
            lines.insert(0, "queue.poll_interval_s: the guide advises 30 to 300 seconds")
        return tuple(lines)


class AttachmentSettings(_Section):
    """`[attachments]`: which files are fetched, and where they wait."""

    allowed_hosts: tuple[Annotated[str, AfterValidator(_host_pattern)], ...] = Field(
        default=("*.amazonaws.com",),
        description="Hosts that files are fetched from; `*.` stands for any name before the rest.",
    )
    allow_insecure_http: bool = Field(default=False, description="Take http:// links too; for tests only.")
    max_size_mb: Megabytes = Field(default=50, description="Largest file, in MB of 1024 x 1024 bytes.")
    spool_dir: Path = Field(
        default=Path("/var/lib/envision-worker/spool"),
        description="Directory where files wait until they are attached.",
    )
    max_spool_mb: Megabytes = Field(default=2000, description="How much of the disk the spool may take, in MB.")

    @property
    def max_size_bytes(self) -> int:
        """`max_size_mb` in bytes."""
        return int(self.max_size_mb * _BYTES_IN_A_MB)

    @property
    def max_spool_bytes(self) -> int:
        """`max_spool_mb` in bytes."""
        return int(self.max_spool_mb * _BYTES_IN_A_MB)

    def advice(self) -> tuple[str, ...]:
        """What is accepted but risky, one line each, `key: problem`."""
        lines = []
        if "*" in self.allowed_hosts:
            lines.append("attachments.allowed_hosts: `*` lets a message make the worker call any host")
        if self.allow_insecure_http:
            lines.append("attachments.allow_insecure_http: files and their signed links travel unencrypted")
        if self.max_spool_mb < self.max_size_mb:
            lines.append("attachments.max_spool_mb: is smaller than max_size_mb, so the largest files never fit")
        return tuple(lines)
