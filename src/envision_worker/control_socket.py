"""The daemon's control socket as a command sees it. Loads nothing of the worker: `status` must be there at once."""

import contextlib
import http.client
import json
import os
import socket
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from typing_extensions import override

_LONGEST_ADDRESS = 100  # a Unix socket's address has 108 bytes, the closing zero included


class NoDaemon(Exception):
    """Nobody listens, or whoever does is about to end: do it in the daemon's place."""


class DaemonSilent(Exception):
    """There is a daemon, but no answer of it; says why. What was asked for may have been done."""


class DaemonFailed(Exception):
    """The daemon could not do it; says what it says. `ledger`: because its ledger failed."""

    def __init__(self, said: str, *, ledger: bool) -> None:
        super().__init__(said)
        self.ledger = ledger


def socket_path(ledger: Path) -> Path:
    """Where the daemon of this ledger listens."""
    return ledger.with_name(f"{ledger.name}.sock")


@contextlib.contextmanager
def short_address(path: Path) -> Iterator[str]:
    """An address for this path, good within the block; one that is too long goes through its open folder. Raises OSError."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def call(ledger: Path, method: str, action: str, asked: Mapping[str, str], *, within_s: float) -> dict[str, Any]:
    """Ask the daemon of this ledger.

    Raises:
        NoDaemon: it is not running.
        DaemonSilent: it did not answer in time, or ended before it did.
        DaemonFailed: it says that it could not.
        PermissionError: this user may not ask it.
    """
    connection = _connected(socket_path(ledger), within_s)
    try:
        connection.request(method, f"/{action}", body=json.dumps(dict(asked)) if method == "POST" else None)
        answer = connection.getresponse()
        status, body = answer.status, answer.read()
    except TimeoutError as exc:
        raise DaemonSilent(f"the daemon did not answer within {within_s:g} s") from exc
    except (OSError, http.client.HTTPException) as exc:
        raise DaemonSilent("the daemon ended before it answered") from exc
    finally:
        connection.close()
    return _answer(status, body)


def _connected(path: Path, within_s: float) -> "_UnixConnection":
    connection = _UnixConnection(path, within_s)
    try:
        connection.connect()
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as exc:  # a killed one leaves its socket
        raise NoDaemon("the daemon is not running") from exc
    except TimeoutError as exc:
        raise DaemonSilent(f"the daemon did not answer within {within_s:g} s") from exc
    return connection


def _answer(status: int, body: bytes) -> dict[str, Any]:
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        raise NoDaemon("the daemon is stopping")
    if status != HTTPStatus.OK:
        raise DaemonFailed(body.decode("utf-8", "replace").strip(), ledger=status == HTTPStatus.INSUFFICIENT_STORAGE)
    shown: dict[str, Any] = json.loads(body)
    return shown


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, within_s: float) -> None:
        super().__init__("daemon", timeout=within_s)
        self._path = path

    @override
    def connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout)
            with short_address(self._path) as address:
                sock.connect(address)
        except OSError:
            sock.close()
            raise
        self.sock = sock
