"""Which names of the desk the configuration uses, and which key each comes from, so that `check --connect` can say where to mend it.

What is named in `[desk]` itself (`[desk.create.*]`, UDFs) is known to the product, whose `Desk.missing` looks at it by itself.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from envision_worker.config.faults import Fault, dotted
from envision_worker.config.mapping import MappingKind
from envision_worker.config.model import Config
from envision_worker.desks.desk import DeskNames

_LIST_OF: Mapping[MappingKind, str] = {
    MappingKind.STATUS: "statuses",
    MappingKind.PRIORITY: "priorities",
    MappingKind.IMPACT: "impacts",
    MappingKind.URGENCY: "urgencies",
    MappingKind.GROUP: "groups",
    MappingKind.CATEGORY: "categories",
    MappingKind.CLOSURE_CODE: "closure_codes",
    MappingKind.CHANGE_TYPE: "change_types",
    MappingKind.CHANGE_RISK: "change_risks",
}
_REQUESTER = "requester"


class UsedName(NamedTuple):
    """A name that has to exist on the desk.

    Attributes:
        among: the attribute of `DeskNames` that it belongs to (`statuses`, `change_stages`, `requester`…).
        name: as the desk has to spell it.
        key: the configuration's key that uses it.
    """

    among: str
    name: str
    key: str


def used_names(config: Config) -> tuple[UsedName, ...]:
    """Every name of the desk that the configuration uses, once for each key that uses it; a default status under its own key."""
    return (*_mapped(config), *_people(config))


def names_on_desk(config: Config) -> DeskNames:
    """The names alone, as `Desk.missing` wants them."""
    names: dict[str, set[str]] = {}
    for used in used_names(config):
        names.setdefault(used.among, set()).add(used.name)
    requester = next(iter(names.pop(_REQUESTER, ())), None)
    return DeskNames(**{among: frozenset(some) for among, some in names.items()}, requester=requester)


def by_key(config: Config, missing: Iterable[str]) -> tuple[Fault, ...]:
    """The lines of `Desk.missing` as faults: where a line begins with an attribute of `DeskNames`, one for each key that uses the name."""
    used = used_names(config)
    return tuple(fault for line in missing for fault in _faults(line, used))


def _faults(line: str, used: Iterable[UsedName]) -> Iterator[Fault]:
    key, _, problem = line.partition(": ")
    places = {each: problem.find(repr(each.name)) for each in used if each.among == key and repr(each.name) in problem}
    if not places:
        yield Fault(key, problem)
    first = min(
        places.values(), default=-1
    )  # what is missing comes first; a hint at what the desk has instead may follow
    for each, place in places.items():
        if place == first:
            yield Fault(each.key, problem)


def _mapped(config: Config) -> Iterator[UsedName]:
    for kind, among in _LIST_OF.items():
        for value, name in config.mapping.table(kind).items():
            yield UsedName(among, name, dotted(("mapping", kind.value, value)))
    for state, steps in config.mapping.change_state.items():
        key = dotted(("mapping", "change_state", state))
        for step in steps:
            if step.stage is not None:
                yield UsedName("change_stages", step.stage, key)
            if step.status is not None:
                yield UsedName("change_statuses", step.status, key)


def _people(config: Config) -> Iterator[UsedName]:
    for ensono, addresses in config.approvals.approvers.items():
        for address in addresses:
            yield UsedName("approvers", address, dotted(("approvals", "approvers", ensono)))
    if config.approvals.fallback_approver is not None:
        yield UsedName("approvers", config.approvals.fallback_approver.email_id, "approvals.fallback_approver.email_id")
    if "email_id" in config.desk.default_requester:
        yield UsedName(_REQUESTER, config.desk.default_requester["email_id"], "desk.default_requester.email_id")
