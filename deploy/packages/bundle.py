"""The offline bundle: a tar.gz with every wheel, the unit, the documents, and a script that installs them without a network."""

import gzip
import hashlib
import shutil
import tarfile
import tempfile
from pathlib import Path

from packages.project import (
    BUILD,
    DIST,
    INSTANCE,
    ROOT,
    documents,
    epoch,
    examples,
    instance_example,
    put,
    version,
    wheel,
)
from packages.wheelhouse import Python, oldest_glibc, requirements, wheelhouse

HERE = Path(__file__).parent / "bundle"


def pack(python: Python) -> Path:
    """Make the bundle for this Python."""
    name = f"envision-worker-{version()}-{python.tag}"
    BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        top = Path(folder, name)
        fill(top, python)
        DIST.mkdir(exist_ok=True)
        target = DIST / f"{name}.tar.gz"
        part = target.with_name(f"{target.name}.part")
        with part.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=epoch()) as packed:
            tar(top, packed)
        part.replace(target)
    return target


def fill(top: Path, python: Python) -> None:
    """Lay everything out as it will be unpacked."""
    shutil.copytree(wheelhouse(python), top / "wheelhouse")
    own = wheel(top / "wheelhouse")
    put(requirements(own), top / "requirements.txt")
    put(f"VERSION={version()}\nPYTHON={python.called}\nMACHINE={python.machine}\n", top / "target")
    for script in ("install.sh", "uninstall.sh"):
        put((HERE / script).read_bytes(), top / script, 0o755)
    put((HERE / "README").read_text().replace("@GLIBC@", oldest_glibc(top / "wheelhouse")), top / "README")
    put(instance_example(), top / "etc" / f"{INSTANCE}.toml.example")
    for file in sorted((ROOT / "deploy" / "systemd").iterdir()):
        put(file.read_bytes(), top / "systemd" / file.name)
    for file_name, file in documents().items():
        put(file.read_bytes(), top / "doc" / file_name)
    for file_name, file in examples().items():
        put(file.read_bytes(), top / "doc" / "examples" / file_name)
    files = sorted(file for file in top.rglob("*") if file.is_file())
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(top)}" for file in files]
    put("\n".join(sums) + "\n", top / "SHA256SUMS")


def tar(top: Path, packed: gzip.GzipFile) -> None:
    """The folder as a tar: sorted, root's, all of one time, so that two builds of the same files are the same."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mtime = epoch()
        entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
        return entry

    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.add(top, top.name, filter=plain)
