import re
import subprocess
from pathlib import Path
from typing import Any, Protocol

import promql_parser
import pytest
import yaml

from envision_worker.telemetry.metrics import Metrics

pytestmark = pytest.mark.timeout(300)  # the first run fetches Prometheus


class Prometheus(Protocol):
    promtool: Path


@pytest.fixture(scope="module")
def rules(root: Path) -> list[dict[str, Any]]:
    groups = yaml.safe_load((root / "deploy/prometheus/envision-worker.rules.yml").read_text(encoding="utf-8"))[
        "groups"
    ]
    return [rule for group in groups for rule in group["rules"]]


def metrics_in(expression: str) -> set[str]:
    """The metric names of a PromQL expression; fails where it can't be parsed."""
    parsed = promql_parser.parse(expression)
    return set(re.findall(r"\b(?:envision_\w+|process_\w+|up)\b(?=[{\[ )]|$)", parsed.prettify()))


def promtool(prometheus: Prometheus, *arguments: str, cwd: Path) -> None:
    done = subprocess.run([prometheus.promtool, *arguments], cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_no_fault_in_the_rules(prometheus: Prometheus, root: Path) -> None:
    promtool(
        prometheus,
        "check",
        "rules",
        "--lint=all",
        "--lint-fatal",
        "envision-worker.rules.yml",
        cwd=root / "deploy/prometheus",
    )


def test_the_staged_scenarios_fire_and_stay_quiet(prometheus: Prometheus, root: Path) -> None:
    folder = root / "deploy/prometheus"
    promtool(prometheus, "test", "rules", *sorted(file.name for file in folder.glob("*_test.yml")), cwd=folder)


def test_promtool_finds_no_fault_in_the_exposed_metrics(prometheus: Prometheus) -> None:
    body, _ = Metrics("1.0").exposition("")
    done = subprocess.run([prometheus.promtool, "check", "metrics"], input=body, capture_output=True, check=False)  # noqa: S603 - fixed arguments
    assert done.returncode == 0, done.stderr.decode()


def test_every_alert_is_staged_once_at_least(rules: list[dict[str, Any]], root: Path) -> None:
    staged = "".join(file.read_text(encoding="utf-8") for file in (root / "deploy/prometheus").glob("*_test.yml"))
    assert [rule["alert"] for rule in rules if f'"{rule["alert"]}"' not in staged] == []


def test_every_alert_asks_for_metrics_that_exist(rules: list[dict[str, Any]]) -> None:
    exposed = {each.name for each in Metrics("1.0").definitions} | {"up"}
    for rule in rules:
        asked = metrics_in(rule["expr"])
        assert asked, rule["alert"]
        assert asked <= exposed, rule["alert"]


def test_every_alert_says_how_bad_it_is_what_it_is_and_where_to_read_on(rules: list[dict[str, Any]]) -> None:
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        notes = rule["annotations"]
        assert set(notes) == {"summary", "description", "runbook_url"}
        assert notes["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert "{{" not in notes["summary"], "a summary is the same for every series"
        assert "$labels.instance" in notes["description"]


def test_ensonos_alarms_are_mirrored_as_agreed(rules: list[dict[str, Any]]) -> None:
    expressions = {rule["alert"]: (rule["expr"], rule.get("for")) for rule in rules}
    drained = "time() - last_over_time(envision_queue_last_drained_timestamp_seconds[4d])"
    watermark = "time() - last_over_time(envision_queue_watermark_timestamp_seconds[4d])"
    assert expressions["EnvisionQueueUnread"] == (f"{drained} > 1800", None)
    assert expressions["EnvisionQueueAge"] == (f"{watermark} > 3600", None)


def test_the_example_inhibitions_name_alerts_that_exist(rules: list[dict[str, Any]], root: Path) -> None:
    example = yaml.safe_load((root / "deploy/prometheus/alertmanager.example.yml").read_text(encoding="utf-8"))
    matchers = [m for rule in example["inhibit_rules"] for m in rule["source_matchers"] + rule["target_matchers"]]
    named = set(re.findall(r"\bEnvision\w+", " ".join(matchers)))
    assert named
    assert named <= {rule["alert"] for rule in rules}


def test_the_example_scrapes_under_the_name_that_the_rules_ask_for(rules: list[dict[str, Any]], root: Path) -> None:
    example = yaml.safe_load((root / "deploy/prometheus/scrape.example.yml").read_text(encoding="utf-8"))
    [job] = {job["job_name"] for job in example["scrape_configs"]}
    asked = {name for rule in rules for name in re.findall(r'job="([^"]+)"', rule["expr"])}
    assert asked == {job}
