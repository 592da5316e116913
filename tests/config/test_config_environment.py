"""Keys from the environment."""

from pathlib import Path

import pytest
from configurations import API_KEY, MINIMAL, Faults, Load


def test_text_is_taken_as_it_is(load_text: Load) -> None:
    config = load_text(
        ENVISION_WORKER__ENSONO__CLIENT_NAME="true",
        ENVISION_WORKER__ENSONO__ENVIRONMENT="cert",
        ENVISION_WORKER__DESK__TIME_ZONE="Europe/Berlin",
        ENVISION_WORKER__ATTACHMENTS__SPOOL_DIR="/srv/spool",
    )
    assert config.ensono.client_name == "true"
    assert config.ensono.environment == "cert"
    assert config.desk.time_zone == "Europe/Berlin"
    assert config.attachments.spool_dir == Path("/srv/spool")


def test_numbers_booleans_lists_and_tables_are_written_as_in_toml(load_text: Load) -> None:
    config = load_text(
        ENVISION_WORKER__QUEUE__POLL_INTERVAL_S="0.5",
        ENVISION_WORKER__QUEUE__MAX_RECEIVES="7",
        ENVISION_WORKER__ATTACHMENTS__ALLOW_INSECURE_HTTP="true",
        ENVISION_WORKER__ATTACHMENTS__ALLOWED_HOSTS='["files.example.com", "*.amazonaws.com"]',
        ENVISION_WORKER__SCOPE__OUT_OF_SCOPE='[{ ticket_type = "Change" }]',
        ENVISION_WORKER__DESK__DEFAULT_REQUESTER='{ name = "Ensono" }',
    )
    assert config.queue.poll_interval_s == 0.5
    assert config.queue.max_receives == 7
    assert config.attachments.allow_insecure_http is True
    assert config.attachments.allowed_hosts == ("files.example.com", "*.amazonaws.com")
    assert config.scope.out_of_scope[0].ticket_type == "Change"
    assert config.desk.default_requester == {"name": "Ensono"}


def test_a_variable_stands_over_the_file_and_leaves_the_rest_alone(load_text: Load) -> None:
    config = load_text(
        MINIMAL + "[queue]\npoll_interval_s = 60\nmax_receives = 10", ENVISION_WORKER__QUEUE__POLL_INTERVAL_S="45"
    )
    assert (config.queue.poll_interval_s, config.queue.max_receives) == (45, 10)


def test_everything_can_come_from_the_environment(load_text: Load) -> None:
    config = load_text(
        "",
        ENVISION_WORKER__ENSONO__BASE_URL="https://smconnect.ensono.com/testclient57",
        ENVISION_WORKER__ENSONO__ENVIRONMENT="prod",
        ENVISION_WORKER__ENSONO__CLIENT_NAME="testClient",
        ENVISION_WORKER__ENSONO__API_KEY="k",
        ENVISION_WORKER__DESK__BASE_URL="https://sdp.example.com",
        ENVISION_WORKER__DESK__AUTH_TOKEN="t",
        ENVISION_WORKER__DESK__ENSONO_NUMBER_FIELD="udf_sline_301",
        ENVISION_WORKER__DESK__ENSONO_CHANGE_NUMBER_FIELD="udf_sline_501",
        ENVISION_WORKER__DESK__DEFAULT_REQUESTER__EMAIL_ID="ensono@example.com",
    )
    assert config.desk.default_requester == {"email_id": "ensono@example.com"}


def test_mapping_lines_are_found_in_any_case(load_text: Load) -> None:
    config = load_text(
        MINIMAL + '[mapping.status]\nOpen = "Opened"\npending = "Waiting"',
        ENVISION_WORKER__MAPPING__STATUS__OPEN="New",
        ENVISION_WORKER__MAPPING__GROUP__SERVICEDESK="Desk",
        ENVISION_WORKER__MAPPING__CHANGE_STATE__ASSESS__STAGE="Planning",
        ENVISION_WORKER__MAPPING__CHANGE_STATE__REVIEW='[{ stage = "A" }, { stage = "B" }]',
    )
    assert config.mapping.status == {"open": "New", "pending": "Waiting"}
    assert config.mapping.group == {"servicedesk": "Desk"}
    assert [step.stage for step in config.mapping.steps("Assess")] == ["Planning"]
    assert [step.stage for step in config.mapping.steps("Review")] == ["A", "B"]


