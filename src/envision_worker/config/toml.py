"""Reading TOML: the file, and single values from the environment."""

import tomllib
from pathlib import Path
from typing import Any

from envision_worker.config.faults import ConfigFaults, Fault, one_line

_LARGEST_FILE_BYTES = 1024 * 1024
_DEEPEST = 20
_NEWLINE = "\n"
_TOO_DEEP = "nested too deep to be a configuration"


def read_tables(path: Path) -> dict[str, Any]:
    """The tables of the file.

    Raises:
        ConfigFaults: it can't be read, is too large, or is no TOML; the fault's key is the file's name.
    """
    try:
        return parse(_text(path))
    except OSError as error:
        problem = f"can't be read ({error.strerror or type(error).__name__}): name a TOML file that this user may read"
    except UnicodeDecodeError as error:
        problem = f"is no UTF-8 text (byte {error.start + 1}): save it as UTF-8"
    except ValueError as error:
        problem = f"is no TOML: {error}"
    raise ConfigFaults([Fault(one_line(str(path)), one_line(problem))]) from None


def parse(text: str) -> dict[str, Any]:
    """The tables of a TOML text.

    Raises:
        ValueError: it is no TOML (with line and column), or is nested too deep for those who walk through it.
    """
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except tomllib.TOMLDecodeError as error:
        end = f"at line {text.count(_NEWLINE) + 1}, the end"
        raise ValueError(str(error).replace("at end of document", end)) from None
    level: list[Any] = [tables]
    for _ in range(_DEEPEST):
        level = [inner for value in level for inner in _inside(value)]
    if level:
        raise ValueError(_TOO_DEEP)
    return tables


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _text(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(_LARGEST_FILE_BYTES + 1)
    if len(data) > _LARGEST_FILE_BYTES:
        raise ValueError(f"more than {_LARGEST_FILE_BYTES} bytes are too many for a configuration")
    return data.decode("utf-8-sig")
