"""One at a time for each ticket, whoever wants something done for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from envision_worker.vocabulary import EnsonoTicketNumber


class TicketLocks:
    """One holder at a time for each ticket; nothing is kept for tickets that nobody holds."""

    def __init__(self) -> None:
        self._locks: dict[EnsonoTicketNumber, tuple[asyncio.Lock, int]] = {}
        self._free = asyncio.Event()
        self._free.set()

    def held(self, ticket: EnsonoTicketNumber) -> bool:
        """Whether somebody works on this ticket, or waits to."""
        return ticket in self._locks

    async def free_within(self, seconds: float) -> bool:
        """Wait until nobody holds a ticket, no longer than this; whether that came about."""
        if not self._locks:
            return True
        try:
            async with asyncio.timeout(seconds):
                await self._free.wait()
        except TimeoutError:
            return False
        return True

    @asynccontextmanager
    async def holding(self, ticket: EnsonoTicketNumber) -> AsyncIterator[None]:
        """Have the ticket for oneself."""
        lock, users = self._locks.get(ticket, (asyncio.Lock(), 0))
        self._locks[ticket] = lock, users + 1
        self._free.clear()
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks.pop(ticket)
            if users > 1:
                self._locks[ticket] = lock, users - 1
            if not self._locks:
                self._free.set()
