import pytest
from desk_world import HandClock, on_premises

from envision_worker.desks.life import LifeNames
from envision_worker.desks.manageengine.desk import ManageEngineDesk
from envision_worker.desks.manageengine.settings import ManageEngineSettings
from envision_worker.desks.table import product


async def test_the_table_opens_the_desk_that_is_configured() -> None:
    found = product("manageengine")
    assert found.settings is ManageEngineSettings
    async with found.open(on_premises(), life=LifeNames(), clock=HandClock(), observe=print) as desk:
        assert isinstance(desk, ManageEngineDesk)


@pytest.mark.parametrize(("kind", "said"), [("halo", "Halo ITSM (halo) is not in this version"), ("jira", "'jira'")])
def test_a_desk_that_is_not_there_is_said_to_be_so(kind: str, said: str) -> None:
    with pytest.raises(ValueError, match="known: manageengine") as told:
        product(kind)
    assert said in str(told.value)
