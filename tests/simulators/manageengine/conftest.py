from typing import Any

import pytest
from sdp_caller import Caller, Time, cloud, on_premises


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def desk(time: Time) -> Caller:
    """A desk on premises."""
    return on_premises(time)


@pytest.fixture
async def cloud_desk(time: Time) -> Caller:
    """A desk in the cloud."""
    return await cloud(time)


@pytest.fixture(params=["on_premises", "cloud"])
async def either(request: Any, time: Time) -> Caller:
    """A desk of each flavour, one after the other."""
    return on_premises(time) if request.param == "on_premises" else await cloud(time)
