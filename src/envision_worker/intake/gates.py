"""All that can keep the queue from being read: both peers' gates, and an operator's pause."""

from dataclasses import dataclass

from envision_worker.intake.gate import Gate


@dataclass(slots=True)
class Gates:
    """Attributes: `paused`: an operator wants no reading."""

    desk: Gate
    ensono: Gate
    paused: bool = False

    def are_open(self) -> bool:
        """Whether work may be begun, as far as is known."""
        return not self.paused and self.desk.is_open and self.ensono.is_open

    async def cleared(self) -> bool:
        """The same, once the probes that are under way have ended."""
        desk, ensono = await self.desk.cleared(), await self.ensono.cleared()
        return desk and ensono and not self.paused

    def suspect(self) -> None:
        """Let the desk be probed before anything is begun. Ensono is judged by its real calls alone: a read that fails costs nothing."""
        self.desk.suspect()

    def suspected(self) -> bool:
        """Whether one is being probed."""
        return self.desk.is_suspected or self.ensono.is_suspected

    def outage_s(self) -> float:
        """How long a peer has been unable to take work; 0 while an operator wants no reading."""
        return 0.0 if self.paused else max(self.desk.closed_for(), self.ensono.closed_for())
