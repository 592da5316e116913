"""The one list of desks."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from envision_worker.clock import Clock
from envision_worker.desks.desk import Desk
from envision_worker.desks.life import LifeNames
from envision_worker.desks.manageengine.desk import open_manageengine
from envision_worker.desks.manageengine.settings import ManageEngineSettings
from envision_worker.wire import Observe

DeskSettings = ManageEngineSettings
"""The settings of any desk; a second product makes this a union."""


class OpenDesk(Protocol):
    """Makes a desk with its connections, which are closed when the block ends."""

    def __call__(
        self, settings: DeskSettings, *, life: LifeNames, clock: Clock, observe: Observe
    ) -> AbstractAsyncContextManager[Desk]:
        """Open it; nothing is called yet."""
        ...


@dataclass(frozen=True, slots=True)
class Product:
    """A desk product: the model of its `[desk]` table, and how to open it."""

    settings: type[DeskSettings]
    open: OpenDesk


PRODUCTS: Mapping[str, Product] = {"manageengine": Product(ManageEngineSettings, open_manageengine)}
LATER: Mapping[str, str] = {"halo": "Halo ITSM", "serviceops": "Motadata ServiceOps"}


def product(kind: str) -> Product:
    """The product that `[desk].kind` names.

    Raises:
        ValueError: there is none in this version; says so in a sentence.
    """
    known = ", ".join(sorted(PRODUCTS))
    if kind in LATER:
        raise ValueError(f"{LATER[kind]} ({kind}) is not in this version; known: {known}")
    if kind not in PRODUCTS:
        raise ValueError(f"no desk is called {kind!r}; known: {known}")
    return PRODUCTS[kind]
