import json
import re

import pytest

from worlds.installed import CONFIG, ETC, SAMPLES, SERVICE, STATE, configure, journal, shown, simulate, status
from worlds.machine import Machine

pytestmark = [pytest.mark.package, pytest.mark.timeout(1200)]  # the first one fetches a Debian

looks = pytest.mark.xdist_group("looks")  # by one process, so that one machine serves them all

KEPT_BY_DEBIAN = re.compile(
    r"/(var/log|var/lib/(dpkg|systemd|private)|var/cache|var/backups|etc/\.pwd\.lock|etc/(passwd|group|g?shadow)-?$)"
)


def files(machine: Machine) -> set[str]:
    return set(machine.run("find", "/etc", "/opt", "/usr", "/var", "/root", "/home", "-xdev").splitlines())


def handled(machine: Machine) -> int:
    messages = status(machine)["messages"]
    return sum(count for state, count in messages.items() if state in ("applied", "out_of_scope", "dead_letter"))


def wait_for_the_samples(machine: Machine) -> None:
    count = f"envision-worker status --json --config {CONFIG} | tr -d '\n'"
    machine.until(count, r'"applied": ([6-9]|1\d)\b')


def test_it_installs_the_program_its_user_and_folders_and_starts_nothing(with_deb: Machine) -> None:
    assert with_deb.run("envision-worker", "--version").startswith("envision-worker, version ")
    assert "nologin" in with_deb.run("getent", "passwd", "envision-worker")
    assert with_deb.run("stat", "-c", "%a %U:%G", ETC) == "750 root:envision-worker\n"
    assert with_deb.run("dpkg", "--verify", "envision-worker") == ""
    assert (
        with_deb.run("dpkg-query", "-W", "-f", "${Maintainer}", "envision-worker") == "envision-worker <root@localhost>"
    )
    assert (
        with_deb.run("dpkg-query", "-W", "-f", "${Conffiles}", "envision-worker").split()[0]
        == f"{ETC}/prod.toml.example"
    )
    assert "0 loaded units" in with_deb.run("systemctl", "list-units", "envision-worker*")
    assert with_deb.run("systemd-analyze", "verify", "--man=no", "--recursive-errors=yes", f"{SERVICE}.service") == ""


@looks
def test_its_documents_and_examples_are_there_and_the_unit_names_one_of_them(served: Machine) -> None:
    doc = "/usr/share/doc/envision-worker"
    names = served.run("ls", "-R", doc)
    for name in (
        "install.md",
        "backup.md",
        "runbook.md",
        "envision-worker.rules.yml",
        "envision-worker.json",
        "copyright",
    ):
        assert name in names.split(), name
    told = shown(served, "Documentation", unit="envision-worker@prod")["Documentation"]
    served.run("test", "-f", told.removeprefix("file://"))
    assert "pydantic_core" in served.run("cat", f"{doc}/copyright")


@looks
def test_an_instance_without_its_file_does_not_start_and_says_so(served: Machine) -> None:
    assert "Assertion failed" in served.run("systemctl", "start", "envision-worker@prod", ends=1)


@looks
def test_it_carries_messages_from_one_simulator_to_the_other(served: Machine) -> None:
    assert shown(served, "ActiveState", "StatusText", "NRestarts") == {
        "ActiveState": "active",
        "StatusText": "reading dev's queue; metrics on 127.0.0.1:9464",
        "NRestarts": "0",
    }
    wait_for_the_samples(served)
    told = status(served)
    assert (told["daemon"], told["ensono_up"], told["desk_up"], told["gate_open"]) == ("running", True, True, True)
    assert "Active: active (running)" in served.run("systemctl", "status", SERVICE)
    python = "/usr/lib/envision-worker/bin/python3"
    fetch = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())"
    assert "e-CS0879727" in served.run(python, "-c", fetch, "http://127.0.0.1:9102/_simulator/tickets")
    assert 'envision_messages_total{outcome="applied"' in served.run(
        python, "-c", fetch, "http://127.0.0.1:9464/metrics"
    )
    assert "no faults" in served.run("envision-worker", "check", "--config", CONFIG)


@looks
def test_the_journal_has_every_line_with_its_weight_and_its_environment(served: Machine) -> None:
    wait_for_the_samples(served)
    weights = {"info": "6", "warning": "4", "error": "3"}
    lines = [entry for entry in journal(served) if entry.get("_TRANSPORT") == "stdout"]
    events = [json.loads(entry["MESSAGE"]) for entry in lines]
    assert {"daemon_started", "message_handled"} <= {event["event"] for event in events}
    assert {entry["ENVISION_ENVIRONMENT"] for entry in lines} == {"demo"}
    assert {entry["SYSLOG_IDENTIFIER"] for entry in lines} == {"envision-worker-demo"}
    for entry, event in zip(lines, events, strict=True):
        assert entry["PRIORITY"] == weights[event["level"]]
    assert all('"level": "info"' not in entry["MESSAGE"] for entry in journal(served, "--priority=warning"))


