"""A simulated Ensono in a test's own time, and a caller that says what it sends, byte by byte."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from envision_worker.simulators.ensono.app import EnsonoSimulator
from envision_worker.simulators.http import Request, Response

API_KEY = "kept-from-journals"
START = 1_700_000_000.0


@dataclass
class Time:
    """Stands still until a test moves it; sleeping moves it."""

    seconds: float = START

    def now(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)


@dataclass
class Caller:
    """Calls the application in process, by default with the right key and to the dev environment."""

    simulator: EnsonoSimulator
    base: str = "/testclient57/dev"
    headers: dict[str, str] = field(default_factory=lambda: {"x-api-key": API_KEY, "content-type": "application/json"})

    async def send(self, method: str, path: str, body: bytes = b"", **headers: str | None) -> Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        merged = {name: value for name, value in {**self.headers, **given}.items() if value is not None}
        raw_path, _, query = (path if path.startswith("/bucket/") else f"{self.base}{path}").partition("?")
        return await self.simulator.application(Request(method, raw_path, query, merged, body))

    async def put(self, path: str, **payload: Any) -> Response:
        whole = {"clientName": "testClient", **payload}
        return await self.send("PUT", path, json.dumps({"payload": whole}).encode())

    async def post(self, path: str, **payload: Any) -> Response:
        whole = {"clientName": "testClient", **payload}
        return await self.send("POST", path, json.dumps({"payload": whole}).encode())

    async def read_queue(self) -> list[dict[str, Any]]:
        result = said(await self.send("GET", "/queue"))["ReceiveMessageResponse"]["ReceiveMessageResult"]
        messages: list[dict[str, Any]] = result.get("ReceiveMessageResult", result)["messages"] or []
        return messages

    async def delete(self, handle: str) -> Response:
        return await self.send("DELETE", f"/queue/{quote(handle, safe='')}")

    async def control(self, method: str, name: str, given: Any = None) -> Any:
        body = b"" if given is None else json.dumps(given).encode()
        return said(await self.simulator.application(Request(method, f"/_simulator/{name}", body=body)))


def said(response: Response) -> Any:
    """The JSON of an answer."""
    return json.loads(response.body)


def path_of(link: str) -> str:
    """Path and query of an absolute link."""
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}"
