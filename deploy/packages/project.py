"""The project that is packed: where its files are, its version, its time, and the example configuration of one instance."""

import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "packages"
DIST = ROOT / "dist"
LOCK = ROOT / "requirements.lock"

INSTANCE = "prod"
"""The instance that the example configuration is for, as in the documents."""

_NO_GIT_EPOCH = 1735689600  # 2025-01-01: any fixed time does, so that two builds of the same files are the same


class CannotBuild(Exception):
    """Something that the build needs is not there; says what, and how to get it."""


def run(*command: str | Path, folder: Path = ROOT, **environment: str) -> str:
    """What a command prints. Raises `CannotBuild` with its last words where it fails."""
    done = subprocess.run(  # noqa: S603 - our own commands
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        words = (done.stderr or done.stdout).strip()[-2000:]
        raise CannotBuild(f"{' '.join(map(str, command[:4]))} … failed:\n{words}")
    return done.stdout


@cache
def version() -> str:
    """The project's version, as pyproject.toml has it."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        told: str = tomllib.load(file)["project"]["version"]
    return told


@cache
def epoch() -> int:
    """The time that everything packed gets: SOURCE_DATE_EPOCH, else the last commit's, else a fixed one."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    try:
        return int(run("git", "log", "-1", "--format=%ct"))
    except (CannotBuild, OSError, ValueError):
        return _NO_GIT_EPOCH


def wheel(folder: Path) -> Path:
    """Build the wheel into this folder: by the hatchling that is installed here, so nothing is fetched."""
    folder.mkdir(parents=True, exist_ok=True)
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, SOURCE_DATE_EPOCH=str(epoch()))
    return folder / f"envision_worker-{version()}-py3-none-any.whl"


_STATE = f"/var/lib/envision-worker/{INSTANCE}"
_FOR_ONE_INSTANCE = (
    (
        r"\A#:schema .*\n#\n",
        (
            f"# For one instance of the unit, called {INSTANCE}: cp {INSTANCE}.toml.example {INSTANCE}.toml, change what is yours, then\n"
            f"# `envision-worker check --config /etc/envision-worker/{INSTANCE}.toml`. Another instance has its own name in every place where\n"
            f"# {INSTANCE} stands here, and its own [http].listen.\n#\n"
        ),
    ),
    (r'^environment = "dev"$', f'environment = "{INSTANCE}"'),
    (r'^(#?\w+_file = ")(ensono-api-key|sdp-[a-z-]+|hook-secret)"$', rf'\1{INSTANCE}.\2"'),
    (r'^#(spool_dir = ")/var/lib/envision-worker/spool"$', rf'\1{_STATE}/spool"'),
    (r'^#(url = "sqlite:///)/var/lib/envision-worker/ledger\.db"$', rf'\1{_STATE}/ledger.db"'),
    (
        r"^(# Directory where files wait until they are attached\.) Default: .*$",
        rf"\1 The unit may write below {_STATE} alone.",
    ),
    (
        r"^(# The ledger's file, by its absolute path\. .*) Default: as shown\.$",
        rf"\1 The unit may write below {_STATE} alone.",
    ),
)
_SECRETS = 5


def instance_example() -> str:
    """The example configuration as one instance of the unit wants it: state, spool and secrets under the instance's name."""
    text = (ROOT / "config" / "envision-worker.example.toml").read_text(encoding="utf-8")
    for pattern, replacement in _FOR_ONE_INSTANCE:
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        expected = _SECRETS if "_file" in pattern else 1
        if count != expected:
            raise CannotBuild(f"the example configuration has {count} lines like {pattern}, not {expected}")
    return text


DOCUMENTS = ("README.md", "CHANGELOG.md", "LICENSE", "docs/*.md", "docs/decisions/*.md")
EXAMPLES = (
    "config/envision-worker.example.toml",
    "config/envision-worker.schema.json",
    "deploy/prometheus/*",
    "deploy/grafana/*.json",
    "deploy/grafana/provisioning/*/*",
)


def documents() -> dict[str, Path]:
    """Files for the folder of documents, by their name in it: what is in docs/ lies beside README.md there."""
    found = sorted(file for pattern in DOCUMENTS for file in ROOT.glob(pattern))
    return {str(file.relative_to(ROOT)).removeprefix("docs/"): file for file in found}


def examples() -> dict[str, Path]:
    """Files for the folder of examples: configuration with its schema, Prometheus' rules, Grafana's dashboard."""
    found = sorted(file for pattern in EXAMPLES for file in ROOT.glob(pattern) if not file.name.endswith("_test.yml"))
    return {str(file.relative_to(ROOT)).removeprefix("deploy/").removeprefix("config/"): file for file in found}


def put(text: str | bytes, place: Path, mode: int = 0o644) -> None:
    """Write a file, with the folders above it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(text.encode() if isinstance(text, str) else text)
    place.chmod(mode)
