"""Which tickets' writes failed since one was answered: what closes a gate although its peer answers probes."""

from http import HTTPStatus

from envision_worker.vocabulary import EnsonoTicketNumber
from envision_worker.wire import Call

MANY = 3
ONE_TICKET_POLLS = 10
"""How many polls a gate stays closed that one ticket's number closed; each time that it opened in vain, twice as many."""
MOST_DOUBLINGS = 2
READ_QUEUE, DELETE, RETURN_NUMBER = "read_queue", "delete_message", "return_ptn"


class FailingWrites:
    """One ticket's failure is its own trouble, until many fail; only a number that Ensono did not take twice counts by itself.

    The tickets API knows no bad tickets, so what it can't take for one it takes for none. Deletes are counted apart from all other
    writes: at Ensono another system answers them.
    """

    def __init__(self) -> None:
        self.opened_in_vain = 0
        """How often the gate was opened over a number that was still not taken afterwards."""
        self._tickets: dict[bool, set[EnsonoTicketNumber]] = {}

    def failed(self, call: Call, ticket: EnsonoTicketNumber) -> bool:
        """A write for this ticket failed; returns whether it is a number that was not taken once more.

        A plain 500 is what a program answers that stumbles over one ticket; whatever stands before it answers an outage otherwise.
        """
        failing = self._like(call)
        again = ticket in failing or self.opened_in_vain > 0
        failing.add(ticket)
        own = call.error is not None and call.error.status == HTTPStatus.INTERNAL_SERVER_ERROR
        return again and call.operation == RETURN_NUMBER and not own

    def answered(self, call: Call) -> None:
        """A write was answered, so such writes are."""
        self._like(call).clear()
        if call.operation == RETURN_NUMBER:
            self.opened_in_vain = 0

    def forget(self) -> None:
        """The gate opened: counting begins anew."""
        self._tickets.clear()

    def most(self) -> int:
        """For how many tickets one kind of writes failed."""
        return max(map(len, self._tickets.values()), default=0)

    def are_many(self) -> bool:
        """Whether it is no longer the tickets' own trouble."""
        return self.most() >= MANY

    def holds_for_polls(self) -> int:
        """For how many polls one ticket's number may keep a gate closed."""
        return ONE_TICKET_POLLS << min(self.opened_in_vain, MOST_DOUBLINGS)

    def _like(self, call: Call) -> set[EnsonoTicketNumber]:
        return self._tickets.setdefault(call.operation == DELETE, set())
