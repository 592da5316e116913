import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

UNIT = "envision-worker@.service"
Tool = Callable[[str], Path]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments


@pytest.fixture
def machine(tool: Tool, root: Path, tmp_path: Path) -> Path:
    """A directory that looks like a machine on which the worker is installed."""
    tool("systemd-analyze")
    host = next(
        (path for path in (Path("/lib/systemd/system"), Path("/usr/lib/systemd/system")) if path.is_dir()), None
    )
    if host is None:
        pytest.skip("no systemd units on this machine")
    units = tmp_path / "lib/systemd/system"
    units.mkdir(parents=True)
    for unit in host.glob("*.target"):
        shutil.copy(unit, units)
    shutil.copy(root / "deploy/systemd" / UNIT, units)
    for program in ("envision-worker", "chown"):
        installed = tmp_path / "usr/bin" / program
        installed.parent.mkdir(parents=True, exist_ok=True)
        installed.write_text("#!/bin/sh\n", encoding="utf-8")
        installed.chmod(0o755)
    return tmp_path


def verify(systemd_analyze: Path, machine: Path) -> subprocess.CompletedProcess[str]:
    # --recursive-errors: without it unknown keys are told but not counted
    return run(
        systemd_analyze,
        "verify",
        "--man=no",
        "--recursive-errors=yes",
        f"--root={machine}",
        "envision-worker@prod.service",
    )


def test_systemd_finds_no_fault_in_the_unit(tool: Tool, machine: Path) -> None:
    done = verify(tool("systemd-analyze"), machine)
    assert (done.returncode, done.stderr) == (0, "")


def test_that_check_would_find_a_misspelt_key(tool: Tool, machine: Path) -> None:
    unit = machine / "lib/systemd/system" / UNIT
    unit.write_text(unit.read_text(encoding="utf-8").replace("ProtectHome=", "ProtectHouse="), encoding="utf-8")
    done = verify(tool("systemd-analyze"), machine)
    assert done.returncode != 0
    assert "ProtectHouse" in done.stderr


def test_the_unit_is_exposed_as_little_as_was_promised(tool: Tool, root: Path) -> None:
    done = run(
        tool("systemd-analyze"),
        "security",
        "--offline=true",
        "--threshold=15",
        "--no-pager",
        root / "deploy/systemd" / UNIT,
    )
    assert done.returncode == 0, done.stdout[-400:]
    assert done.stderr == ""


def keys(root: Path) -> dict[str, list[str]]:
    """All keys of the unit with their values, whatever their section."""
    found: dict[str, list[str]] = {}
    for line in (root / "deploy/systemd" / UNIT).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"(\w+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


def test_the_daemon_tells_systemd_when_it_is_ready_and_that_it_lives(root: Path) -> None:
    unit = keys(root)
    assert (unit["Type"], unit["NotifyAccess"], unit["WatchdogSec"]) == (["notify"], ["main"], ["120s"])


def test_a_wrong_configuration_is_not_tried_again_and_nothing_without_end(root: Path) -> None:
    unit = keys(root)
    assert unit["Restart"] == ["on-failure"]
    assert unit["RestartPreventExitStatus"] == ["64 78"]
    pause, burst = int(unit["RestartSec"][0].removesuffix("s")), int(unit["StartLimitBurst"][0])
    assert pause >= 5
    assert unit["StartLimitIntervalSec"] == ["15min"]
    assert pause * burst < 15 * 60, "or the limit is never reached"


def test_every_instance_has_its_own_configuration_state_and_secrets(root: Path) -> None:
    unit = keys(root)
    assert unit["ExecStart"] == ["/usr/bin/envision-worker run --config /etc/envision-worker/%i.toml"]
    assert unit["StateDirectory"] == ["envision-worker/%i"]
    for load, default in zip(unit["LoadCredential"], unit["SetCredential"], strict=True):
        name, path = load.split(":")
        assert path == f"/etc/envision-worker/{name}"
        assert name.startswith("%i.")
        assert default == f"{name}:\\n", "what is not there is a blank line"


def test_the_stop_gives_the_grace_that_the_worker_takes(root: Path) -> None:
    assert int(keys(root)["TimeoutStopSec"][0].removesuffix("s")) > 20


def test_nothing_is_asked_of_systemd_that_debian_twelve_does_not_know(root: Path) -> None:
    newer = {"RestartSteps", "RestartMaxDelaySec", "RestartMode", "ImportCredential", "OpenFile", "LogFilterPatterns"}
    assert not newer & set(keys(root))


def test_the_user_of_the_unit_is_the_one_that_sysusers_makes(tool: Tool, root: Path, tmp_path: Path) -> None:
    settings = root / "deploy/systemd/envision-worker.sysusers.conf"
    for name in ("passwd", "group"):
        (tmp_path / "etc").mkdir(exist_ok=True)
        (tmp_path / "etc" / name).touch()
    done = run(tool("systemd-sysusers"), "--dry-run", f"--root={tmp_path}", settings)
    assert done.returncode == 0, done.stderr
    made = re.findall(r"user '?([\w-]+)'?", done.stdout + done.stderr)
    assert keys(root)["User"] == ["envision-worker"]
    assert "envision-worker" in made, done.stdout + done.stderr


def test_the_configuration_is_not_for_everybody_to_read(root: Path) -> None:
    [line] = [
        line
        for line in (root / "deploy/systemd/envision-worker.tmpfiles.conf").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    assert line.split() == ["d", "/etc/envision-worker", "0750", "root", "envision-worker", "-"]
