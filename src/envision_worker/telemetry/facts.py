"""The one place that tells a fact: each method writes the log line and moves the metrics.

A line's event is the method's name; where a fact has a good and a bad form (`queue_read`, `call_finished`), the bad one has an
event of its own. `docs/logs.md` lists all events with their fields, `docs/metrics.md` all metrics; tests compare both.
"""

from envision_worker.telemetry.message_facts import MessageFacts
from envision_worker.telemetry.queue_facts import QueueFacts
from envision_worker.telemetry.ticket_facts import TicketFacts
from envision_worker.telemetry.worker_facts import WorkerFacts


class Facts(QueueFacts, MessageFacts, TicketFacts, WorkerFacts):
    """Everything that the worker tells about itself and its work."""
