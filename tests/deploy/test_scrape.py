"""A real Prometheus scrapes the real program once, with the example's scrape job, the rules and every query of the dashboard."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import pytest
import yaml

from envision_worker.simulators.faults import Fault, FaultKind
from process.real_worker import Plant, Program, built

pytestmark = pytest.mark.timeout(300)  # the first run fetches Prometheus

SCRAPED_WITHIN_S = 45


class Prometheus(Protocol):
    prometheus: Path


class Asked:
    """Prometheus' HTTP API."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session = session
        self._address = address

    async def __call__(self, query: str) -> list[dict[str, Any]]:
        async with self._session.get(f"{self._address}/api/v1/query", params={"query": query}) as answer:
            body = (
                await answer.json() if answer.content_type == "application/json" else {}
            )  # it says 503 while it starts
        if not body:
            return []
        assert body["status"] == "success", f"{query}: {body}"
        result: list[dict[str, Any]] = body["data"]["result"]
        return result

    async def until(self, query: str) -> list[dict[str, Any]]:
        async with asyncio.timeout(SCRAPED_WITHIN_S):
            while True:
                try:
                    if found := await self(query):
                        return found
                except aiohttp.ClientConnectionError:
                    pass  # not listening yet
                await asyncio.sleep(0.1)


def configuration(root: Path, port: int) -> dict[str, Any]:
    """The example, pointed at our server and our rules, scraping every second."""
    example: dict[str, Any] = yaml.safe_load(
        (root / "deploy/prometheus/scrape.example.yml").read_text(encoding="utf-8")
    )
    [job] = example["scrape_configs"]
    job["scrape_interval"] = "1s"
    job["static_configs"][0]["targets"] = [f"127.0.0.1:{port}"]
    example["rule_files"] = [str(root / "deploy/prometheus/envision-worker.rules.yml")]
    return example


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    async with built(tmp_path) as plant:
        yield plant


async def with_its_desk_down(plant: Plant) -> Program:
    """The real program, which has opened one ticket when its desk begins to answer 503 to all."""
    number = plant.ensono.scenario.incident_create()
    program = await plant.run()
    await plant.quiet()
    plant.desk.faults.add(Fault(FaultKind.STATUS, status=503, times=None))
    plant.ensono.scenario.notes(number, "nobody is there")
    await program.told("gate_closed")
    return program


@pytest.fixture
async def asked(prometheus: Prometheus, plant: Plant, root: Path, tmp_path: Path) -> AsyncIterator[Asked]:
    worker = await with_its_desk_down(plant)
    listens_on = int((await worker.told("daemon_started"))["listen"].rpartition(":")[2])
    settings = tmp_path / "prometheus.yml"
    settings.write_text(yaml.safe_dump(configuration(root, listens_on)), encoding="utf-8")
    port = free_port()
    with (tmp_path / "log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            prometheus.prometheus,
            f"--config.file={settings}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            stdout=log,
            stderr=log,
        )
    try:
        async with aiohttp.ClientSession() as session:
            yield Asked(session, f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        await process.wait()


async def test_prometheus_scrapes_the_worker_and_answers_every_alert_and_every_panel(asked: Asked, root: Path) -> None:
    [up] = await asked.until('up{job="envision-worker"} == 1')
    assert up["metric"]["environment"] == "prod"

    [built_from] = await asked("envision_build_info")
    assert built_from["metric"]["version"] == version("envision-worker")
    [applied] = await asked('envision_messages_total{outcome="applied"} == 1')
    assert (applied["metric"]["transaction_type"], applied["metric"]["ticket_type"]) == ("Create", "Incident")
    [in_time] = await asked('envision_message_age_seconds_bucket{le="1800.0"}')
    assert in_time["value"][1] == "1"

    groups = yaml.safe_load((root / "deploy/prometheus/envision-worker.rules.yml").read_text(encoding="utf-8"))[
        "groups"
    ]
    due = {rule["alert"] for group in groups for rule in group["rules"] if await asked(rule["expr"])}
    assert due == {"EnvisionDeskDown", "EnvisionGateClosedLong"}

    dashboard = json.loads((root / "deploy/grafana/envision-worker.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            await asked(target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".+"))