@looks
def test_the_service_is_its_own_user_and_its_secrets_are_credentials(served: Machine) -> None:
    pid = shown(served, "MainPID")["MainPID"]
    assert re.search(r"^Uid:\s+(?!0\b)(\d+)\s+\1\s+\1\s+\1$", served.run("cat", f"/proc/{pid}/status"), re.MULTILINE)
    assert re.search(r"^CapEff:\s+0+$", served.run("cat", f"/proc/{pid}/status"), re.MULTILINE)
    assert served.run("stat", "-c", "%a %U", STATE, f"{ETC}/demo.ensono-api-key") == "700 envision-worker\n600 root\n"
    key = served.run("cat", f"{ETC}/demo.ensono-api-key").strip()
    assert key not in served.run("journalctl", "--no-pager")
    environment = served.run("cat", f"/proc/{pid}/environ")
    assert "CREDENTIALS_DIRECTORY=/run/credentials/" in environment
    assert key not in environment


def test_a_secret_may_be_encrypted_for_this_machine(with_deb: Machine) -> None:
    simulate(with_deb)
    configure(with_deb)
    with_deb.shell(f"""
        systemd-creds encrypt --with-key=host --name=demo.sdp-authtoken {ETC}/demo.sdp-authtoken {ETC}/demo.sdp-authtoken.cred
        rm {ETC}/demo.sdp-authtoken
        mkdir -p /etc/systemd/system/{SERVICE}.service.d
    """)
    drop_in = f"[Service]\nLoadCredentialEncrypted=demo.sdp-authtoken:{ETC}/demo.sdp-authtoken.cred\n"
    with_deb.write(f"/etc/systemd/system/{SERVICE}.service.d/encrypted.conf", drop_in)
    with_deb.run("systemctl", "daemon-reload")
    with_deb.run("systemctl", "start", SERVICE)
    with_deb.until(f"journalctl --unit {SERVICE} --output cat", "message_handled")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (f"echo 'poll = 1' >>{CONFIG}", "poll"),
        (f"rm {ETC}/demo.ensono-api-key", "ensono.api_key_file: is empty"),
    ],
    ids=["an unknown key", "a missing secret"],
)
def test_a_wrong_configuration_ends_it_with_78_and_is_not_tried_again(with_deb: Machine, spoil: str, says: str) -> None:
    simulate(with_deb)
    configure(with_deb)
    with_deb.shell(spoil)
    with_deb.run("systemctl", "start", SERVICE, ends=1)
    with_deb.shell("sleep 1")
    assert shown(with_deb, "ActiveState", "ExecMainStatus", "NRestarts", "Result") == {
        "ActiveState": "failed",
        "ExecMainStatus": "78",
        "NRestarts": "0",
        "Result": "exit-code",
    }
    assert any(says in str(entry["MESSAGE"]) for entry in journal(with_deb))


def quicker(machine: Machine) -> None:
    """The same unit with its times shortened."""
    text = "[Service]\nRestartSec=1s\nWatchdogSec=4s\n"
    machine.write(f"/etc/systemd/system/{SERVICE}.service.d/quicker.conf", text)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", SERVICE)


def test_a_hung_worker_is_ended_by_the_watchdog_and_started_again(serving: Machine) -> None:
    assert shown(serving, "WatchdogUSec") == {"WatchdogUSec": "2min"}
    quicker(serving)
    pid = shown(serving, "MainPID")["MainPID"]
    serving.shell("sleep 6")
    assert shown(serving, "MainPID") == {"MainPID": pid}, "it feeds the watchdog"
    serving.run("systemctl", "kill", "--signal=STOP", SERVICE)
    serving.until(
        f"systemctl show --property=NRestarts,ActiveState {SERVICE}", "(?s)NRestarts=1.*active\n", within_s=30
    )
    assert any("watchdog" in str(entry["MESSAGE"]).lower() for entry in journal(serving))


def test_a_killed_worker_is_started_again_and_does_nothing_twice(serving: Machine) -> None:
    quicker(serving)
    wait_for_the_samples(serving)
    before = handled(serving)
    serving.run("systemctl", "kill", "--signal=KILL", SERVICE)
    serving.until(
        f"systemctl show --property=NRestarts,ActiveState {SERVICE}", "(?s)NRestarts=1.*=active\n", within_s=30
    )
    assert before <= handled(serving) <= SAMPLES


