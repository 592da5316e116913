"""A real Prometheus scrapes the real server once, with the example's scrape job, the rules and every query of the dashboard."""

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import pytest
import yaml

from envision_worker.clock import SystemClock
from envision_worker.outcome import Applied
from envision_worker.telemetry.facts import Facts
from envision_worker.telemetry.gauges import Gauges
from envision_worker.telemetry.logs import new_log
from envision_worker.telemetry.metrics import Metrics
from envision_worker.telemetry.server import Pulse, TelemetryServer

pytestmark = pytest.mark.timeout(300)  # the first run fetches Prometheus

SCRAPED_WITHIN_S = 45


class Prometheus(Protocol):
    prometheus: Path


def a_worker_with_its_desk_down() -> Metrics:
    clock = SystemClock()
    metrics = Metrics("9.9")
    facts = Facts(metrics, new_log(style="json", level="error", secrets=[], clock=clock, stream=io.StringIO()), clock)
    facts.daemon_started(version="9.9", environment="dev", desk="manageengine", listen="127.0.0.1:0")
    facts.loop_ticked(clock.now().timestamp())
    facts.queue_read(result="short", messages=1, redelivered=0, seconds=0.1)
    facts.message_handled(
        message_id="m-1",
        ticket="e-CS0001",
        partner_number=None,
        transaction_type="Approval Request",
        ticket_type="Change",
        receive_count=1,
        age_seconds=1700.0,
        outcome=Applied(),
        seconds=0.5,
        calls=2,
    )
    facts.set_gauges(half_an_hour_without_a_read(clock.now().timestamp()))
    return metrics


def half_an_hour_without_a_read(now: float) -> Gauges:
    return Gauges(
        unacknowledged=4,
        average_age_s=1200,
        oldest_age_s=2000,
        receive_count_max=2,
        receives_left_min=18,
        dead_letters=0,
        blocked_tickets=0,
        approvals_waiting=0,
        approvals_oldest_age_s=0,
        desk_up=False,
        ensono_up=True,
        gate_open=False,
        paused=False,
        last_drained=now - 2000,
        watermark=now - 2000,
        last_read=now - 2000,
        last_success=now - 2000,
        ledger_bytes=1,
        spool_bytes=1,
        clock_skew_s=0.0,
    )


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
async def asked(prometheus: Prometheus, root: Path, tmp_path: Path) -> AsyncIterator[Asked]:
    server = TelemetryServer(
        host="127.0.0.1",
        port=0,
        metrics=a_worker_with_its_desk_down(),
        pulse=Pulse(lambda: 0.0, limit_s=30),
        answering=dict,
    )
    settings = tmp_path / "prometheus.yml"
    settings.write_text(yaml.safe_dump(configuration(root, await server.start())), encoding="utf-8")
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
        await server.close()


async def test_prometheus_scrapes_the_worker_and_answers_every_alert_and_every_panel(asked: Asked, root: Path) -> None:
    [up] = await asked.until('up{job="envision-worker"} == 1')
    assert up["metric"]["environment"] == "prod"

    [version] = await asked("envision_build_info")
    assert version["metric"]["version"] == "9.9"
    [applied] = await asked("envision_messages_total == 1")
    assert applied["metric"]["transaction_type"] == "Approval Request"
    [in_time] = await asked('envision_message_age_seconds_bucket{le="1800.0"}')
    assert in_time["value"][1] == "1"

    groups = yaml.safe_load((root / "deploy/prometheus/envision-worker.rules.yml").read_text(encoding="utf-8"))[
        "groups"
    ]
    due = {rule["alert"] for group in groups for rule in group["rules"] if await asked(rule["expr"])}
    assert due == {"EnvisionDeskDown", "EnvisionGateClosedLong", "EnvisionQueueUnread", "EnvisionQueueUnreadSoon"}

    dashboard = json.loads((root / "deploy/grafana/envision-worker.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            await asked(target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".+"))
