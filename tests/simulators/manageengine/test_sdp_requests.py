"""Requests (reference: create, update, HTML and lengths, UDFs)."""

import pytest
from sdp_caller import Caller, Time, cloud, on_premises

SHOWN_ON_PREMISES = {
    "id", "subject", "description", "status", "priority", "urgency", "impact", "level", "mode", "request_type",
    "template", "requester", "technician", "created_by", "group", "site", "category", "subcategory", "item",
    "created_time", "last_updated_time", "assigned_time", "due_by_time", "first_response_due_by_time", "onhold_time",
    "resolution", "udf_fields", "email_ids_to_notify", "email_to", "email_cc", "is_service_request", "is_trashed",
    "is_reopened", "is_read", "has_notes", "has_attachments", "has_conversation", "has_linked_requests",
    "linked_to_request", "cancel_requested", "cancel_requested_is_pending", "cancel_requested_by",
    "cancel_requested_time", "reason_for_cancel", "approval_status", "sla", "service_category", "impact_details",
    "callback_url", "notification_status", "unreplied_count",
}  # fmt: skip
SHOWN_IN_THE_CLOUD = {
    "id", "display_id", "status", "requester", "group", "template", "last_updated_time", "resolution",
    "onhold_scheduler", "cancellation_requested", "cancel_flag_comments", "deleted_time", "resolved_time",
    "completed_time", "responded_time", "attachments", "has_attachments", "is_escalated", "is_fcr", "time_elapsed",
    "unreplied_count", "email_bcc",
}  # fmt: skip


async def test_a_request_on_premises_has_every_field_of_the_sample(desk: Caller) -> None:
    request_id = await desk.request(status={"name": "Open"}, group={"name": "Network"})
    shown = (await desk.get(f"requests/{request_id}")).said["request"]
    assert set(shown) >= SHOWN_ON_PREMISES
    assert set(shown["status"]) == {"color", "name", "id"}
    assert set(shown["template"]) == {"is_service_template", "service_category", "name", "id"}
    assert set(shown["requester"]) == {"email_id", "phone", "name", "mobile", "is_vipuser", "id", "department"}
    assert set(shown["group"]) == {"site", "name", "id"}
    assert shown["resolution"] == {"resolution_attachments": [], "content": None}
    assert shown["last_updated_time"] is None
    assert "display_id" not in shown


async def test_a_request_in_the_cloud_has_every_field_of_the_sample(cloud_desk: Caller) -> None:
    request_id = await cloud_desk.request(status={"name": "On Hold"})
    shown = (await cloud_desk.get(f"requests/{request_id}")).said["request"]
    assert set(shown) >= SHOWN_IN_THE_CLOUD
    assert shown["display_id"] == "1"
    assert shown["status"]["internal_name"] == "OnHold"
    assert shown["status"]["stop_timer"] is True
    assert set(shown["requester"]) == {
        "email_id", "is_technician", "sms_mail", "phone", "name", "mobile", "id", "photo_url", "is_vip_user", "department",
    }  # fmt: skip
    assert shown["last_updated_time"] == shown["created_time"]
    assert shown["resolution"] is None
    assert not {"cancel_requested", "is_vipuser"} & set(shown)


async def test_every_documented_field_of_a_new_request_is_taken(either: Caller) -> None:
    request_id = await either.request(
        description="<p>long</p>",
        mode={"name": "Web Form"},
        request_type={"name": "Incident"},
        priority={"name": "High"},
        urgency={"name": "Urgent"},
        impact={"name": "Affects Group"},
        category={"name": "Software"},
        subcategory={"name": "MS Office"},
        item={"name": "Upgrade"},
        group={"name": "Network", "site": {"name": "Test Site"}},
        technician={"email_id": "tech@example.com"},
        template={"name": "Default Request"},
        impact_details="many",
        email_ids_to_notify=["a@example.com"],
        due_by_time={"value": "1660089600904"},
    )
    shown = (await either.get(f"requests/{request_id}")).said["request"]
    assert shown["subcategory"]["name"] == "MS Office"
    assert shown["item"]["name"] == "Upgrade"
    assert shown["technician"]["email_id"] == "tech@example.com"


async def test_ids_on_premises_are_short_and_counted_for_each_kind(desk: Caller) -> None:
    assert [await desk.request(), await desk.request()] == ["1", "2"]
    assert await desk.change() == "1"


