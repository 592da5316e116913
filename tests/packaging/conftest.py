import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
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
        env={
            **{name: each for name, each in os.environ.items() if not name.startswith("DEB")},
            "PYTHONPATH": str(ROOT / "deploy"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return ROOT / done.stdout.split()[1]


@dataclass(frozen=True)
class Prepared:
    """What machines are booted from.

    Attributes:
        debian: a fresh Debian's root folder.
        packed: a folder with the bundle and the Debian package of this checkout, as a machine sees it under /mnt.
    """

    debian: Path
    packed: Path


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Made once in a run, whatever the number of its processes.

    Where no machine can boot the tests are skipped, in CI as well: a container that is not privileged never can. Anything else that is
    missing there is a failure.
    """
    reason = why_not(tmp_path_factory.mktemp("mounts"))
    if reason:
        pytest.skip(reason)
    own = tmp_path_factory.getbasetemp()
    run = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with (run / "packed.lock").open("w") as lock, ThreadPoolExecutor() as side_by_side:
        fcntl.flock(lock, fcntl.LOCK_EX)
        debian, packed = side_by_side.submit(debian_root), side_by_side.submit(pack, run / "packed")
        try:
            return Prepared(debian.result(), packed.result())
        except NoDebian as exc:
            missing(str(exc))


def pack(folder: Path) -> Path:
    if folder.is_dir():
        return folder
    part = folder.with_name("part")
    part.mkdir(exist_ok=True)  # what an attempt that failed has left
    shutil.copy(build("bundle"), part / "bundle.tar.gz")
    shutil.copy(build("deb"), part / "envision-worker.deb")
    return part.rename(folder)


@contextmanager
def booted(prepared: Prepared, scratch: Path) -> Iterator[Machine]:
    """A Debian that has just booted, with nothing of ours."""
    try:
        with machine(prepared.debian, prepared.packed, scratch) as fresh:
            yield fresh
    except MachineFailed as exc:
        if "did not boot" in str(exc):
            missing(str(exc))
        raise


def install(fresh: Machine) -> Machine:
    """Put the Debian package on it."""
    fresh.run("dpkg", "-i", "/mnt/envision-worker.deb")
    return fresh


def serve(installed: Machine) -> Machine:
    """Have an instance called demo work on it, between both simulators."""
    simulate(installed)
    configure(installed)
    installed.run("systemctl", "start", SERVICE)
    return installed


@pytest.fixture
def fresh(prepared: Prepared, tmp_path: Path) -> Iterator[Machine]:
    """A Debian of the test's own."""
    scratch = tmp_path / "machine"
    scratch.mkdir()
    with booted(prepared, scratch) as machine:
        yield machine


@pytest.fixture
def with_deb(fresh: Machine) -> Machine:
    """The same with the package installed, and nothing configured."""
    return install(fresh)


@pytest.fixture
def serving(with_deb: Machine) -> Machine:
    """The same with an instance that works."""
    return serve(with_deb)


@pytest.fixture(scope="session")
def served(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One that serves, for tests that only look."""
    with booted(prepared, tmp_path_factory.mktemp("served")) as machine:
        yield serve(install(machine))
