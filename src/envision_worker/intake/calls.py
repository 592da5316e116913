"""Every outgoing call is told to whom it concerns: the metrics, the gate of its peer, and the message it is made for."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from envision_worker.telemetry.facts import Facts
from envision_worker.vocabulary import EnsonoTicketNumber
from envision_worker.wire import Call


@dataclass(slots=True)
class Handling:
    """The handling under way in this task: whose calls they are, and how many."""

    ticket: EnsonoTicketNumber
    calls: int = 0


handling: ContextVar[Handling | None] = ContextVar("handling", default=None)


class Calls:
    """The observer that every wire is given."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._listeners: dict[str, Callable[[Call, EnsonoTicketNumber | None], None]] = {}

    def tell(self, peer: str, listener: Callable[[Call, EnsonoTicketNumber | None], None]) -> None:
        """From now on this listener hears of the calls to this peer."""
        self._listeners[peer] = listener

    def __call__(self, call: Call) -> None:
        """One call is over."""
        self._facts.call_finished(call)
        current = handling.get()
        if current is not None:
            current.calls += 1
        if listener := self._listeners.get(call.peer):
            listener(call, current.ticket if current else None)