async def test_a_put_changes_only_what_it_names(either: Caller) -> None:
    request_id = await either.request(priority={"name": "High"})
    answer = await either.put(f"requests/{request_id}", {"request": {"subject": "Scanner"}})
    assert answer.status == 200
    shown = answer.said["request"]
    assert (shown["subject"], shown["priority"]["name"]) == ("Scanner", "High")
    assert shown["last_updated_time"]["value"] == "1700000000000"


async def test_null_clears_a_field_but_no_mandatory_one(desk: Caller) -> None:
    request_id = await desk.request(priority={"name": "High"})
    cleared = await desk.put(f"requests/{request_id}", {"request": {"priority": None}})
    assert cleared.said["request"]["priority"] is None
    refused = await desk.put(f"requests/{request_id}", {"request": {"subject": None}})
    assert refused.complaint["fields"] == ["subject"]


async def test_setting_the_same_again_is_no_effect(desk: Caller) -> None:
    request_id = await desk.request()
    for _ in range(2):
        await desk.put(f"requests/{request_id}", {"request": {"subject": "Scanner"}})
    assert [effect.verb for effect in desk.simulator.journal] == ["create", "update"]
    assert desk.simulator.journal[1].what == {"fields": {"subject": "Scanner"}}


async def test_a_subject_holds_250_characters_on_one_line(either: Caller) -> None:
    await either.request(subject="x" * 250)
    for subject in ("x" * 251, "two\nlines", "two\rlines"):
        wanted = {"subject": subject, "requester": {"email_id": "requester@example.com"}}
        answer = await either.post("requests", {"request": wanted})
        assert answer.code == (400, 4001, "subject")


async def test_a_description_is_kept_as_it_was_sent(desk: Caller) -> None:
    text = "<p>Füße &amp; 🚒</p>\n" * 1000
    request_id = await desk.request(description=text)
    assert (await desk.get(f"requests/{request_id}")).said["request"]["description"] == text


async def test_rich_text_may_come_back_wrapped(time: Time) -> None:
    desk = on_premises(time, rich_text_wrapped=True)
    request_id = await desk.request(description="<p>x</p>")
    shown = (await desk.get(f"requests/{request_id}")).said["request"]["description"]
    assert shown.startswith('<div class="sdp-ze-default-wrapper"')
    assert "<p>x</p>" in shown


async def test_a_database_without_four_byte_characters_refuses_emoji(time: Time) -> None:
    desk = on_premises(time, four_byte_characters=False)
    wanted = {"subject": "🚒", "requester": {"email_id": "requester@example.com"}}
    assert (await desk.post("requests", {"request": wanted})).code == (400, 4001, "subject")


async def test_an_unknown_requester_is_refused(either: Caller) -> None:
    wanted = {"subject": "Printer", "requester": {"email_id": "nobody@example.com"}}
    assert (await either.post("requests", {"request": wanted})).code == (400, 4001, "requester")


async def test_a_requester_whose_account_was_removed_is_unknown(desk: Caller) -> None:
    await desk.request()
    desk.simulator.setup.remove_user("requester@example.com")
    wanted = {"subject": "Printer", "requester": {"email_id": "requester@example.com"}}
    assert (await desk.post("requests", {"request": wanted})).code == (400, 4001, "requester")
    assert (await desk.get("requests/1")).said["request"]["requester"]["name"] == "Robin Requester"


async def test_some_desks_add_an_unknown_requester(time: Time) -> None:
    desk = on_premises(time, requesters_created=True)
    request_id = await desk.request(requester={"email_id": "new@example.com"})
    shown = (await desk.get(f"requests/{request_id}")).said["request"]
    assert shown["requester"]["email_id"] == "new@example.com"


async def test_someone_who_only_asks_cannot_be_the_technician(desk: Caller) -> None:
    request_id = await desk.request()
    wanted = {"request": {"technician": {"email_id": "requester@example.com"}}}
    assert (await desk.put(f"requests/{request_id}", wanted)).code == (400, 4001, "technician")


async def test_a_template_may_want_more_fields(time: Time) -> None:
    desk = on_premises(time, template_mandatory=["category", "subcategory"])
    wanted = {"subject": "Printer", "requester": {"email_id": "requester@example.com"}}
    answer = await desk.post("requests", {"request": wanted})
    assert answer.complaint["fields"] == ["category", "subcategory"]
    await desk.request(category={"name": "Software"}, subcategory={"name": "MS Office"})


async def test_a_template_may_lack_a_field(time: Time) -> None:
    desk = on_premises(time, not_on_template=["urgency"])
    wanted = {"subject": "Printer", "requester": {"email_id": "requester@example.com"}, "urgency": {"name": "High"}}
    assert (await desk.post("requests", {"request": wanted})).code == (400, 4001, "urgency")


