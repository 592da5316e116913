"""Files that can't be used: each kind of fault by key, and all of them at once."""

import os
from pathlib import Path

import pytest
from configurations import API_KEY, AUTH_TOKEN, MINIMAL, Faults, Load

from envision_worker.config.faults import ConfigFaults, Fault
from envision_worker.config.load import load


def only_fault(path: Path) -> Fault:
    with pytest.raises(ConfigFaults) as raised:
        load(path, {})
    (fault,) = raised.value.faults
    return fault


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    fault = only_fault(tmp_path / "nowhere.toml")
    assert fault.key == str(tmp_path / "nowhere.toml")
    assert "No such file" in fault.problem


def test_a_directory_is_no_configuration(tmp_path: Path) -> None:
    assert "can't be read" in only_fault(tmp_path).problem


def test_a_name_that_no_file_can_have_is_a_fault(tmp_path: Path) -> None:
    assert only_fault(tmp_path / "a\0b").problem
    assert only_fault(tmp_path / ("x" * 300)).problem


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"[ensono\nx = 1", "line 1, column 8"),
        (b"[log]\nlevel = \n", "line 2, column 9"),
        (b"a = 1\na = 2", "line 2"),
        (b"a = 1\nb = {", "line 2"),
        (b"a = 1\n\n[log]\n[log]\n", "line 4, column 5"),
        (b"\xff\xfe", "UTF-8"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "nested too deep"),
        (b".".join([b"a"] * 3000) + b" = 1", "nested too deep"),
        (b"a = " + b"9" * 5000, "is no TOML"),
        (b"#" * 1_100_000, "too many"),
    ],
)
def test_what_is_no_toml_is_told_with_its_place(tmp_path: Path, data: bytes, problem: str) -> None:
    file = tmp_path / "worker.toml"
    file.write_bytes(data)
    fault = only_fault(file)
    assert fault.key == str(file)
    assert problem in fault.problem


def test_an_empty_file_is_told_every_key_that_it_needs(faults_of: Faults) -> None:
    faults = faults_of("")
    assert faults.keys() == {
        "ensono.base_url",
        "ensono.environment",
        "ensono.client_name",
        "ensono.api_key",
        "desk.base_url",
        "desk.auth_token",
        "desk.ensono_number_field",
        "desk.ensono_change_number_field",
        "desk.default_requester",
    }
    assert all(problem.startswith("missing: ") for problem in faults.values())
    assert "api_key_file" in faults["ensono.api_key"]
    assert "auth_token_file" in faults["desk.auth_token"]


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ("[queue]\npol_interval_s = 30", "queue.pol_interval_s", "did you mean poll_interval_s?"),
        ("[quue]\npoll_interval_s = 30", "quue", "did you mean queue?"),
        ("[log]\ncolour = true", "log.colour", "known here: format, level"),
        ("[desk.create.problem]", "desk.create.problem", "unknown key"),
        ("[scope]\nout_of_scope = [{ grup = 'x' }]", "scope.out_of_scope.0.grup", "did you mean group?"),
        ("[mapping.stauts]\nopen = 'x'", "mapping.stauts", "did you mean status?"),
        ("[queue]\npoll_interval_s = '30'", "queue.poll_interval_s", "should be a number, not text"),
        ("[queue]\npoll_interval_s = true", "queue.poll_interval_s", "should be a number"),
        ("[queue]\nmax_receives = 20.5", "queue.max_receives", "should be a whole number, not a fraction"),
        ("[worker]\nparallel_tickets = true", "worker.parallel_tickets", "should be a whole number, not true or false"),
        ("[attachments]\nallow_insecure_http = 'no'", "attachments.allow_insecure_http", "should be true or false"),
        ("[attachments]\nallowed_hosts = '*'", "attachments.allowed_hosts", "should be a list, not text"),
        ("[log]\nlevel = 3", "log.level", "should be 'debug', 'info'"),
        ("[mapping.status]\nopen = 1", "mapping.status.open", "should be text in quotes, not a whole number"),
        ("[mapping.change_state]\nAssess = 'x'", "mapping.change_state.Assess", "should be a table, not text"),
        ("[worker]\nshutdown_grace_s = 0", "worker.shutdown_grace_s", "greater than 0"),
        ("[worker]\nshutdown_grace_s = -1", "worker.shutdown_grace_s", "greater than 0"),
        ("[worker]\nshutdown_grace_s = inf", "worker.shutdown_grace_s", "finite"),
        ("[worker]\nshutdown_grace_s = 1e300", "worker.shutdown_grace_s", "less than or equal to"),
        ("[worker]\nshutdown_grace_s = 2026-11-20", "worker.shutdown_grace_s", "date"),
        ("[worker]\nparallel_tickets = 0", "worker.parallel_tickets", "greater than or equal to 1"),
        ("[queue]\nretention_s = 0", "queue.retention_s", "greater than 0"),
        ("[policy]\nreopen = 'new-ticket'", "policy.reopen", "did you mean new_ticket?"),
        ("[approvals]\nrule = 'all'", "approvals.rule", "'anyone' or 'everyone'"),
        (
            "[approvals]\nfallback_approver = { email_id = 'x' }",
            "approvals.fallback_approver.email_id",
            "e-mail address",
        ),
        ("[approvals]\nfallback_approver = 'a@b.c'", "approvals.fallback_approver", "should be a table, not text"),
        ("[state]\nurl = 'postgresql://db/worker'", "state.url", "only SQLite is in this version"),
        ("[state]\nurl = 'sqlite:///ledger.db'", "state.url", "four slashes"),
        ("[state]\nurl = 'sqlite:////srv/'", "state.url", "four slashes"),
        ("[state]\nurl = 'sqlite:////srv/l.db?mode=ro'", "state.url", "no options"),
        ("[state]\nurl = '/srv/ledger.db'", "state.url", "should look like sqlite:////"),
        ("[state]\nkeep_applied_days = 0", "state.keep_applied_days", "greater than 0"),
        ("[http]\nlisten = '9464'", "http.listen", "127.0.0.1:9464"),
        ("[http]\nlisten = '127.0.0.1:99999'", "http.listen", "127.0.0.1:9464"),
        ("[log]\nformat = 'jsn'", "log.format", "did you mean json?"),
        ("[attachments]\nspool_dir = ''", "attachments.spool_dir", "name of a file or directory"),
        ("[scope]\nout_of_scope = [{}]", "scope.out_of_scope.0", "match everything"),
        (
            "[scope]\nout_of_scope = [{ ticket_type = 'Requst' }]",
            "scope.out_of_scope.0.ticket_type",
            "did you mean Request?",
        ),
        ("[scope]\nout_of_scope = [{ group = 3 }]", "scope.out_of_scope.0.group", "should be text"),
        ("[scope]\nout_of_scope = { group = 'x' }", "scope.out_of_scope", "should be a list, not a table"),
    ],
)
def test_each_mistake_is_told_by_key_and_remedy(faults_of: Faults, text: str, key: str, problem: str) -> None:
    faults = faults_of(f"{MINIMAL}\n{text}")
    assert faults.keys() == {key}
    assert problem in faults[key]


