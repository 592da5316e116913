import asyncio

from envision_worker.intake.places import Places


async def has(places: Places, name: str, order: list[str], leave: asyncio.Event, *, goes_on: bool = False) -> None:
    """Have a place until told to leave."""
    async with places.one(goes_on=goes_on):
        order.append(name)
        await leave.wait()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_have_a_place_than_there_are() -> None:
    places, order, leave = Places(2), list[str](), asyncio.Event()
    tasks = [asyncio.create_task(has(places, name, order, leave)) for name in "abc"]
    await settled()
    assert order == ["a", "b"]
    leave.set()
    await asyncio.gather(*tasks)
    assert order == ["a", "b", "c"]


async def test_who_goes_on_comes_before_who_begins_and_among_them_who_came_first() -> None:
    places, order, leave = Places(1), list[str](), asyncio.Event()
    waiting = [("first", False), ("begins", False), ("goes on", True), ("begins later", False), ("goes on later", True)]
    tasks = [asyncio.create_task(has(places, name, order, leave, goes_on=goes_on)) for name, goes_on in waiting]
    await settled()
    leave.set()
    await asyncio.gather(*tasks)
    assert order == ["first", "goes on", "goes on later", "begins", "begins later"]


async def test_who_is_cut_off_while_waiting_costs_no_place() -> None:
    places, order, leave = Places(1), list[str](), asyncio.Event()
    tasks = [asyncio.create_task(has(places, name, order, leave)) for name in "abc"]
    await settled()
    tasks[1].cancel()
    leave.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == ["a", "c"]


async def test_who_is_cut_off_in_the_moment_of_getting_a_place_hands_it_on() -> None:
    places, order, leave, stay = Places(1), list[str](), asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(has(places, "a", order, leave))
    second = asyncio.create_task(has(places, "b", order, stay))
    third = asyncio.create_task(has(places, "c", order, leave))
    await settled()
    leave.set()
    while not first.done():
        await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, third, return_exceptions=True)
    assert order == ["a", "c"]
