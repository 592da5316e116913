import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from envision_worker.telemetry.metrics import Metrics

CONFIG = r"--config /etc/envision-worker/prod\.toml"
COMMANDS = [
    rf"check( --connect)? {CONFIG}",
    rf"(status|pause|resume) {CONFIG}",
    rf"history e-CS\d+ {CONFIG}",
    rf"dead-letters list {CONFIG}",
    rf"dead-letters (show|retry) e-CS\d+ {CONFIG}",
    rf'dead-letters discard e-CS\d+ --reason "[^"]+" {CONFIG}',
    rf"approvals list {CONFIG}",
    rf"approvals (show|resend) APPROVAL_ID {CONFIG}",
    rf'approvals decide APPROVAL_ID (approve|reject) --as \S+@\S+ --reason "[^"]+" {CONFIG}',
    rf"backup /\S+ {CONFIG}",
]
INCIDENTS = [
    "The desk is down",
    "A key was revoked",
    "A mapping is missing",
    "A poison message",
    "Ensono is down",
    "The clock is wrong",
    "The disk is full",
    "An attachment expired",
    "An approval was forgotten",
    "The worker is stuck",
]


@pytest.fixture(scope="module")
def runbook(root: Path) -> str:
    return (root / "docs/runbook.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def entries(runbook: str) -> dict[str, str]:
    """The text of each alert's entry, by its anchor."""
    parts = re.split(r"^##+ (.+)$", runbook, flags=re.MULTILINE)
    return {title.lower(): text for title, text in zip(parts[1::2], parts[2::2], strict=True)}


@pytest.fixture(scope="module")
def rules(root: Path) -> list[dict[str, Any]]:
    groups = yaml.safe_load((root / "deploy/prometheus/envision-worker.rules.yml").read_text(encoding="utf-8"))[
        "groups"
    ]
    return [rule for group in groups for rule in group["rules"]]


def test_every_alerts_link_leads_to_an_entry_and_every_entry_has_its_alert(
    entries: dict[str, str], rules: list[dict[str, Any]]
) -> None:
    linked = {rule["annotations"]["runbook_url"].partition("#")[2] for rule in rules}
    assert linked == {anchor for anchor in entries if anchor.startswith("envision")}


def test_every_entry_says_what_it_means_how_to_confirm_it_and_what_to_do(entries: dict[str, str]) -> None:
    for anchor, text in entries.items():
        if anchor.startswith("envision"):
            assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == ["Means", "Confirm", "Do"], anchor
            assert "```sh\n" in text, anchor


def test_every_command_is_one_that_the_worker_has(runbook: str) -> None:
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", runbook, re.DOTALL))
    commands = re.findall(r"^envision-worker (.+)$", blocks, re.MULTILINE)
    assert [command for command in commands if not any(re.fullmatch(known, command) for known in COMMANDS)] == []
    assert [known for known in COMMANDS if not any(re.fullmatch(known, command) for command in commands)] == []


def test_every_link_within_the_runbook_leads_somewhere(runbook: str, entries: dict[str, str], root: Path) -> None:
    assert set(re.findall(r"\]\(#([^)]+)\)", runbook)) <= set(entries)
    assert all((root / "docs" / target).exists() for target in re.findall(r"\]\(([a-z]+\.md)", runbook))


def test_the_ten_incidents_are_told_apart_by_alerts_and_events_that_exist(
    entries: dict[str, str], rules: list[dict[str, Any]], root: Path
) -> None:
    told = re.split(r"^\d+\. ", entries["ten incidents and how to tell them apart"], flags=re.MULTILINE)[1:]
    assert [each.partition("**")[2].partition(".**")[0] for each in told] == INCIDENTS
    alerts = {rule["alert"] for rule in rules}
    events = set(re.findall(r"^\| `(\w+)` \|", (root / "docs/logs.md").read_text(encoding="utf-8"), re.MULTILINE))
    for incident in told:
        words = set(re.findall(r"`(\w+)`", incident))
        assert words & alerts, incident
        assert words & events, incident
        assert words <= alerts | events, incident


def test_every_metric_that_the_texts_name_exists(root: Path) -> None:
    exposed = {each.name for each in Metrics("1.0").definitions}
    parts = {f"{each.name}_{part}" for each in Metrics("1.0").definitions for part in ("bucket", "count", "sum")}
    for name in ("runbook.md", "logs.md", "metrics.md"):
        named = set(re.findall(r"\benvision_[a-z_]+\b", (root / "docs" / name).read_text(encoding="utf-8")))
        assert named <= exposed | parts, name


def test_no_two_signs_of_the_incidents_are_the_same(entries: dict[str, str]) -> None:
    told = re.split(r"^\d+\. ", entries["ten incidents and how to tell them apart"], flags=re.MULTILINE)[1:]
    signs = [frozenset(re.findall(r"`(\w+)`", incident)) for incident in told]
    assert len(set(signs)) == len(INCIDENTS)
