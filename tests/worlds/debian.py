"""A small Debian, unpacked once into a cache: what this machine's release is, with systemd and Python and nothing of ours."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HOLDS = ("systemd", "systemd-sysv", "dbus", "python3", "python3-venv", "ca-certificates")
MIRROR = "http://deb.debian.org/debian"
UNPACKED_WITHIN_S = 600


class NoDebian(Exception):
    """None can be had here; says why."""


def release() -> str:
    """This machine's Debian release, such as `bookworm`. Raises `NoDebian`."""
    told = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines() if "=" in line
    )
    if told.get("ID", "").strip('"') != "debian":
        raise NoDebian("this is no Debian: packages are for the Python of the Debian that they are built on")
    return told["VERSION_CODENAME"].strip('"')


def debian_root() -> Path:
    """The root folder of a fresh Debian; not to be written to. Raises `NoDebian`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "envision-worker-tests"
    cache.mkdir(parents=True, exist_ok=True)
    root = cache / f"debian-{release()}-{hashlib.sha256(repr(HOLDS).encode()).hexdigest()[:8]}"
    with (cache / "debian.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may want it at once
        if not root.is_dir():
            _unpack(cache, root)
    return root


def _unpack(cache: Path, root: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        fresh = Path(folder, "root")
        options = ("--mode=root", "--variant=minbase", f"--include={','.join(HOLDS)}")
        # unshare: what it mounts inside is gone with it, however it ends
        _run("unshare", "--mount", _mmdebstrap(Path(folder)), *options, release(), fresh, MIRROR)
        fresh.rename(root)


def _mmdebstrap(folder: Path) -> Path:
    """mmdebstrap (a third of debootstrap's time): the installed one, else that of Debian's package, unpacked without installing it."""
    installed = shutil.which("mmdebstrap")
    if installed:
        return Path(installed)
    unpack_package("mmdebstrap", folder / "mmdebstrap")
    return folder / "mmdebstrap/usr/bin/mmdebstrap"


def unpack_package(package: str, target: Path) -> None:
    """Fetch a package of Debian's and unpack it into a folder that is not there yet, without installing it. Raises `NoDebian`."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise NoDebian(f"{package} is not installed, and there is no apt to get it from")
    with tempfile.TemporaryDirectory(dir=target.parent) as place:
        try:
            _run("apt-get", "-q", "download", package, at=Path(place))
        except NoDebian:  # the machine is new, or its lists are old
            _run("apt-get", "-q", "update")
            _run("apt-get", "-q", "download", package, at=Path(place))
        [fetched] = Path(place).glob(f"{package}_*.deb")
        _run("dpkg-deb", "-x", fetched, Path(place) / "unpacked")
        (Path(place) / "unpacked").rename(target)


def _run(*command: str | Path, at: Path | None = None) -> None:
    done = subprocess.run(  # noqa: S603 - fixed commands
        command,
        cwd=at,
        capture_output=True,
        text=True,
        timeout=UNPACKED_WITHIN_S,
        check=False,
    )
    if done.returncode:
        raise NoDebian(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}")
