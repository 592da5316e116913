"""Files and directories named in the configuration: relative names are meant beside the file that names them."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from envision_worker.config.faults import Finding, KeyPath
from envision_worker.config.shape import Shape

_AUTHORITIES = "ca_file"


def settle(table: dict[str, Any], shape: Shape, folder: Path, path: KeyPath = ()) -> Iterator[Finding]:
    """Make every path in this table and the tables below absolute.

    Yields:
        Names that no file can have, and lists of certificate authorities that TLS can't use.
    """
    for key, value in table.items():
        below = shape.at(key)
        if below is None:
            continue
        if isinstance(value, dict):
            yield from settle(value, below, folder, (*path, key))
        elif below.is_path and isinstance(value, str):
            table[key] = str(folder / value)
            problem = _problem(key, value, folder)
            if problem:
                yield Finding((*path, key), problem)


def _problem(key: str, value: str, folder: Path) -> str | None:
    if not value.strip() or "\0" in value:
        return "should be the name of a file or directory"
    if key != _AUTHORITIES:
        return None
    try:
        ssl.create_default_context(cafile=str(folder / value))
    except ssl.SSLError:
        return "holds no certificates in PEM format"
    except OSError as error:
        return f"can't be read ({error.strerror or type(error).__name__}): name a PEM file that this user may read"
    return None
