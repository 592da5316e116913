"""The simulated ServiceDesk Plus as a whole: for a test in virtual time, for a server on loopback, for a demonstration.

| control call                   | does                                                                                  |
|--------------------------------|---------------------------------------------------------------------------------------|
| `GET /_simulator/tickets`      | everything that is on the desk                                                        |
| `GET /_simulator/effects`      | every write that changed something, in order                                          |
| `POST /_simulator/people`      | lets people act: `{"do": "approve", "change": "7"}`; names and arguments as in `People` |
| `GET`, `PUT /_simulator/switches` | shows, turns switches                                                              |
| `POST /_simulator/throttle`    | `{"path": "*", "seconds": 60}` blocks, `{}` lifts                                      |
| `PUT /_simulator/habits`       | a list of habits of approvers                                                         |
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from envision_worker.simulators.control import Journal, ObservedCall, assemble
from envision_worker.simulators.faults import Faults
from envision_worker.simulators.http import Now, Request, Response, Sleep
from envision_worker.simulators.manageengine import routes
from envision_worker.simulators.manageengine.control_routes import control_routes
from envision_worker.simulators.manageengine.flavour import FLAVOURS, FlavourName, Kind
from envision_worker.simulators.manageengine.habits import Habit, Habits
from envision_worker.simulators.manageengine.keys import Credentials, Keys
from envision_worker.simulators.manageengine.lookups import ABSENT
from envision_worker.simulators.manageengine.people import People
from envision_worker.simulators.manageengine.refusals import BAD_KEY, Refusal, not_found
from envision_worker.simulators.manageengine.setup import Setup
from envision_worker.simulators.manageengine.switches import Switches
from envision_worker.simulators.manageengine.throttle import Throttle
from envision_worker.simulators.manageengine.tickets import Effect, Ticket
from envision_worker.simulators.manageengine.world import World

TOKEN_PATH = ("oauth", "v2", "token")
WRONG_KEY_CODES = (401, BAD_KEY)
HIDDEN = b"(credentials)"


class ManageEngineSimulator:
    """One simulated desk, set up as it comes out of the box.

    Args:
        now: seconds since 1970.
        sleep: how faults let time pass.
        auth_token: the key on premises, in place of the one in `credentials`.
        switches: switches to turn, by name; a ValueError where there is no such switch.

    Attributes:
        application: answers calls; hand it to `http.serve` or call it directly.
        faults: what goes wrong.
        throttle: what is blocked.
        switches: how the desk is set up where it may differ.
        setup: lookup tables, users, user-defined fields.
        people: what people at the desk do.
        habits: what approvers do of themselves.
        keys: key and tokens; `credentials` holds what a caller must know.
    """

    def __init__(
        self,
        now: Now,
        sleep: Sleep,
        *,
        flavour: FlavourName = "on_premises",
        auth_token: str | None = None,
        credentials: Credentials | None = None,
        switches: Mapping[str, Any] | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.credentials = credentials or Credentials()
        if auth_token is not None:
            self.credentials = replace(self.credentials, auth_token=auth_token)
        self.switches = Switches(absent_lookups=ABSENT[flavour])
        self.switches.turn(dict(switches or {}))
        self.world = World(now, FLAVOURS[flavour], self.switches)
        self.keys = Keys(self.world, self.credentials)
        self.throttle = Throttle(self.world)
        self.people = People(self.world)
        self.habits = Habits(self.world, self.people)
        self.faults = faults or Faults()
        secrets = {"authtoken": self.keys.knows_key, "authorization": self.keys.knows_token}
        self._observed = Journal(now, secrets)
        self._routes: dict[tuple[str, str], tuple[routes.Route, ...]] = {}
        control = control_routes(self.world, self.people, self.habits, self.throttle)
        self._inner = assemble(self._answer, journal=self._observed, faults=self.faults, sleep=sleep, routes=control)

    async def application(self, request: Request) -> Response:
        """Answer a call."""
        if request.segments == TOKEN_PATH:
            hidden = replace(request, body=HIDDEN if request.body else b"", query="")
            hidden.marks["credentials"] = request
            return await self._inner(hidden)
        return await self._inner(request)

    @property
    def setup(self) -> Setup:
        """What an administrator has configured."""
        return self.world.setup

    @property
    def journal(self) -> list[Effect]:
        """Every write that changed something, in order."""
        return self.world.effects

    @property
    def calls(self) -> list[ObservedCall]:
        """Every call, in order of arrival."""
        return self._observed.calls

    def tickets(self, kind: Kind) -> list[Ticket]:
        """All tickets ever, oldest first, also trashed, merged and deleted ones."""
        return list(self.world.tickets[kind].values())

    def ticket(self, kind: Kind, ticket_id: str) -> Ticket:
        """One ticket by its id; a KeyError where there never was one."""
        return self.world.tickets[kind][ticket_id]

    def expect(self, habits: Iterable[Habit]) -> None:
        """Let approvers have these habits."""
        self.habits.habits = list(habits)

    async def _answer(self, request: Request) -> Response:
        self.habits.act()
        original = request.marks.get("credentials", request)
        try:
            self.throttle.check(original)
            if self.world.flavour.is_cloud and original.segments == TOKEN_PATH and original.method == "POST":
                return self.keys.grant(original)
            segments = self._segments(original)
            served = self._served()
            routes.find(served, original.method, segments)  # an unknown path is told even to a caller without a key
            self._check_key(original)
            return routes.answer(self.world, served, original, segments)
        except Refusal as refusal:
            names, everything = self.switches.errors_name_fields, self.switches.all_faults_reported
            return refusal.response(names_fields=names, all_faults=everything)

    def _check_key(self, request: Request) -> None:
        try:
            self.keys.check(request)
        except Refusal as refusal:
            if refusal.complaints[0].code in WRONG_KEY_CODES:
                self.throttle.count_wrong_key()
            raise

    def _segments(self, request: Request) -> tuple[str, ...]:
        """The path behind `/api/v3`, which in the cloud stands behind the portal."""
        segments = request.segments
        in_portal = ("app", self.credentials.portal, "api", "v3")
        if self.world.flavour.is_cloud and segments[:4] == in_portal:
            return segments[4:]
        plain = not self.world.flavour.is_cloud or self.switches.portalless_urls
        if plain and segments[:2] == ("api", "v3"):
            return segments[2:]
        raise not_found()

    def _served(self) -> tuple[routes.Route, ...]:
        key = (self.switches.download_path, self.switches.notification_path)
        if key not in self._routes:
            self._routes[key] = routes.routes_of(self.world)
        return self._routes[key]
