"""What a level of approval and an approval are written with."""

from collections.abc import Mapping
from typing import Any

from envision_worker.simulators.manageengine import refusals
from envision_worker.simulators.manageengine.approval_rules import CLOUD_RULES
from envision_worker.simulators.manageengine.fields import (
    HTML,
    Field,
    Listed,
    Nested,
    Number,
    Opaque,
    ReadOnly,
    Text,
    checked_object,
)
from envision_worker.simulators.manageengine.forms import ATTACHMENT
from envision_worker.simulators.manageengine.lookup_fields import Choice, Person
from envision_worker.simulators.manageengine.world import World

DECISION: Mapping[str, Field] = {"comments": Text()}
NOTIFICATION: Mapping[str, Field] = {"title": Text(), "description": HTML, "attachments": Listed(ATTACHMENT)}
MAX_CLOUD_LEVEL = 5
ALL = 100
_READ_ONLY = (
    "id",
    "status",
    "comments",
    "action_taken_by",
    "action_taken_on",
    "created_by",
    "created_on",
    "created_time",
)


def level_fields(world: World) -> Mapping[str, Field]:
    """The fields of a new level: another set in each product."""
    known: dict[str, Field] = {name: ReadOnly() for name in _READ_ONLY}
    if world.flavour.is_cloud:
        known |= {"associated_entity": ReadOnly(), "change": ReadOnly()}
        return {**known, "level": Number(), "change_stage": Choice("change_stages"), "rule": Opaque()}
    approvals = Listed(Nested(approval_fields(world), mandatory=("approver",)))
    known |= {"level": ReadOnly(), "deleted": ReadOnly()}
    return {**known, "name": Text(), "rule": Opaque(), "stage": Choice("change_stages"), "approvals": approvals}


def level_mandatory(world: World) -> tuple[str, ...]:
    """What a new level must carry."""
    return ("level", "change_stage", "rule") if world.flavour.is_cloud else ("name", "stage", "rule")


def approval_fields(world: World) -> Mapping[str, Field]:
    """The fields of a new approval."""
    return {"approver": Person()} if world.flavour.is_cloud else {"approver": _Approver()}


class _Approver:
    """An approver on premises: by id; by address only where the build takes it."""

    def take(self, name: str, given: Any, world: World) -> str:
        """The user's id."""
        if not world.switches.approver_by_email:
            checked_object(name, given, {"id", "name", "email_id"})
            if given.get("id") is None:
                raise refusals.invalid(name)
        return Person().take(name, given, world)

    def show(self, kept: Any, world: World) -> Any:
        """The user."""
        return Person().show(kept, world)


def check_approver(world: World, user_id: str) -> None:
    """Refuses who may not decide approvals."""
    if not world.setup.users[user_id].approves:
        raise refusals.invalid("approver")


def read_rule(world: World, given: Any) -> tuple[str, int]:
    """The rule of a level and its percentage.

    Raises:
        Refusal: there is no such rule.
    """
    if world.flavour.is_cloud:
        rule = checked_object("rule", given, {"id", "name", "value"})
        kind = CLOUD_RULES.get(str(rule.get("name")))
        if kind is None:
            raise refusals.invalid("rule")
        return kind, _percent(rule.get("value"), world) if kind == "percent" else ALL
    rule = checked_object("rule", given, {"type", "value"})
    if rule.get("type") == "condition" and rule.get("value") == "anyone_approves" and world.switches.condition_rules:
        return "anyone", ALL
    if rule.get("type") != "percent":
        raise refusals.invalid("rule")
    return "percent", _percent(rule.get("value"), world)


def _percent(given: Any, world: World) -> int:
    percent = int(Number().take("rule", given, world))
    if not 1 <= percent <= ALL:
        raise refusals.invalid("rule")
    return percent