def test_what_root_left_in_the_state_folder_does_not_keep_the_service_from_starting(serving: Machine) -> None:
    wait_for_the_samples(serving)
    serving.run("systemctl", "stop", SERVICE)
    serving.shell(f"rm -f {STATE}/ledger.db.lock")
    assert "paused" in serving.run("envision-worker", "pause", "--config", CONFIG)
    assert "root" in serving.run("find", STATE, "-user", "root", "-printf", "%u\n")
    serving.run("systemctl", "start", SERVICE)
    assert serving.run("find", STATE, "!", "-user", "envision-worker") == ""
    assert status(serving)["daemon"] == "paused"
    serving.run("envision-worker", "resume", "--config", CONFIG)
    assert status(serving)["daemon"] == "running"


def test_a_stop_is_clean_and_quick(serving: Machine) -> None:
    wait_for_the_samples(serving)
    serving.run("systemctl", "stop", SERVICE)
    assert shown(serving, "ActiveState", "Result", "ExecMainStatus") == {
        "ActiveState": "inactive",
        "Result": "success",
        "ExecMainStatus": "0",
    }


def test_the_backup_is_roots_alone_and_can_be_put_in_the_ledgers_place(serving: Machine) -> None:
    wait_for_the_samples(serving)
    serving.run("systemctl", "start", "envision-worker-backup@demo")
    folder = "/var/backups/envision-worker/demo"
    [name] = serving.run("ls", folder).split()
    assert re.fullmatch(r"ledger-[1-7]\.db", name)
    assert serving.run("stat", "-c", "%a %U", folder, f"{folder}/{name}") == "700 root\n600 root\n"
    assert serving.run("find", STATE, "!", "-user", "envision-worker") == ""
    before = handled(serving)
    serving.shell(f"""
        systemctl stop {SERVICE}
        rm {STATE}/ledger.db*
        install -m 600 -o envision-worker -g envision-worker {folder}/{name} {STATE}/ledger.db
        systemctl start {SERVICE}
    """)
    assert handled(serving) >= before
    serving.run("systemctl", "enable", "--now", "envision-worker-backup@demo.timer")
    assert "envision-worker-backup@demo.timer" in serving.run("systemctl", "list-timers")


def test_an_upgrade_starts_the_instances_again_that_ran_and_no_others(serving: Machine) -> None:
    configure(serving)
    serving.shell(f"sed s/demo/other/g {CONFIG} >{ETC}/other.toml")
    pid = shown(serving, "MainPID")["MainPID"]
    serving.run("dpkg", "-i", "/mnt/envision-worker.deb")
    after = shown(serving, "MainPID", "ActiveState", "StatusText")
    assert after["ActiveState"] == "active"
    assert after["StatusText"].startswith("reading")
    assert after["MainPID"] != pid
    assert shown(serving, "ActiveState", unit="envision-worker@other") == {"ActiveState": "inactive"}


def test_removing_it_keeps_configuration_and_state_and_purging_it_leaves_nothing(fresh: Machine) -> None:
    before = files(fresh)
    fresh.run("dpkg", "-i", "/mnt/envision-worker.deb")
    simulate(fresh)
    configure(fresh)
    fresh.run("systemctl", "enable", "--now", SERVICE, "envision-worker-backup@demo.timer")
    wait_for_the_samples(fresh)

    fresh.run("systemctl", "stop", "simulated-ensono", "simulated-manageengine")
    fresh.run("dpkg", "--remove", "envision-worker")
    assert "0 loaded units" in fresh.run("systemctl", "list-units", "--state=active", "envision-worker*")
    fresh.shell(
        f"test -s {STATE}/ledger.db && test -s {CONFIG} && test ! -e /usr/lib/envision-worker && test ! -e /usr/bin/envision-worker"
    )

    fresh.run("dpkg", "-i", "/mnt/envision-worker.deb")
    assert fresh.run("systemctl", "is-enabled", SERVICE) == "enabled\n", "where it is installed again it goes on"

    fresh.run("dpkg", "--purge", "envision-worker")
    left = {path for path in files(fresh) - before if not KEPT_BY_DEBIAN.match(path)}
    assert left == set()
    assert "0 loaded units" in fresh.run("systemctl", "list-units", "--all", "envision-worker@*")


def test_it_does_not_go_beside_a_bundle(fresh: Machine) -> None:
    fresh.shell("mkdir -p /opt/envision-worker && ln -s 0.0.1 /opt/envision-worker/current")
    fresh.shell("mkdir -p /opt/envision-worker/0.0.1")
    said = fresh.run("dpkg", "-i", "/mnt/envision-worker.deb", ends=1)
    assert "uninstall.sh" in said
    assert "Unit" in fresh.run("systemctl", "status", SERVICE, ends=4)
