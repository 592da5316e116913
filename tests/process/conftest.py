from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from process.real_worker import Plant, built


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    """Simulated Ensono and desk on loopback, and a folder for the worker between them."""
    async with built(tmp_path) as plant:
        yield plant
