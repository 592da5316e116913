import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from envision_worker.telemetry.metrics import Metrics
from envision_worker.telemetry.server import HOOK_BODY_AT_MOST_BYTES, Hook, Pulse, TelemetryServer

SECRET = "s3cret/+="


@dataclass
class Worker:
    """What the server is told about the worker, as a test sets it."""

    seconds_since_tick: float = 1.0
    answering: dict[str, bool] = field(default_factory=lambda: {"ensono": True, "desk": True, "state": True})
    woken: int = 0

    def wake(self) -> None:
        self.woken += 1


@pytest.fixture
def worker() -> Worker:
    return Worker()


def new_server(worker: Worker, metrics: Metrics, *, secret: str | None = SECRET, port: int = 0) -> TelemetryServer:
    return TelemetryServer(
        host="127.0.0.1",
        port=port,
        metrics=metrics,
        pulse=Pulse(lambda: worker.seconds_since_tick, limit_s=30),
        answering=lambda: worker.answering,
        hook=None if secret is None else Hook(secret, worker.wake),
    )


@pytest.fixture
async def address(worker: Worker, metrics: Metrics) -> AsyncIterator[str]:
    server = new_server(worker, metrics)
    yield f"http://127.0.0.1:{await server.start()}"
    await server.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_metrics_are_served_as_prometheus_reads_them(
    address: str, http: aiohttp.ClientSession, metrics: Metrics
) -> None:
    async with http.get(f"{address}/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        families = {family.name for family in text_string_to_metric_families(await answer.text())}
    assert {"envision_build_info", "envision_queue_reads"} <= families


async def test_gauges_are_brought_up_to_date_before_they_are_shown(
    worker: Worker, metrics: Metrics, http: aiohttp.ClientSession
) -> None:
    async def refresh() -> None:
        metrics.loop_tick.set(1_800_000_000.0)

    server = TelemetryServer(
        host="127.0.0.1", port=0, metrics=metrics, pulse=Pulse(lambda: 0.0, 0.0), answering=dict, refresh=refresh
    )
    async with http.get(f"http://127.0.0.1:{await server.start()}/metrics") as answer:
        assert "envision_loop_last_tick_timestamp_seconds 1.8e+09" in await answer.text()
    await server.close()


async def test_a_ledger_that_hangs_does_not_hide_the_metrics(
    worker: Worker, metrics: Metrics, http: aiohttp.ClientSession
) -> None:
    async def refresh() -> None:
        await asyncio.Event().wait()

    server = TelemetryServer(
        host="127.0.0.1",
        port=0,
        metrics=metrics,
        pulse=Pulse(lambda: 0.0, 0.0),
        answering=dict,
        refresh=refresh,
        refresh_within_s=0.01,
    )
    async with http.get(f"http://127.0.0.1:{await server.start()}/metrics") as answer:
        assert answer.status == 200
    await server.close()


async def test_openmetrics_are_served_where_asked_for(address: str, http: aiohttp.ClientSession) -> None:
    accept = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
    async with http.get(f"{address}/metrics", headers=accept) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        assert (await answer.text()).endswith("# EOF\n")


@pytest.mark.parametrize(("seconds", "status"), [(0.0, 200), (30.0, 200), (30.1, 503)])
async def test_healthy_is_whether_the_loop_turned_within_its_limit(
    address: str, http: aiohttp.ClientSession, worker: Worker, seconds: float, status: int
) -> None:
    worker.seconds_since_tick = seconds
    async with http.get(f"{address}/-/healthy") as answer:
        assert answer.status == status
        assert ("hangs" in await answer.text()) == (status == 503)


async def test_ready_is_whether_everybody_answered_last_time(address: str, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{address}/-/ready") as answer:
        assert answer.status == 200
        assert (await answer.json())["ready"] is True


@pytest.mark.parametrize("silent", ["ensono", "desk", "state"])
async def test_not_ready_names_who_did_not_answer(
    address: str, http: aiohttp.ClientSession, worker: Worker, silent: str
) -> None:
    worker.answering[silent] = False
    async with http.get(f"{address}/-/ready") as answer:
        assert answer.status == 503
        body = json.loads(await answer.text())
    assert (body["ready"], body["not_answering"], body[silent]) == (False, [silent], False)


@pytest.mark.parametrize("path", ["/", "/metrics/", "/health", "/-/", "/debug/pprof", "/hooks", "/hooks/halo"])
async def test_any_other_path_is_not_found(address: str, http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(address + path) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/metrics"), ("DELETE", "/-/healthy"), ("PUT", "/-/ready"), ("GET", "/hooks/manageengine")],
)
async def test_a_wrong_method_is_refused(address: str, http: aiohttp.ClientSession, method: str, path: str) -> None:
    async with http.request(method, address + path) as answer:
        assert answer.status == 405


async def test_the_hook_wakes_the_polls_whatever_its_body(
    address: str, http: aiohttp.ClientSession, worker: Worker
) -> None:
    header = {"X-Hook-Secret": SECRET}
    for body in (b"", b"{not json", b"\x00" * HOOK_BODY_AT_MOST_BYTES):
        async with http.post(f"{address}/hooks/manageengine", data=body, headers=header) as answer:
            assert answer.status == 202
    async with http.post(f"{address}/hooks/manageengine", params={"secret": SECRET}) as answer:
        assert answer.status == 202
    assert worker.woken == 4


@pytest.mark.parametrize("given", [None, "", "wrong", SECRET + "x", SECRET[:-1], "schlüssel"])
async def test_the_hook_is_closed_to_whoever_lacks_the_secret(
    address: str, http: aiohttp.ClientSession, worker: Worker, given: str | None
) -> None:
    async with http.post(f"{address}/hooks/manageengine", params={} if given is None else {"secret": given}) as answer:
        assert answer.status == 403
        assert SECRET not in await answer.text()
    headers = {} if given is None else {"X-Hook-Secret": given}
    async with http.post(f"{address}/hooks/manageengine", headers=headers) as answer:
        assert answer.status == 403
    assert worker.woken == 0


async def test_the_hook_takes_no_endless_body(address: str, http: aiohttp.ClientSession, worker: Worker) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 65536

    header = {"X-Hook-Secret": SECRET}
    try:
        async with http.post(f"{address}/hooks/manageengine", data=endless(), headers=header) as answer:
            assert answer.status == 413
    except aiohttp.ClientConnectionError:
        pass  # it closed on us while we were still sending
    assert worker.woken == 0


@pytest.mark.parametrize("secret", [None, ""])
async def test_without_a_secret_there_is_no_hook(
    worker: Worker, metrics: Metrics, http: aiohttp.ClientSession, secret: str | None
) -> None:
    server = new_server(worker, metrics, secret=secret)
    port = await server.start()
    async with http.post(f"http://127.0.0.1:{port}/hooks/manageengine", params={"secret": ""}) as answer:
        assert answer.status == 404
    await server.close()


def test_a_hook_does_not_show_its_secret(worker: Worker) -> None:
    assert SECRET not in repr(Hook(SECRET, worker.wake))


async def test_a_taken_port_is_an_os_error_and_leaves_nothing_open(worker: Worker, metrics: Metrics) -> None:
    first = new_server(worker, metrics)
    port = await first.start()
    second = new_server(worker, metrics, port=port)
    with pytest.raises(OSError, match=str(port)):
        await second.start()
    await second.close()
    await first.close()
    again = new_server(worker, metrics, port=port)
    assert await again.start() == port
    await again.close()


async def test_closing_is_quick_even_while_somebody_is_connected(worker: Worker, metrics: Metrics) -> None:
    server = new_server(worker, metrics)
    _, writer = await asyncio.open_connection("127.0.0.1", await server.start())
    writer.write(b"POST /hooks/manageengine HTTP/1.1\r\nHost: x\r\nX-Hook-Secret: " + SECRET.encode())
    writer.write(b"\r\nContent-Length: 100\r\n\r\nonly the beginning")
    await writer.drain()
    async with asyncio.timeout(5):
        await server.close()
        await server.close()
    writer.close()
