"""One environment of a client's stack: its tickets, its queue, its users; and echo, which has none of its own."""

from collections.abc import Mapping
from dataclasses import dataclass

from envision_worker.simulators.ensono.announcements import Announcer
from envision_worker.simulators.ensono.bucket import Bucket, StoredFile
from envision_worker.simulators.ensono.queue import FifoQueue
from envision_worker.simulators.ensono.queue_api import QueueApi
from envision_worker.simulators.ensono.records import Comment, Records, Ticket
from envision_worker.simulators.ensono.scenario import Scenario
from envision_worker.simulators.ensono.tickets import TicketsApi
from envision_worker.simulators.http import Now

_CLOSED = frozenset({"resolved", "closed", "cancelled"})


@dataclass(frozen=True)
class Environment:
    """What stands behind `/<client>/<environment>`; echo has no `/queue`, its messages come by dev's."""

    records: Records
    queue: FifoQueue
    announcer: Announcer
    scenario: Scenario
    tickets: TicketsApi
    queue_api: QueueApi
    has_queue: bool = True


def new_environment(company: str, bucket: Bucket, now: Now, *, views: bool, seed: int) -> Environment:
    """An environment of its own: dev, cert or prod.

    Args:
        views: whether `GET /tickets/{number}` exists here.
        seed: of every number, id and handle; no two environments of a stack share one.
    """
    records = Records(company, seed)
    queue = FifoQueue(now, seed=seed)
    announcer = Announcer(queue, now)
    scenario = Scenario(records, queue, announcer, bucket, now)
    tickets = TicketsApi(records, bucket, now, views=views)
    return Environment(records, queue, announcer, scenario, tickets, QueueApi(queue))


def echo_of(dev: Environment, bucket: Bucket, now: Now) -> Environment:
    """Echo: dev's tickets; what the client does comes back through dev's queue."""
    tickets = TicketsApi(dev.records, bucket, now, echo=_EchoBack(dev))
    return Environment(dev.records, dev.queue, dev.announcer, dev.scenario, tickets, dev.queue_api, has_queue=False)


class _EchoBack:
    """Announces what the client did as if an Ensono user had done it; changes don't echo (guide, "Environments")."""

    def __init__(self, dev: Environment) -> None:
        self._dev = dev

    def created(self, ticket: Ticket) -> None:
        self._dev.announcer.create(ticket)

    def updated(self, ticket: Ticket, changed: Mapping[str, str]) -> None:
        if changed.get("status") in _CLOSED:
            self._dev.announcer.closure(ticket, {"closeNotes": changed.get("closeNotes", ""), "closeCode": "resolved"})
            return
        self._dev.announcer.update(ticket, changed)

    def commented(self, ticket: Ticket, comment: Comment) -> None:
        if not ticket.is_change:
            self._dev.scenario.notes(ticket.number, comment.body)

    def file_added(self, ticket: Ticket, name: str, file: StoredFile) -> None:
        self._dev.scenario.attachment(ticket.number, name, file.content, file.content_type)