async def test_a_priority_matrix_computes_the_priority_and_takes_none(time: Time) -> None:
    desk = await cloud(time, priority_matrix=True)
    wanted = {"subject": "Printer", "requester": {"email_id": "requester@example.com"}, "priority": {"name": "High"}}
    answer = await desk.post("requests", {"request": wanted})
    assert answer.code == (403, 4002, "priority")
    assert answer.complaint["message"] == "Cannot give value for priority"
    request_id = await desk.request(impact={"name": "High"}, urgency={"name": "Urgent"})
    assert (await desk.get(f"requests/{request_id}")).said["request"]["priority"]["name"] == "High"
    answer = await desk.put(
        f"requests/{request_id}", {"request": {"impact": {"name": "Low"}, "urgency": {"name": "Low"}}}
    )
    assert answer.said["request"]["priority"]["name"] == "Low"


async def test_a_subcategory_must_belong_to_its_category(desk: Caller) -> None:
    wanted = {
        "subject": "Printer",
        "requester": {"email_id": "requester@example.com"},
        "category": {"name": "Hardware"},
        "subcategory": {"name": "MS Office"},
    }
    assert (await desk.post("requests", {"request": wanted})).code == (400, 4001, "subcategory")


async def test_another_category_clears_the_subcategory_that_no_longer_fits(desk: Caller) -> None:
    request_id = await desk.request(category={"name": "Software"}, subcategory={"name": "MS Office"})
    answer = await desk.put(f"requests/{request_id}", {"request": {"category": {"name": "Hardware"}}})
    assert answer.said["request"]["subcategory"] is None


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("udf_sline_301", "INC0012345", "INC0012345"),
        ("udf_mline_7", "two\nlines", "two\nlines"),
        ("udf_long_7", 12, "12"),
        ("udf_decimal_7", "1.5", "1.5"),
        (
            "udf_date_7",
            {"value": "1660089600904"},
            {"display_value": "Aug 10, 2022 12:00 AM", "value": "1660089600904"},
        ),
        ("bool_7", True, True),
    ],
)
async def test_a_udf_has_the_type_of_its_name(desk: Caller, name: str, value: object, shown: object) -> None:
    desk.simulator.setup.add_udf("request", name)
    request_id = await desk.request(udf_fields={name: value})
    assert (await desk.get(f"requests/{request_id}")).said["request"]["udf_fields"][name] == shown


async def test_setting_one_udf_leaves_the_others(desk: Caller) -> None:
    request_id = await desk.request(udf_fields={"udf_sline_301": "e-CS1", "udf_pick_303": "a"})
    answer = await desk.put(f"requests/{request_id}", {"request": {"udf_fields": {"udf_pick_303": None}}})
    assert answer.said["request"]["udf_fields"] == {"udf_pick_303": None, "udf_sline_301": "e-CS1"}


async def test_an_unknown_udf_is_refused_or_ignored(time: Time) -> None:
    wanted = {
        "subject": "Printer",
        "requester": {"email_id": "requester@example.com"},
        "udf_fields": {"udf_sline_999": "x"},
    }
    assert (await on_premises(time).post("requests", {"request": wanted})).code == (400, 4001, "udf_sline_999")
    assert (await on_premises(time, unknown_udfs_refused=False).post("requests", {"request": wanted})).status == 201


async def test_reading_a_request_takes_no_input_data(desk: Caller) -> None:
    request_id = await desk.request()
    answer = await desk.send("GET", f"requests/{request_id}", query="input_data=%7B%7D")
    assert answer.complaint["message"] == "Extra parameter(s) not allowed"


async def test_a_request_that_never_was_is_not_found(either: Caller) -> None:
    assert (await either.get("requests/99")).code == (404, 4007, None)
    assert (await either.put("requests/99", {"request": {"subject": "x"}})).code == (404, 4007, None)


async def test_the_record_of_effects_tells_what_was_created(desk: Caller, time: Time) -> None:
    request_id = await desk.request(priority={"name": "High"}, udf_fields={"udf_sline_301": "e-CS1"})
    effect = desk.simulator.journal[0]
    assert (effect.at, effect.by, effect.verb, effect.kind, effect.ticket) == (
        time.now(), "api", "create", "request", request_id,
    )  # fmt: skip
    assert effect.what["fields"] == {
        "subject": "Printer",
        "requester": "requester@example.com",
        "priority": "High",
        "udf_fields": {"udf_sline_301": "e-CS1"},
        "status": "Open",
    }
