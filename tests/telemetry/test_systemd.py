import asyncio
import os
import socket
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from envision_worker.telemetry.systemd import Notifier


class Rest:
    """A clock that lets so many rests pass at once and then ends the task."""

    def __init__(self, rests: int) -> None:
        self.left = rests
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 11, 20, tzinfo=UTC)

    def monotonic(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        if not self.left:
            raise asyncio.CancelledError
        self.left -= 1
        self.slept.append(seconds)


class Manager:
    """The service manager's end of the socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def heard(self) -> list[str]:
        """The datagrams that came since the last look."""
        datagrams = []
        while True:
            try:
                datagrams.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return datagrams


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@envision-worker-{uuid.uuid4()}"
    manager = Manager(address)
    yield manager
    manager.socket.close()


def test_ready_status_and_stopping_are_one_datagram_each(manager: Manager) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": manager.address})
    assert notifier.ready("reading the queue of prod")
    assert notifier.status("the desk is down, not reading")
    assert notifier.alive()
    assert notifier.stopping()
    assert manager.heard() == [
        "READY=1\nSTATUS=reading the queue of prod",
        "STATUS=the desk is down, not reading",
        "WATCHDOG=1",
        "STOPPING=1\nSTATUS=stopping",
    ]


def test_a_status_can_smuggle_no_other_assignment(manager: Manager) -> None:
    Notifier(manager.address).status("a\nMAINPID=1\n" + "x" * 5000)
    [datagram] = manager.heard()
    assert "\n" not in datagram
    assert len(datagram) < 300


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}])
async def test_without_a_manager_nothing_is_said(environ: dict[str, str]) -> None:
    notifier = Notifier.from_environment({**environ, "WATCHDOG_USEC": "1000000"})
    assert not notifier.ready("x")
    await notifier.feed_watchdog(lambda: True, Rest(0))


def test_a_manager_that_is_gone_ends_nothing(tmp_path: Path) -> None:
    assert not Notifier(str(tmp_path / "nobody")).ready("x")


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "120000000"}, 120.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid())}, 120.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "x"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_ours_only_where_it_says_so(environ: dict[str, str], seconds: float | None) -> None:
    assert Notifier.from_environment({"NOTIFY_SOCKET": "/run/x", **environ}).watchdog_s == seconds


async def test_the_watchdog_is_fed_at_half_its_time(manager: Manager) -> None:
    rest = Rest(3)
    with pytest.raises(asyncio.CancelledError):
        await Notifier(manager.address, watchdog_s=120).feed_watchdog(lambda: True, rest)
    assert manager.heard() == ["WATCHDOG=1"] * 4
    assert rest.slept == [60, 60, 60]


async def test_the_watchdog_starves_while_the_loop_does_not_turn(manager: Manager) -> None:
    turned = iter([True, False, False, True])
    with pytest.raises(asyncio.CancelledError):
        await Notifier(manager.address, watchdog_s=120).feed_watchdog(lambda: next(turned), Rest(3))
    assert manager.heard() == ["WATCHDOG=1"] * 2


async def test_without_a_watchdog_nothing_is_fed(manager: Manager) -> None:
    await Notifier(manager.address).feed_watchdog(lambda: True, Rest(0))
    assert manager.heard() == []
