import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envision_worker.ensono.links import CannotFetch, FetchReason, link_expiry, permitted
from envision_worker.ensono.settings import AttachmentSettings

SIGNED = (
    "https://envxs2qdev1outbound-bucket.s3.us-west-1.amazonaws.com/rocket.jpg?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Credential=ASIAYCQITFFPAUMR3XNB%2F20230208%2Fus-west-1%2Fs3%2Faws4_request&X-Amz-Date=20230208T172243Z"
    "&X-Amz-Expires=7200&X-Amz-Security-Token=IQoJb3JpZ2luX2VjEPL%2F%2F%2FwEa+CXV&X-Amz-Signature=deadbeef"
)
SENT = datetime(2023, 2, 8, 17, 22, 43, tzinfo=UTC)
AMAZON = AttachmentSettings(spool_dir=Path("/nowhere"))


def reason(link: str, settings: AttachmentSettings = AMAZON) -> FetchReason:
    with pytest.raises(CannotFetch) as refused:
        permitted(link, settings)
    return refused.value.reason


def test_a_signed_link_of_the_guide_may_be_called_and_keeps_its_signature_as_it_is() -> None:
    url = permitted(f" {SIGNED} ", AMAZON)
    assert url.raw_path.decode() == SIGNED.partition("amazonaws.com")[2]


@pytest.mark.parametrize(
    "link",
    [
        "https://b.s3.amazonaws.com:8443/f",
        "HTTPS://B.S3.AMAZONAWS.COM/f",
        "https://b.s3.amazonaws.com./f",
        "https://xn--bcher-kva.amazonaws.com/f",
        "https://bücher.amazonaws.com/f",
        "https://b.s3.amazonaws.com/ümlaut (1).pdf".replace(" ", "%20"),
    ],
)
def test_ports_case_and_other_scripts_do_no_harm(link: str) -> None:
    assert permitted(link, AMAZON).raw_host.endswith((b".amazonaws.com", b".amazonaws.com."))


@pytest.mark.parametrize(
    "link",
    [
        "https://amazonaws.com/f",
        "https://evilamazonaws.com/f",
        "https://b.amazonaws.com.evil.com/f",
        "https://evil.com/b.amazonaws.com",
        "https://evil.com?.amazonaws.com",
        "https://evil.com#.amazonaws.com",
        "https://evil。com/f",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/f",
        "https://localhost/f",
        "https://127.1/f",
    ],
)
def test_hosts_that_only_look_allowed_are_not(link: str) -> None:
    assert reason(link) is FetchReason.HOST_NOT_ALLOWED


@pytest.mark.parametrize(
    "link",
    [
        "",
        "rocket.jpg",
        "https://",
        "https:///f",
        "//b.amazonaws.com/f",
        "https://user@b.amazonaws.com/f",
        "https://b.amazonaws.com:443@evil.com/f",
        "https://b.amazonaws.com\\@evil.com/f",
        "https://evil.com\\@b.amazonaws.com/f",
        "https://evil.com\\.amazonaws.com/f",
        "https://evil.com%2f.amazonaws.com/f",
        "https://b.amazonaws.com\n.evil.com/f",
        "https://b.amazonaws.com/a b",
        "https://b.amazonaws.com:99999/f",
        "https://a..amazonaws.com/f",
        "https://" + "a" * 64 + ".amazonaws.com/f",
        "https://\uff41mazonaws.com/f",
        "https://\ud800.amazonaws.com/f",
        "https://[::1/f",
        "https://b.amazonaws.com/" + "x" * 70_000,
    ],
)
def test_what_is_no_plain_address_is_never_called(link: str) -> None:
    assert reason(link) in {FetchReason.BAD_URL, FetchReason.SCHEME_NOT_ALLOWED}


@pytest.mark.parametrize("scheme", ["http", "ftp", "file", "gopher"])
def test_only_https_is_called(scheme: str) -> None:
    assert reason(f"{scheme}://b.amazonaws.com/f") is FetchReason.SCHEME_NOT_ALLOWED


