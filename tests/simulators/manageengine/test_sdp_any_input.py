"""Whatever is sent, the desk answers in its own form."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sdp_caller import Caller, Time, cloud, on_premises

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("Open") | st.just("1")
KEYS = st.sampled_from(
    [
        "id", "name", "value", "subject", "requester", "email_id", "status", "stage", "udf_fields", "udf_sline_301",
        "priority", "due_by_time", "resolution", "content", "closure_info", "title", "comment", "rule", "type",
        "approvals", "approver", "field", "condition", "values", "children", "search_criteria", "list_info",
        "row_count", "start_index", "fields_required", "search_fields", "sort_field", "category", "subcategory",
    ]
)  # fmt: skip
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
EXPECTED = (200, 201, 400, 403, 404)
TARGETS = (
    ("POST", "requests", "request"),
    ("PUT", "requests/{request}", "request"),
    ("PUT", "requests/{request}/{close}", "request"),
    ("POST", "requests/{request}/resolutions", "resolution"),
    ("POST", "requests/{request}/notes", "{note}"),
    ("POST", "changes", "change"),
    ("PUT", "changes/{change}", "change"),
    ("PUT", "changes/{change}/close_change", ""),
    ("POST", "changes/{change}/notes", "note"),
    ("POST", "changes/{change}/approval_levels", "approval_level"),
)


async def desk_of(flavour: str) -> tuple[Caller, dict[str, str]]:
    desk = on_premises(Time()) if flavour == "on_premises" else await cloud(Time())
    known = desk.simulator.world.flavour
    ids = {"request": await desk.request(), "change": await desk.change()}
    return desk, {**ids, "close": known.close_request, "note": known.request_note_key}


@pytest.mark.parametrize("flavour", ["on_premises", "cloud"])
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(target=st.sampled_from(TARGETS), given_json=JSON)
async def test_any_json_is_answered_and_refusals_have_no_effect(
    flavour: str, target: tuple[str, str, str], given_json: Any
) -> None:
    desk, ids = await desk_of(flavour)
    method, path, key = target
    before = len(desk.simulator.journal)
    body = {key.format(**ids): given_json} if key else given_json
    answer = await desk.write(method, path.format(**ids), body)
    assert answer.status in EXPECTED
    if answer.status >= 400:
        assert answer.complaint
        assert len(desk.simulator.journal) == before


@pytest.mark.parametrize("flavour", ["on_premises", "cloud"])
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(path=st.sampled_from(["requests", "changes", "users", "statuses", "requests/{request}/notes"]), options=JSON)
async def test_any_list_options_are_answered(flavour: str, path: str, options: Any) -> None:
    desk, ids = await desk_of(flavour)
    given = options if isinstance(options, dict) else {"search_criteria": options}
    answer = await desk.listed(path.format(**ids), **given)
    assert answer.status in EXPECTED


@settings(max_examples=100, deadline=None, derandomize=True)
@given(body=st.binary(max_size=300))
async def test_any_bytes_in_an_upload_are_answered(body: bytes) -> None:
    desk, ids = await desk_of("on_premises")
    kind = "multipart/form-data; boundary=b"
    for sent in (body, b"--b\r\n" + body + b"\r\n--b--\r\n"):
        answer = await desk.send("PUT", f"requests/{ids['request']}/upload", sent, content_type=kind)
        assert answer.status in EXPECTED
