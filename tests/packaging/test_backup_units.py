import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

BACKUP, TIMER = "envision-worker-backup@.service", "envision-worker-backup@.timer"


@pytest.fixture
def machine(root: Path, tmp_path: Path) -> Path:
    """A directory that looks like a machine on which the worker is installed."""
    host = next(
        (path for path in (Path("/usr/lib/systemd/system"), Path("/lib/systemd/system")) if path.is_dir()), None
    )
    if host is None:
        pytest.skip("no systemd units on this machine")
    units = tmp_path / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    for unit in host.glob("*.target"):
        shutil.copy(unit, units)
    for name in (BACKUP, TIMER):
        shutil.copy(root / "deploy/systemd" / name, units)
    for program in ("usr/bin/envision-worker", "usr/bin/install", "bin/sh"):
        installed = tmp_path / program
        installed.parent.mkdir(parents=True, exist_ok=True)
        installed.write_text("#!/bin/sh\n", encoding="utf-8")
        installed.chmod(0o755)
    return tmp_path


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments


@pytest.mark.parametrize("unit", [BACKUP, TIMER])
def test_systemd_finds_no_fault_in_them(tool: Callable[[str], Path], machine: Path, unit: str) -> None:
    instance = unit.replace("@", "@prod")
    done = run(tool("systemd-analyze"), "verify", "--man=no", "--recursive-errors=yes", f"--root={machine}", instance)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_backup_may_do_little_though_it_is_roots(tool: Callable[[str], Path], root: Path) -> None:
    done = run(
        tool("systemd-analyze"),
        *("security", "--offline=true", "--threshold=20", "--no-pager"),
        root / "deploy/systemd" / BACKUP,
    )
    assert done.returncode == 0, done.stdout[-400:]


def test_a_week_of_backups_is_kept(root: Path) -> None:
    unit = (root / "deploy/systemd" / BACKUP).read_text(encoding="utf-8")
    [target] = re.findall(r'envision-worker backup "([^"]+)"', unit)
    assert target == "/var/backups/envision-worker/%i/ledger-$(date +%%u).db"
    assert "OnCalendar=daily" in (root / "deploy/systemd" / TIMER).read_text(encoding="utf-8")