def test_a_whole_table_can_be_given_and_single_keys_on_top_of_it(load_text: Load) -> None:
    config = load_text(
        MINIMAL + '[mapping.status]\nopen = "Opened"',
        ENVISION_WORKER__MAPPING__STATUS__CLOSED="Done",
        ENVISION_WORKER__MAPPING__STATUS='{ "pending-vendor" = "On Hold", closed = "Shut" }',
    )
    assert config.mapping.status == {"pending-vendor": "On Hold", "closed": "Done"}


def test_free_fields_of_the_desk_are_read_as_toml_where_they_are_toml(load_text: Load) -> None:
    config = load_text(
        ENVISION_WORKER__DESK__CREATE__INCIDENT__CATEGORY='{ name = "Managed Services" }',
        ENVISION_WORKER__DESK__CREATE__INCIDENT__IS_FCR="true",
        ENVISION_WORKER__DESK__CREATE__INCIDENT__IMPACT_DETAILS="none so far",
    )
    assert config.desk.create.incident == {
        "category": {"name": "Managed Services"},
        "is_fcr": True,
        "impact_details": "none so far",
    }


def test_a_secret_of_the_environment_wins_over_the_file_s_however_given(load_text: Load, folder: Path) -> None:
    (folder / "other").write_text("from-the-other-file")
    direct = MINIMAL.replace('api_key_file = "ensono-api-key"', 'api_key = "in-the-file"')
    for text in (MINIMAL, direct):
        assert load_text(text, ENVISION_WORKER__ENSONO__API_KEY="env").ensono.api_key.get_secret_value() == "env"
        by_file = load_text(text, ENVISION_WORKER__ENSONO__API_KEY_FILE="other")
        assert by_file.ensono.api_key.get_secret_value() == "from-the-other-file"


def test_a_secret_that_the_environment_gives_twice_is_a_fault(faults_of: Faults) -> None:
    faults = faults_of(ENVISION_WORKER__ENSONO__API_KEY="k", ENVISION_WORKER__ENSONO__API_KEY_FILE="ensono-api-key")
    assert "given twice" in faults["ensono.api_key"]


@pytest.mark.parametrize(
    ("name", "text", "key", "problem"),
    [
        ("QUEUE__POLL_INTERVAL_S", "often", "queue.poll_interval_s", "TOML value"),
        ("QUEUE__POLL_INTERVAL_S", "", "queue.poll_interval_s", "TOML value"),
        ("QUEUE__POLL_INTERVAL_S", "3\nmax_receives = 4", "queue.poll_interval_s", "TOML value"),
        ("QUEUE__POLL_INTERVAL_S", "'3'", "queue.poll_interval_s", "should be a number, not text"),
        ("QUEUE__POLL_INTERVAL_S", "-3", "queue.poll_interval_s", "greater than 0"),
        ("QUEUE__POLL_INTERVAL", "3", "queue.poll_interval", "did you mean poll_interval_s?"),
        ("QUEU__POLL_INTERVAL_S", "3", "queu", "did you mean queue?"),
        ("", "3", '""', "unknown key"),
        ("QUEUE", "3", "queue", "should be a table"),
        ("LOG__LEVEL", "loud", "log.level", "'debug', 'info'"),
        ("LOG__LEVEL__X", "loud", "log.level.x", "unknown key"),
        ("DESK__BASE_URL__X", "loud", "desk.base_url", "is no table"),
        ("MAPPING__STATUS__", "x", 'mapping.status.""', "unknown key"),
        ("MAPPING__STATUS__OPEN", "", "mapping.status.open", "at least 1 character"),
        ("DESK__CREATE__INCIDENT__CATEGORY", "{ name = ", "desk.create.incident.category", "TOML value"),
        ("ENSONO__CLIENT_NAME", "\udcff", "ensono.client_name", "UTF-8"),
        ("SCOPE__OUT_OF_SCOPE", "[" * 3000, "scope.out_of_scope", "TOML value"),
        ("SCOPE__OUT_OF_SCOPE", "[{ grup = 'x' }]", "scope.out_of_scope.0.grup", "did you mean group?"),
    ],
)
def test_a_bad_variable_is_a_fault_that_names_it(
    faults_of: Faults, name: str, text: str, key: str, problem: str
) -> None:
    variable = f"ENVISION_WORKER__{name}"
    faults = faults_of(**{variable: text})
    assert faults.keys() == {key}
    assert problem in faults[key]
    assert faults[key].endswith(f"(environment variable {variable})")


def test_variables_of_others_are_left_alone(load_text: Load) -> None:
    config = load_text(ENVISION_WORKER_HOME="/x", ENVISION_WORKER="1", envision_worker__log__level="loud", PATH="/bin")
    assert config.ensono.api_key.get_secret_value() == API_KEY
