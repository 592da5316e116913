"""An event loop whose time is made up: when nothing is left to do, it jumps to the next thing that is due."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from datetime import UTC, datetime
from typing import Any, TypeVar

from worlds.process import process

T = TypeVar("T")

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC).timestamp()


class EverythingWaits(RuntimeError):
    """Nothing is due, ever: a deadlock."""


class _Jumping(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise EverythingWaits
        self.elapsed += max(timeout, 0.0)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` starts at 0; threads are carried out at once, in place; each task is its process's."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.elapsed

    def create_task(self, coro: Any, *, name: object = None, context: Context | None = None) -> "asyncio.Task[Any]":
        task = super().create_task(coro, name=None if name is None else str(name), context=context)
        owner = process.get() if context is None else context.get(process)
        if owner is not None:
            owner.adopt(task)
        return task

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":  # type: ignore[override]
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as exc:  # noqa: BLE001 - the waiting task gets it
            future.set_exception(exc)
        return future


def in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """Run something to its end, however long it takes there."""
    loop = VirtualTimeLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(_end_all())
        loop.close()


async def _end_all() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class VirtualClock:
    """The worker's clock. `skew_s` moves the wall clock, as an administrator or NTP does."""

    def __init__(self) -> None:
        self.skew_s = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(world_time() + self.skew_s, UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def world_time() -> float:
    """The true time, epoch seconds."""
    return START + asyncio.get_running_loop().time()
