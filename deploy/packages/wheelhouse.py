"""The wheels of everything that the worker needs, as locked, for one Python on this machine's platform."""

import hashlib
import json
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packages.project import BUILD, LOCK, CannotBuild, run

_ASK = """
import json, platform, sys
print(json.dumps([sys.version_info[:2], sys.implementation.name, platform.machine(), sys.executable]))
"""
_OLDEST = (3, 11)
_GLIBC = re.compile(r"manylinux_(\d+)_(\d+)_")


@dataclass(frozen=True, slots=True)
class Python:
    """The Python that the worker will run on."""

    path: Path
    minor: tuple[int, int]
    machine: str

    @property
    def called(self) -> str:
        """Such as `3.11`."""
        return f"{self.minor[0]}.{self.minor[1]}"

    @property
    def tag(self) -> str:
        """Such as `py311-linux-x86_64`: what its wheels are good for."""
        return f"py{self.minor[0]}{self.minor[1]}-linux-{self.machine}"


def python_at(path: str) -> Python:
    """Ask a Python what it is. Raises `CannotBuild` where it is too old or no CPython on Linux."""
    found = shutil.which(path)
    if found is None:
        raise CannotBuild(f"{path} is not there")
    (major, minor), implementation, machine, executable = json.loads(run(found, "-c", _ASK))
    if (major, minor) < _OLDEST or implementation != "cpython" or sys.platform != "linux":
        raise CannotBuild(f"{path} is {implementation} {major}.{minor}; it should be CPython 3.11 or newer, on Linux")
    return Python(Path(executable), (major, minor), machine)


def wheelhouse(python: Python) -> Path:
    """A folder with all wheels of the lock file, each with the hash that stands there; fetched once for each lock."""
    known = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    place = BUILD / f"wheelhouse-{python.tag}-{known}"
    if not place.is_dir():
        BUILD.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD) as fresh:
            pip(python, "download", "--only-binary=:all:", "--require-hashes", "-r", LOCK, "-d", f"{fresh}/wheels")
            Path(fresh, "wheels").rename(place)
    return place


def pip(python: Python, command: str, *arguments: str | Path) -> None:
    """This project's pip, working for that Python, which needs none of its own."""
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input", "--root-user-action=ignore")
    options = quiet if command == "install" else quiet[:-1]
    run(sys.executable, "-m", "pip", "--python", python.path, command, *options, *arguments)


def requirements(own: Path) -> str:
    """What is to be installed, with hashes: the lock file, and our own wheel in the version at hand."""
    version = own.name.split("-")[1]
    digest = hashlib.sha256(own.read_bytes()).hexdigest()
    return f"envision-worker=={version} --hash=sha256:{digest}\n{LOCK.read_text(encoding='utf-8')}"


def oldest_glibc(wheels: Path) -> str:
    """The C library that the wheels need: the newest of what each is content with."""
    each = [_GLIBC.findall(wheel.name) for wheel in wheels.glob("*.whl")]
    needed = max(min((int(major), int(minor)) for major, minor in found) for found in each if found)
    return f"{needed[0]}.{needed[1]}"
