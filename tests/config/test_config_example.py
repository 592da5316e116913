"""The example configuration and the JSON Schema for editors."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from configurations import EXAMPLE, MINIMAL, SCHEMA, Load
from pydantic import BaseModel

from envision_worker.config.model import Config
from envision_worker.config.schema import comments, schema
from envision_worker.config.shape import Shape

EXAMPLE_TEXT = EXAMPLE.read_text("utf-8")
LATER = "\n".join(
    line[1:] if line.startswith("#") and line[1:2] != " " else line for line in EXAMPLE_TEXT.splitlines()[1:]
)
"""The example with every key uncommented."""


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    return dict(json.loads(SCHEMA.read_text("utf-8")))


def keys(shape: Shape, path: str = "") -> Iterator[str]:
    for key, below in shape.children.items():
        yield f"{path}{key}"
        yield from keys(below, f"{path}{key}.")


def at(tables: Any, dotted: str) -> Any:
    """What stands under a key; a secret may stand there as `x_file`."""
    for part in dotted.split("."):
        tables = tables.get(part, tables.get(f"{part}_file")) if isinstance(tables, Mapping) else None
    return tables


def test_the_example_loads(load_text: Load) -> None:
    assert load_text(EXAMPLE_TEXT).ensono.client_name == "testClient"


def test_the_example_gives_nothing_but_what_has_no_default(load_text: Load) -> None:
    assert load_text(EXAMPLE_TEXT) == load_text(MINIMAL)


def test_the_example_names_its_schema_in_the_first_line() -> None:
    assert EXAMPLE_TEXT.splitlines()[0] == f"#:schema ./{SCHEMA.name}"


def test_the_example_mentions_every_key_with_a_comment() -> None:
    known = set(keys(Shape.of(Config)))
    told = comments(EXAMPLE_TEXT)
    assert known, "the models have keys"
    unmentioned = {key for key in known if at(tomllib.loads(LATER), key) is None}
    uncommented = {key for key in known if not told.get(key, told.get(f"{key}_file"))}
    assert unmentioned == set()
    assert uncommented - {"approvals.fallback_approver.email_id"} == set()


def test_the_example_mentions_no_key_that_is_unknown() -> None:
    shape = Shape.of(Config)
    for key in comments(EXAMPLE_TEXT):
        below: Shape | None = shape
        for part in key.split("."):
            below = below.at(part.strip('"')) if below else None
        assert below is not None, key


def defaults(model: BaseModel, path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in model.model_dump(mode="json", exclude_none=True).items():
        section = getattr(model, key)
        if isinstance(section, BaseModel):
            yield from defaults(section, f"{path}{key}.")
        elif value not in ({}, [], "**********"):
            yield f"{path}{key}", value


def test_the_values_shown_in_the_example_are_the_defaults(load_text: Load) -> None:
    shown = tomllib.loads(LATER)
    config = load_text(MINIMAL)
    found = dict(defaults(config))
    assert "queue.poll_interval_s" in found
    assert {key: at(shown, key) for key in found} == found


def test_the_schema_is_current(written: dict[str, Any]) -> None:
    assert written == schema(comments(EXAMPLE_TEXT)), "run `make schema`"


def test_the_schema_is_one_and_takes_the_example(written: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(written)
    validator = jsonschema.Draft202012Validator(written)
    assert not list(validator.iter_errors(tomllib.loads(EXAMPLE_TEXT)))
    assert not list(validator.iter_errors(tomllib.loads(MINIMAL)))


def test_the_schema_takes_every_key_of_the_example_uncommented(written: dict[str, Any]) -> None:
    assert not list(jsonschema.Draft202012Validator(written).iter_errors(tomllib.loads(LATER)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('environment = "dev"', 'environment = "test"'),
        ("client_name", "clientname"),
        ('api_key_file = "ensono-api-key"', ""),
        ('api_key_file = "ensono-api-key"', 'api_key_file = "a"\napi_key = "b"'),
        ("[desk]", "[queue]\npoll_interval_s = '30'\n[desk]"),
        ("[desk]", "[queue]\nvisibility_timeout_s = true\n[desk]"),
        ("[desk]", "[mapping.change_state]\nAssess = { stag = 'x' }\n[desk]"),
        ("[desk]", "[desks]"),
    ],
)
def test_the_schema_refuses_what_the_worker_refuses(written: dict[str, Any], old: str, new: str) -> None:
    spoilt = tomllib.loads(MINIMAL.replace(old, new))
    assert list(jsonschema.Draft202012Validator(written).iter_errors(spoilt))


def test_every_key_of_the_schema_is_described(written: dict[str, Any]) -> None:
    tables = {"": written, **written["$defs"]}
    bare = [
        f"{name}.{key}"
        for name, table in tables.items()
        for key, value in table.get("properties", {}).items()
        if not value.get("description")
    ]
    assert bare == []


def test_secrets_have_a_file_variant_in_the_schema(written: dict[str, Any]) -> None:
    assert {"api_key", "api_key_file"} <= written["$defs"]["EnsonoSettings"]["properties"].keys()
    assert {"manageengine_secret_file"} <= written["$defs"]["HooksSettings"]["properties"].keys()


def test_the_example_lies_where_the_documents_say() -> None:
    assert Path("config/envision-worker.example.toml") == EXAMPLE.relative_to(EXAMPLE.parents[1])
