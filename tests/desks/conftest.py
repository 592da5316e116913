"""Every desk on its stage: the contract suite runs over each of them."""

from collections.abc import AsyncIterator

import pytest
from desk_stages import ManageEngineStage, MemoryStage, Stage, manageengine_stage


@pytest.fixture(params=["memory", "on_premises", "cloud"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Each desk, one after the other."""
    if request.param == "memory":
        yield MemoryStage()
        return
    async with manageengine_stage(request.param) as opened:
        yield opened


@pytest.fixture(params=["on_premises", "cloud"])
async def manageengine(request: pytest.FixtureRequest) -> AsyncIterator[ManageEngineStage]:
    """ManageEngine in both editions."""
    async with manageengine_stage(request.param) as opened:
        yield opened
