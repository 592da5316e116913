import json
from collections.abc import Mapping
from typing import Any

import httpx
from desk_world import CLOUD_ROOT, ROOT, TOKEN, cloud, desk, done, error_of, failed, listed, on_premises

from envision_worker.desks.desk import DeskNames
from envision_worker.desks.manageengine.settings import ManageEngineSettings
from envision_worker.errors import KeyRefused
from envision_worker.wire import Call

NOT_THERE = failed(4007, "Invalid URL", http=404)
NO_SCOPE = (401, {"response_status": {"status_code": 4000, "messages": [{"message": "Invalid OAuth scope"}]}})


class Shelf:
    """A desk that serves lists of names by their path, and "Invalid URL" for the rest."""

    def __init__(self, **lists: Any) -> None:
        self.observed: list[Call] = []
        self.asked: list[tuple[str, str]] = []
        self.lists: dict[str, Any] = {
            "requests": [],
            "changes": [],
            "requests/_metainfo": metainfo("udf_sline_301"),
            "changes/_metainfo": metainfo("udf_sline_501"),
            **lists,
        }

    async def handle(self, request: httpx.Request) -> httpx.Response:
        url = str(request.url.copy_with(query=None))
        if url.startswith("https://accounts"):
            return httpx.Response(200, json=TOKEN)
        path = url.removeprefix(f"{ROOT}/").removeprefix(f"{CLOUD_ROOT}/")
        self.asked.append((request.method, path))
        answer = self.lists.get(path, NOT_THERE)
        if isinstance(answer, tuple):
            return httpx.Response(answer[0], json=answer[1])
        if isinstance(answer, Mapping):
            return httpx.Response(200, json=answer)
        rows = [
            {"id": str(number), "name": each} if isinstance(each, str) else each for number, each in enumerate(answer)
        ]
        criteria = json.loads(request.url.params["input_data"])["list_info"].get("search_criteria", {})
        if criteria.get("field") == "email_id":
            rows = [row for row in rows if row["email_id"] == criteria["value"]]
        return httpx.Response(200, json=listed(path, *rows))


def metainfo(*udfs: str) -> dict[str, Any]:
    fields = {each: {"type": "string"} for each in udfs}
    return done(metainfo={"fields": {"subject": {}, "udf_fields": {"fields": fields}}})


async def lacks(
    shelf: Shelf, names: DeskNames | None = None, settings: ManageEngineSettings | None = None
) -> list[str]:
    return list(await desk(shelf, settings).missing(names or DeskNames()))


async def test_a_desk_that_has_everything_lacks_nothing() -> None:
    shelf = Shelf(
        statuses=["Open", "Closed"],
        support_groups=["Network"],
        closure_codes=["success"],
        users=[{"id": "5", "email_id": "cab@example.com"}, {"id": "6", "email_id": "ensono@example.com"}],
    )
    names = DeskNames(
        statuses=frozenset({"Open", "Closed"}),
        groups=frozenset({"Network"}),
        closure_codes=frozenset({"success"}),
        approvers=frozenset({"cab@example.com"}),
        requester="ensono@example.com",
    )
    assert await lacks(shelf, names) == []
    assert all(method == "GET" for method, _ in shelf.asked)


async def test_each_name_that_the_desk_lacks_is_a_line_of_its_own() -> None:
    shelf = Shelf(
        statuses=["Open", "On hold"], priorities=["High"], impacts=[], urgencies=[], categories=[], closure_codes=[],
        change_types=["Normal"], change_stages=["Close"], change_statuses=["Approved"], users=[],
        groups=["Network"], risks=["Low"],
    )  # fmt: skip
    one = {
        "impacts": "High", "urgencies": "Urgent", "groups": "Server", "categories": "Other", "closure_codes": "done",
        "change_types": "Standard", "change_risks": "High", "change_stages": "Planning", "change_statuses": "Rejected",
        "approvers": "cab@example.com",
    }  # fmt: skip
    names = DeskNames(
        statuses=frozenset({"Open", "On Hold", "Closed"}),
        requester="ensono@example.com",
        **{kind: frozenset({name}) for kind, name in one.items()},
    )
    assert await lacks(shelf, names) == [
        "statuses: the desk has no status 'Closed'",
        "statuses: the desk has no status 'On Hold' (it has 'On hold')",
        "impacts: the desk has no impact 'High'",
        "urgencies: the desk has no urgency 'Urgent'",
        "groups: the desk has no group 'Server'",
        "categories: the desk has no category 'Other'",
        "closure_codes: the desk has no closure code 'done'",
        "change_types: the desk has no change type 'Standard'",
        "change_risks: the desk has no change risk 'High'",
        "change_stages: the desk has no change stage 'Planning'",
        "change_statuses: the desk has no change status 'Rejected'",
        "requester: the desk has no user 'ensono@example.com'",
        "approvers: the desk has no user 'cab@example.com'",
    ]


