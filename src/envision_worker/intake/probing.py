"""A probe that does not wait for one that hangs: a silent peer's return is noticed when it is back, not when a call has timed out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Probe = Callable[[], Awaitable[None]]


async def first_answer(probe: Probe, *, every_s: float) -> None:
    """Probe; while no answer comes, keep waiting for it (the peer may be slow) and ask anew beside it every so often (it may be back).

    Raises:
        PeerError: what the first that ended came to.
    """
    async with _sent(probe) as patient:
        await asyncio.wait({patient}, timeout=every_s)
        while not patient.done():
            async with _sent(probe) as fresh:
                await asyncio.wait({patient, fresh}, timeout=every_s, return_when=asyncio.FIRST_COMPLETED)
                if fresh.done():
                    return fresh.result()
        return patient.result()


@asynccontextmanager
async def _sent(probe: Probe) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(_carried_out(probe))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _carried_out(probe: Probe) -> None:
    await probe()
