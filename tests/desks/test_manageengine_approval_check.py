"""What `check --connect` finds out about approvals, which the documents leave open."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from desk_stages import CAB, Flavour, settings_for

from envision_worker.clock import SystemClock
from envision_worker.desks.approval import ApprovalChecked, ApprovalRule
from envision_worker.desks.desk import Desk, Fields
from envision_worker.desks.life import LifeNames
from envision_worker.desks.manageengine.approval_check import BY_READING, BY_WRITING
from envision_worker.desks.manageengine.flavour_settings import FlavourSettings
from envision_worker.desks.table import product
from envision_worker.simulators.http import serve
from envision_worker.simulators.manageengine.simulator import ManageEngineSimulator
from envision_worker.vocabulary import TicketType
from envision_worker.wire import Call

EDITIONS = pytest.mark.parametrize("edition", ["on_premises", "cloud"])


class Build:
    """A simulated build of the desk, and clients of it with any flavour."""

    def __init__(self, simulator: ManageEngineSimulator, url: str, edition: Flavour) -> None:
        self.simulator = simulator
        self._url = url
        self._edition = edition
        self.calls: list[Call] = []

    @asynccontextmanager
    async def desk(self, **flavour: Any) -> AsyncIterator[Desk]:
        settings = settings_for(self.simulator, self._url, self._edition, flavour=flavour)
        opened = product("manageengine").open(
            settings, life=LifeNames(), clock=SystemClock(), observe=self.calls.append
        )
        async with opened as desk:
            yield desk

    async def ask(self, number: str | None = "e-CHG0032103", *, notified: bool = True) -> None:
        """A level on a change, as the worker makes one."""
        async with self.desk() as desk:
            wanted = Fields(title="Patch day", ensono_number=number, stage="Submission", status="Requested")
            ref = (await desk.create(TicketType.CHANGE, wanted)).ref
            level = await desk.add_approval_level(ref, name="x", rule=ApprovalRule.ANYONE, approvers=[CAB])
            if notified:
                await desk.notify_approvers(ref, level.id)

    async def checked(self, **flavour: Any) -> ApprovalChecked:
        """What a check finds with this flavour; nothing is written."""
        before = len(self.simulator.journal)
        async with self.desk(**flavour) as desk:
            found = await desk.check_approvals()
        assert len(self.simulator.journal) == before
        return found


@asynccontextmanager
async def build(edition: Flavour) -> AsyncIterator[Build]:
    async def no_wait(_: float) -> None:
        pass

    clock = SystemClock()
    simulator = ManageEngineSimulator(lambda: clock.now().timestamp(), no_wait, flavour=edition)
    server = await serve(simulator.application)
    try:
        yield Build(simulator, server.url, edition)
    finally:
        await server.close()


@EDITIONS
async def test_without_any_level_it_is_said_what_only_the_first_request_shows(edition: Flavour) -> None:
    async with build(edition) as here:
        here.simulator.people.open_change("no level on this one")
        found = await here.checked()
    assert found.faults == ()
    (remark,) = found.remarks
    assert "none of the 10 newest changes has a level" in remark
    assert {"approval_level_path", "approval_rule_anyone", "notify_path"} <= set(words_of(remark))


@EDITIONS
async def test_a_level_that_went_out_for_ensono_shows_that_everything_fits(edition: Flavour) -> None:
    async with build(edition) as here:
        await here.ask()
        here.simulator.people.open_change("a newer one without a level")
        found = await here.checked()
    assert found.faults == ()
    read, added = found.remarks
    assert "is read as configured" in read
    assert "adding works as configured" in added


@pytest.mark.parametrize(("number", "notified"), [(None, True), ("e-CHG0032103", False)])
async def test_a_level_of_others_or_one_whose_mail_did_not_go_out_shows_only_how_levels_are_read(
    number: str | None, *, notified: bool
) -> None:
    async with build("on_premises") as here:
        await here.ask(number, notified=notified)
        found = await here.checked()
    read, added = found.remarks
    assert "is read as configured" in read
    assert added.startswith("the first Approval Request shows")


WRONG: list[tuple[Flavour, dict[str, Any], str, str]] = [
    ("on_premises", {"approval_level_path": "level"}, "approval_level_path", "but by its 'id'"),
    ("on_premises", {"approval_stage_key": "change_stage"}, "approval_stage_key", "levels have 'stage' here"),
    ("on_premises", {"approval_rule_anyone": {"name": "Anyone to Approve"}}, "approval_rule_anyone", "type, value"),
    ("cloud", {"approval_stage_key": "stage"}, "approval_stage_key", "levels have 'change_stage' here"),
    ("cloud", {"approval_rule_everyone": {"type": "percent", "value": "100"}}, "approval_rule_everyone", "id, name"),
]


@pytest.mark.parametrize(("edition", "flavour", "key", "said"), WRONG)
async def test_a_setting_that_does_not_fit_the_levels_that_stand_there_is_a_fault_with_its_key(
    edition: Flavour, flavour: dict[str, Any], key: str, said: str
) -> None:
    async with build(edition) as here:
        await here.ask()
        await here.ask("e-CHG0032104")
        found = await here.checked(**flavour)
    (fault,) = found.faults
    assert fault.startswith(f"desk.flavour.{key}: ")
    assert said in fault
    assert not [remark for remark in found.remarks if "read as configured" in remark]


async def test_mail_content_that_is_elsewhere_is_found_there() -> None:
    async with build("on_premises") as here:
        await here.ask()
        here.simulator.switches.notification_path = "_send_notification"
        found = await here.checked()
    assert found.faults == (
        "desk.flavour.notify_content_path: the mail's content is at '_get_notification_content' here",
    )


async def test_a_build_without_the_mails_content_is_no_fault_and_is_said() -> None:
    async with build("on_premises") as here:
        await here.ask()
        found = await here.checked(notify_content_path="something_else_entirely")
        assert len(found.faults) == 1
        none = await here.checked(notify_content="none", notify_content_path="something_else_entirely")
    assert none.faults == ()


async def test_changes_that_the_key_may_not_list_are_a_remark() -> None:
    async with build("on_premises") as here:
        found = await here.checked(api_path="/api/v4")
    assert found.faults == ()
    assert found.remarks[0].startswith("nothing found out: ")


def test_every_setting_that_is_named_exists() -> None:
    named = f"{BY_READING}, {BY_WRITING}".split(", ")
    about_approvals = {key for key in FlavourSettings.model_fields if key.startswith(("appro", "notify"))}
    assert set(named) == about_approvals - {"approval_summary"}


def words_of(text: str) -> list[str]:
    return text.replace("(", " ").replace(")", " ").replace(",", " ").split()
