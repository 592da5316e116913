"""Lookups: what values there are, who has an account, which user-defined fields exist.

Sources: the lookups seen on live servers, whose set differs from build to build (a switch); `_metainfo` as a client of the
official collection reads it.
"""

from collections.abc import Callable
from typing import Any

from envision_worker.simulators.http import Response
from envision_worker.simulators.manageengine import answers, listing, refusals
from envision_worker.simulators.manageengine.calls import Call
from envision_worker.simulators.manageengine.flavour import Kind
from envision_worker.simulators.manageengine.listing import Listing
from envision_worker.simulators.manageengine.setup import Row
from envision_worker.simulators.manageengine.shown import shown_user
from envision_worker.simulators.manageengine.world import World

TABLES = {
    "statuses": "statuses",
    "priorities": "priorities",
    "urgencies": "urgencies",
    "impacts": "impacts",
    "levels": "levels",
    "modes": "modes",
    "categories": "categories",
    "subcategories": "subcategories",
    "items": "items",
    "sites": "sites",
    "groups": "groups",
    "support_groups": "groups",
    "request_types": "request_types",
    "request_templates": "request_templates",
    "closure_codes": "closure_codes",
    "change_types": "change_types",
    "change_stages": "change_stages",
    "change_statuses": "change_statuses",
    "change_risks": "change_risks",
    "reason_for_changes": "reason_for_changes",
    "reasons_for_change": "reason_for_changes",
}
"""The last part of a lookup's path, and the table behind it."""
PEOPLE = ("users", "requesters", "technicians")
ABSENT = {
    "on_premises": frozenset({"change_risks", "reason_for_changes", "reasons_for_change", "groups", "requesters"}),
    "cloud": frozenset({"technicians", "reason_for_changes"}),
}
"""What the newest builds that were looked at do not serve: the default of the switch `absent_lookups`."""

_PARENTS = {"subcategories": ("category", "categories"), "items": ("subcategory", "subcategories")}
_STAGE = {"change_statuses": ("stage", "change_stages")}
_USER_FIELDS = frozenset({"id", "name", "email_id", "phone", "mobile", "is_technician", "is_vipuser", "is_vip_user"})


def table(plural: str) -> Callable[[Call], Response]:
    """`GET /<plural>` for a lookup table."""

    def answer(call: Call) -> Response:
        world = call.world
        _check_served(world, plural)
        rows = [_shown(world, TABLES[plural], row) for row in world.setup.rows(TABLES[plural]) if row.in_use]
        fields = frozenset({"id", "name", "deleted", *(name for row in rows for name in row)})
        return listing.answer(call, Listing(plural, fields=fields), lambda: rows)

    return answer


def people(plural: str) -> Callable[[Call], Response]:
    """`GET /users`, `/requesters` or `/technicians`; searched by `email_id`."""

    def answer(call: Call) -> Response:
        world = call.world
        _check_served(world, plural)
        shown = [
            shown_user(user, cloud=world.flavour.is_cloud)
            for user in world.setup.users.values()
            if plural == "users" or user.technician == (plural == "technicians")
        ]
        return listing.answer(call, Listing(plural, fields=_USER_FIELDS), lambda: shown)

    return answer


def metainfo(kind: Kind) -> Callable[[Call], Response]:
    """`GET /requests/_metainfo` and `/changes/_metainfo`: the fields there are."""

    def answer(call: Call) -> Response:
        call.expect_nothing()
        names = sorted(call.world.setup.udfs[kind])
        udfs = {name: {"type": "string", "display_name": name.replace("_", " "), "read_only": False} for name in names}
        return answers.entity("metainfo", {"entity": kind, "fields": {"udf_fields": {"fields": udfs}}})

    return answer


def approval_rules(call: Call) -> Response:
    """`GET /approval_rules`: only of builds that know other rules than a percentage."""
    if not call.world.switches.condition_rules:
        raise refusals.not_found()
    rows = [{"type": "anyone_approves", "name": "Anyone approves"}, {"type": "percentage", "name": "% to approve"}]
    return listing.answer(
        call, Listing("approval_rules", fields=frozenset({"type", "name"}), sort_field="type"), lambda: rows
    )


def _check_served(world: World, plural: str) -> None:
    if plural in world.switches.absent_lookups:
        raise refusals.not_found()


def _shown(world: World, name: str, row: Row) -> dict[str, Any]:
    shown: dict[str, Any] = {**row.extra, "name": row.name, "id": row.id, "deleted": False}
    key, parent_table = {**_PARENTS, **_STAGE}.get(name, ("", ""))
    if key and row.parent:
        parent = world.setup.row(parent_table, row.parent)
        shown[key] = {"name": parent.name, "id": parent.id}
    return shown
