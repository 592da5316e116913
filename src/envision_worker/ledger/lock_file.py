"""The lock that keeps a second process off the same ledger, and the word that one process leaves there for the next."""

import contextlib
import fcntl
import os
from pathlib import Path

from envision_worker.ledger.records import LedgerHeld, LedgerUnavailable

_LEDGER_FAILED = "ended because the ledger failed\n"
_BYTES = 200
"""More than it ever holds."""


class LockFile:
    """Keeps a second process off the same ledger, and names the first.

    Attributes:
        ledger_failed: whether a process ended because the ledger failed, and nobody has looked at it since.
    """

    def __init__(self, ledger: str) -> None:
        self.path = Path(f"{ledger}.lock")
        self.ledger_failed = False
        self._file: int | None = None

    def acquire(self) -> None:
        """Raises `LedgerHeld` naming the process that holds it, `LedgerUnavailable` where the file can't be had."""
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as exc:
            raise LedgerUnavailable(f"{self.path}: {exc.strerror}") from exc
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            said = _said(file)
            os.close(file)
            holder = said.partition("\n")[0].strip() or "unknown"
            raise LedgerHeld(f"{self.path}: another process holds the ledger: pid {holder}") from exc
        self._file = file
        self.note(ledger_failed=_LEDGER_FAILED in _said(file))  # read under the lock: nobody writes it any more

    def note(self, *, ledger_failed: bool) -> None:
        """Leave word for the next process; written over what stands there, which needs no room on a full disk."""
        self.ledger_failed = ledger_failed
        said = f"{os.getpid()}\n{_LEDGER_FAILED if ledger_failed else ''}".encode("ascii")
        if self._file is not None:
            with contextlib.suppress(OSError):  # it is only a help
                os.pwrite(self._file, said, 0)
                os.ftruncate(self._file, len(said))

    def release(self) -> None:
        """The file stays: deleting it would let two processes lock two different files."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _said(file: int) -> str:
    return os.pread(file, _BYTES, 0).decode("ascii", "replace")
