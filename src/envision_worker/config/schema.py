"""The JSON Schema of the configuration file, for editors: `python -m envision_worker.config.schema EXAMPLE`.

The models say which keys there are; the comments of the example configuration say what they mean, so that every key is explained once.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from envision_worker.config.faults import dotted
from envision_worker.config.model import Config
from envision_worker.config.shape import FILE_SUFFIX, Shape

_TABLE = re.compile(r"#?\[(?P<name>[\w.]+)\]")
_KEY = re.compile(r'#?(?P<name>[\w-]+|"[^"]+") = ')


def comments(example: str) -> dict[str, str]:
    """The comment above each key and table of a TOML text, by dotted key.

    A key that is commented out begins right after its `#`; a comment has a blank there.
    """
    told: dict[str, str] = {}
    table, above = "", []
    for line in example.splitlines():
        if line.startswith("# "):
            above.append(line.removeprefix("# "))
            continue
        if found := _TABLE.match(line):
            table = found["name"]
            told[table] = " ".join(above)
        elif found := _KEY.match(line):
            told[f"{table}.{found['name']}"] = " ".join(above)
        above = []
    return {key: text for key, text in told.items() if text}


def schema(explained: Mapping[str, str]) -> dict[str, Any]:
    """The schema of the file: the models' one, with `x_file` beside each secret `x` and the descriptions given by dotted key."""
    whole = _without_null(Config.model_json_schema())
    definitions = whole["$defs"]
    for path, node in _tables(whole, definitions, ()):
        _explain(node, path, explained)
    for node in definitions.values():
        _offer_files(node, Shape((node,), definitions).secrets)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of envision-worker",
        **whole,
    }


def _tables(
    node: dict[str, Any], definitions: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every table with keys of its own, and where it stands; lists and free tables hold none that stand at one place."""
    yield path, node
    for key, value in node.get("properties", {}).items():
        for reference in (value, *value.get("anyOf", ())):
            if "$ref" in reference:
                below = definitions[reference["$ref"].rpartition("/")[2]]
                yield from _tables(below, definitions, (*path, key))


def _without_null(node: Any) -> Any:
    """The schema without what TOML can't say (null) and what an editor has no use for (class names and their docstrings)."""
    if isinstance(node, list):
        return [_without_null(one) for one in node if one != {"type": "null"}]
    if not isinstance(node, dict):
        return node
    kept = {key: _without_null(value) for key, value in node.items() if value is not None}
    if isinstance(kept.get("title"), str):
        del kept["title"]
    if len(kept.get("anyOf", ())) == 1:
        kept |= kept.pop("anyOf")[0]
    if "properties" in kept:
        kept.pop("description", None)
    return kept


def _explain(node: dict[str, Any], path: tuple[str, ...], explained: Mapping[str, str]) -> None:
    for key, value in node.get("properties", {}).items():
        names = (dotted((*path, key)), dotted((*path, key + FILE_SUFFIX)))
        told = next((explained[name] for name in names if name in explained), None)
        if told:
            value["description"] = told


def _offer_files(node: dict[str, Any], secrets: tuple[str, ...]) -> None:
    """A secret may stand in the file itself or be named by `x_file`; one that is required needs one of the two."""
    for name in secrets:
        text = f"Name of a file that holds {name}; a relative one is looked up in $CREDENTIALS_DIRECTORY, then beside this file."
        node["properties"][name + FILE_SUFFIX] = {"type": "string", "minLength": 1, "description": text}
        if name in node.get("required", ()):
            node["required"].remove(name)
            either = {"oneOf": [{"required": [name]}, {"required": [name + FILE_SUFFIX]}]}
            node.setdefault("allOf", []).append(either)
        else:
            node.setdefault("allOf", []).append({"not": {"required": [name, name + FILE_SUFFIX]}})


def main(arguments: list[str]) -> None:
    """Write the schema to stdout, explained by the example configuration named by the only argument."""
    (example,) = arguments
    explained = comments(Path(example).read_text("utf-8"))
    sys.stdout.write(json.dumps(schema(explained), indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
