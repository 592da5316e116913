import json
import re
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from envision_worker.telemetry.metrics import Metrics

ROWS = ["Is it fine?", "Queue", "Tickets", "Desk", "Ensono", "Dead letters and approvals", "Process"]
UNITS = {"short", "s", "bytes", "cps", "reqps", "percentunit"}
PROCESS = {
    "process_cpu_seconds_total": "counter",
    "process_resident_memory_bytes": "gauge",
    "process_open_fds": "gauge",
}
FROM_PROMETHEUS = {"up": "gauge", "ALERTS": "gauge"}


@pytest.fixture(scope="module")
def dashboard(root: Path) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((root / "deploy/grafana/envision-worker.json").read_text(encoding="utf-8"))
    return parsed


@pytest.fixture(scope="module")
def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


@pytest.fixture(scope="module")
def types() -> dict[str, str]:
    return {each.name: each.type for each in Metrics("1.0").definitions} | PROCESS | FROM_PROMETHEUS


def expressions(panel: dict[str, Any]) -> list[str]:
    """The panel's PromQL with Grafana's variables filled in."""
    return [target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".+") for target in panel["targets"]]


def series_in(expression: str) -> list[tuple[str, str]]:
    """Each series' name, with the function that is applied to its range, or nothing."""
    plain = promql_parser.parse(expression).prettify().replace("\n", " ")
    found = re.findall(r"(?:(\w+)\( *)?\b((?:envision|process)_\w+|up|ALERTS)\b *(?=\{)", plain)
    return [(name, function) for function, name in found]


def metric_of(series: str, types: dict[str, str]) -> str:
    """The metric that a series belongs to: a histogram has several."""
    base = re.sub(r"_(bucket|sum|count)$", "", series)
    return base if types.get(base) == "histogram" else series


def test_the_committed_dashboard_is_what_the_generator_makes(root: Path, tmp_path: Path) -> None:
    for name in ("generate.py", "panels.yml"):
        shutil.copy(root / "deploy/grafana" / name, tmp_path)
    subprocess.run([sys.executable, tmp_path / "generate.py"], check=True)  # noqa: S603 - our own script
    committed = (root / "deploy/grafana/envision-worker.json").read_text(encoding="utf-8")
    assert (tmp_path / "envision-worker.json").read_text(encoding="utf-8") == committed, (
        "run deploy/grafana/generate.py"
    )


def test_the_rows_go_from_is_it_fine_to_the_process(dashboard: dict[str, Any]) -> None:
    assert [panel["title"] for panel in dashboard["panels"] if panel["type"] == "row"] == ROWS


def test_every_panel_has_an_id_of_its_own_a_title_a_description_and_a_unit(
    dashboard: dict[str, Any], panels: list[dict[str, Any]]
) -> None:
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["targets"], panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_no_panel_covers_another_or_stands_outside(dashboard: dict[str, Any]) -> None:
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


def test_every_query_goes_to_the_chosen_datasource_and_worker(
    dashboard: dict[str, Any], panels: list[dict[str, Any]]
) -> None:
    assert [variable["name"] for variable in dashboard["templating"]["list"]] == ["datasource", "instance"]
    for panel in panels:
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            selectors = target["expr"].count("{")
            assert selectors == target["expr"].count('instance=~"$instance'), target["expr"]


def test_every_query_parses_and_asks_for_a_metric_that_exists(
    panels: list[dict[str, Any]], types: dict[str, str]
) -> None:
    for panel in panels:
        for expression in expressions(panel):
            series = series_in(expression)
            assert series, expression
            for name, _ in series:
                assert metric_of(name, types) in types, name


def test_counters_are_shown_as_rates_and_gauges_are_not(panels: list[dict[str, Any]], types: dict[str, str]) -> None:
    for panel in panels:
        for expression in expressions(panel):
            for name, function in series_in(expression):
                counts = types[metric_of(name, types)] in {"counter", "histogram"}
                assert counts == (function in {"rate", "increase"}), expression


def test_every_label_that_is_grouped_by_is_one_of_its_metric(panels: list[dict[str, Any]]) -> None:
    labels = {each.name: set(each.labels) for each in Metrics("1.0").definitions}
    types = {each.name: each.type for each in Metrics("1.0").definitions}
    for panel in panels:
        for expression in expressions(panel):
            for grouped in re.findall(r"by \(([^)]*)\)", expression):
                [metric] = {metric_of(name, types) for name, _ in series_in(expression)}
                assert set(grouped.split(", ")) <= labels[metric] | {"le"}, expression


def test_the_first_row_knows_the_limits_of_ensonos_alarms(panels: list[dict[str, Any]]) -> None:
    limits = {
        panel["title"]: [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
        for panel in panels[:8]
    }
    assert (limits["Queue last empty"], limits["Age at Ensono"]) == ([None, 900, 1800], [None, 2400, 3600])
    assert all(panel["type"] == "stat" for panel in panels[:8])


@pytest.mark.parametrize("kind", ["dashboards/envision-worker.yml", "datasources/prometheus.yml"])
def test_the_provisioning_is_yaml_of_the_first_version(root: Path, kind: str) -> None:
    parsed = yaml.safe_load((root / "deploy/grafana/provisioning" / kind).read_text(encoding="utf-8"))
    assert parsed["apiVersion"] == 1
    assert len(parsed) == 2
