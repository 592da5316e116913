"""Whatever the file and the environment hold: a configuration, or faults by key; never another error."""

import json
import tempfile
from pathlib import Path
from typing import Any

from configurations import EXAMPLE, MINIMAL
from hypothesis import given, settings
from hypothesis import strategies as st

from envision_worker.config.advice import warnings
from envision_worker.config.desk_names import names_on_desk
from envision_worker.config.faults import ConfigFaults
from envision_worker.config.load import load
from envision_worker.config.model import Config
from envision_worker.config.shape import Shape


def _paths(shape: Shape, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner = [(*path, key) for key in shape.keys]
    return inner + [each for key, below in shape.children.items() for each in _paths(below, (*path, key))]


KNOWN = _paths(Shape.of(Config))
WORDS = sorted(
    {word for path in KNOWN for word in path} | {"manageengine", "halo", "cloud", "Change", "sqlite:////x/y"}
)

texts = (
    st.text(max_size=20) | st.sampled_from(WORDS) | st.sampled_from(["1:1", "a@b.c", "https://x", "/dev/null", "UTC"])
)
scalars = texts | st.booleans() | st.integers() | st.floats(width=32)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)


def as_toml(value: Any) -> str:
    """The value in TOML; JSON's strings are TOML's, save for DEL and halves of surrogates, which are left out here."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        clean = "".join(each for each in value if each != "\x7f" and not "\ud800" <= each <= "\udfff")
        return json.dumps(clean, ensure_ascii=False)
    if isinstance(value, float | int):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(as_toml(each) for each in value)}]"
    return f"{{ {', '.join(f'{as_toml(key)} = {as_toml(each)}' for key, each in value.items())} }}"


def loaded(data: bytes, environ: dict[str, str]) -> Config | ConfigFaults:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "worker.toml"
        (file.parent / "ensono-api-key").write_text("k")
        (file.parent / "sdp-authtoken").write_text("t")
        file.write_bytes(data)
        try:
            return load(file, environ)
        except ConfigFaults as faults:
            return faults


def is_config_or_faults(result: Config | ConfigFaults) -> None:
    if isinstance(result, Config):
        warnings(result)
        names_on_desk(result)
        return
    assert result.faults
    for line in map(str, result.faults):
        assert ": " in line
        assert line.isprintable(), repr(line)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    is_config_or_faults(loaded(data, {}))


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(texts, values, max_size=5))
def test_any_tables(tables: dict[str, Any]) -> None:
    data = "\n".join(f"{as_toml(key)} = {as_toml(value)}" for key, value in tables.items())
    is_config_or_faults(loaded(data.encode("utf-8"), {}))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(KNOWN), values), max_size=3))
def test_any_value_under_any_known_key_of_a_good_file(changes: list[tuple[tuple[str, ...], Any]]) -> None:
    environ = {f"ENVISION_WORKER__{'__'.join(path)}".upper(): as_toml(value) for path, value in changes}
    is_config_or_faults(loaded(MINIMAL.encode(), environ))


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(st.lists(texts, max_size=4).map(tuple), st.text(max_size=30), max_size=3))
def test_any_variables(variables: dict[tuple[str, ...], str]) -> None:
    environ = {f"ENVISION_WORKER__{'__'.join(path)}": text for path, text in variables.items()}
    is_config_or_faults(loaded(MINIMAL.encode(), environ))


@settings(deadline=None, max_examples=100)
@given(st.integers(min_value=0), st.binary(max_size=4))
def test_the_example_with_some_bytes_spoilt(place: int, junk: bytes) -> None:
    data = EXAMPLE.read_bytes()
    place %= len(data)
    is_config_or_faults(loaded(data[:place] + junk + data[place + len(junk) :], {}))
