"""`[http]` and `[log]`: where the worker can be watched and how it writes its log."""

import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_LISTEN = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})")
_HIGHEST_PORT = 65535


def _listen_address(text: str) -> str:
    found = _LISTEN.fullmatch(text)
    if found is None or int(found["port"]) > _HIGHEST_PORT:
        raise ValueError("should be an address and a port, for example 127.0.0.1:9464 or [::1]:9464")
    return text


class LogFormat(StrEnum):
    """How a line of the log looks."""

    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """The least weight that is still written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class HttpSettings(BaseModel):
    """The address of metrics, health and hooks."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    listen: Annotated[str, AfterValidator(_listen_address)] = Field(
        default="127.0.0.1:9464",
        description="Address and port of /metrics, health and hooks; port 0 takes any free one. Plain HTTP: keep it on loopback.",
    )

    @property
    def host(self) -> str:
        """The address to bind, an IPv6 one without its brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to bind; 0: any free one."""
        return int(self.listen.rpartition(":")[2])


class LogSettings(BaseModel):
    """The log on stderr."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    format: LogFormat = Field(default=LogFormat.JSON, description="json for machines, console for people.")
    level: LogLevel = Field(
        default=LogLevel.INFO, description="The least weight written: debug, info, warning or error."
    )
