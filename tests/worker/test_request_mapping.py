"""Whatever Ensono's fields say, nothing of it is lost: it is set on the desk by its mapping, or stands on the ticket (section 6)."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envision_worker.ensono.fields import text as cleaned
from envision_worker.simulators.manageengine.tickets import Ticket
from worker.stories import assert_clean, description, named, note_words, verbs
from worlds.configuration import MAPPING
from worlds.simulated import World
from worlds.virtual_time import in_virtual_time

PRIORITIES = MAPPING["priority"] | {"Critical": "High"}
DESK_NAMES: Mapping[str, Mapping[str, str]] = {
    "priority": {name.casefold(): wanted for name, wanted in PRIORITIES.items()},
    "group": {},
    "category": {},
}
FIELDS = (
    "priority", "impact", "urgency", "group", "ensonoGroup", "category", "origin", "cis", "contactName", "contactEmail",
    "contactPhone",
)  # fmt: skip
KNOWN = (
    "1",
    "4 ",
    "CRITICAL",
    "High",
    "Network",
    "Hardware",
    "Managed Services",
    "",
    " ",
    "<b>bold</b>",
    "a&amp;b",
    "\U0001f525",
)
VALUES = st.one_of(st.sampled_from(KNOWN), st.text(max_size=40))
SOME = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6)


def readable(said: str) -> str:
    """A text as people read it: blanks make no difference."""
    return " ".join(said.split())


def assert_nothing_is_lost(world: World, ticket: Ticket, fields: Mapping[str, str], told: str) -> None:
    for name, value in fields.items():
        said = cleaned(value)
        if said is None:
            continue
        if (wanted := DESK_NAMES.get(name, {}).get(said.casefold())) is not None:
            assert named(world, ticket, name) == wanted
        elif name not in DESK_NAMES or named(world, ticket, name) != said:
            assert readable(said) in readable(told), name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mapping")


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.lists(SOME, min_size=1, max_size=5))
def test_every_value_of_a_new_ticket_is_set_or_readable(folder: Path, tickets: list[dict[str, str]]) -> None:
    async def story() -> None:
        world = World(folder, settings={"mapping": {"priority": PRIORITIES}})
        for number, fields in enumerate(tickets):
            world.ensono.scenario.incident_create(shortDescription=f"ticket {number}", **fields)
        async with world.working():
            await world.quiet()
        by_title = {str(each.fields["subject"]): each for each in world.requests()}
        assert len(by_title) == len(world.requests()) == len(tickets)
        for number, fields in enumerate(tickets):
            ticket = by_title[f"ticket {number}"]
            assert_nothing_is_lost(world, ticket, fields, description(ticket))
        assert_clean(world)

    in_virtual_time(story())


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.lists(SOME.filter(bool), min_size=1, max_size=4))
def test_every_value_of_an_update_is_set_or_readable(folder: Path, updates: list[dict[str, str]]) -> None:
    async def story() -> None:
        world = World(folder, settings={"mapping": {"priority": PRIORITIES}})
        number = world.ensono.scenario.incident_create()
        async with world.working():
            await world.quiet()
            for changed in updates:
                before = len(world.requests()[0].notes)
                world.ensono.scenario.ticket_update(number, **changed)
                await world.quiet()
                [ticket] = world.requests()
                assert_nothing_is_lost(world, ticket, changed, " ".join(note_words(ticket)[before:]))
        assert verbs(world).count("create") == 1
        assert_clean(world)

    in_virtual_time(story())
