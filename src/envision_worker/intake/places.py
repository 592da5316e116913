"""Places for a limited number at once; who goes on with something comes before who begins."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Places:
    """So many places. Whoever leaves hands its place to the next that waits."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._going_on: deque[asyncio.Future[None]] = deque()
        self._beginning: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def one(self, *, goes_on: bool) -> AsyncIterator[None]:
        """Have a place for a while. `goes_on`: come before those who begin."""
        await self._taken(self._going_on if goes_on else self._beginning)
        try:
            yield
        finally:
            self._leave()

    async def _taken(self, waiting: deque[asyncio.Future[None]]) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it was handed over just now
                self._leave()
            raise

    def _leave(self) -> None:
        for waiting in (self._going_on, self._beginning):
            while waiting:
                turn = waiting.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._free += 1
