"""Approvals on every build of the desk that its sources tell of: what they leave open is a setting, and each works."""

from pathlib import Path
from typing import Any

import pytest

from worlds.changes import CAB, SECOND, ChangeWorld
from worlds.configuration import Edition
from worlds.virtual_time import in_virtual_time

ON_PREMISES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as documented": ({}, {}),
    "a rejection is called Denied": ({}, {"rejected_name": "Denied"}),
    "approvers by address": ({"approver_key": "email_id"}, {"approver_by_email": True}),
    "no approval summary": ({"approval_summary": False}, {"levels_of_a_change_without": "empty"}),
    "the mail goes by another path": (
        {"notify_path": "_send_notification", "notify_content_path": "_get_notification_content"},
        {"notification_path": "_send_notification"},
    ),
    "rules are conditions": (
        {"approval_rule_anyone": {"type": "condition", "value": "anyone_approves"}},
        {"condition_rules": True},
    ),
    "levels come without approvers": ({"approvers_with_level": False}, {"level_needs_approver": False}),
    "levels of one stage can't share a name": ({}, {"unique_level_names": True}),
    "what is removed is gone": ({}, {"removed_approvals_listed": False}),
    "who took the action is not told": ({}, {"shows_action_by": False}),
    "lists only what they like": ({}, {"fields_required_honoured": False}),
    "notes are wrapped": ({}, {"rich_text_wrapped": True}),
}
CLOUD: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as documented": ({}, {}),
    "a rejection is called Denied": ({}, {"rejected_name": "Denied"}),
    "approvers by id": ({"approver_key": "id"}, {}),
    "another rule": ({"approval_rule_anyone": {"name": "First response action"}}, {}),
    "levels may share a number": ({}, {"unique_level_numbers": False}),
    "search as an array": ({"search_form": "array"}, {"criteria_form": "array"}),
}


async def whole_way(world: ChangeWorld) -> None:
    """Two are asked, one rejects; redrafted, the ledger lost, assessed again and approved; asked once more and withdrawn."""
    scenario = world.ensono.scenario
    number = scenario.change_create(approvers=[("Carla", CAB), ("Sam", SECOND)])
    await world.settled()
    assert world.asked(world.change()) == [CAB, SECOND]
    await world.reject(number, "not like this", approver=SECOND)
    scenario.change_redraft(number)
    scenario.change_state(number, "Assess", approvers=[("Carla", CAB)])
    await world.settled()
    assert world.asked(world.change()) == [CAB]
    await world.stop()
    world.lose_ledger()
    await world.start()
    await world.approve(number, comments="like this")
    first, second = world.decisions(number)
    assert (first.verb, first.approver, first.counted) == ("reject", SECOND, True)
    assert first.comment.endswith("Reason: not like this")
    assert (second.verb, second.approver, second.counted) == ("approve", CAB, True)
    other = scenario.change_create(approvers=[("Sam", SECOND)])
    await world.settled()
    scenario.change_cancel(other)
    await world.settled()
    await world.polls()
    assert world.levels(world.change()) == []
    assert world.decisions(other) == []
    assert world.events("dead_letter_kept") == []
    assert world.events("approval_missing") == []


def lived_on(folder: Path, edition: Edition, flavour: dict[str, Any], switches: dict[str, Any]) -> None:
    world = ChangeWorld(folder, edition=edition, settings={"desk": {"flavour": flavour}})
    world.desk.switches.turn(switches)

    async def main() -> None:
        async with world.working():
            await whole_way(world)

    in_virtual_time(main())


@pytest.mark.parametrize("build", ON_PREMISES)
def test_on_premises(tmp_path: Path, build: str) -> None:
    lived_on(tmp_path, "on_premises", *ON_PREMISES[build])


@pytest.mark.parametrize("build", CLOUD)
def test_in_the_cloud(tmp_path: Path, build: str) -> None:
    lived_on(tmp_path, "cloud", *CLOUD[build])
