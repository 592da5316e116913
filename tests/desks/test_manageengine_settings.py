from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from desk_world import KEY, cloud, on_premises
from pydantic import ValidationError

from envision_worker.desks.manageengine.flavour import CLOUD, ON_PREMISES, flavour_of
from envision_worker.desks.manageengine.flavour_settings import ChangeEnd, FlavourSettings
from envision_worker.desks.manageengine.settings import Edition, ManageEngineSettings


def faults(settings: Any, **changes: Any) -> Mapping[str, str]:
    """Every fault by its key."""
    with pytest.raises(ValidationError) as told:
        settings(**changes)
    return {".".join(map(str, each["loc"])): each["msg"] for each in told.value.errors()}


def test_everything_with_a_usable_default_can_be_left_out() -> None:
    settings = on_premises()
    assert settings.edition is Edition.ON_PREMISES
    assert (settings.request_timeout_s, settings.max_concurrency, settings.settle_s) == (30, 8, 60)
    assert (settings.time_zone, settings.priority_from, settings.key_probe_interval_s) == ("UTC", "priority", 60)
    assert settings.create.incident == {}


def test_what_has_no_default_is_missed_by_name() -> None:
    with pytest.raises(ValidationError) as told:
        ManageEngineSettings.model_validate({})
    missed = {str(each["loc"][0]) for each in told.value.errors()}
    assert missed == {
        "base_url",
        "auth_token",
        "ensono_number_field",
        "ensono_change_number_field",
        "default_requester",
    }


def test_on_premises_misses_its_key_and_takes_none_of_the_cloud() -> None:
    found = faults(on_premises, auth_token=None, client_id="x", refresh_token="y", portal="p")
    assert set(found) == {"auth_token", "client_id", "refresh_token", "portal"}
    assert 'edition = "on_premises" needs it' in found["auth_token"]
    assert "does not take it" in found["client_id"]


def test_the_cloud_misses_each_of_its_keys_and_takes_no_auth_token() -> None:
    found = faults(cloud, client_id=None, client_secret=None, refresh_token=None, auth_token=KEY)
    assert set(found) == {"client_id", "client_secret", "refresh_token", "auth_token"}


def test_the_cloud_knows_who_issues_the_tokens_of_a_data_centre() -> None:
    assert cloud().accounts_url == "https://accounts.zoho.eu"
    assert cloud(base_url="https://desk.example.com", accounts_url="https://accounts.zoho.in/").accounts_url == (
        "https://accounts.zoho.in"
    )


def test_the_cloud_has_to_be_told_who_issues_the_tokens_of_another_host() -> None:
    assert "desk.example.com" in faults(cloud, base_url="https://desk.example.com")["accounts_url"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("base_url", "sdp.example.com"),
        ("base_url", "ftp://sdp.example.com"),
        ("base_url", "https://user:secret@sdp.example.com"),
        ("base_url", "https://sdp.example.com/?x=1"),
        ("base_url", "https://sdp.example.com:99999"),
        ("base_url", "https://sdp example.com"),
        ("base_url", "https://sdp.example.com/api/v3"),
        ("ensono_number_field", "udf_fields.udf_sline_301"),
        ("create", {"change": {"udf_fields": "x"}}),
        ("time_zone", ""),
        ("time_zone", "Europe"),
        ("proxy", "socks5://proxy"),
        ("ca_file", "/nowhere/ca.pem"),
        ("request_timeout_s", 0),
        ("settle_s", -1),
        ("key_probe_interval_s", float("inf")),
        ("max_concurrency", 0),
        ("ensono_number_field", " "),
        ("note_key", "notes"),
        ("default_requester", {}),
        ("default_requester", {"phone": "1"}),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../etc/passwd"),
        ("priority_from", "urgency"),
        ("edition", "msp"),
        ("colour", "blue"),
        ("auth_token", "  "),
        ("auth_token", "two words"),
        ("auth_token", "né"),
        ("create", {"incident": {"due": datetime(2026, 1, 1, tzinfo=UTC)}}),
        ("create", {"task": {}}),
        ("flavour", {"close_path": "../requests"}),
        ("flavour", {"change_end": "somehow"}),
        ("flavour", {"unheard_of": True}),
    ],
)
def test_a_wrong_value_is_a_fault_at_its_key(key: str, value: Any) -> None:
    assert {place.split(".")[0] for place in faults(on_premises, **{key: value})} == {key}


def test_a_wrong_secret_is_not_shown_in_what_is_said_about_it() -> None:
    with pytest.raises(ValidationError) as told:
        on_premises(auth_token="the secret itself")
    assert "the secret itself" not in str(told.value)


def test_secrets_are_not_in_the_text_of_the_settings() -> None:
    assert KEY not in f"{on_premises()!r} {on_premises().model_dump()}"
    assert "made-up" not in f"{cloud()!r}"


def test_a_proxy_may_hold_a_password_and_does_not_show_it() -> None:
    settings = on_premises(proxy="http://user:pa55@proxy.example.com:3128")
    assert "pa55" not in repr(settings)
    with pytest.raises(ValidationError) as told:
        on_premises(proxy="ftp://user:pa55@proxy.example.com")
    assert "pa55" not in str(told.value)


def test_plain_http_is_taken() -> None:
    assert on_premises(base_url="http://sdp:8080/").base_url == "http://sdp:8080"


def test_a_ca_file_that_holds_no_certificate_is_a_fault(tmp_path: Path) -> None:
    wrong = tmp_path / "ca.pem"
    wrong.write_text("nothing of the kind")
    assert "certificate authorities" in faults(on_premises, ca_file=wrong)["ca_file"]


def test_each_edition_has_its_flavour() -> None:
    assert flavour_of(on_premises()) == ON_PREMISES
    assert flavour_of(cloud()).api_path == "/app/itdesk/api/v3"
    assert flavour_of(cloud(portal=None)).api_path == "/api/v3"
    assert flavour_of(cloud()).request_note_key == CLOUD.request_note_key == "request_note"


def test_the_configuration_changes_single_parts_of_the_flavour() -> None:
    flavour = flavour_of(on_premises(note_key="request_note", flavour={"change_end": "stage_and_status"}))
    assert (flavour.request_note_key, flavour.change_end) == ("request_note", ChangeEnd.STAGE_AND_STATUS)
    assert flavour.upload_part == ON_PREMISES.upload_part


def test_every_setting_of_the_flavour_is_a_part_of_it() -> None:
    assert set(FlavourSettings.model_fields) <= set(ON_PREMISES.__dataclass_fields__)
