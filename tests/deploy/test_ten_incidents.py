"""The runbook's ten incidents, each staged with the real worker between the simulators, and what a person is left with then.

A person has the dashboard, the log and the runbook. So for each incident: exactly the alerts fire that the runbook names there, the log
has the lines that it quotes, the dashboard's first row reads as it says, and no other incident looks the same.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from envision_worker.telemetry.metrics import Metrics
from worlds.incidents import (
    Scene,
    a_link_died_before_the_message_was_read,
    a_link_died_while_its_host_could_not_be_reached,
    a_mapping_is_missing,
    a_message_cant_be_read,
    an_approval_was_forgotten,
    ensono_is_down,
    ensonos_key_was_revoked,
    the_clock_is_ahead,
    the_clock_is_behind,
    the_desk_is_down,
    the_desk_refuses_a_message,
    the_desks_key_was_revoked,
    the_disk_is_full,
    the_process_hangs,
    the_reading_hangs,
    with_a_connection_that_may_hang,
)
from worlds.simulated import World
from worlds.virtual_time import in_virtual_time
from worlds.watched import Watched, fired, hold

pytestmark = pytest.mark.timeout(300)  # the first run fetches Prometheus

CALM_MIN = 10
"""Before each incident the worker works for so long as on any other day."""
OF_THE_PROCESS = {"daemon_started", "daemon_stopped"}
"""Events that only the whole program writes; tests/process and tests/packaging see them."""
FITTING = {"mapping": {"group": {"Ensono Support": "Network"}, "change_risk": {"High": "High"}}}
"""Nothing is unmapped but what an incident wants so."""


class Prometheus(Protocol):
    promtool: Path


@dataclass(frozen=True)
class Stage:
    """One way in which an incident shows.

    Attributes:
        scene: what happens.
        fires: the alerts that fire while it lasts, and no others but those that only say that nothing is read.
        row: what the dashboard's first row reads at the end of it, where that is not as on any other day; None: nothing.
        shows: what else the dashboard shows then: row, panel, beginning of the legend, and a comparison that holds.
        every_s: the pace of the scrapes.
        settings: of the worker.
    """

    scene: Scene
    fires: frozenset[str]
    row: Mapping[str, float | None] = field(default_factory=dict)
    shows: tuple[str, str, str, str] | None = None
    every_s: float = 60.0
    settings: Mapping[str, Any] = field(default_factory=dict)


NO_ROOM = {"state": {"url": "sqlite:////proc/ledger.db"}}
"""In a world the ledger lies in memory; its folder only tells how much room there is. Under /proc there is none."""
SELDOM = {"queue": {"poll_interval_s": 600}, "approvals": {"poll_interval_s": 600}}
"""For what takes days, so that staging it takes no minutes."""
GONE = {"Worker": 0, "Desk": None, "Ensono": None, "Reading": None, "Dead letters": None}
AS_EVER: Mapping[str, float | None] = {"Worker": 1, "Desk": 1, "Ensono": 1, "Reading": 1, "Dead letters": 0}
INCIDENTS: dict[int, list[Stage]] = {
    1: [Stage(the_desk_is_down, frozenset({"EnvisionDeskDown"}), {"Desk": 0, "Reading": 0})],
    2: [
        Stage(
            the_desks_key_was_revoked,
            frozenset({"EnvisionDeskKeyRefused"}),
            {"Desk": 0, "Reading": 0},
            ("Desk", "State", "key refused", "== 1"),
        ),
        Stage(
            ensonos_key_was_revoked,
            frozenset({"EnvisionEnsonoKeyRefused"}),
            {"Ensono": 0, "Reading": 0},
            ("Ensono", "State", "key refused", "== 1"),
        ),
    ],
    3: [Stage(a_mapping_is_missing, frozenset({"EnvisionValuesUnmapped"}))],
    4: [
        Stage(scene, frozenset({"EnvisionDeadLetters", "EnvisionReceivesRunningOut"}), {"Dead letters": 1})
        for scene in (a_message_cant_be_read, the_desk_refuses_a_message)
    ],
    5: [Stage(ensono_is_down, frozenset({"EnvisionEnsonoDown"}), {"Ensono": 0})],
    6: [
        Stage(scene, frozenset({"EnvisionClockSkew"}), shows=("Process", "Clock", "{{instance}}", off))
        for scene, off in ((the_clock_is_ahead, "> 290"), (the_clock_is_behind, "< -290"))
    ],
    7: [
        Stage(
            the_disk_is_full,
            frozenset({"EnvisionDiskFilling", "EnvisionDiskFull", "EnvisionWorkerAbsent"}),
            GONE,
            settings=NO_ROOM,
        )
    ],
    8: [
        Stage(a_link_died_before_the_message_was_read, frozenset({"EnvisionAttachmentNotFetched"})),
        Stage(
            a_link_died_while_its_host_could_not_be_reached,
            frozenset(
                {
                    "EnvisionAttachmentLinkExpiring",
                    "EnvisionAttachmentNotFetched",
                    "EnvisionDeadLetters",
                    "EnvisionReceivesRunningOut",
                }
            ),
            settings={"queue": {"poll_interval_s": 120}},
        ),
    ],
    9: [
        Stage(
            an_approval_was_forgotten,
            frozenset({"EnvisionApprovalsWaitingLong"}),
            shows=("Dead letters and approvals", "Longest wait for an approval", "{{instance}}", "> 172800"),
            every_s=600.0,
            settings=SELDOM,
        )
    ],
    10: [
        Stage(
            the_reading_hangs,
            frozenset({"EnvisionLoopHung"}),
            shows=("Process", "Loop last turned", "{{instance}}", "> 600"),
        ),
        Stage(the_process_hangs, frozenset({"EnvisionWorkerAbsent"}), GONE),
    ],
}


# --- what the runbook says ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """One incident as the runbook tells it.

    Attributes:
        row: readings of the dashboard's first row, as panel and word or number.
        lines: the log's events, each with the fields and values that are quoted with it.
    """

    alerts: frozenset[str]
    row: frozenset[tuple[str, str]]
    lines: tuple[tuple[str, dict[str, str]], ...]


@pytest.fixture(scope="module")
def runbook(root: Path) -> str:
    return (root / "docs/runbook.md").read_text(encoding="utf-8").partition("## Ten incidents")[2].partition("\n## ")[0]


@pytest.fixture(scope="module")
def follows(runbook: str) -> frozenset[str]:
    """The alerts that only say that nothing is read."""
    return frozenset(re.findall(r"`(Envision\w+)`", re.split(r"^1\. ", runbook, flags=re.MULTILINE)[0]))


@pytest.fixture(scope="module")
def rules(root: Path) -> Path:
    return root / "deploy/prometheus/envision-worker.rules.yml"


@pytest.fixture(scope="module")
def told(runbook: str) -> dict[int, Told]:
    _, *parts = re.split(r"^\d+\. ", runbook, flags=re.MULTILINE)
    return {number: read(" ".join(part.split())) for number, part in enumerate(parts, start=1)}


def read(text: str) -> Told:
    lines = [
        (event, dict(quoted.strip().split(" ", 1) for quoted in fields.split(",")) if fields else {})
        for event, fields in re.findall(r"`([a-z_]+)`(?: \(([^)]+)\))?", text)
    ]
    row = re.findall(r"\*([A-Z][\w ]*)\* (down|up|stopped|reading|\d+)", text)
    return Told(frozenset(re.findall(r"`(Envision\w+)`", text)), frozenset(row), tuple(lines))


def said(line: Mapping[str, Any], event: str, fields: Mapping[str, str]) -> bool:
    return line["event"] == event and all(str(line[name]).lower() == value for name, value in fields.items())


# --- staging ------------------------------------------------------------------------------------------------------------


def play(stage: Stage, folder: Path, names: set[str]) -> tuple[World, Watched]:
    folder.mkdir()
    world = World(folder, settings={**FITTING, **stage.settings}, metrics=Metrics("test"))
    world.alter = with_a_connection_that_may_hang
    watched = Watched(world, names, every_s=stage.every_s)

    async def main() -> None:
        await world.start()
        world.ensono.scenario.incident_create()
        await watched.watch(minutes=CALM_MIN)
        world.log.clear()
        await stage.scene(world, watched)
        if world.worker is not None:
            await world.kill()

    in_virtual_time(main())
    return world, watched


def _reads(expression: str, value: float | None) -> dict[str, Any]:
    samples = [] if value is None else [{"labels": "{}", "value": value}]
    return {"expr": f"sum({expression})", "exp_samples": samples}


@dataclass(frozen=True)
class Dashboard:
    """The dashboard as `panels.yml` has it."""

    rows: list[dict[str, Any]]

    def first_row(self) -> dict[str, dict[str, Any]]:
        return {panel["title"]: panel for panel in self.rows[0]["panels"]}

    def query(self, row: str, title: str, legend: str) -> str:
        [found] = [
            query["expr"]
            for each in self.rows
            if each["row"] == row
            for panel in each["panels"]
            if panel["title"] == title
            for query in panel["queries"]
            if query["legend"].startswith(legend)
        ]
        return str(found).replace("$instance", ".+").replace("$__rate_interval", "5m")

    def word(self, title: str, value: float) -> str:
        """What the panel says for a value."""
        panel = self.first_row()[title]
        return str(panel["words"][int(value)]) if "words" in panel else f"{value:g}"

    def wanted(self, stage: Stage) -> list[dict[str, Any]]:
        """What it shows at the end of a stage, for promtool."""
        looks = [
            _reads(self.query(self.rows[0]["row"], title, ""), value)
            for title, value in {**AS_EVER, **stage.row}.items()
        ]
        if stage.shows is not None:
            *panel, holds = stage.shows
            looks.append(_reads(f"count({self.query(*panel)} {holds})", 1))
        return looks


@pytest.fixture(scope="module")
def dashboard(root: Path) -> Dashboard:
    return Dashboard(yaml.safe_load((root / "deploy/grafana/panels.yml").read_text(encoding="utf-8")))


@pytest.mark.parametrize("number", INCIDENTS)
def test_a_person_who_has_dashboard_log_and_runbook_can_name_the_cause(
    number: int,
    told: dict[int, Told],
    follows: frozenset[str],
    rules: Path,
    dashboard: Dashboard,
    prometheus: Prometheus,
    tmp_path: Path,
) -> None:
    names = set(re.findall(r"\benvision_\w+", rules.read_text(encoding="utf-8"))) | {"envision_gate_open"}
    lines: list[dict[str, Any]] = []
    scenarios = []
    for place, stage in enumerate(INCIDENTS[number]):
        world, watched = play(stage, tmp_path / str(place), names)
        lines += world.log
        wanted = [fired(stage.fires, but=follows), *dashboard.wanted(stage)]
        scenarios.append(watched.scenario(stage.scene.__name__, wanted))
    hold(prometheus.promtool, rules, scenarios, tmp_path)
    rows = {
        (title, dashboard.word(title, value))
        for stage in INCIDENTS[number]
        for title, value in {**AS_EVER, **stage.row}.items()
        if value is not None
    }
    assert told[number].alerts == frozenset().union(*(stage.fires for stage in INCIDENTS[number]))
    assert told[number].row <= rows
    for event, fields in told[number].lines:
        assert event in OF_THE_PROCESS or any(said(line, event, fields) for line in lines), (event, fields)


def test_no_two_incidents_look_the_same() -> None:
    looks = [(number, stage.fires) for number, stages in INCIDENTS.items() for stage in stages]
    assert len({fires for _, fires in looks}) == len(set(looks))
