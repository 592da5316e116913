from pathlib import Path
from typing import Any

import pytest
from ensono_world import KEY, ensono_settings
from pydantic import ValidationError

from envision_worker.ensono.settings import AttachmentSettings, EnsonoSettings, Environment, QueueSettings

STACK = "https://smconnect.ensono.com/testclient57"


def problems(error: ValidationError) -> dict[str, str]:
    return {".".join(str(part) for part in one["loc"]): one["msg"] for one in error.errors()}


def ensono_fault(**changed: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as failed:
        ensono_settings(changed.pop("base_url", STACK), **changed)
    return problems(failed.value)


def test_what_the_contract_gives_a_default_may_be_left_out() -> None:
    settings = ensono_settings(STACK)
    assert (settings.request_timeout_s, settings.resend_after_s) == (60, 90)
    assert settings.proxy is None
    assert settings.ca_file is None


def test_base_url_environment_client_name_and_key_are_required() -> None:
    with pytest.raises(ValidationError) as failed:
        EnsonoSettings.model_validate({})
    assert set(problems(failed.value)) == {"base_url", "environment", "client_name", "api_key"}


def test_an_unknown_key_is_a_fault() -> None:
    assert list(ensono_fault(api_kee="x")) == ["api_kee"]


@pytest.mark.parametrize(
    ("environment", "queue"),
    [("dev", "/dev/queue"), ("echo", "/dev/queue"), ("cert", "/cert/queue"), ("prod", "/prod/queue")],
)
def test_every_environment_has_its_tickets_and_echo_reads_its_queue_from_dev(environment: str, queue: str) -> None:
    settings = ensono_settings(STACK, environment=environment)
    assert settings.environment is Environment(environment)
    assert settings.tickets_url == f"{STACK}/{environment}/tickets"
    assert settings.queue_url == f"{STACK}{queue}"


@pytest.mark.parametrize("environment", ["Cert", "test", "", None])
def test_an_environment_is_one_of_four_and_case_sensitive(environment: str | None) -> None:
    assert list(ensono_fault(environment=environment)) == ["environment"]


def test_a_trailing_slash_of_the_address_is_tolerated() -> None:
    assert ensono_settings(f"{STACK}/").queue_url == f"{STACK}/dev/queue"


@pytest.mark.parametrize("address", ["http://127.0.0.1:8443/t", "http://localhost:1/t", "http://[::1]:8443/t"])
def test_plain_http_is_for_loopback(address: str) -> None:
    assert ensono_settings(address).base_url == address


@pytest.mark.parametrize("address", ["http://smconnect.ensono.com/t", "http://localhost.evil.com", "http://10.0.0.1"])
def test_plain_http_to_anywhere_else_is_a_fault_that_says_so(address: str) -> None:
    assert "https://" in ensono_fault(base_url=address)["base_url"]
    assert "127.0.0.1" in ensono_fault(base_url=address)["base_url"]


@pytest.mark.parametrize(
    "address",
    [
        "smconnect.ensono.com/testclient57",
        "https://",
        "ftp://smconnect.ensono.com/x",
        f"{STACK}?x=1",
        f"{STACK}?",
        f"{STACK}#x",
        "https://user:secret@smconnect.ensono.com/x",
        "https://smconnect.ensono.com:port/x",
        "https://sm connect/\n",
        "",
    ],
)
def test_what_is_no_plain_address_is_a_fault_without_the_address_in_it(address: str) -> None:
    fault = ensono_fault(base_url=address)
    assert list(fault) == ["base_url"]
    assert "secret" not in str(fault)
    assert "should" in fault["base_url"]


@pytest.mark.parametrize("key", ["", "  ", "two words", "line\nbreak", "naïve", "\x7f"])
def test_a_key_that_no_header_can_carry_is_a_fault_that_does_not_show_it(key: str) -> None:
    with pytest.raises(ValidationError) as failed:
        ensono_settings(STACK, api_key=key)
    assert list(problems(failed.value)) == ["api_key"]
    assert not key.strip() or key.strip() not in str(failed.value)


def test_the_line_break_at_the_end_of_a_key_file_is_no_part_of_the_key() -> None:
    assert ensono_settings(STACK, api_key=f"{KEY}\n").api_key.get_secret_value() == KEY


def test_nothing_shows_the_key_or_the_proxys_password() -> None:
    settings = ensono_settings(STACK, proxy="http://worker:swordfish@proxy.example.com:3128")
    assert KEY not in f"{settings!r}{settings}{settings.model_dump_json()}"
    assert "swordfish" not in f"{settings!r}{settings}{settings.model_dump_json()}"


def test_a_proxy_is_the_address_of_one() -> None:
    assert "http://proxy.example.com:3128" in ensono_fault(proxy="socks5://proxy.example.com")["proxy"]
    assert "http://proxy.example.com:3128" in ensono_fault(proxy="proxy.example.com:3128")["proxy"]
    assert "http://proxy.example.com:3128" in ensono_fault(proxy="http://proxy.example.com:3128/path")["proxy"]


def test_a_client_name_is_not_empty_and_has_no_blanks_around_it() -> None:
    assert list(ensono_fault(client_name=" ")) == ["client_name"]
    assert ensono_settings(STACK, client_name=" testClient ").client_name == "testClient"


@pytest.mark.parametrize("seconds", [0, -1, True, "soon", float("inf"), float("nan"), None, 1e12])
def test_a_time_is_a_number_greater_than_zero(seconds: object) -> None:
    assert list(ensono_fault(request_timeout_s=seconds)) == ["request_timeout_s"]


def test_a_time_may_be_fractional() -> None:
    assert ensono_settings(STACK, resend_after_s=0.25).resend_after_s == 0.25


def test_settings_can_not_be_changed() -> None:
    settings = ensono_settings(STACK)
    with pytest.raises(ValidationError):
        settings.client_name = "other"  # type: ignore[misc]


def test_what_the_guide_advises_against_is_accepted_with_advice() -> None:
    assert ensono_settings(STACK).advice() == ()
    assert len(ensono_settings(STACK, resend_after_s=5).advice()) == 1
    (line,) = ensono_settings("https://smconnect.ensono.com/testclient57/prod").advice()
    assert line.startswith("ensono.base_url: ")


def test_the_queue_behaves_as_the_guide_says_where_nothing_is_configured() -> None:
    queue = QueueSettings()
    assert (queue.poll_interval_s, queue.visibility_timeout_s, queue.max_receives, queue.retention_s) == (
        30,
        30,
        20,
        4 * 86400,
    )
    assert queue.advice() == ()


def test_another_queue_than_the_guides_is_accepted_with_advice() -> None:
    lines = QueueSettings(poll_interval_s=0.1, visibility_timeout_s=1.5, max_receives=3, retention_s=60).advice()
    assert [line.split(":")[0] for line in lines] == [
        "queue.poll_interval_s",
        "queue.visibility_timeout_s",
        "queue.max_receives",
        "queue.retention_s",
    ]


@pytest.mark.parametrize("receives", [0, 1.5, True, "many"])
def test_receives_are_counted(receives: object) -> None:
    with pytest.raises(ValidationError):
        QueueSettings.model_validate({"max_receives": receives})


def test_attachments_come_from_amazon_over_https_unless_configured() -> None:
    settings = AttachmentSettings()
    assert settings.allowed_hosts == ("*.amazonaws.com",)
    assert not settings.allow_insecure_http
    assert settings.max_size_bytes == 50 * 1024 * 1024
    assert settings.max_spool_bytes == 2000 * 1024 * 1024
    assert settings.spool_dir == Path("/var/lib/envision-worker/spool")
    assert settings.advice() == ()


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ("*.Amazonaws.com", "*.amazonaws.com"),
        ("bucket-*.s3.*.amazonaws.com", "bucket-*.s3.*.amazonaws.com"),
        ("files.example.com", "files.example.com"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("*", "*"),
    ],
)
def test_a_host_pattern_is_a_name_or_an_address(pattern: str, kept: str) -> None:
    assert AttachmentSettings.model_validate({"allowed_hosts": [pattern]}).allowed_hosts == (kept,)


@pytest.mark.parametrize(
    "pattern",
    [
        "*amazonaws.com",
        "bucket.*",
        "bucket*",
        "https://x.com",
        "x.com/path",
        "x.com:443",
        "",
        "*.",
        "a b",
        "x.[c]om",
        "é.com",
    ],
)
def test_a_host_pattern_that_lets_more_in_than_it_seems_to_is_a_fault(pattern: str) -> None:
    with pytest.raises(ValidationError) as failed:
        AttachmentSettings.model_validate({"allowed_hosts": [pattern]})
    assert "*.amazonaws.com" in str(problems(failed.value))


def test_risky_attachment_settings_are_accepted_with_advice() -> None:
    settings = AttachmentSettings(allowed_hosts=("*",), allow_insecure_http=True, max_spool_mb=1)
    assert [line.split(":")[0] for line in settings.advice()] == [
        "attachments.allowed_hosts",
        "attachments.allow_insecure_http",
        "attachments.max_spool_mb",
    ]
