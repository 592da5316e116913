"""The Debian package: the program in a virtual environment under /usr/lib, its unit, user, example configuration and documents."""

import gzip
import hashlib
import os
import re
import shutil
import tempfile
from email.parser import HeaderParser
from pathlib import Path

from packages.project import (
    BUILD,
    DIST,
    INSTANCE,
    ROOT,
    CannotBuild,
    documents,
    epoch,
    examples,
    instance_example,
    put,
    run,
    version,
    wheel,
)
from packages.wheelhouse import Python, oldest_glibc, pip, requirements, wheelhouse

HERE = Path(__file__).parent / "debian"
HOME = Path("usr/lib/envision-worker")
SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
DEBIAN_BIN = Path("/usr/bin")

_LAUNCHER = f"""#!/{HOME}/bin/python3
import sys

from envision_worker.__main__ import main

sys.exit(main())
"""


def pack(python: Python) -> Path:
    """Make the package for Debian's Python of this minor version."""
    interpreter = DEBIAN_BIN / f"python{python.called}"
    if shutil.which("dpkg-deb") is None:
        raise CannotBuild("dpkg-deb is not here: the Debian package is built on Debian or Ubuntu")
    if python.path.parent != DEBIAN_BIN or not interpreter.exists():
        raise CannotBuild(f"{python.path} is not Debian's: apt install python3, and give --python /usr/bin/python3")
    BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        root = Path(folder, "root")
        root.mkdir()
        glibc = install_program(root, python, interpreter)
        install_files(root)
        settle_times(root)
        compile_program(root, interpreter)
        settle_times(root)
        describe(root, python, glibc)
        DIST.mkdir(exist_ok=True)
        architecture = run("dpkg", "--print-architecture").strip()
        target = DIST / f"envision-worker_{debian_version()}_{architecture}.deb"
        build = ("dpkg-deb", "--root-owner-group", "-Zxz", "-z2", "--build")
        run(*build, root, f"{target}.part", SOURCE_DATE_EPOCH=str(epoch()))
        Path(f"{target}.part").replace(target)
    return target


def install_program(root: Path, python: Python, interpreter: Path) -> str:
    """A virtual environment without pip, filled from the wheelhouse; returns the C library that it needs."""
    home = root / HOME
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python3").symlink_to(interpreter)
    (home / "lib" / interpreter.name / "site-packages").mkdir(parents=True)
    put(f"home = {DEBIAN_BIN}\ninclude-system-site-packages = false\nversion = {python.called}\n", home / "pyvenv.cfg")
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        own = wheel(Path(folder))
        wheels = wheelhouse(python)
        put(requirements(own), Path(folder, "requirements.txt"))
        inside = Python(home / "bin" / "python3", python.minor, python.machine)
        sources = ("--no-index", "--find-links", wheels, "--find-links", folder)
        pip(inside, "install", "--no-compile", *sources, "--require-hashes", "-r", Path(folder, "requirements.txt"))
        pip(inside, "check")
    for part in (home / "lib").glob("*/site-packages/pip*"):  # a library's own tool wants it, the worker doesn't
        shutil.rmtree(part)
    drop_scripts(home)
    put(_LAUNCHER, home / "bin" / "envision-worker", 0o755)
    return oldest_glibc(wheels)


def drop_scripts(home: Path) -> None:
    """Take the libraries' commands away: nobody asked for them, and they name the folder that this was built in."""
    for script in (home / "bin").iterdir():
        if script.name != "python3":
            script.unlink()
    for record in home.glob("lib/*/site-packages/*.dist-info/RECORD"):
        lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
        put("".join(line for line in lines if not line.startswith("../../../bin/")), record)


