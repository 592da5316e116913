"""The example configuration of one instance, as packages install it beside the unit."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from envision_worker.config.load import load

INSTANCE = "prod"
STATE = f"/var/lib/envision-worker/{INSTANCE}"


@pytest.fixture(scope="session")
def example(root: Path) -> str:
    """The packaged example, made of the project's by the builder."""
    program = "from packages.project import instance_example; print(instance_example(), end='')"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], cwd=root / "deploy", capture_output=True, text=True, check=True
    )
    return done.stdout


def credentials(root: Path) -> set[str]:
    """The credentials that the unit hands over, for this instance."""
    unit = (root / "deploy/systemd/envision-worker@.service").read_text(encoding="utf-8")
    return {name.replace("%i", INSTANCE) for name in re.findall(r"^LoadCredential=([^:]+):", unit, re.MULTILINE)}


def named_secrets(example: str) -> set[str]:
    return set(re.findall(r'^#?\w+_file = "(.*)"$', example.replace("\n#ca_file", "\n# no secret"), re.MULTILINE))


def test_its_secrets_are_the_credentials_of_the_unit(example: str, root: Path) -> None:
    assert named_secrets(example) == credentials(root)


def test_it_is_whole_once_its_secrets_are_there(example: str, tmp_path: Path) -> None:
    path = tmp_path / f"{INSTANCE}.toml"
    path.write_text(example, encoding="utf-8")
    for secret in named_secrets(example):
        (tmp_path / secret).write_text("x\n", encoding="utf-8")
    config = load(path, {})
    assert config.ensono.environment == INSTANCE
    assert str(config.state.path) == f"{STATE}/ledger.db"
    assert str(config.attachments.spool_dir) == f"{STATE}/spool"


def uncommented(text: str) -> dict[str, Any]:
    """Everything that it says or would say, were the examples in comments taken at their word."""
    kept = re.sub(r"^( *)#(\S.*)$", r"\1\2", text.partition("[ensono]")[2], flags=re.MULTILINE)
    return tomllib.loads(f"[ensono]{kept}")


def test_it_differs_from_the_projects_example_only_in_what_is_the_instances(example: str, root: Path) -> None:
    ours = uncommented(example)
    theirs = uncommented((root / "config/envision-worker.example.toml").read_text(encoding="utf-8"))
    different = {
        f"{section}.{key}"
        for section in theirs
        for key in theirs[section]
        if ours[section].get(key) != theirs[section][key]
    }
    assert different == {
        "ensono.api_key_file",
        "ensono.environment",
        "desk.auth_token_file",
        "desk.client_secret_file",
        "desk.refresh_token_file",
        "hooks.manageengine_secret_file",
        "attachments.spool_dir",
        "state.url",
    }
    assert ours.keys() == theirs.keys()
