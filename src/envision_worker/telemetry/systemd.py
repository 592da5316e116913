"""Tells systemd how the daemon stands (sd_notify(3), sd_watchdog_enabled(3)), without a library: one datagram each.

Nothing here raises: a service manager that can't be told must not end the work.
"""

import os
import socket
from collections.abc import Callable, Mapping

from envision_worker.clock import Clock

_SEND_WITHIN_S = 0.5
_STATUS_AT_MOST = 200
_MICROSECONDS = 1_000_000


class Notifier:
    """Speaks to the service manager, or to nobody where there is none.

    Args:
        address: of the manager's socket: a path, or `@` and an abstract name; None: nobody listens.
        watchdog_s: after so many seconds without `alive` the manager ends the process; None: no watchdog.
    """

    def __init__(self, address: str | None, watchdog_s: float | None = None) -> None:
        self._address = address
        self.watchdog_s = watchdog_s

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Notifier":
        """As `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` say."""
        address = environ.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):
            return cls(None)
        return cls(address, _watchdog_seconds(environ))

    def ready(self, status: str) -> bool:
        """The daemon is up. All methods return whether the manager was told."""
        return self._send("READY=1", _status(status))

    def status(self, status: str) -> bool:
        """One line for `systemctl status`."""
        return self._send(_status(status))

    def stopping(self, status: str = "stopping") -> bool:
        """The daemon is about to end."""
        return self._send("STOPPING=1", _status(status))

    def alive(self) -> bool:
        """Feed the watchdog once."""
        return self._send("WATCHDOG=1")

    async def feed_watchdog(self, turns: Callable[[], bool], clock: Clock) -> None:
        """Feed the watchdog at half its time, for as long as the intake loop really turns; returns at once without one.

        Args:
            turns: whether the loop has turned within its limit (`server.Pulse.beats`).
        """
        if self.watchdog_s is None:
            return
        while True:
            if turns():
                self.alive()
            await clock.sleep(self.watchdog_s / 2)

    def _send(self, *assignments: str) -> bool:
        if self._address is None:
            return False
        target = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
                manager.settimeout(_SEND_WITHIN_S)
                manager.sendto("\n".join(assignments).encode("utf-8", "replace"), target)
        except OSError:
            return False
        return True


def _status(status: str) -> str:
    """`STATUS=` on one line: a line break would begin another assignment."""
    return f"STATUS={' '.join(status.split())[:_STATUS_AT_MOST]}"


def _watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    """The watchdog's time, None where there is none or it is meant for another process."""
    try:
        microseconds = int(environ.get("WATCHDOG_USEC", ""))
        meant_for = int(environ.get("WATCHDOG_PID", os.getpid()))
    except ValueError:
        return None
    return microseconds / _MICROSECONDS if microseconds > 0 and meant_for == os.getpid() else None
