"""Configurations to load, and what loading them gives."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from envision_worker.config.model import Config

MINIMAL = """
[ensono]
base_url = "https://smconnect.ensono.com/testclient57"
environment = "dev"
client_name = "testClient"
api_key_file = "ensono-api-key"

[desk]
base_url = "https://sdp.example.com:8080"
auth_token_file = "sdp-authtoken"
ensono_number_field = "udf_sline_301"
ensono_change_number_field = "udf_sline_501"
default_requester = { email_id = "ensono@example.com" }
"""
"""Nothing but the keys that have no usable default."""

API_KEY = "Zk3vQ0-the-api-key-itself"
AUTH_TOKEN = "7E1C-the-authtoken-itself"

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config" / "envision-worker.example.toml"
SCHEMA = ROOT / "config" / "envision-worker.schema.json"


class Load(Protocol):
    """Loads a text from the folder, with keyword arguments as the environment."""

    def __call__(self, text: str = MINIMAL, **environ: str) -> Config: ...


class Faults(Protocol):
    """The faults of a text, problem by key."""

    def __call__(self, text: str = MINIMAL, **environ: str) -> Mapping[str, str]: ...
