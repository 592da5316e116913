"""User-defined fields: which there are is set up, their names tell their types."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from envision_worker.simulators.manageengine import refusals
from envision_worker.simulators.manageengine.fields import HTML, Field, Flag, Moment, Number, Text, shown, taken
from envision_worker.simulators.manageengine.flavour import Kind
from envision_worker.simulators.manageengine.world import World


@dataclass(frozen=True)
class Udfs:
    """The user-defined fields of a kind of ticket; which there are is set up."""

    kind: Kind

    def take(self, name: str, given: Any, world: World) -> dict[str, Any]:
        """What is kept of each; None clears one."""
        if not isinstance(given, dict):
            raise refusals.wrong_type(name)
        known = {each: udf_type(each) for each in world.setup.udfs[self.kind]}
        if not world.switches.unknown_udfs_refused:
            given = {each: value for each, value in given.items() if each in known}
        return taken(known, given, world)

    def show(self, kept: dict[str, Any], world: World) -> Any:
        """Every field there is, null where nothing was set."""
        names = sorted(world.setup.udfs[self.kind])
        return {each: shown(udf_type(each), kept.get(each), world) for each in names}


_UDF_TYPES: tuple[tuple[tuple[str, ...], Field], ...] = (
    (("udf_mline", "mline_"), HTML),
    (("udf_long", "num_"), Number()),
    (("udf_decimal", "udf_double", "dbl_"), Number(fraction=True)),
    (("udf_date", "date_", "dt_"), Moment()),
    (("udf_bool", "bool_"), Flag()),
)


@cache
def udf_type(name: str) -> Field:
    """The type of a user-defined field, by the beginning of its name."""
    for beginnings, of_type in _UDF_TYPES:
        if name.startswith(beginnings):
            return of_type
    return Text()
