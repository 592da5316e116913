"""What is accepted with a warning."""

import pytest
from configurations import MINIMAL, Load

from envision_worker.config.advice import warnings


def test_the_guide_s_numbers_need_no_warning(load_text: Load) -> None:
    assert warnings(load_text()) == ()
    assert warnings(load_text(ENVISION_WORKER__QUEUE__POLL_INTERVAL_S="300")) == ()


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("queue", "poll_interval_s", "29.9"),
        ("queue", "poll_interval_s", "301"),
        ("queue", "visibility_timeout_s", "2"),
        ("queue", "max_receives", "3"),
        ("queue", "retention_s", "60"),
        ("ensono", "resend_after_s", "0.1"),
        ("ensono", "resend_after_s", "121"),
    ],
)
def test_a_time_outside_the_guide_s_advice_is_accepted_with_a_warning(
    load_text: Load, section: str, key: str, value: str
) -> None:
    config = load_text(MINIMAL, **{f"ENVISION_WORKER__{section}__{key}".upper(): value})
    assert getattr(getattr(config, section), key) == float(value)
    (warning,) = warnings(config)
    assert warning.key == f"{section}.{key}"
    assert "guide" in warning.problem


def test_all_warnings_come_in_the_order_of_the_sections(load_text: Load) -> None:
    config = load_text(
        ENVISION_WORKER__QUEUE__MAX_RECEIVES="3",
        ENVISION_WORKER__ENSONO__RESEND_AFTER_S="1",
        ENVISION_WORKER__ATTACHMENTS__ALLOW_INSECURE_HTTP="true",
    )
    keys = [warning.key for warning in warnings(config)]
    assert keys == ["ensono.resend_after_s", "queue.max_receives", "attachments.allow_insecure_http"]
