"""The spool: where the bytes of attachments wait until they are attached, and how much of the disk they may take."""

import asyncio
import os
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_STEP_BYTES = 1024 * 1024  # room is reserved in such steps where nobody told the size


class SpoolFull(Exception):
    """The spool can't take the file: `max_spool_mb` would be exceeded, or the disk refuses. Nothing is wrong with the file."""


def spool_size(directory: Path, *, without: Collection[str] = ()) -> int:
    """How many bytes the files in a spool take; 0 where it does not exist.

    Args:
        without: names of files that don't count.

    Raises:
        OSError: the directory can't be read.
    """
    try:
        with os.scandir(directory) as entries:
            return sum(_size(entry) for entry in entries if entry.name not in without)
    except FileNotFoundError:
        return 0


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size if entry.is_file(follow_symlinks=False) else 0
    except FileNotFoundError:  # attached and removed meanwhile
        return 0


def is_there(path: Path) -> bool:
    """Whether a file is in its spool; in one that may not be looked into there is none."""
    try:
        return path.exists()
    except OSError:
        return False


def size_of(path: Path) -> int:
    """A file's bytes. Raises `SpoolFull`: it can't be looked at (any more)."""
    with _disk(path):
        return path.stat().st_size


def remove(path: Path) -> None:
    """Remove a file, if it is there; what can't be removed now is tidied away later."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def names_in(directory: Path) -> list[str]:
    """The names of what is in a spool; none where it does not exist or may not be looked into."""
    try:
        return [path.name for path in directory.iterdir()]
    except OSError:
        return []


class Spool:
    """Keeps count of what is being written, so that many downloads together stay below the limit too.

    A file that is being written counts with what is reserved for it, not with what is on disk already.
    """

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._reserved: dict[Path, int] = {}

    @contextmanager
    def part(self, target: Path, *, expected_size: int | None) -> Iterator["PartFile"]:
        """A file on its way to `target`; what is not kept when the block ends is removed.

        Args:
            expected_size: bytes, None where nobody told.

        Raises:
            SpoolFull: there is no room.
        """
        part = _part_of(target)
        with ExitStack() as ending:
            ending.callback(self._reserved.pop, target, None)
            with _disk(target):
                part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self.reserve(target, expected_size or 0)
                file = os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode=0o600), "wb")
            ending.callback(_discard, file, part)
            yield PartFile(self, part, target, file, held=expected_size or 0)

    def reserve(self, target: Path, size: int) -> None:
        """Room for `size` bytes in all for a file that is being written.

        Raises:
            SpoolFull: there is not that much.
            OSError: the directory can't be read.
        """
        writing = {other: held for other, held in self._reserved.items() if other != target}
        reserved = {path.name for each in (target, *writing) for path in (each, _part_of(each))}
        taken = spool_size(self._directory, without=reserved) + sum(writing.values())
        if taken + size > self._max_bytes:
            raise SpoolFull(f"{size} bytes do not fit into {self._directory}: {taken} of {self._max_bytes} are taken")
        self._reserved[target] = size


class PartFile:
    """`<target>.part`, which becomes `target` with `keep`. Every refusal of the disk is a `SpoolFull`.

    Attributes:
        size: bytes written so far.
    """

    def __init__(self, spool: Spool, part: Path, target: Path, file: BinaryIO, *, held: int) -> None:
        self.size = 0
        self._spool = spool
        self._part = part
        self._target = target
        self._file = file
        self._held = held

    def write(self, chunk: bytes) -> None:
        """Append.

        Raises:
            SpoolFull: there is no room.
        """
        with _disk(self._target):
            if self.size + len(chunk) > self._held:
                self._held = self.size + len(chunk) + _STEP_BYTES
                self._spool.reserve(self._target, self._held)
            self._file.write(chunk)
        self.size += len(chunk)

    async def keep(self) -> None:
        """The file is whole: put it on disk for good and give it its name; the loop turns meanwhile.

        Raises:
            SpoolFull: there is no room.
        """
        with _disk(self._target):
            self._file.close()
            await asyncio.to_thread(_settle, self._part, self._target)


def _part_of(target: Path) -> Path:
    return target.with_name(target.name + ".part")


@contextmanager
def _disk(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise SpoolFull(f"{target.parent} can't take {target.name}: {exc.strerror or type(exc).__name__}") from exc


def _discard(file: BinaryIO, part: Path) -> None:
    with suppress(OSError):  # a failing disk has said so before
        file.close()
    remove(part)


def _settle(part: Path, target: Path) -> None:
    """After this the file survives a power cut, under its own name."""
    _synced(part, os.O_RDONLY)
    part.replace(target)
    _synced(target.parent, os.O_RDONLY | os.O_DIRECTORY)


def _synced(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
