"""The state of one simulated desk: its configuration, its tickets, its clock, and the record of what was written."""

from typing import Any

from envision_worker.simulators.http import Now
from envision_worker.simulators.manageengine import defaults, refusals
from envision_worker.simulators.manageengine.flavour import Flavour, Kind
from envision_worker.simulators.manageengine.setup import Row, Setup, User
from envision_worker.simulators.manageengine.switches import Switches
from envision_worker.simulators.manageengine.tickets import Effect, Ticket

FIRST_CLOUD_ID = 123640000000240013  # 18 digits: more than a double holds, as the real ones
CLOUD_ID_STEP = 2


class Ids:
    """Hands out ids: on premises each table counts for itself, in the cloud one long number serves all."""

    def __init__(self, *, cloud: bool) -> None:
        self._cloud = cloud
        self._counters: dict[str, int] = {}
        self._next_cloud_id = FIRST_CLOUD_ID

    def new(self, table: str) -> str:
        """The next id of a table."""
        if not self._cloud:
            return str(self.count(table))
        given = self._next_cloud_id
        self._next_cloud_id += CLOUD_ID_STEP
        return str(given)

    def count(self, table: str) -> int:
        """The next number that people see, from 1."""
        self._counters[table] = self._counters.get(table, 0) + 1
        return self._counters[table]


class World:
    """One desk.

    Attributes:
        tickets: all tickets ever, by kind and id, also merged and deleted ones.
        effects: every write that changed something, in order.
        key_owner: the account that all calls act as.
    """

    def __init__(self, now: Now, flavour: Flavour, switches: Switches) -> None:
        self.now = now
        self.flavour = flavour
        self.switches = switches
        self.ids = Ids(cloud=flavour.is_cloud)
        self.setup = Setup(self.ids.new)
        defaults.fill(self.setup, flavour)
        self.tickets: dict[Kind, dict[str, Ticket]] = {"request": {}, "change": {}}
        self.effects: list[Effect] = []
        self.key_owner = self._account(defaults.KEY_OWNER)

    def _account(self, email: str) -> User:
        user = self.setup.user_by_email(email)
        return user or self.setup.add_user(email, technician=True)

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970, the unit of every time that the API tells."""
        return int(self.now() * 1000)

    def record(self, verb: str, ticket: Ticket, *, by: str = "api", **what: Any) -> None:
        """Note a write that changed something."""
        self.effects.append(Effect(self.now(), by, verb, ticket.kind, ticket.id, what))

    def add(self, kind: Kind, fields: dict[str, Any], told: dict[str, Any], *, by: str = "api") -> Ticket:
        """A new ticket, recorded with `told`; it is missing from lists for the switch's time."""
        created = self.now_ms
        ticket_id = self.ids.new(f"{kind}s")
        number = str(self.ids.count(f"{kind} numbers")) if self.flavour.is_cloud else ticket_id
        listed_from = created + int(self.switches.index_lag_s * 1000)
        ticket = Ticket(kind, ticket_id, number, fields, created, self.key_owner.id, listed_from)
        if self.flavour.is_cloud:
            ticket.updated = created
        self.tickets[kind][ticket.id] = ticket
        self.record("create", ticket, by=by, fields=told)
        return ticket

    def readable(self, kind: Kind, ticket_id: str) -> Ticket:
        """A ticket that can be read, the trashed included.

        Raises:
            Refusal: it does not exist, was deleted, or was merged.
        """
        ticket = self.tickets[kind].get(ticket_id)
        if ticket is None or ticket.deleted:
            raise refusals.not_found()
        if ticket.merged_into is not None:
            raise refusals.merged(ticket.id, ticket.merged_into)
        return ticket

    def writable(self, kind: Kind, ticket_id: str) -> Ticket:
        """A ticket that can be changed.

        Raises:
            Refusal: it can't be read, or lies in the trash.
        """
        ticket = self.readable(kind, ticket_id)
        if ticket.trashed and self.switches.trash_is_locked:
            raise refusals.forbidden("Operation not allowed, the entity is in trash")
        return ticket

    def listed(self, kind: Kind) -> list[Ticket]:
        """The tickets that lists and searches show now."""
        return [
            ticket
            for ticket in self.tickets[kind].values()
            if not ticket.deleted
            and ticket.merged_into is None
            and (not ticket.trashed or self.switches.trash_is_listed)
            and ticket.listed_from <= self.now_ms
        ]

    def touch(self, ticket: Ticket) -> None:
        """Note that it was changed now."""
        ticket.updated = self.now_ms

    def status_of(self, ticket: Ticket) -> Row:
        """The row of its status."""
        table = "statuses" if ticket.kind == "request" else "change_statuses"
        return self.setup.row(table, ticket.fields["status"])
