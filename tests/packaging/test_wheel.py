import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import urllib.request
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

SAMPLES = "envision_worker/simulators/ensono/samples"


@pytest.fixture(scope="session")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built as `make wheel` builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    build(root, folder)
    [made] = folder.glob("*.whl")
    return made


def build(root: Path, folder: Path) -> None:
    command = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    subprocess.run(command, cwd=root, check=True, capture_output=True)  # noqa: S603 - our own program


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command in a fresh virtual environment that has the wheel and sees the locked libraries, and not this checkout."""
    venv = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)  # noqa: S603 - the standard library's
    pip = (sys.executable, "-m", "pip", "--python", venv / "bin/python")
    options = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")
    subprocess.run((*pip, "install", *options, wheel), check=True)  # noqa: S603 - from a file
    [libraries] = venv.glob("lib/python*/site-packages")
    # A path in a .pth file is no place for .pth files, so the editable install of this checkout is not seen.
    (libraries / "locked.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return venv / "bin" / "envision-worker"


def run(*command: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **environ}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=50, cwd="/", env=environment)  # noqa: S603 - ours


def test_it_holds_every_file_of_the_package_and_nothing_else(wheel: Path, root: Path) -> None:
    source = root / "src"
    wanted = {
        str(file.relative_to(source))
        for file in (source / "envision_worker").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc"
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == wanted
    assert "envision_worker/py.typed" in held
    assert len([name for name in held if name.startswith(f"{SAMPLES}/")]) == len(list((source / SAMPLES).iterdir()))


def test_it_names_its_licence_its_python_and_its_libraries(wheel: Path, root: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        told = HeaderParser().parsestr(archive.read(name).decode())
        licences = [name for name in archive.namelist() if name.endswith("/LICENSE")]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert told["Version"] == project["version"]
    assert (told["License-Expression"], told["Requires-Python"]) == ("Apache-2.0", ">=3.11")
    assert len(told.get_all("Requires-Dist", [])) == len(project["dependencies"])
    assert len(licences) == 1


def test_building_it_twice_gives_the_same_bytes(wheel: Path, root: Path, tmp_path: Path) -> None:
    build(root, tmp_path)
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_a_fresh_environment_runs_it_and_not_this_checkout(installed: Path, root: Path) -> None:
    done = run(installed, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    where = "import envision_worker; print(envision_worker.__file__)"
    assert str(root / "src") not in run(installed.with_name("python"), "-c", where).stdout


def test_it_checks_the_example_configuration_from_there(installed: Path, root: Path) -> None:
    done = run(installed, "check", "--config", root / "config/envision-worker.example.toml")
    assert done.returncode == 78
    assert "ensono.api_key_file" in done.stdout


def test_the_worker_starts_there_and_carries_every_transaction_type(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "demo", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "e-CHG" in done.stdout


def test_the_simulated_queue_holds_the_guides_samples_there_too(installed: Path) -> None:
    with subprocess.Popen([installed, "simulate", "ensono"], stdout=subprocess.PIPE, text=True, cwd="/") as simulator:  # noqa: S603 - ours
        assert simulator.stdout is not None
        url = re.search(r"http://127\.0\.0\.1:\d+", simulator.stdout.readline())
        assert url is not None
        with urllib.request.urlopen(f"{url[0]}/_simulator/queue", timeout=20) as answer:  # noqa: S310 - on loopback
            queue = answer.read().decode()
        simulator.terminate()
    assert simulator.returncode == 0
    assert "e-CS0879727" in queue
