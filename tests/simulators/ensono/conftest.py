import pytest
from simulated_ensono import API_KEY, Caller, Time

from envision_worker.simulators.ensono.app import EnsonoSimulator


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def simulator(time: Time) -> EnsonoSimulator:
    return EnsonoSimulator(time.now, time.sleep, api_key=API_KEY)


@pytest.fixture
def caller(simulator: EnsonoSimulator) -> Caller:
    return Caller(simulator)
