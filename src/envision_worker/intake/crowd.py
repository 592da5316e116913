"""Many side by side, or one alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Crowd:
    """A place for many, or for one that must be alone there."""

    def __init__(self) -> None:
        self._inside = 0
        self._one_alone = False
        self._left = asyncio.Condition()

    @asynccontextmanager
    async def place(self, *, alone: bool) -> AsyncIterator[None]:
        """Be inside for a while; wait until there is room for it."""
        async with self._left:
            await self._left.wait_for(lambda: not self._one_alone and not (alone and self._inside))
            self._inside += 1
            self._one_alone = alone
        try:
            yield
        finally:
            await self._leave()

    async def _leave(self) -> None:
        async with self._left:
            self._inside -= 1
            self._one_alone = False
            self._left.notify_all()