def test_http_is_called_where_the_configuration_allows_it_and_nothing_else() -> None:
    loose = AttachmentSettings(allow_insecure_http=True, allowed_hosts=("127.0.0.1", "::1"))
    assert permitted("http://127.0.0.1:8080/f", loose).port == 8080
    assert permitted("http://[::1]:8080/f", loose).port == 8080
    assert reason("ftp://127.0.0.1/f", loose) is FetchReason.SCHEME_NOT_ALLOWED
    assert reason("http://127.0.0.2/f", loose) is FetchReason.HOST_NOT_ALLOWED


def test_a_star_alone_lets_every_plain_host_in() -> None:
    loose = AttachmentSettings(allowed_hosts=("*",))
    assert permitted("https://files.example.com/f", loose).host == "files.example.com"
    assert reason("https://user@files.example.com/f", loose) is FetchReason.BAD_URL


@pytest.mark.parametrize(
    "link", [SIGNED.replace("amazonaws", "evil"), SIGNED.replace("https", "http"), f"{SIGNED}\x00"]
)
def test_no_error_shows_the_signature(link: str) -> None:
    with pytest.raises(CannotFetch) as refused:
        permitted(link, AMAZON)
    assert "deadbeef" not in f"{refused.value} {refused.value!r}"
    assert "X-Amz" not in f"{refused.value} {refused.value!r}"


@given(st.text(max_size=80))
def test_any_text_is_permitted_or_refused_by_name(text: str) -> None:
    for link in (text, f"https://{text}", f"https://{text}.amazonaws.com/{text}"):
        with suppress(CannotFetch):
            url = permitted(link, AMAZON)
            assert url.scheme == "https"
            assert url.host.rstrip(".").endswith(".amazonaws.com")
            assert not url.userinfo


def test_a_link_says_itself_when_it_expires() -> None:
    assert link_expiry(SIGNED, SENT + timedelta(hours=5)) == SENT + timedelta(hours=2)
    assert link_expiry(SIGNED.replace("7200", "120"), SENT) == SENT + timedelta(minutes=2)


@pytest.mark.parametrize(
    "link",
    [
        "https://b.amazonaws.com/f",
        SIGNED.replace("X-Amz-Date", "X-Date"),
        SIGNED.replace("X-Amz-Expires", "X-Expires"),
        SIGNED.replace("20230208T172243Z", "yesterday"),
        SIGNED.replace("7200", "-1"),
        SIGNED.replace("7200", "9" * 5000),
        SIGNED.replace("7200", "²"),
        "https://[::1",
        "",
    ],
)
def test_a_link_that_does_not_say_when_lives_two_hours_from_its_message(link: str) -> None:
    assert link_expiry(link, SENT) == SENT + timedelta(hours=2)


def test_no_link_lives_longer_than_s3_allows() -> None:
    assert link_expiry(SIGNED.replace("7200", "999999999"), SENT) == SENT + timedelta(days=7)
    assert link_expiry(SIGNED.replace("2023", "9999"), SENT) == SENT + timedelta(days=7)


@given(st.text(max_size=60))
def test_any_text_gets_an_expiry(text: str) -> None:
    assert link_expiry(f"https://x/?X-Amz-Date={text}&X-Amz-Expires={text}", SENT) <= SENT + timedelta(days=7)


def test_the_sample_link_of_the_upload_sample_is_understood() -> None:
    link = json.loads((Path(__file__).parent / "samples" / "attachment-upload-url.json").read_text())["Response"][
        "body"
    ]
    assert permitted(link, AMAZON).host == "bpm-ensono-sn-bridge-test-files.s3.us-east-2.amazonaws.com"
    assert link_expiry(link, SENT) == datetime(2018, 10, 25, 19, 25, 45, tzinfo=UTC)
