"""A simulated ServiceDesk Plus in a test's own time, and a caller that says what it sends."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from envision_worker.simulators.http import Request, Response
from envision_worker.simulators.manageengine.simulator import ManageEngineSimulator

ACCEPT = "application/vnd.manageengine.sdp.v3+json"
FORM = "application/x-www-form-urlencoded"
START = 1_700_000_000.0
BOUNDARY = "a-boundary"


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
class Answer:
    """A status and what the body says."""

    status: int
    response: Response

    @property
    def said(self) -> Any:
        return json.loads(self.response.body)

    @property
    def complaint(self) -> dict[str, Any]:
        """The first message of an error, after a look at its envelope."""
        envelope = self.said["response_status"]
        assert envelope["status"] == "failed"
        assert envelope["status_code"] == 4000
        message: dict[str, Any] = envelope["messages"][0]
        assert message["type"] == "failed"
        return message

    @property
    def code(self) -> tuple[int, int, str | None]:
        """HTTP status, specific code, and the field that the error names."""
        complaint = self.complaint
        return self.status, complaint["status_code"], complaint.get("field")


@dataclass
class Caller:
    """Calls the application in process, by default with the right key."""

    simulator: ManageEngineSimulator
    base: str
    headers: dict[str, str] = field(default_factory=dict)

    async def send(self, method: str, path: str, body: bytes = b"", query: str = "", **headers: str | None) -> Answer:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        merged = {name: value for name, value in {**self.headers, **given}.items() if value is not None}
        whole = path if path.startswith("/") else f"{self.base}/{path}"
        response = await self.simulator.application(Request(method, whole, query, merged, body))
        return Answer(response.status, response)

    async def write(self, method: str, path: str, data: Any, query: str = "") -> Answer:
        body = urlencode({"input_data": json.dumps(data)}).encode()
        return await self.send(method, path, body, query, content_type=FORM)

    async def post(self, path: str, data: Any) -> Answer:
        return await self.write("POST", path, data)

    async def put(self, path: str, data: Any) -> Answer:
        return await self.write("PUT", path, data)

    async def get(self, path: str) -> Answer:
        return await self.send("GET", path)

    async def delete(self, path: str) -> Answer:
        return await self.send("DELETE", path)

    async def listed(self, path: str, **options: Any) -> Answer:
        query = "input_data=" + quote(json.dumps({"list_info": options})) if options else ""
        return await self.send("GET", path, query=query)

    async def upload(self, method: str, path: str, *parts: tuple[str, str | None, bytes], query: str = "") -> Answer:
        body = b"".join(_part(*part) for part in parts) + f"--{BOUNDARY}--\r\n".encode()
        return await self.send(method, path, body, query, content_type=f"multipart/form-data; boundary={BOUNDARY}")

    async def control(self, method: str, name: str, given: Any = None) -> Answer:
        body = b"" if given is None else json.dumps(given).encode()
        return await self.send(method, f"/_simulator/{name}", body)

    async def request(self, **fields: Any) -> str:
        """A new request; its id."""
        wanted = {"subject": "Printer", "requester": {"email_id": "requester@example.com"}, **fields}
        answer = await self.post("requests", {"request": wanted})
        assert answer.status == 201, answer.said
        request_id: str = answer.said["request"]["id"]
        return request_id

    async def change(self, **fields: Any) -> str:
        """A new change in its first stage; its id."""
        wanted = {"title": "Patch", "stage": {"name": "Submission"}, "status": {"name": "Requested"}, **fields}
        answer = await self.post("changes", {"change": wanted})
        assert answer.status == 201, answer.said
        change_id: str = answer.said["change"]["id"]
        return change_id


def _part(name: str, filename: str | None, content: bytes) -> bytes:
    disposition = f'form-data; name="{name}"' + ("" if filename is None else f'; filename="{filename}"')
    kind = "" if filename is None else "Content-Type: text/plain\r\n"
    return f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n{kind}\r\n".encode() + content + b"\r\n"


def on_premises(time: Time, **switches: Any) -> Caller:
    """A desk on premises and a caller with its key."""
    simulator = ManageEngineSimulator(time.now, time.sleep, switches=switches)
    return Caller(simulator, "/api/v3", {"authtoken": simulator.credentials.auth_token})


async def cloud(time: Time, **switches: Any) -> Caller:
    """A desk in the cloud and a caller with an access token."""
    simulator = ManageEngineSimulator(time.now, time.sleep, flavour="cloud", switches=switches)
    caller = Caller(simulator, f"/app/{simulator.credentials.portal}/api/v3", {"accept": ACCEPT})
    token = (await fetch_token(caller)).said["access_token"]
    caller.headers["authorization"] = f"Zoho-oauthtoken {token}"
    return caller


async def fetch_token(caller: Caller, **given: str) -> Answer:
    """Ask the token endpoint; `given` replaces what it is asked with."""
    known = caller.simulator.credentials
    form = {
        "grant_type": "refresh_token",
        "client_id": known.client_id,
        "client_secret": known.client_secret,
        "refresh_token": known.refresh_token,
        **given,
    }
    return await caller.send("POST", "/oauth/v2/token", urlencode(form).encode(), content_type=FORM)