@pytest.mark.parametrize(
    ("old", "new", "key", "problem"),
    [
        ('"https://smconnect.ensono.com/testclient57"', '"smconnect"', "ensono.base_url", ""),
        ('"https://smconnect.ensono.com/testclient57"', '"ftp://smconnect.ensono.com"', "ensono.base_url", "https://"),
        ('"https://sdp.example.com:8080"', '"sdp.example.com:8080"', "desk.base_url", "https://"),
        ('"https://sdp.example.com:8080"', "8080", "desk.base_url", "should be text in quotes, not a whole number"),
        ('environment = "dev"', 'environment = "pord"', "ensono.environment", "did you mean prod?"),
        ("[desk]", '[desk]\ntime_zone = "Europe/Berln"', "desk.time_zone", "time zone"),
        ("[desk]", '[desk]\ntime_zone = "../../etc/passwd"', "desk.time_zone", "time zone"),
        ("[desk]", '[desk]\nca_file = "nowhere.pem"', "desk.ca_file", "No such file"),
        ("[ensono]", '[ensono]\nca_file = "nowhere.pem"', "ensono.ca_file", "No such file"),
        ("[ensono]", '[ensono]\nca_file = "sdp-authtoken"', "ensono.ca_file", "PEM"),
        ("[desk]", '[desk]\nportal = "it"', "desk.portal", 'edition = "on_premises" does not take it'),
    ],
)
def test_addresses_zones_and_editions_are_checked(
    faults_of: Faults, old: str, new: str, key: str, problem: str
) -> None:
    faults = faults_of(MINIMAL.replace(old, new))
    assert faults.keys() == {key}
    assert problem in faults[key]


def test_the_cloud_wants_other_keys_than_the_edition_on_premises(faults_of: Faults) -> None:
    faults = faults_of(MINIMAL.replace("[desk]", '[desk]\nedition = "cloud"'))
    missing = {key for key, problem in faults.items() if problem.startswith("missing: ")}
    assert missing == {"desk.client_id", "desk.client_secret", "desk.refresh_token", "desk.accounts_url"}
    assert faults.keys() - missing == {"desk.auth_token"}
    assert "does not take it" in faults["desk.auth_token"]


def test_a_section_that_is_no_table_is_one_fault(faults_of: Faults) -> None:
    faults = faults_of("queue = 3\n" + MINIMAL)
    assert faults == {"queue": "should be a table, not a whole number"}


