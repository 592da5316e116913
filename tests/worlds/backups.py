"""Backups of a world's ledger, which lies in memory."""

from pathlib import Path

from envision_worker.ledger.backup import back_up
from envision_worker.ledger.database import connect
from worlds.simulated import World


class Backups:
    """The backups of a world: made with the command's own function, and put back after the disk was lost."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self._ledger, self._copy = folder / "copied.db", folder / "backup.db"

    def make(self) -> None:
        """A copy of the ledger as it stands now; it takes the place of the one before."""
        target = connect(str(self._ledger))
        self._world.store.backup(target)
        target.close()
        back_up(str(self._ledger), str(self._copy))

    def make_once(self, statement: str) -> None:
        """A copy right after the first commit after which this statement finds something."""
        world = self._world

        def at_commit(when: str) -> None:
            if when == "after" and world.store.execute(statement).fetchone():
                world.at_commit = lambda _: None
                self.make()

        world.at_commit = at_commit

    @property
    def are_made(self) -> bool:
        """Whether there is one."""
        return self._copy.exists()

    async def put_back(self, *, paused: bool = False) -> None:
        """The disk is gone; the last backup takes the ledger's place, and the worker starts. `paused`: told so before."""
        await self._world.kill()
        self._world.store = connect(str(self._copy))
        if paused:
            self._world.store.execute("INSERT OR REPLACE INTO remembered VALUES ('paused', 'yes')")
        await self._world.start()
