from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from ensono_world import HandClock, Loopback, ensono_settings

from envision_worker.ensono.connect import EnvisionConnect
from envision_worker.wire import Call, Wire, new_client

TIMEOUT_S = 5.0


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def calls() -> list[Call]:
    """What the observer was told."""
    return []


@pytest.fixture
async def peer() -> AsyncIterator[Loopback]:
    """Ensono, or S3, on loopback."""
    loopback = Loopback()
    await loopback.start()
    yield loopback
    await loopback.stop()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client(timeout_s=TIMEOUT_S, max_connections=8) as made:
        yield made


@pytest.fixture
def connect(peer: Loopback, client: httpx.AsyncClient, clock: HandClock, calls: list[Call]) -> EnvisionConnect:
    wire = Wire("ensono", client, clock, timeout_s=TIMEOUT_S, observe=calls.append)
    return EnvisionConnect(ensono_settings(f"{peer.url}/testclient57"), wire)


@pytest.fixture
def hasty(peer: Loopback, client: httpx.AsyncClient, clock: HandClock, calls: list[Call]) -> EnvisionConnect:
    """The same, but out of patience almost at once."""
    wire = Wire("ensono", client, clock, timeout_s=0.25, observe=calls.append)
    return EnvisionConnect(ensono_settings(f"{peer.url}/testclient57"), wire)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """A spool directory that does not exist yet."""
    return tmp_path / "state" / "spool"