def test_all_faults_are_told_at_once_in_the_order_of_the_sections(faults_of: Faults) -> None:
    faults = faults_of(
        """
[log]
level = "loud"
[queue]
poll_interval_s = "often"
[ensono]
base_url = "https://smconnect.ensono.com/testclient57"
enviroment = "dev"
client_name = "testClient"
api_key_file = "nowhere"
[desk]
base_url = "sdp"
edition = "cloud"
auth_token = "x"
client_id = "1000.A"
ensono_number_field = "udf_sline_301"
ensono_change_number_field = "udf_sline_501"
default_requester = { email_id = "ensono@example.com" }
time_zone = "Mars/Olympus"
[scope]
out_of_scope = [{ group = "a" }, {}]
[mapping.status]
open = 1
[state]
url = "postgresql://db/worker"
""",
        ENVISION_WORKER__WORKER__PARALLEL_TICKETS="many",
    )
    assert list(faults) == [
        "ensono.api_key_file",
        "ensono.environment",
        "ensono.enviroment",
        "queue.poll_interval_s",
        "worker.parallel_tickets",
        "desk.base_url",
        "desk.auth_token",
        "desk.client_secret",
        "desk.refresh_token",
        "desk.time_zone",
        "scope.out_of_scope.1",
        "mapping.status.open",
        "state.url",
        "log.level",
    ]


def test_a_fault_reads_as_key_and_problem_in_one_line(load_text: Load) -> None:
    with pytest.raises(ConfigFaults) as raised:
        load_text(MINIMAL + '[mapping.status]\n"a\\nb" = 1\n[log]\nlevel = 1')
    lines = str(raised.value).splitlines()
    assert lines[0] == 'mapping.status."a\\nb": should be text in quotes, not a whole number'
    assert lines[1].startswith("log.level: ")
    assert len(lines) == len(raised.value.faults)


def test_no_fault_shows_a_value(load_text: Load) -> None:
    secret = "S3CR3T-in-the-wrong-place"
    text = f"""
[ensono]
base_url = "{secret}"
environment = "{secret}"
client_name = ["{secret}"]
api_key = ["{secret}"]
[desk]
base_url = "https://user:{secret}@sdp.example.com"
edition = "{secret}"
auth_token_file = "{secret}"
client_secret = "{secret} with blanks\\n"
note_key = "{secret}"
ca_file = 3
[hooks]
manageengine_secret = "{secret}"
manageengine_secret_file = "{secret}"
[log]
level = "{secret}"
[queue]
poll_interval_s = "{secret}"
"""
    with pytest.raises(ConfigFaults) as raised:
        load_text(text, ENVISION_WORKER__HTTP__LISTEN=secret, ENVISION_WORKER__WORKER__PARALLEL_TICKETS=secret)
    for shown in (str(raised.value), repr(raised.value), repr(raised.value.faults)):
        assert secret not in shown


def test_a_fault_in_one_key_does_not_show_the_secrets_of_others(load_text: Load) -> None:
    with pytest.raises(ConfigFaults) as raised:
        load_text(MINIMAL + "[log]\nlevel = 1")
    error = raised.value
    assert API_KEY not in f"{error!r}{error.__cause__!r}{error.__context__!r}"
    assert AUTH_TOKEN not in f"{error!r}{error.__cause__!r}{error.__context__!r}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_fault(load_text: Load, folder: Path) -> None:
    load_text()
    (folder / "worker.toml").chmod(0)
    assert "Permission denied" in only_fault(folder / "worker.toml").problem


@pytest.mark.parametrize("kind", ["halo", "serviceops"])
def test_a_desk_of_a_later_version_is_one_fault_that_says_so(faults_of: Faults, kind: str) -> None:
    desk = f'[desk]\nkind = "{kind}"\nclient_id = "x"\nclient_secret_file = "nowhere"\ntenant = "t"\n'
    faults = faults_of(MINIMAL[: MINIMAL.index("[desk]")] + desk)
    assert faults.keys() == {"desk.kind"}
    assert "is not in this version; known here: manageengine" in faults["desk.kind"]


def test_an_unknown_desk_is_told_with_the_nearest_known_one_and_the_rest_is_checked(faults_of: Faults) -> None:
    faults = faults_of(MINIMAL.replace("[desk]", '[desk]\nkind = "managengine"\nsettle_s = 0'))
    assert faults["desk.kind"] == "unknown kind of desk; did you mean manageengine?"
    assert faults.keys() == {"desk.kind", "desk.settle_s"}


def test_the_kind_of_the_desk_has_to_be_text(faults_of: Faults) -> None:
    assert faults_of(MINIMAL.replace("[desk]", "[desk]\nkind = ['halo']")).keys() == {"desk.kind"}
