"""One life of the worker's process: which tasks are its own, and the moment from which nothing that it tries has any effect."""

import asyncio
from contextvars import ContextVar


class Died(Exception):
    """The process ended (kill -9) before it had done what was asked of it."""


class Incarnation:
    """One life. Once dead, nothing it tries reaches anything any more.

    Attributes:
        dies_after: how many more steps (calls of the network, commits) it lives; None: for ever.
        died: set when it dies.
        tasks: what it runs, in the order of creation.
    """

    def __init__(self) -> None:
        self.dead = False
        self.dies_after: int | None = None
        self.died = asyncio.Event()
        self.tasks: dict[asyncio.Task[object], None] = {}

    def die(self) -> None:
        """kill -9, now; its tasks still have to be swept away."""
        self.dead = True
        self.died.set()

    def lives_on(self) -> bool:
        """A step; whether it is survived."""
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after <= 0:
                self.die()
        return not self.dead

    async def check(self) -> None:
        """A step. What a dead process does here: nothing, and for ever."""
        if not self.lives_on():
            raise asyncio.CancelledError

    def adopt(self, task: "asyncio.Task[object]") -> None:
        """This task belongs to the process."""
        self.tasks[task] = None
        task.add_done_callback(lambda done: self.tasks.pop(done, None))

    async def sweep(self) -> None:
        """End what the dead process was doing."""
        self.die()
        while self.tasks:
            mine = list(self.tasks)
            for task in mine:
                task.cancel()
            await asyncio.gather(*mine, return_exceptions=True)


process: ContextVar[Incarnation | None] = ContextVar("process", default=None)
"""Whose process this is; tasks inherit it. None: the world's."""
