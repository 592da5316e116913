"""Files that can be used."""

from pathlib import Path

import pytest
from configurations import API_KEY, AUTH_TOKEN, MINIMAL, Load
from pydantic import ValidationError

from envision_worker.config.load import load

CONTRACT = (
    MINIMAL.replace("[desk]", "request_timeout_s = 60\nresend_after_s = 90\n\n[desk]\n" + 'kind = "manageengine"')
    + """
edition = "on_premises"
request_timeout_s = 30
max_concurrency = 8
settle_s = 60
key_probe_interval_s = 60
note_key = "note"
time_zone = "UTC"
priority_from = "priority"
[desk.create.incident]
category = { name = "Managed Services" }
[desk.create.request]
[desk.create.change]
[queue]
poll_interval_s = 30
visibility_timeout_s = 30
max_receives = 20
retention_s = 345600
[worker]
parallel_tickets = 16
shutdown_grace_s = 20
[attachments]
allowed_hosts = ["*.amazonaws.com"]
allow_insecure_http = false
max_size_mb = 50
spool_dir = "/var/lib/envision-worker/spool"
max_spool_mb = 2000
[scope]
out_of_scope = [ { ticket_type = "Request", group = "CLIENT - Other" } ]
[policy]
reopen = "reopen"
[approvals]
poll_interval_s = 60
rule = "anyone"
remind_after_s = 86400
fallback_approver = { email_id = "change-manager@example.com" }
[approvals.approvers]
"noreply@client.com" = ["cab@example.com"]
[mapping.status]
open = "Open"
[mapping.change_state]
Assess = { stage = "CAB Evaluation", status = "Approval Pending" }
[hooks]
manageengine_secret_file = "sdp-authtoken"
[state]
url = "sqlite:////var/lib/envision-worker/ledger.db"
keep_applied_days = 30
[http]
listen = "127.0.0.1:9464"
[log]
format = "json"
level = "info"
"""
)


def test_a_file_with_every_section_loads(load_text: Load) -> None:
    config = load_text(CONTRACT)
    assert config.scope.out_of_scope[0].group == "CLIENT - Other"
    assert config.approvals.approvers_for("NOREPLY@client.com") == ("cab@example.com",)
    assert config.mapping.steps("Assess")[0].stage == "CAB Evaluation"
    assert config.hooks.manageengine_secret is not None
    assert config.hooks.manageengine_secret.get_secret_value() == AUTH_TOKEN
    assert config.desk.create.incident == {"category": {"name": "Managed Services"}}


def test_what_is_left_out_has_the_value_that_the_full_file_gives_it(load_text: Load) -> None:
    full, minimal = load_text(CONTRACT), load_text(MINIMAL)
    for section in ("ensono", "queue", "worker", "attachments", "policy", "state", "http", "log"):
        assert getattr(minimal, section) == getattr(full, section), section
    assert minimal.desk == full.desk.model_copy(update={"create": minimal.desk.create, "note_key": None})
    assert minimal.hooks.manageengine_secret is None
    assert minimal.scope.out_of_scope == ()
    assert minimal.approvals.fallback_approver is None


def test_whole_and_fractional_seconds_are_taken(load_text: Load) -> None:
    config = load_text(MINIMAL + "[queue]\npoll_interval_s = 0.25\nvisibility_timeout_s = 2")
    assert (config.queue.poll_interval_s, config.queue.visibility_timeout_s) == (0.25, 2)


def test_a_configuration_cannot_be_changed(load_text: Load) -> None:
    config = load_text()
    for section, key in ((config.log, "level"), (config.ensono, "base_url"), (config.desk, "edition"), (config, "log")):
        with pytest.raises(ValidationError):
            setattr(section, key, getattr(section, key))


def test_secrets_are_not_in_what_the_configuration_prints(load_text: Load) -> None:
    config = load_text()
    assert config.ensono.api_key.get_secret_value() == API_KEY
    for text in (repr(config), str(config), config.model_dump_json(), f"{config.model_dump()}"):
        assert API_KEY not in text
        assert AUTH_TOKEN not in text


def test_relative_directories_are_meant_beside_the_file(load_text: Load, folder: Path) -> None:
    assert load_text(MINIMAL + '[attachments]\nspool_dir = "spool"').attachments.spool_dir == folder / "spool"


def test_a_relative_name_of_the_file_itself_changes_nothing(
    load_text: Load, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_text()
    monkeypatch.chdir(folder)
    assert load(Path("worker.toml"), {}).ensono.api_key.get_secret_value() == API_KEY


def test_a_file_saved_on_windows_is_read(folder: Path) -> None:
    file = folder / "windows.toml"
    file.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert load(file, {}).ensono.client_name == "testClient"


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [
        ("127.0.0.1:9464", "127.0.0.1", 9464),
        ("[::1]:0", "::1", 0),
        ("metrics.example.com:80", "metrics.example.com", 80),
    ],
)
def test_an_address_to_listen_on_is_taken_apart(load_text: Load, listen: str, host: str, port: int) -> None:
    http = load_text(MINIMAL + f'[http]\nlisten = "{listen}"').http
    assert (http.host, http.port) == (host, port)


def test_the_ledger_s_file_is_the_path_of_its_url(load_text: Load) -> None:
    state = load_text(MINIMAL + '[state]\nurl = "sqlite:////srv/a b/ledger.db"').state
    assert state.path == Path("/srv/a b/ledger.db")
