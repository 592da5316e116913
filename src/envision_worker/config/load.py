"""From a TOML file and the environment to a `Config`, or to every fault at once."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from envision_worker.config import paths, secret_files, validation
from envision_worker.config.environment import Overlay, overlay
from envision_worker.config.faults import ConfigFaults, Fault, Finding, KeyPath, did_you_mean, dotted, one_line
from envision_worker.config.model import Config
from envision_worker.config.shape import FILE_SUFFIX, Shape
from envision_worker.config.toml import read_tables
from envision_worker.desks.table import LATER, PRODUCTS


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration of this file, with what the environment says on top.

    Args:
        path: the TOML file; relative secret files, `ca_file` and directories in it are meant beside it.
        environ: `ENVISION_WORKER__*` sets keys, `CREDENTIALS_DIRECTORY` is where secret files are looked for first.

    Raises:
        ConfigFaults: all that is wrong; nothing else is raised, whatever the file or the environment holds.
    """
    tables = read_tables(path)
    shape = shape_of_config()
    done = overlay(tables, environ, shape)
    found = [
        *done.findings,
        *_other_desk(tables),
        *_unusable(tables),
        *secret_files.fill_in(tables, shape, secret_files.folders(path, environ)),
        *paths.settle(tables, shape, path.absolute().parent),
    ]
    config, wrong = _validated(tables, shape)
    found += [finding for finding in wrong if not _told(finding.path, found)]
    if config is None or found:
        raise ConfigFaults(_in_order(found, shape, done))
    return config


@cache
def shape_of_config() -> Shape:
    """What a configuration may hold; worked out once, when it is first needed."""
    return Shape.of(Config)


def _validated(tables: dict[str, Any], shape: Shape) -> tuple[Config | None, tuple[Finding, ...]]:
    """The models' opinion. Read as JSON, where strict types mean TOML's: text is no number, a list may become a tuple."""
    whole = {section: {} for section in shape.keys} | tables
    try:
        return Config.model_validate_json(json.dumps(whole, default=str), strict=True), ()
    except ValidationError as error:
        return None, tuple(validation.findings(error, whole, shape))


def _other_desk(tables: dict[str, Any]) -> Iterator[Finding]:
    """A kind of desk that this version doesn't have; what stands beside one of a later version is not looked at."""
    desk = tables.get("desk")
    kind = desk.get("kind") if isinstance(desk, dict) else None
    if not isinstance(kind, str) or kind in PRODUCTS:
        return
    if kind in LATER:
        tables["desk"] = {}
        known = ", ".join(sorted(PRODUCTS))
        yield Finding(("desk", "kind"), f"{LATER[kind]} is not in this version; known here: {known}", covers_table=True)
    else:
        yield Finding(("desk", "kind"), f"unknown kind of desk{did_you_mean(kind, [*PRODUCTS, *LATER])}")


def _unusable(value: Any, path: KeyPath = ()) -> Iterator[Finding]:
    """What TOML knows and no key takes: dates, times, infinity and not-a-number."""
    if isinstance(value, date | time):
        yield Finding(path, "should not be a date or time of TOML: no key takes one; put text in quotes")
    elif isinstance(value, float) and not math.isfinite(value):
        yield Finding(path, "should be a finite number")
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield from _unusable(below, (*path, key))


def _told(path: KeyPath, found: Iterable[Finding]) -> bool:
    """Whether something is known to be wrong at this place or around it; what follows from that is no news.

    What is wrong with `x_file` is wrong with the secret `x`.
    """
    known = (finding.path[:-1] if finding.covers_table else finding.path for finding in found)
    return any(place in (path[: len(place)], _file_of(path)) for place in known)


def _file_of(path: KeyPath) -> KeyPath:
    return (*path[:-1], f"{path[-1]}{FILE_SUFFIX}") if path else path


def _in_order(found: Iterable[Finding], shape: Shape, done: Overlay) -> list[Fault]:
    """The findings in words, in the order of the sections, each once."""
    sections = {section: number for number, section in enumerate(shape.keys)}
    ordered = sorted(
        found, key=lambda finding: sections.get(str(finding.path[0]), len(sections)) if finding.path else -1
    )
    return list(dict.fromkeys(_fault(finding, done) for finding in ordered))


def _fault(finding: Finding, done: Overlay) -> Fault:
    variable = done.variable(finding.path)
    source = f" (environment variable {variable})" if variable else ""
    return Fault(dotted(finding.path), one_line(f"{finding.problem}{source}"))
