"""One at a time for each ticket, whoever wants something done for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from envision_worker.vocabulary import EnsonoTicketNumber


class TicketLocks:
    """One holder at a time for each ticket; nothing is kept for tickets that nobody holds."""

    def __init__(self) -> None:
        self._locks: dict[EnsonoTicketNumber, tuple[asyncio.Lock, int]] = {}

    def held(self, ticket: EnsonoTicketNumber) -> bool:
        """Whether somebody works on this ticket, or waits to."""
        return ticket in self._locks

    @asynccontextmanager
    async def holding(self, ticket: EnsonoTicketNumber) -> AsyncIterator[None]:
        """Have the ticket for oneself."""
        lock, users = self._locks.get(ticket, (asyncio.Lock(), 0))
        self._locks[ticket] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks.pop(ticket)
            if users > 1:
                self._locks[ticket] = lock, users - 1
