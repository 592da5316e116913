"""The configuration of a world's worker, read from a file as a real one is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from envision_worker.config.load import load
from envision_worker.config.model import Config
from envision_worker.simulators.manageengine.keys import Credentials

Edition = Literal["on_premises", "cloud"]

API_KEY = "simulated-api-key"
AUTH_TOKEN = "simulated-authtoken"
NUMBER_FIELD = {"on_premises": ("udf_sline_301", "udf_sline_501"), "cloud": ("udf_char1", "udf_char1")}
REQUESTER = "ensono@example.com"
MAPPING: dict[str, dict[str, Any]] = {
    "status": {},
    "priority": {"1": "High", "2": "High", "3": "Medium", "4": "Low"},
    "closure_code": {"resolved": "Success", "resolved*": "Success", "Successful": "Success", "Unsuccessful": "Failed"},
    "change_type": {"Normal": "Normal", "Standard": "Standard", "Emergency": "Emergency"},
    "change_state": {
        "Assess": {"stage": "CAB Evaluation", "status": "Approval Pending"},
        "Authorize": {"stage": "CAB Evaluation", "status": "Approved"},
        "Scheduled": {"stage": "Implementation", "status": "Approved"},
        "Implement": {"stage": "Implementation", "status": "In Progress"},
        "Review": {"stage": "Review", "status": "In Review"},
    },
}


def configured(folder: Path, edition: Edition, credentials: Credentials, settings: Mapping[str, Any]) -> Config:
    """A configuration for the simulators; `settings` by table comes before what stands here."""
    tables: dict[str, Any] = {
        "ensono": {
            "base_url": "https://smconnect.ensono.com/testclient57",
            "environment": "dev",
            "client_name": "testClient",
            "api_key": API_KEY,
        },
        "desk": _desk(edition, credentials),
        "attachments": {"spool_dir": str(folder / "spool")},
        "state": {"url": f"sqlite:///{folder / 'ledger.db'}"},
        "mapping": MAPPING,
    }
    for table, keys in settings.items():
        tables[table] = {**tables.get(table, {}), **keys}
    path = folder / "config.toml"
    path.write_text("\n".join(f"{key} = {_toml(value)}" for key, value in tables.items()), encoding="utf-8")
    return load(path, {})


def _desk(edition: Edition, credentials: Credentials) -> dict[str, Any]:
    request_field, change_field = NUMBER_FIELD[edition]
    desk = {
        "base_url": "https://sdp.example.com",
        "edition": edition,
        "ensono_number_field": request_field,
        "ensono_change_number_field": change_field,
        "default_requester": {"email_id": REQUESTER},
    }
    if edition == "on_premises":
        return desk | {"auth_token": AUTH_TOKEN}
    return desk | {
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
        "refresh_token": credentials.refresh_token,
        "accounts_url": "https://sdp.example.com",
        "portal": "itdesk",
    }


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(str(key))} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    return json.dumps(value)
