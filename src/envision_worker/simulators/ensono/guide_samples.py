"""The guide's sample messages, as files beside this one."""

import json
from importlib import resources
from typing import Any


def samples() -> dict[str, dict[str, Any]]:
    """Every sample by its name (`incident-create`), in order of SentTimestamp."""
    found = resources.files(__package__).joinpath("samples")
    read = {path.name.removesuffix(".json"): json.loads(path.read_text("utf-8")) for path in found.iterdir()}
    return dict(sorted(read.items(), key=lambda item: int(item[1]["Attributes"]["SentTimestamp"])))
