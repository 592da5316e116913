import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from worlds.debian import NoDebian, debian_root
from worlds.installed import SERVICE, configure, simulate
from worlds.machine import Machine, MachineFailed, machine, why_not

ROOT = Path(__file__).parents[2]
MARK = "package"
HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"{MARK}: boots a machine and installs into it; run by `make package-test` alone"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What boots machines takes minutes and root: it runs when it is asked for by its mark."""
    if MARK in str(config.option.markexpr):
        return
    heavy = [item for item in items if item.path.is_relative_to(HERE) and item.get_closest_marker(MARK)]
    if heavy:
        config.hook.pytest_deselected(items=heavy)
        items[:] = [item for item in items if item not in heavy]


def missing(what: str) -> NoReturn:
    """A laptop may lack a tool; the place where everything is checked may not."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's directory."""
    return ROOT


@pytest.fixture(scope="session")
def tool() -> Callable[[str], Path]:
    """Finds a program by name, else skips the test, or fails it in CI."""

    def find(name: str) -> Path:
        found = shutil.which(name)
        if found is None:
            missing(f"{name} is not installed here")
        return Path(found)

    return find


def build(what: str, *options: str) -> Path:
    """Build into dist/, as `make` does, and return what was built."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "packages", what, *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "deploy")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return ROOT / done.stdout.split()[1]


@pytest.fixture(scope="session")
def debian() -> Path:
    """A fresh Debian's root folder."""
    reason = why_not()
    if reason:
        missing(reason)
    try:
        return debian_root()
    except NoDebian as exc:
        missing(str(exc))


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundle and the Debian package of this checkout, as the machine sees it under /mnt."""
    folder = tmp_path_factory.mktemp("packed")
    shutil.copy(build("bundle"), folder / "bundle.tar.gz")
    shutil.copy(build("deb"), folder / "envision-worker.deb")
    return folder


@pytest.fixture
def fresh(debian: Path, packed: Path, tmp_path: Path) -> Iterator[Machine]:
    """A Debian that has just booted, with nothing of ours."""
    scratch = tmp_path / "machine"
    scratch.mkdir()
    try:
        with machine(debian, packed, scratch) as booted:
            yield booted
    except MachineFailed as exc:
        if "did not boot" in str(exc):
            missing(str(exc))
        raise


@pytest.fixture
def with_deb(fresh: Machine) -> Machine:
    """A Debian with the package installed, and nothing configured."""
    fresh.run("dpkg", "-i", "/mnt/envision-worker.deb")
    return fresh


@pytest.fixture
def serving(with_deb: Machine) -> Machine:
    """The same with an instance called demo that works between both simulators."""
    simulate(with_deb)
    configure(with_deb)
    with_deb.run("systemctl", "start", SERVICE)
    return with_deb
