"""What the worker answers over HTTP: metrics, health, readiness, and the hook that wakes the polls.

It runs on the worker's own event loop: where that loop hangs as a whole nothing answers at all, which Prometheus sees as
`up == 0`, and systemd's watchdog ends the process. `/-/healthy` tells the other case, an intake loop that no longer turns
while the event loop does.
"""

import asyncio
import contextlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from envision_worker.telemetry.metrics import Metrics

HOOK_BODY_AT_MOST_BYTES = 64 * 1024
_HOOK_BODY_WITHIN_S = 10.0
REFRESH_WITHIN_S = 3.0  # a scrape gives up after ten seconds, and then the worker would count as absent
_CLOSE_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Pulse:
    """Whether the intake loop turns.

    Args:
        seconds_since_tick: since the loop turned last; monotonic. Where the loop says beforehand how long it rests: since it
            should have turned, and the limit is 0.
        limit_s: beyond this it counts as hung.
    """

    seconds_since_tick: Callable[[], float]
    limit_s: float

    def late_s(self) -> float:
        """By how much the loop is late, 0 while it turns as it should."""
        return max(self.seconds_since_tick() - self.limit_s, 0.0)

    def beats(self) -> bool:
        """Whether the loop turned within the limit."""
        return self.late_s() == 0


@dataclass(frozen=True, slots=True)
class Hook:
    """The desk's hook.

    Args:
        secret: what a caller has to know; empty opens nothing.
        wake: called for each call with the right secret; must return at once.
    """

    secret: str
    wake: Callable[[], None]

    def __repr__(self) -> str:
        return "Hook()"


class TelemetryServer:
    """The HTTP server on `[http].listen`.

    Args:
        port: 0 takes any free one.
        answering: whether `ensono`, `desk` and `state` answered last time.
        hook: None where its secret is not configured; its path is then unknown.
        refresh: brings the gauges up to date before they are shown; None, or where it takes too long: they are shown as they
            were set last.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        metrics: Metrics,
        pulse: Pulse,
        answering: Callable[[], Mapping[str, bool]],
        hook: Hook | None = None,
        refresh: Callable[[], Awaitable[None]] | None = None,
        refresh_within_s: float = REFRESH_WITHIN_S,
    ) -> None:
        self._host = host
        self._port = port
        self._metrics = metrics
        self._pulse = pulse
        self._answering = answering
        self._hook = hook
        self._refresh = refresh
        self._refresh_within_s = refresh_within_s
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen.

        Returns:
            The port that is open.

        Raises:
            OSError: the address can't be had.
        """
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=_CLOSE_WITHIN_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        port: int = runner.addresses[0][1]
        return port

    async def close(self) -> None:
        """Listen no more; a second call does nothing."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def _application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/metrics", self._show_metrics)
        application.router.add_get("/-/healthy", self._show_health)
        application.router.add_get("/-/ready", self._show_readiness)
        if self._hook is not None and self._hook.secret:
            application.router.add_post("/hooks/manageengine", _hook_handler(self._hook))
        return application

    async def _show_metrics(self, request: web.Request) -> web.Response:
        if self._refresh is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._refresh_within_s):
                    await self._refresh()
        body, content_type = self._metrics.exposition(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _show_health(self, _request: web.Request) -> web.Response:
        late_s = self._pulse.late_s()
        if late_s == 0:
            return web.Response(text="The intake loop turns.\n")
        return web.Response(text=f"The intake loop hangs: it is {late_s:.1f} s late.\n", status=503)

    async def _show_readiness(self, _request: web.Request) -> web.Response:
        answering = dict(self._answering())
        not_answering = [name for name, answered in answering.items() if not answered]
        body = {"ready": not not_answering, "not_answering": not_answering, **answering}
        return web.json_response(body, status=503 if not_answering else 200)


def _hook_handler(hook: Hook) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def take_hook(request: web.Request) -> web.Response:
        """The body is never looked at: the hook is only a hint, and anybody may have written it."""
        given = request.headers.get("X-Hook-Secret") or request.query.get("secret", "")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), hook.secret.encode()):
            raise web.HTTPForbidden(text="The secret is missing or wrong.\n")
        await _pass_over_body(request)
        hook.wake()
        return web.Response(status=202)

    return take_hook


async def _pass_over_body(request: web.Request) -> None:
    """Read the body away, as far as it is of a reasonable size and comes in reasonable time."""
    passed = 0
    try:
        async with asyncio.timeout(_HOOK_BODY_WITHIN_S):
            async for chunk in request.content.iter_any():
                passed += len(chunk)
                if passed > HOOK_BODY_AT_MOST_BYTES:
                    raise web.HTTPRequestEntityTooLarge(HOOK_BODY_AT_MOST_BYTES, passed)
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
