import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cli.command_line import configuration, eventful_ledger
from process.real_worker import Plant, built


@pytest.fixture(scope="session")
def eventful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger that things have happened to; to be copied."""
    path = tmp_path_factory.mktemp("eventful") / "ledger.db"
    eventful_ledger(path)
    return path


@pytest.fixture
def config(tmp_path: Path, eventful: Path) -> Path:
    """A configuration with an eventful ledger, whose daemon is stopped and whose peers are not there."""
    shutil.copy(eventful, tmp_path / "ledger.db")
    return configuration(tmp_path)


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    """Simulated Ensono and desk on loopback, and a folder for the worker between them."""
    async with built(tmp_path) as plant:
        yield plant