async def test_a_list_that_this_build_does_not_publish_says_nothing_about_its_names() -> None:
    assert await lacks(Shelf(), DeskNames(change_risks=frozenset({"High"}))) == []


async def test_a_list_that_the_key_may_not_see_is_said() -> None:
    shelf = Shelf(statuses=failed(4002, "User does not have this permission", http=403), users=NO_SCOPE)
    names = DeskNames(statuses=frozenset({"Open"}), approvers=frozenset({"a@b.c", "d@e.f"}))
    lines = await lacks(shelf, names)
    assert lines[0] == "statuses: the key may not list them: 4002 User does not have this permission"
    assert lines[1].startswith("approvers: the key may not look for users: the key lacks the scope")
    assert len(lines) == 2


async def test_udfs_are_looked_up_in_the_metadata() -> None:
    shelf = Shelf(**{"requests/_metainfo": metainfo("udf_sline_1"), "changes/_metainfo": failed(7001, "licence")})
    create = {"incident": {"udf_fields": {"udf_pick_303": "EMEA", "udf_sline_1": "x"}}}
    lines = await lacks(shelf, settings=on_premises(create=create))
    assert lines[0] == "desk.ensono_number_field: the desk's requests have no field 'udf_sline_301'"
    assert lines[1] == "desk.create.incident.udf_fields.udf_pick_303: the desk's requests have no field 'udf_pick_303'"
    assert lines[2].startswith("desk.ensono_change_number_field: the key may not see the fields of changes")
    assert len(lines) == 3


async def test_names_in_the_create_tables_are_looked_up_too() -> None:
    shelf = Shelf(categories=["Software"], statuses=["Open"], change_types=["Normal"])
    create = {
        "incident": {"category": {"name": "Managed Services"}, "status": {"id": "2"}, "subcategory": {"name": "x"}},
        "change": {"change_type": {"name": "Standard"}, "emergency": False},
    }
    assert await lacks(shelf, settings=on_premises(create=create)) == [
        "desk.create.incident.category: the desk has no category 'Managed Services'",
        "desk.create.change.change_type: the desk has no change type 'Standard'",
    ]


async def test_a_search_that_the_desk_refuses_is_found_out() -> None:
    class Unsearchable(Shelf):
        async def handle(self, request: httpx.Request) -> httpx.Response:
            if b"udf_fields.udf_sline_301" in request.url.query:
                return httpx.Response(400, json=failed(4001, "Invalid Input", field="search_criteria")[1])
            return await super().handle(request)

    (line,) = await lacks(Unsearchable())
    assert line.startswith("desk.ensono_number_field: the desk refuses the search by it: 4001 search_criteria")


async def test_addresses_that_this_build_has_elsewhere_are_found_out_on_any_ticket() -> None:
    shelf = Shelf(
        requests=[{"id": "71", "udf_fields": {"udf_sline_301": None}}],
        changes=[{"id": "9", "udf_fields": {"udf_sline_501": None}}],
        **{
            "requests/71": done(request={"id": "71"}),
            "changes/9": done(change={"id": "9"}),
            "requests/71/attachments": listed("attachments"),
        },
    )
    lines = await lacks(shelf)
    assert [line.partition(": ")[0] for line in lines] == ["desk.flavour.change_files", "desk.flavour.approval_summary"]


async def test_a_desk_whose_key_is_refused_is_not_checked_any_further() -> None:
    shelf = Shelf(requests=failed(401, "AuthToken in the request is invalid"))
    assert isinstance(await error_of(desk(shelf).missing(DeskNames())), KeyRefused)
    assert len(shelf.asked) == 1


async def test_a_scope_that_is_missing_in_the_cloud_is_no_refused_key() -> None:
    shelf = Shelf(
        **{"requests/_metainfo": metainfo("txt_ensono_number"), "changes/_metainfo": metainfo("txt_ensono_number")},
        statuses=NO_SCOPE,
    )
    lines = await lacks(shelf, DeskNames(statuses=frozenset({"Open"})), cloud())
    assert lines == ["statuses: the key may not list them: the key lacks the scope for it: 4000 Invalid OAuth scope"]
