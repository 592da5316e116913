"""Lists and searches (reference: list_info, search_criteria)."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from sdp_caller import Caller, Time, on_premises

SAMPLE_COLUMNS = {
    "requester", "template", "short_description", "created_time", "subject", "time_elapsed", "is_overdue", "technician",
    "priority", "created_by", "due_by_time", "response_time_elapsed", "site", "is_service_request",
    "cancel_requested_is_pending", "cancel_requested", "id", "status", "group",
}  # fmt: skip


def udf(value: str, field: str = "udf_fields.udf_sline_301") -> dict[str, Any]:
    return {"field": field, "condition": "is", "value": value}


async def ids(desk: Caller, **options: Any) -> list[str]:
    answer = await desk.listed("requests", **options)
    assert answer.status == 200, answer.said
    return [each["id"] for each in answer.said["requests"]]


async def fill(desk: Caller, time: Time, count: int) -> None:
    for number in range(1, count + 1):
        await desk.request(subject=f"Number {number}", udf_fields={"udf_sline_301": f"e-CS{number}"})
        time.advance(1)


async def test_a_list_has_its_status_in_an_array_and_ten_rows_newest_first(desk: Caller, time: Time) -> None:
    await fill(desk, time, 12)
    said = (await desk.get("requests")).said
    assert said["response_status"] == [{"status_code": 2000, "status": "success"}]
    assert said["list_info"] == {
        "has_more_rows": True, "start_index": 1, "sort_field": "created_time", "sort_order": "desc", "row_count": 10,
    }  # fmt: skip
    assert [each["id"] for each in said["requests"]] == [str(number) for number in range(12, 2, -1)]


async def test_rows_carry_few_fields(desk: Caller) -> None:
    await desk.request(description="long", udf_fields={"udf_sline_301": "e-CS1"})
    [row] = (await desk.get("requests")).said["requests"]
    assert set(row) == SAMPLE_COLUMNS
    assert row["short_description"] == "long"


async def test_rows_in_the_cloud_carry_the_number_that_people_see(cloud_desk: Caller) -> None:
    await cloud_desk.request()
    [row] = (await cloud_desk.get("requests")).said["requests"]
    assert row["display_id"] == "1"
    assert not {"udf_fields", "description", "last_updated_time"} & set(row)


async def test_more_fields_come_where_they_are_asked_for(desk: Caller) -> None:
    await desk.request(udf_fields={"udf_sline_301": "e-CS1", "udf_pick_303": "a"})
    wanted = ["id", "subject", "last_updated_time", "udf_fields.udf_sline_301", "is_trashed"]
    [row] = (await desk.listed("requests", fields_required=wanted)).said["requests"]
    assert row == {
        "id": "1",
        "subject": "Printer",
        "last_updated_time": None,
        "udf_fields": {"udf_sline_301": "e-CS1"},
        "is_trashed": False,
    }


async def test_fields_required_may_stand_beside_list_info(desk: Caller) -> None:
    await desk.request()
    query = "input_data=" + quote(json.dumps({"list_info": {}, "fields_required": ["subject"]}))
    [row] = (await desk.send("GET", "requests", query=query)).said["requests"]
    assert set(row) == {"id", "subject"}


async def test_some_builds_bring_the_usual_fields_whatever_is_asked_for(time: Time) -> None:
    desk = on_premises(time, fields_required_honoured=False)
    await desk.request()
    [row] = (await desk.listed("requests", fields_required=["id", "udf_fields"])).said["requests"]
    assert set(row) == SAMPLE_COLUMNS


async def test_paging_counts_from_one(desk: Caller, time: Time) -> None:
    await fill(desk, time, 5)
    assert await ids(desk, row_count=2, start_index=1, sort_field="id", sort_order="asc") == ["1", "2"]
    assert await ids(desk, row_count=2, start_index=5, sort_field="id", sort_order="asc") == ["5"]
    assert await ids(desk, row_count=2, page=2, sort_field="id", sort_order="asc") == ["3", "4"]
    assert await ids(desk, row_count=2, start_index=9) == []


async def test_zero_is_tolerated_as_first_index_on_premises_only(desk: Caller, cloud_desk: Caller) -> None:
    assert (await desk.listed("requests", start_index=0)).said["list_info"]["start_index"] == 1
    assert (await cloud_desk.listed("requests", start_index=0)).code == (400, 4001, "start_index")


async def test_the_total_is_told_where_it_is_asked_for(desk: Caller, time: Time) -> None:
    await fill(desk, time, 3)
    info = (await desk.listed("requests", row_count=1, get_total_count=True)).said["list_info"]
    assert (info["total_count"], info["has_more_rows"]) == (3, True)


@pytest.mark.parametrize(
    ("options", "code", "field"),
    [
        ({"row_count": 101}, 4001, "row_count"),
        ({"row_count": 0}, 4001, "row_count"),
        ({"row_count": "10"}, 4021, "row_count"),
        ({"sort_field": "colour"}, 4001, "sort_field"),
        ({"sort_order": "up"}, 4001, "sort_order"),
        ({"fields_required": ["colour"]}, 4001, "fields_required"),
        ({"search_criteria": udf("x", "udf_fields.udf_sline_999")}, 4001, "udf_fields.udf_sline_999"),
        ({"search_criteria": udf("x", "colour")}, 4001, "colour"),
        ({"search_criteria": {"field": "id", "condition": "like", "value": "1"}}, 4001, "condition"),
        ({"search_criteria": {"field": "id", "condition": "gt", "value": "one"}}, 4021, "value"),
        ({"search_criteria": {"field": "id", "condition": "is"}}, 4012, None),
        ({"search_criteria": "x"}, 4021, "search_criteria"),
        ({"search_criteria": {**udf("x"), "logical_operator": "XOR", "children": [udf("x")]}}, None, None),
        ({"colour": 1}, 4001, "colour"),
    ],
)
async def test_options_that_there_are_not_are_refused_by_name(
    desk: Caller, options: dict[str, Any], code: int | None, field: str | None
) -> None:
    answer = await desk.listed("requests", **options)
    assert answer.status == 400
    if code is not None:
        assert answer.code == (400, code, field)


async def test_changes_cannot_be_sorted_by_their_time_of_change(either: Caller) -> None:
    answer = await either.listed("changes", sort_field="last_updated_time")
    assert answer.code == (400, 4001, "sort_field")


async def test_tickets_are_found_by_a_udf(desk: Caller, time: Time) -> None:
    await fill(desk, time, 3)
    assert await ids(desk, search_criteria=udf("e-CS2")) == ["2"]
    assert await ids(desk, search_criteria=[udf("e-CS2")]) == ["2"]
    assert await ids(desk, search_fields={"udf_fields.udf_sline_301": "e-CS3"}) == ["3"]
    assert await ids(desk, search_criteria=udf("e-CS")) == []


async def test_changes_are_found_by_a_udf(desk: Caller) -> None:
    await desk.change(udf_fields={"udf_sline_501": "e-CHG1"})
    await desk.change()
    answer = await desk.listed("changes", search_criteria=udf("e-CHG1", "udf_fields.udf_sline_501"))
    assert [each["id"] for each in answer.said["changes"]] == ["1"]


async def test_text_is_compared_without_case_unless_the_database_minds(time: Time) -> None:
    for ignores, found in ((True, ["1"]), (False, [])):
        desk = on_premises(time, search_ignores_case=ignores)
        await fill(desk, time, 1)
        assert await ids(desk, search_criteria=udf("E-cs1")) == found


async def test_criteria_are_joined_from_left_to_right(desk: Caller, time: Time) -> None:
    await fill(desk, time, 3)
    either = [udf("e-CS1"), {**udf("e-CS2"), "logical_operator": "OR"}]
    assert sorted(await ids(desk, search_criteria=either)) == ["1", "2"]
    both = [*either, {"field": "subject", "condition": "contains", "value": "2", "logical_operator": "AND"}]
    assert await ids(desk, search_criteria=both) == ["2"]


async def test_criteria_can_be_nested(desk: Caller, time: Time) -> None:
    await fill(desk, time, 3)
    nested = {
        "field": "status.name",
        "condition": "is",
        "value": "Open",
        "children": [{"field": "subject", "condition": "ends with", "value": "3", "logical_operator": "AND"}],
    }
    assert await ids(desk, search_criteria=nested) == ["3"]
    outer = {"children": [udf("e-CS1"), {**udf("e-CS3"), "logical_operator": "OR"}]}
    assert sorted(await ids(desk, search_criteria=outer)) == ["1", "3"]


@pytest.mark.parametrize(
    ("condition", "value", "found"),
    [
        ("is not", "e-CS1", ["2", "3"]),
        ("neq", "e-CS1", ["2", "3"]),
        ("eq", "e-CS1", ["1"]),
        ("starts with", "e-CS", ["1", "2", "3"]),
        ("not contains", "2", ["1", "3"]),
    ],
)
async def test_conditions_on_texts(desk: Caller, time: Time, condition: str, value: str, found: list[str]) -> None:
    await fill(desk, time, 3)
    criterion = {"field": "udf_fields.udf_sline_301", "condition": condition, "value": value}
    assert sorted(await ids(desk, search_criteria=criterion)) == found


@pytest.mark.parametrize(
    ("condition", "offset", "found"),
    [
        ("greater than", 1, ["3"]),
        ("gte", 1, ["2", "3"]),
        ("lesser than", 1, ["1"]),
        ("lte", 1, ["1", "2"]),
    ],
)
async def test_conditions_on_times(desk: Caller, time: Time, condition: str, offset: int, found: list[str]) -> None:
    start = int(time.now() * 1000)
    await fill(desk, time, 3)
    criterion = {"field": "created_time", "condition": condition, "value": str(start + offset * 1000)}
    assert sorted(await ids(desk, search_criteria=criterion)) == found


async def test_between_and_not_between(desk: Caller, time: Time) -> None:
    await fill(desk, time, 4)
    within = {"field": "id", "condition": "between", "values": ["2", "3"]}
    assert sorted(await ids(desk, search_criteria=within)) == ["2", "3"]
    assert sorted(await ids(desk, search_criteria={**within, "condition": "not between"})) == ["1", "4"]


async def test_one_of_several_values_and_none_at_all(desk: Caller, time: Time) -> None:
    await fill(desk, time, 2)
    await desk.request(subject="without")
    several = {"field": "udf_fields.udf_sline_301", "condition": "is", "values": ["e-CS1", "e-CS2"]}
    assert sorted(await ids(desk, search_criteria=several)) == ["1", "2"]
    assert await ids(desk, search_criteria={**several, "values": []}) == ["3"]


async def test_a_time_that_is_null_matches_no_comparison(desk: Caller) -> None:
    await desk.request()
    criterion = {"field": "last_updated_time", "condition": "gte", "value": "0"}
    assert await ids(desk, search_criteria=criterion) == []


async def test_some_desks_refuse_dates_among_several_criteria(time: Time) -> None:
    desk = on_premises(time, dates_in_many_criteria=False)
    date = {"field": "created_time", "condition": "gte", "value": "0"}
    assert (await desk.listed("requests", search_criteria=[date])).status == 200
    assert (await desk.listed("requests", search_criteria=[date, udf("x")])).status == 400


async def test_some_desks_want_one_form_of_criteria(time: Time) -> None:
    desk = on_premises(time, criteria_form="object")
    assert (await desk.listed("requests", search_criteria=udf("x"))).status == 200
    assert (await desk.listed("requests", search_criteria=[udf("x")])).status == 400


async def test_some_desks_ignore_what_is_searched_for(time: Time) -> None:
    desk = on_premises(time, search_honoured=False)
    await fill(desk, time, 2)
    assert len(await ids(desk, search_criteria=udf("e-CS2"))) == 2


async def test_a_new_ticket_is_read_by_id_at_once_but_listed_only_after_the_lag(time: Time) -> None:
    desk = on_premises(time, index_lag_s=30)
    await desk.request(udf_fields={"udf_sline_301": "e-CS1"})
    assert (await desk.get("requests/1")).status == 200
    assert await ids(desk, search_criteria=udf("e-CS1")) == []
    time.advance(29.9)
    assert await ids(desk) == []
    time.advance(0.2)
    assert await ids(desk, search_criteria=udf("e-CS1")) == ["1"]


async def test_a_list_takes_no_other_parameter(desk: Caller) -> None:
    answer = await desk.send("GET", "requests", query="TECHNICIAN_KEY=x")
    assert answer.complaint["message"] == "Extra parameter(s) not allowed"
