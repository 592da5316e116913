"""A desk that answers what it is told to, a clock that moves when told to, and settings for both editions."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import parse_qsl

import httpx

from envision_worker.desks.life import LifeNames
from envision_worker.desks.manageengine.desk import ManageEngineDesk
from envision_worker.desks.manageengine.settings import ManageEngineSettings
from envision_worker.wire import Call

KEY = "7E1CF0A2-4A52-4B3C-9E1E-1FB1A8A9C0DE"
FORM = "application/x-www-form-urlencoded"
ROOT = "https://sdp.example.com:8080/api/v3"
CLOUD_ROOT = "https://sdpondemand.manageengine.eu/app/itdesk/api/v3"


class HandClock:
    """Obeys the contract of `Clock`; a sleep takes no time and moves it on."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.seconds

    def move(self, seconds: float) -> None:
        self.seconds += seconds
        self.wall += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        self.move(seconds)
        await asyncio.sleep(0)


@dataclass(frozen=True)
class Sent:
    """A request as it went out."""

    method: str
    url: str
    query: Mapping[str, str]
    headers: httpx.Headers
    body: bytes

    @property
    def form(self) -> Mapping[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def input(self) -> Any:
        """What `input_data` says: of the form, else of the query."""
        return json.loads({**self.query, **self.form}["input_data"])

    @property
    def call(self) -> str:
        return f"{self.method} {self.url.partition('/v3/')[2]}"


Answer = dict[str, Any] | tuple[int, Any] | httpx.Response | Exception


class Script:
    """Answers in order, the last one again and again; keeps what was asked for."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.sent: list[Sent] = []
        self.observed: list[Call] = []

    @property
    def calls(self) -> list[str]:
        """Methods and paths of what went out."""
        return [each.call for each in self.sent]

    async def handle(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        url = request.url.copy_with(query=None)
        self.sent.append(Sent(request.method, str(url), dict(request.url.params), request.headers, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        status, content = answer if isinstance(answer, tuple) else (200, answer)
        return httpx.Response(status, json=content)


def on_premises(**changes: Any) -> ManageEngineSettings:
    """Settings of a desk on premises."""
    given: dict[str, Any] = {
        "base_url": "https://sdp.example.com:8080",
        "auth_token": KEY,
        "ensono_number_field": "udf_sline_301",
        "ensono_change_number_field": "udf_sline_501",
        "default_requester": {"email_id": "ensono@example.com"},
    }
    return ManageEngineSettings.model_validate(given | changes)


def cloud(**changes: Any) -> ManageEngineSettings:
    """Settings of a desk in the cloud."""
    given: dict[str, Any] = {
        "base_url": "https://sdpondemand.manageengine.eu",
        "edition": "cloud",
        "client_id": "1000.CLIENT",
        "client_secret": "made-up-client-secret",
        "refresh_token": "1000.made-up-refresh-token",
        "portal": "itdesk",
        "ensono_number_field": "txt_ensono_number",
        "ensono_change_number_field": "txt_ensono_number",
        "default_requester": {"email_id": "ensono@example.com"},
    }
    return ManageEngineSettings.model_validate(given | changes)


TOKEN: Answer = {"access_token": "1000.token-1", "expires_in": 3600, "token_type": "Bearer"}


class Peer(Protocol):
    """Whoever answers the calls of a desk."""

    observed: list[Call]

    async def handle(self, request: httpx.Request) -> httpx.Response: ...


def desk(
    script: Peer, settings: ManageEngineSettings | None = None, clock: HandClock | None = None
) -> ManageEngineDesk:
    """A desk whose every call the script answers."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(script.handle), timeout=5)
    return ManageEngineDesk(
        settings or on_premises(),
        http,
        life=LifeNames(),
        clock=clock or HandClock(),
        observe=script.observed.append,
    )


SUCCESS = {"status_code": 2000, "status": "success"}


def done(**entities: Any) -> dict[str, Any]:
    """The answer of a call that succeeded."""
    return {**entities, "response_status": SUCCESS}


def listed(key: str, *rows: Mapping[str, Any], more: bool = False) -> dict[str, Any]:
    """A page of a list."""
    info = {"has_more_rows": more, "row_count": len(rows), "start_index": 1}
    return {key: list(rows), "list_info": info, "response_status": [SUCCESS]}


def failed(code: int | None, message: Any = None, *, http: int = 400, top: int = 4000, **more: Any) -> tuple[int, Any]:
    """The answer of a call that was refused."""
    told = {"status_code": code, "type": "failed", "message": message, **more}
    entry = {key: value for key, value in told.items() if value is not None}
    return http, {"response_status": {"status_code": top, "messages": [entry], "status": "failed"}}


NOT_FOUND = failed(4007, "Invalid URL", http=404)


def request(identifier: str = "71", **more: Any) -> dict[str, Any]:
    """A request as the desk on premises shows it."""
    return {
        "id": identifier,
        "subject": "Disk full",
        "status": {"color": "#0066ff", "name": "Open", "id": "2"},
        "created_time": {"display_value": "Aug 9, 2022 06:06 AM", "value": "1660050395904"},
        "udf_fields": {"udf_sline_301": "e-CS0100200"},
        "is_trashed": False,
        **more,
    }


def change(identifier: str = "9", **more: Any) -> dict[str, Any]:
    """A change as the desk on premises shows it."""
    return {
        "id": identifier,
        "title": "Patch day",
        "stage": {"name": "Submission", "id": "1"},
        "status": {"name": "Requested", "id": "3"},
        "created_time": {"display_value": "…", "value": "1660050395904"},
        "udf_fields": {"udf_sline_501": "e-CHG0032103"},
        **more,
    }


async def error_of(awaitable: Any) -> Exception | None:
    """What an awaitable raises."""
    with suppress(asyncio.CancelledError):
        try:
            await awaitable
        except Exception as exc:  # noqa: BLE001 (what a test asks for)
            return exc
    return None
