"""What a call shows to be let in: the key of an on-premises desk, or the cloud's access token, renewed in one place.

Zoho's limits (its OAuth pages): an access token lives an hour; one refresh token issues ten of them in ten minutes and is
then blocked for the rest of those. So the token is kept, renewed five minutes early by one task at a time, renewed at most
once for a call that was answered 401, and never more often than the limit leaves room for. Grants that were refused or did not
reach Zoho issued nothing and don't count: what is wrong with them is over at once when it is over.
"""

import asyncio
import json
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
from pydantic import SecretStr

from envision_worker.clock import Clock
from envision_worker.desks.manageengine.answers import PEER, retry_after
from envision_worker.desks.manageengine.shapes import whole
from envision_worker.errors import KeyRefused, Malformed, Throttled, Unreachable, Unsure
from envision_worker.wire import Wire

OPERATION = "refresh_token"
TOKEN_LIFE_S = 3600.0
EARLY_S = 300.0
WINDOW_S = 600.0
MAX_RENEWALS = 5  # in a window of ten minutes; Zoho allows ten to everybody who shares the refresh token
YOUNG_S = 120.0  # a token that never let a call in and is refused this soon was not refused for its age


@dataclass(frozen=True, slots=True)
class Pass:
    """The header that lets a call in."""

    name: str
    value: SecretStr

    def headers(self) -> dict[str, str]:
        """As httpx wants it."""
        return {self.name: self.value.get_secret_value()}


class Credentials(Protocol):
    """Where calls get their pass from."""

    async def current(self) -> Pass:
        """A pass that should be good.

        Raises:
            Unreachable, Throttled, KeyRefused: there is none to be had; nothing was sent to the desk.
        """
        ...

    async def after_refusal(self, refused: Pass) -> Pass | None:
        """Another pass to try once in place of one that was refused; None where there is no use in that."""
        ...

    def let_in(self, accepted: Pass) -> None:
        """This pass was good for a call."""
        ...


class FixedKey:
    """The key of an on-premises desk: good until a person changes it."""

    def __init__(self, header: str, key: SecretStr) -> None:
        self._pass = Pass(header, key)

    async def current(self) -> Pass:
        """The key."""
        return self._pass

    async def after_refusal(self, refused: Pass) -> Pass | None:
        """There is only one."""
        del refused
        return None

    def let_in(self, accepted: Pass) -> None:
        """Nothing to learn from that."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a refresh token is shown with."""

    accounts_url: str
    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr

    def form(self) -> dict[str, str]:
        """The body of the grant."""
        return {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "client_secret": self.client_secret.get_secret_value(),
            "refresh_token": self.refresh_token.get_secret_value(),
        }


class AccessToken:
    """The cloud's access token. One for each process: all calls share it, and one task at a time renews it."""

    def __init__(self, wire: Wire, clock: Clock, grant: Grant, *, header: str, prefix: str) -> None:
        self._wire = wire
        self._clock = clock
        self._grant = grant
        self._header, self._prefix = header, prefix
        self._lock = asyncio.Lock()
        self._token: Pass | None = None
        self._good: Pass | None = None
        self._issued_at = self._renew_at = -math.inf
        self._renewals: deque[float] = deque()

    async def current(self) -> Pass:
        """The token, renewed where fewer than five minutes are left of it."""
        async with self._lock:
            if self._token is None or self._clock.monotonic() >= self._renew_at:
                return await self._renew()
            return self._token

    async def after_refusal(self, refused: Pass) -> Pass | None:
        """A newer token; None where the refused one had just been issued, so that another would be refused as well."""
        async with self._lock:
            if self._token is not None and self._token != refused:
                return self._token
            if self._good != refused and self._clock.monotonic() - self._issued_at < YOUNG_S:
                return None
            return await self._renew()

    def let_in(self, accepted: Pass) -> None:
        """Refused from now on, it has died, however young."""
        self._good = accepted

    async def _renew(self) -> Pass:
        self._keep_to_the_limit()
        request = self._wire.client.build_request(
            "POST", f"{self._grant.accounts_url}/oauth/v2/token", data=self._grant.form()
        )
        async with self._wire.observed(OPERATION, writes=False):
            try:
                response = await self._wire.send(OPERATION, request, writes=True)
            except (Malformed, Unsure) as exc:  # a token that was issued and lost does no harm, but counts
                self._renewals.append(self._clock.monotonic())
                raise Unreachable(PEER, OPERATION, exc.detail) from exc
            token, life_s = _issued(response)
            self._renewals.append(self._clock.monotonic())
        self._token = Pass(self._header, SecretStr(self._prefix + token))
        self._issued_at = self._clock.monotonic()
        self._renew_at = self._issued_at + max(life_s - EARLY_S, life_s / 2)
        return self._token

    def _keep_to_the_limit(self) -> None:
        now = self._clock.monotonic()
        while self._renewals and now - self._renewals[0] >= WINDOW_S:
            self._renewals.popleft()
        if len(self._renewals) >= MAX_RENEWALS:
            wait_s = self._renewals[0] + WINDOW_S - now
            raise Throttled(PEER, OPERATION, f"{MAX_RENEWALS} tokens asked for in ten minutes", retry_after=wait_s)


def _issued(response: httpx.Response) -> tuple[str, float]:
    """Token and its seconds of life. A refused grant can be 200 with `{"error": …}`, so only the token itself counts.

    Raises:
        KeyRefused: the grant is not accepted.
        Throttled: too many tokens were asked for.
        Unreachable: anything else; the desk was not called, so nothing happened.
    """
    status, answer = response.status_code, _answer(response)
    token = answer.get("access_token")
    if response.is_success and isinstance(token, str) and token.isascii() and token.isprintable() and token.strip():
        return token.strip(), _life(answer.get("expires_in"))
    error = answer.get("error")
    if status == httpx.codes.TOO_MANY_REQUESTS or "too many" in str(answer.get("error_description", "")).lower():
        raise Throttled(PEER, OPERATION, "too many tokens asked for", status=status, retry_after=_wait(response))
    if isinstance(error, str) and status < httpx.codes.INTERNAL_SERVER_ERROR:
        raise KeyRefused(PEER, OPERATION, f"the refresh token is not accepted: {error[:80]!r}", status=status)
    raise Unreachable(PEER, OPERATION, f"HTTP {status} without a token", status=status)


def _answer(response: httpx.Response) -> Mapping[str, Any]:
    try:
        answer = json.loads(response.content)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _life(told: Any) -> float:
    seconds = whole(told)
    return float(seconds) if seconds is not None and 0 < seconds <= TOKEN_LIFE_S else TOKEN_LIFE_S


def _wait(response: httpx.Response) -> float:
    """As long as told, else the whole window that Zoho blocks for."""
    told = retry_after(response)
    return WINDOW_S if told is None else told
