import pytest

from worlds.installed import CONFIG, ETC, INSTANCE, SERVICE, STATE, configure, shown, simulate, status
from worlds.machine import Machine

pytestmark = [pytest.mark.package, pytest.mark.timeout(1200)]  # the first one fetches a Debian

UNPACK = "cd /root && tar -xzf /mnt/bundle.tar.gz && mv envision-worker-* bundle"
INSTALL = "/root/bundle/install.sh"
UNINSTALL = "/root/bundle/uninstall.sh"
HOME = "/opt/envision-worker"


@pytest.fixture
def unpacked(fresh: Machine) -> Machine:
    """A Debian without any network, with the bundle unpacked in /root/bundle."""
    assert "lo" in fresh.run("cat", "/proc/net/dev")
    assert len(fresh.run("cat", "/proc/net/dev").splitlines()) == 3, "two lines of heading, and loopback"
    fresh.shell(UNPACK)
    return fresh


def test_it_installs_without_a_network_carries_messages_and_is_taken_away_again(unpacked: Machine) -> None:
    places = ("/etc", "/opt", "/usr", "/var/lib", "-xdev", "-path", "/var/lib/systemd", "-prune", "-o", "-print")
    before = set(unpacked.run("find", *places).splitlines())
    assert "installed" in unpacked.run(INSTALL)
    assert unpacked.run("readlink", "-f", "/usr/local/bin/envision-worker").startswith(f"{HOME}/")
    assert unpacked.run("stat", "-c", "%a %U:%G", ETC) == "750 root:envision-worker\n"
    unpacked.run("systemd-analyze", "verify", "--man=no", "--recursive-errors=yes", f"{SERVICE}.service")
    unpacked.run("test", "-f", shown(unpacked, "Documentation")["Documentation"].removeprefix("file://"))
    simulate(unpacked)
    configure(unpacked)
    unpacked.run("systemctl", "enable", "--now", SERVICE, f"envision-worker-backup@{INSTANCE}.timer")
    unpacked.until(f"envision-worker status --json --config {CONFIG} | tr -d '\n'", r'"applied": ([6-9]|1\d)\b')
    unpacked.run("systemctl", "start", f"envision-worker-backup@{INSTANCE}")
    assert status(unpacked)["daemon"] == "running"

    unpacked.run("systemctl", "stop", "simulated-ensono", "simulated-manageengine")
    unpacked.run(UNINSTALL)
    unpacked.shell(f"test -s {STATE}/ledger.db && test -s {CONFIG} && test ! -e {HOME}")
    assert "0 loaded units" in unpacked.run("systemctl", "list-units", "--state=active", "envision-worker*")
    unpacked.run(UNINSTALL, "--purge")
    left = set(unpacked.run("find", *places).splitlines()) - before
    assert left <= {"/etc/.pwd.lock", "/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/sysusers.d"}


def test_a_second_install_upgrades_and_keeps_the_one_before_to_go_back_to(unpacked: Machine) -> None:
    unpacked.run(INSTALL)
    first = unpacked.run("readlink", f"{HOME}/current").strip()
    simulate(unpacked)
    configure(unpacked)
    unpacked.run("systemctl", "start", SERVICE)
    pid = shown(unpacked, "MainPID")["MainPID"]
    unpacked.run(INSTALL)
    second = unpacked.run("readlink", f"{HOME}/current").strip()
    assert set(unpacked.run("ls", HOME).split()) == {first, second, "current"}
    assert shown(unpacked, "ActiveState") == {"ActiveState": "active"}
    assert shown(unpacked, "MainPID") != {"MainPID": pid}

    unpacked.shell(f"ln -sfn {first} {HOME}/current && systemctl restart {SERVICE}")
    assert shown(unpacked, "ActiveState") == {"ActiveState": "active"}
    unpacked.run(INSTALL)
    assert set(unpacked.run("ls", HOME).split()) == {first, f"{first}-2", "current"}


def test_what_was_changed_on_the_way_is_not_installed(unpacked: Machine) -> None:
    unpacked.shell("echo >>/root/bundle/doc/install.md")
    assert "not what was packed" in unpacked.run(INSTALL, ends=1)
    unpacked.shell("""
        cd /root/bundle
        for wheel in wheelhouse/idna-*.whl; do printf x >>"$wheel"; done
        find . -type f ! -name SHA256SUMS -exec sha256sum {} + | sed 's, [.]/, ,' >/root/sums
        mv /root/sums SHA256SUMS
    """)
    assert "HASH" in unpacked.run(INSTALL, ends=1).upper()
    assert unpacked.run("ls", HOME) == "", "half an installation is none"
    unpacked.run("test", "!", "-e", "/usr/local/bin/envision-worker")


def test_another_python_and_a_missing_venv_module_are_told(unpacked: Machine) -> None:
    unpacked.shell("printf '#!/bin/sh\necho 3.9\n' >/root/python && chmod +x /root/python")
    assert "/root/python is 3.9" in unpacked.run(INSTALL, "--python", "/root/python", ends=1)
    assert "--python" in unpacked.run(INSTALL, "--python", "/nowhere", ends=1)
    assert "usage" in unpacked.run(INSTALL, "--help", ends=64)


def test_it_does_not_go_beside_the_debian_package(unpacked: Machine) -> None:
    unpacked.run("dpkg", "-i", "/mnt/envision-worker.deb")
    assert "apt remove" in unpacked.run(INSTALL, ends=1)
