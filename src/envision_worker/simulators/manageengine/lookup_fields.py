"""Fields whose value is a row of a lookup table or a user: given by id, name or address, kept as the id."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from envision_worker.simulators.manageengine import refusals
from envision_worker.simulators.manageengine.fields import checked_object
from envision_worker.simulators.manageengine.setup import User
from envision_worker.simulators.manageengine.shown import shown_user
from envision_worker.simulators.manageengine.world import World


@dataclass(frozen=True)
class Choice:
    """A row of a lookup table, by `{"name": …}` or `{"id": …}`; names must match exactly.

    Attributes:
        parent_key: the key under which the row may name what it belongs to (the site of a group).
    """

    table: str
    parent_key: str = ""

    def take(self, name: str, given: Any, world: World) -> str:
        """The row's id."""
        known = {"id", "name"} | ({self.parent_key} if self.parent_key else set())
        wanted = checked_object(name, given, known)
        if self.parent_key and wanted.get(self.parent_key) is not None:
            Choice(f"{self.parent_key}s").take(self.parent_key, wanted[self.parent_key], world)
        found = world.setup.find(self.table, row_id=_id(name, wanted), name=_name(name, wanted))
        if not found:
            raise refusals.invalid(name)
        return found[0].id

    def show(self, kept: str, world: World) -> Any:
        """The row with what it carries."""
        row = world.setup.row(self.table, kept)
        parent = {self.parent_key: None} if self.parent_key else {}
        return {**parent, **row.extra, "name": row.name, "id": row.id}


@dataclass(frozen=True)
class StageStatus:
    """A status of a change: a name can stand in several stages, so all rows that fit are kept until the stage is known."""

    def take(self, name: str, given: Any, world: World) -> tuple[str, ...]:
        """The ids of the rows that fit."""
        wanted = checked_object(name, given, {"id", "name"})
        found = world.setup.find("change_statuses", row_id=_id(name, wanted), name=_name(name, wanted))
        if not found:
            raise refusals.invalid(name)
        return tuple(row.id for row in found)

    def show(self, kept: str, world: World) -> Any:
        """The row, with its stage."""
        row = world.setup.row("change_statuses", kept)
        stage = Choice("change_stages").show(row.parent, world) if row.parent else None
        return {**row.extra, "name": row.name, "id": row.id, "stage": stage}


@dataclass(frozen=True)
class Person:
    """A user, by `email_id`, `id` or `name`. `creates`: an unknown one may be added, where the desk is set up so."""

    technician: bool = False
    creates: bool = False

    def take(self, name: str, given: Any, world: World) -> str:
        """The user's id."""
        wanted = checked_object(name, given, {"id", "name", "email_id"})
        for key in ("email_id", "name"):
            if wanted.get(key) is not None and not isinstance(wanted[key], str):
                raise refusals.wrong_type(name)
        user = _find_user(name, wanted, world)
        if user is None and self.creates and world.switches.requesters_created:
            user = world.setup.add_user(wanted.get("email_id"), wanted.get("name") or "")
        if user is None or (self.technician and not user.technician):
            raise refusals.invalid(name)
        return user.id

    def show(self, kept: str, world: World) -> Any:
        """The user."""
        return shown_user(world.setup.users[kept], cloud=world.flavour.is_cloud)


def _id(name: str, wanted: Mapping[str, Any]) -> str | None:
    given = wanted.get("id")
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise refusals.wrong_type(name)
    return str(given)


def _name(name: str, wanted: Mapping[str, Any]) -> str | None:
    given = wanted.get("name")
    if given is not None and not isinstance(given, str):
        raise refusals.wrong_type(name)
    return given


def _find_user(name: str, wanted: Mapping[str, Any], world: World) -> User | None:
    user_id = _id(name, wanted)
    if user_id is not None:
        return world.setup.users.get(user_id)
    if wanted.get("email_id"):
        return world.setup.user_by_email(wanted["email_id"])
    return world.setup.user_by_name(wanted.get("name") or "")
