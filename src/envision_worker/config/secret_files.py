"""Secrets from files: a secret `x` can also be given as `x_file`, so that the configuration itself holds none."""

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from envision_worker.config.faults import Finding, KeyPath
from envision_worker.config.shape import FILE_SUFFIX, Shape

CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"
"""The environment variable in which systemd tells where a unit's credentials are."""

_LARGEST_SECRET_BYTES = 64 * 1024


def folders(config_file: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where relative names of secret files are looked up, first one first."""
    credentials = environ.get(CREDENTIALS_DIRECTORY)
    beside = config_file.absolute().parent
    return (Path(credentials), beside) if credentials else (beside,)


def fill_in(table: dict[str, Any], shape: Shape, looked_in: tuple[Path, ...], path: KeyPath = ()) -> Iterator[Finding]:
    """Put the content of every `x_file` of this table and the tables below in the place of `x`.

    No finding holds a file's name: a secret written there by mistake would be shown.

    Yields:
        Secrets given twice, files that can't be read, and secrets that can't be sent in a header.
    """
    for name in shape.secrets:
        problem = _fill_in(table, name, looked_in)
        if problem:
            yield Finding((*path, problem[0]), problem[1])
    for key, value in table.items():
        below = shape.at(key)
        if isinstance(value, dict) and below is not None:
            yield from fill_in(value, below, looked_in, (*path, key))


def _fill_in(table: dict[str, Any], name: str, looked_in: tuple[Path, ...]) -> tuple[str, str] | None:
    """One secret; returns the key and the problem where there is one."""
    file_key = name + FILE_SUFFIX
    given, file_name = table.get(name), table.pop(file_key, None)
    if given is not None and file_name is not None:
        return name, f"given twice: keep either {name} or {file_key}"
    try:
        if file_name is not None:
            given = _content(file_name, looked_in)
        if isinstance(given, str):
            table[name] = _sendable(given)
    except ValueError as error:
        return name if file_name is None else file_key, str(error)
    return None


def _content(name: Any, looked_in: tuple[Path, ...]) -> str:
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        raise ValueError("should be the name of a file that holds the secret")
    for folder in looked_in:
        try:
            return _read(folder / name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except UnicodeDecodeError:
            raise ValueError("names a file that is no text") from None
        except OSError as error:
            raise ValueError(f"names a file that can't be read: {error.strerror or type(error).__name__}") from None
    where = "" if Path(name).is_absolute() else f" in {' or in '.join(str(folder) for folder in looked_in)}"
    raise ValueError(f"names a file that doesn't exist{where}")


def _read(file: Path) -> str:
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError(0, "it is no ordinary file")
    with file.open("rb") as opened:
        data = opened.read(_LARGEST_SECRET_BYTES + 1)
    if len(data) > _LARGEST_SECRET_BYTES:
        raise OSError(0, f"it has more than {_LARGEST_SECRET_BYTES} bytes")
    return data.decode()


def _sendable(secret: str) -> str:
    """The secret without blanks and newlines at its ends, which no header can carry and editors like to add."""
    stripped = secret.strip()
    if not stripped:
        raise ValueError("is empty: put the secret there")
    if not (stripped.isascii() and stripped.isprintable()):
        raise ValueError("should be one line of printable ASCII")
    return stripped
