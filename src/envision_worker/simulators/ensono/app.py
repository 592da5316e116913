"""The simulated Ensono, whole: gateway, environments and file store; drive it with `control` or over HTTP (see `control_routes`)."""

import hmac
import ssl

from envision_worker.simulators.control import Journal, assemble
from envision_worker.simulators.ensono.bucket import PATH as BUCKET_PATH
from envision_worker.simulators.ensono.bucket import Bucket
from envision_worker.simulators.ensono.control_routes import control_routes
from envision_worker.simulators.ensono.environment import Environment, echo_of, new_environment
from envision_worker.simulators.ensono.queue import FifoQueue
from envision_worker.simulators.ensono.queue_api import QueueApi
from envision_worker.simulators.ensono.records import Ticket
from envision_worker.simulators.ensono.scenario import Scenario
from envision_worker.simulators.ensono.tickets import TicketsApi
from envision_worker.simulators.faults import Faults
from envision_worker.simulators.http import (
    Application,
    Now,
    Request,
    Response,
    RunningServer,
    Sleep,
    json_response,
    serve,
)

DEFAULT_BUCKET_URL = f"https://envxs2qdev1outbound-bucket.s3.us-west-1.amazonaws.com/{BUCKET_PATH}"
FORBIDDEN = {"message": "Forbidden"}
NO_ROUTE = {"message": "Missing Authentication Token"}


class EnsonoSimulator:
    """Ensono, as far as a client's stack can see it.

    Args:
        now: seconds since 1970.
        sleep: how faults wait.
        client: first segment of every path.
        client_name: the clientName of that stack.
        api_key: the only key that is taken, in every environment.
        bucket_url: where the application's `/bucket` is reached; None: at a made-up host, and from `serve` on at the server.
        environment: which one the attributes below, and the control calls, speak of: dev, cert or prod.
        seed: of every number, id and handle.
        faults: what goes wrong, in place of an empty list.

    Attributes:
        application: answers everything, control calls included.
        environments: by name; echo shares dev's queue and tickets.
        bucket: the file store, one for all environments.
        faults: what goes wrong at any call.
        journal: every call, in order of arrival.
        queue: the queue.
        queue_api: how it is shown: `nested_messages`, `error_status`.
        tickets: Ensono's tickets by number, with what the client did to them.
        tickets_api: `groups`, `error_status`.
        scenario: Ensono's users.
    """

    def __init__(
        self,
        now: Now,
        sleep: Sleep,
        *,
        api_key: str,
        client: str = "testclient57",
        client_name: str = "testClient",
        bucket_url: str | None = None,
        environment: str = "dev",
        seed: int = 0,
        faults: Faults | None = None,
    ) -> None:
        self.bucket = Bucket(now, bucket_url or DEFAULT_BUCKET_URL, seed)
        self.environments = _environments(client_name, self.bucket, now, seed)
        self.faults = faults or Faults()
        self.journal = Journal(now, {"x-api-key": self._is_key})
        own = self.environments[environment]
        self.queue: FifoQueue = own.queue
        self.queue_api: QueueApi = own.queue_api
        self.tickets: dict[str, Ticket] = own.records.tickets
        self.tickets_api: TicketsApi = own.tickets
        self.scenario: Scenario = own.scenario
        self.application: Application = assemble(
            self._answer, journal=self.journal, faults=self.faults, sleep=sleep, routes=control_routes(own)
        )
        self._client = client
        self._api_key = api_key
        self._bucket_is_elsewhere = bucket_url is not None

    async def serve(
        self, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> RunningServer:
        """Answer on a socket; attachment links point there unless a `bucket_url` was given.

        Raises:
            OSError: the port is taken.
        """
        server = await serve(self.application, host=host, port=port, tls=tls)
        if not self._bucket_is_elsewhere:
            self.bucket.url = f"{server.url}/{BUCKET_PATH}"
        return server

    async def _answer(self, request: Request) -> Response:
        """The gateway: route first, then key (guide, "Common error responses")."""
        first, *rest = request.segments
        if first == BUCKET_PATH:
            return self.bucket.answer(request)
        if first != self._client:
            return json_response(FORBIDDEN, 403)
        environment = self.environments.get(rest[0]) if rest else None
        api = _api(environment, rest[1]) if environment and len(rest) > 1 else None
        path = tuple(rest[2:])
        if api is None or not api.offers(request.method, path):
            return json_response(NO_ROUTE, 403)
        if not self._is_key(request.headers.get("x-api-key", "")):
            return json_response(FORBIDDEN, 403)
        return api.answer(request, path)

    def _is_key(self, value: str) -> bool:
        return hmac.compare_digest(value.encode(), self._api_key.encode())


def _environments(client_name: str, bucket: Bucket, now: Now, seed: int) -> dict[str, Environment]:
    own = {
        name: new_environment(client_name, bucket, now, views=name == "dev", seed=10 * seed + index)
        for index, name in enumerate(("dev", "cert", "prod"))
    }
    return {**own, "echo": echo_of(own["dev"], bucket, now)}


def _api(environment: Environment, resource: str) -> QueueApi | TicketsApi | None:
    if resource == "queue" and environment.has_queue:
        return environment.queue_api
    return environment.tickets if resource == "tickets" else None
