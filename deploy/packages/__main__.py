"""Builds what the worker is installed from, into dist/: `python -m packages wheel | bundle | deb`; `make packages` builds all three.

The wheel needs nothing but this checkout. The bundle and the Debian package hold the locked wheels of everything else, for one
minor version of Python: that of `--python`, Debian's own where there is one.
"""

import argparse
import fcntl
import hashlib
import os
import sys
from pathlib import Path

from packages import bundle, deb
from packages.project import BUILD, DIST, CannotBuild, wheel
from packages.wheelhouse import python_at

DEBIAN = "/usr/bin/python3"


def built(what: str, python: str) -> Path:
    """Build one of them."""
    if what == "wheel":
        return wheel(DIST)
    pack = bundle.pack if what == "bundle" else deb.pack
    return pack(python_at(python))


def main() -> int:
    """Build what is asked for and name it, with its hash, on stdout."""
    asked = argparse.ArgumentParser(
        "packages", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("what", choices=["wheel", "bundle", "deb"])
    asked.add_argument("--python", default=DEBIAN if Path(DEBIAN).exists() else sys.executable, metavar="PATH")
    given = asked.parse_args()
    os.umask(0o022)
    BUILD.mkdir(parents=True, exist_ok=True)
    try:
        with (BUILD / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two at once would fetch and write the same files
            made = built(given.what, given.python)
    except CannotBuild as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    sys.stdout.write(f"{hashlib.sha256(made.read_bytes()).hexdigest()}  {made.relative_to(DIST.parent)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
