"""`[state]`: where the ledger is kept and for how long."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_SQLITE = "sqlite:///"
_NOT_YET = ("postgresql:", "postgres:", "postgresql+", "mysql:")


def _sqlite_url(url: str) -> str:
    if url.lower().startswith(_NOT_YET):
        raise ValueError("only SQLite is in this version: write sqlite:////absolute/path/of/ledger.db")
    if not url.startswith(_SQLITE):
        raise ValueError("should look like sqlite:////absolute/path/of/ledger.db")
    path = url.removeprefix(_SQLITE)
    if not path.startswith("/") or path.endswith("/"):
        raise ValueError(
            "should name a file by its absolute path, with four slashes: sqlite:////absolute/path/of/ledger.db"
        )
    if "?" in path or "#" in path or "\0" in path:
        raise ValueError(
            "takes no options and none of the characters ? and #: write sqlite:////absolute/path/of/ledger.db"
        )
    return url


class StateSettings(BaseModel):
    """The ledger's place and the time that applied messages are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(_sqlite_url)] = Field(
        default="sqlite:////var/lib/envision-worker/ledger.db",
        description="The ledger's file, as sqlite:////absolute/path. postgresql:// is not in this version.",
    )
    keep_applied_days: float = Field(
        default=30,
        gt=0,
        allow_inf_nan=False,
        description="Days after which the copy of an applied message is pruned; links and dead letters stay.",
    )

    @property
    def path(self) -> Path:
        """The ledger's file; absolute. It need not exist yet."""
        return Path(self.url.removeprefix(_SQLITE))