def install_files(root: Path) -> None:
    """Everything beside the program."""
    (root / "usr/bin").mkdir()
    (root / "usr/bin/envision-worker").symlink_to(os.path.relpath(HOME / "bin/envision-worker", "usr/bin"))
    put(instance_example(), root / f"etc/envision-worker/{INSTANCE}.toml.example")
    for file in sorted((ROOT / "deploy" / "systemd").iterdir()):
        put(file.read_bytes(), root / systemd_place(file.name))
    doc = root / "usr/share/doc/envision-worker"
    for name, file in documents().items():
        if name == "CHANGELOG.md":
            put(gzip.compress(file.read_bytes(), mtime=epoch()), doc / "changelog.gz")
        elif name != "LICENSE":  # every Debian has it: copyright names the place
            put(file.read_bytes(), doc / name)
    for name, file in examples().items():
        put(file.read_bytes(), doc / "examples" / name)
    put((HERE / "copyright").read_text(encoding="utf-8") + "\n".join(bundled(root)) + "\n", doc / "copyright")


def systemd_place(name: str) -> str:
    """Where a file of deploy/systemd belongs."""
    for kind in ("sysusers", "tmpfiles"):
        if name.endswith(f".{kind}.conf"):
            return f"usr/lib/{kind}.d/{name.removesuffix(f'.{kind}.conf')}.conf"
    return f"usr/lib/systemd/system/{name}"


def bundled(root: Path) -> list[str]:
    """What the package holds of others: name, version and licence, as their metadata tells."""
    lines = []
    for metadata in sorted((root / HOME).glob("lib/*/site-packages/*.dist-info/METADATA")):
        told = HeaderParser().parsestr(metadata.read_text(encoding="utf-8"))
        classifiers = [each for each in told.get_all("Classifier", []) if each.startswith("License :: ")]
        licence = told["License-Expression"] or ", ".join(each.rsplit(" :: ")[-1] for each in classifiers)
        if told["Name"] != "envision-worker":
            lines.append(f" {told['Name']} {told['Version']}: {licence or 'see its own folder'}")
    return lines


def settle_times(root: Path) -> None:
    """One time for every file: two builds are the same, and Python takes what is compiled for what is unpacked."""
    for file in [root, *root.rglob("*")]:
        os.utime(file, (epoch(), epoch()), follow_symlinks=False)


def compile_program(root: Path, interpreter: Path) -> None:
    """Byte code for every module, naming the places in which they will lie: nobody can write it there later."""
    options = ("-q", "-j", "0", "-s", root, "-p", "/")
    run(interpreter, "-m", "compileall", *options, root / HOME / "lib", PYTHONHASHSEED="0")


def describe(root: Path, python: Python, glibc: str) -> None:
    """What dpkg wants to know: control, conffiles, check sums, and what to do before and after."""
    files = sorted(file for file in root.rglob("*") if file.is_file() and not file.is_symlink())
    conffiles = [f"/{file.relative_to(root)}" for file in files if file.is_relative_to(root / "etc")]
    sums = [f"{hashlib.md5(file.read_bytes()).hexdigest()}  {file.relative_to(root)}" for file in files]  # noqa: S324 - dpkg's format
    template = (HERE / "control").read_text(encoding="utf-8")
    control = template.format(
        version=debian_version(),
        maintainer=maintainer(),
        architecture=run("dpkg", "--print-architecture").strip(),
        kilobytes=sum(file.stat().st_size for file in files) // 1024,
        this=python.called,
        next=f"{python.minor[0]}.{python.minor[1] + 1}",
        glibc=glibc,
    )
    put(control, root / "DEBIAN/control")
    put("\n".join(conffiles) + "\n", root / "DEBIAN/conffiles")
    put("\n".join(line for line in sums if "  etc/" not in line) + "\n", root / "DEBIAN/md5sums")
    for script in SCRIPTS:
        put((HERE / script).read_bytes(), root / "DEBIAN" / script, 0o755)


def maintainer() -> str:
    """Who answers for this package: who builds it, as Debian's tools are told (DEBFULLNAME, DEBEMAIL); else whoever installs it."""
    return f"{os.environ.get('DEBFULLNAME', 'envision-worker')} <{os.environ.get('DEBEMAIL', 'root@localhost')}>"


def debian_version() -> str:
    """As Debian orders versions: what comes before a release has a tilde."""
    return re.sub(r"\.?(a|b|rc|dev)(\d+)", r"~\1\2", version()).replace("+", "+local")
