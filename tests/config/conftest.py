"""A folder with the secret files of a configuration that works, and ways to load others in it."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from configurations import API_KEY, AUTH_TOKEN, MINIMAL, Faults, Load

from envision_worker.config.faults import ConfigFaults
from envision_worker.config.load import load
from envision_worker.config.model import Config


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ensono-api-key").write_text(f"{API_KEY}\n")
    (tmp_path / "sdp-authtoken").write_text(AUTH_TOKEN)
    return tmp_path


@pytest.fixture
def load_text(folder: Path) -> Load:
    def load_it(text: str = MINIMAL, **environ: str) -> Config:
        file = folder / "worker.toml"
        file.write_text(text, "utf-8")
        return load(file, environ)

    return load_it


@pytest.fixture
def faults_of(load_text: Load) -> Faults:
    def faults(text: str = MINIMAL, **environ: str) -> Mapping[str, str]:
        with pytest.raises(ConfigFaults) as raised:
            load_text(text, **environ)
        found = dict(raised.value.faults)
        assert len(found) == len(raised.value.faults), "no key has two faults in these tests"
        return found

    return faults
