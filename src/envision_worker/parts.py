"""What the worker is put together from."""

import random
from dataclasses import dataclass

from envision_worker.clock import Clock
from envision_worker.config.model import Config
from envision_worker.desks.desk import Desk
from envision_worker.ensono.connect import EnvisionConnect
from envision_worker.ensono.downloads import Downloader
from envision_worker.intake.calls import Calls
from envision_worker.ledger.ledger import Ledger
from envision_worker.telemetry.facts import Facts


@dataclass(frozen=True, slots=True)
class Parts:
    """What the worker is made of: opened by the caller, closed by the caller."""

    config: Config
    ledger: Ledger
    desk: Desk
    connect: EnvisionConnect
    downloader: Downloader
    calls: Calls
    clock: Clock
    facts: Facts
    rng: random.Random
