import fcntl
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from worlds.debian import NoDebian, unpack_package

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Prometheus:
    """Debian's programs, wherever they are."""

    prometheus: Path
    promtool: Path


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's directory."""
    return ROOT


def missing(what: str) -> NoReturn:
    """A laptop may lack a tool; the place where everything is checked may not."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def tool() -> Callable[[str], Path]:
    """Finds a program by name, else skips the test, or fails it in CI."""

    def find(name: str) -> Path:
        found = shutil.which(name)
        if found is None:
            missing(f"{name} is not installed here")
        return Path(found)

    return find


@pytest.fixture(scope="session")
def prometheus() -> Prometheus:
    """Prometheus and promtool: installed ones, else those of Debian's package, unpacked into a cache without installing it."""
    installed = shutil.which("prometheus"), shutil.which("promtool")
    if all(installed):
        return Prometheus(Path(str(installed[0])), Path(str(installed[1])))
    cache = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "envision-worker-tests"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may want it at once
        programs = cache / "prometheus" / "usr" / "bin"
        if not programs.is_dir():
            try:
                unpack_package("prometheus", cache / "prometheus")
            except NoDebian as exc:
                missing(str(exc))
    return Prometheus(programs / "prometheus", programs / "promtool")
