"""The built-in throttles: on premises one for each URL, whose numbers are not published; in the cloud one for all.

Sources: the answer as seen on live servers (HTTP 400 with a sentence); wrong keys count against a limit of their own
(product forum).
"""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from envision_worker.simulators.http import Request, Response
from envision_worker.simulators.manageengine import refusals
from envision_worker.simulators.manageengine.refusals import Complaint, Page, Refusal
from envision_worker.simulators.manageengine.world import World

SENTENCE = "URL blocked as maximum access limit for the page is exceeded. Please try after sometime."
MINUTE = 60.0


@dataclass
class Limit:
    """A limit that counts: more than `calls` calls within `within_s` seconds, and the URL is blocked for `block_s`.

    Attributes:
        method, path: globs; calls that match count together.
    """

    calls: int
    within_s: float = MINUTE
    block_s: float = MINUTE
    method: str = "*"
    path: str = "*"
    seen: list[float] = field(default_factory=list)
    blocked_until: float = 0.0

    def matches(self, request: Request) -> bool:
        """Whether it counts this call."""
        return fnmatchcase(request.method, self.method) and fnmatchcase(request.raw_path, self.path)

    def count(self, now: float) -> bool:
        """Count a call that matches; whether it is blocked."""
        if now < self.blocked_until:
            return True
        self.seen = [at for at in self.seen if at > now - self.within_s]
        self.seen.append(now)
        if len(self.seen) <= self.calls:
            return False
        self.blocked_until = now + self.block_s
        self.seen.clear()
        return True


@dataclass
class Throttle:
    """What is blocked.

    Attributes:
        limits: limits that count.
        blocks: path globs, each blocked until a second since 1970; None: until it is lifted.
    """

    world: World
    limits: list[Limit] = field(default_factory=list)
    blocks: dict[str, float | None] = field(default_factory=dict)
    _wrong_keys: list[float] = field(default_factory=list)

    def block(self, path: str, until: float | None = None) -> None:
        """Block the paths that match this glob, until a second since 1970 or until it is lifted."""
        self.blocks[path] = until

    def lift(self) -> None:
        """Unblock everything and forget the wrong keys; limits go on counting from nothing."""
        self.blocks.clear()
        self._wrong_keys.clear()
        for limit in self.limits:
            limit.seen.clear()
            limit.blocked_until = 0.0

    def count_wrong_key(self) -> None:
        """Note that a call came with a wrong key."""
        self._wrong_keys.append(self.world.now())

    def check(self, request: Request) -> None:
        """Count the call.

        Raises:
            Refusal: it is blocked.
        """
        now = self.world.now()
        counted = [limit.count(now) for limit in self.limits if limit.matches(request)]
        if any(counted) or self._is_blocked(request, now) or self._is_locked_out(now):
            raise self._refusal()

    def _is_blocked(self, request: Request, now: float) -> bool:
        return any(
            fnmatchcase(request.raw_path, path) and (until is None or now < until)
            for path, until in self.blocks.items()
        )

    def _is_locked_out(self, now: float) -> bool:
        self._wrong_keys = [at for at in self._wrong_keys if at > now - MINUTE]
        most = self.world.switches.auth_failures_per_minute
        return not self.world.flavour.is_cloud and len(self._wrong_keys) >= most

    def _refusal(self) -> Refusal:
        answer = "429" if self.world.flavour.is_cloud else self.world.switches.throttle_answer
        if answer == "text":
            return Page(Response(400, SENTENCE.encode(), "text/plain; charset=utf-8"))
        told = Complaint(refusals.THROTTLED, "API rate limit reached" if self.world.flavour.is_cloud else SENTENCE)
        return Refusal(told, http_status=int(answer))
