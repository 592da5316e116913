"""What came of something that an operator asked for: told by the process that has the ledger, shown by the command line."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Result(StrEnum):
    """How it went; each is an exit code of the command line."""

    DONE = "done"
    UNKNOWN = "unknown"
    STILL_FAILING = "still_failing"


@dataclass(frozen=True, slots=True)
class Report:
    """The result, and what to tell the operator, one line each."""

    result: Result
    lines: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For the control socket, and for machines."""
        return {"result": self.result.value, "lines": list(self.lines)}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "Report":
        """Back from the control socket."""
        return cls(Result(given["result"]), tuple(given["lines"]))
