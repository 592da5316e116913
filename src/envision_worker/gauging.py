"""What the gauges show at the moment."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from envision_worker.clock import Clock
from envision_worker.config.model import Config
from envision_worker.ensono.connect import EnvisionConnect
from envision_worker.ensono.spool import spool_size
from envision_worker.intake.consumer import Consumer
from envision_worker.intake.files import SpooledFiles
from envision_worker.intake.gates import Gates
from envision_worker.intake.lanes import Lanes
from envision_worker.intake.watermarks import Watermarks
from envision_worker.ledger.ledger import Ledger
from envision_worker.telemetry.gauges import Gauges


@dataclass(frozen=True, slots=True)
class GaugeBoard:
    """Everything that the gauges are read from."""

    config: Config
    ledger: Ledger
    connect: EnvisionConnect
    clock: Clock
    gates: Gates
    files: SpooledFiles
    lanes: Lanes
    consumer: Consumer
    watermarks: Watermarks

    async def read(self) -> Gauges:
        """All gauges. Raises `LedgerUnavailable`."""
        config, backlog = self.config, await self.ledger.backlog()
        now = self.clock.now().timestamp()
        expiry = self.files.first_expiry()
        left = config.queue.max_receives - backlog.receive_count_max
        return Gauges(
            unacknowledged=backlog.unacknowledged,
            average_age_s=_age(backlog.average_sent, now),
            oldest_age_s=_age(backlog.oldest_sent, now),
            receive_count_max=backlog.receive_count_max,
            receives_left_min=left if backlog.unacknowledged else None,
            dead_letters=backlog.dead_letters,
            blocked_tickets=backlog.blocked_tickets,
            approvals_waiting=backlog.approvals_waiting,
            approvals_oldest_age_s=_age(backlog.approvals_oldest, now),
            desk_up=self.gates.desk.up,
            ensono_up=self.gates.ensono.up,
            gate_open=self.gates.are_open(),
            paused=self.gates.paused,
            last_drained=self.watermarks.drained,
            watermark=self.watermarks.watermark,
            last_read=self.consumer.last_read,
            last_success=self.lanes.last_success,
            ledger_bytes=await self.ledger.size_bytes(),
            spool_bytes=_spool_bytes(config.attachments.spool_dir),
            spool_limit_bytes=config.attachments.max_spool_bytes,
            clock_skew_s=self.connect.clock_skew_s,
            disk_free_bytes=_disk_free(config.state.path.parent),
            attachment_link_expires=expiry.timestamp() if expiry else None,
        )


def _spool_bytes(folder: Path) -> int | None:
    """What the spool takes, None where it may not be looked into."""
    try:
        return spool_size(folder)
    except OSError:
        return None


def _disk_free(folder: Path) -> int | None:
    """Free space there, None where it can't be told."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _age(sent: float | None, now: float) -> float:
    return max(now - sent, 0.0) if sent is not None else 0.0
