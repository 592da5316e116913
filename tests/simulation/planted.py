"""How each defect is planted, in which weather it shows, and which promise it breaks."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from envision_worker.app import Worker
from envision_worker.desks.manageengine.desk import ManageEngineDesk
from envision_worker.intake.delivery import Deliveries
from envision_worker.intake.gate import Gate
from envision_worker.intake.lane import Live
from envision_worker.intake.lanes import Lanes
from envision_worker.parts import Parts
from envision_worker.relay.decisions import Decisions
from envision_worker.vocabulary import MessageId
from simulation import defects
from simulation.storm import Plant
from worlds.simulated import World


@dataclass(frozen=True)
class Planted:
    """Attributes: `plant`: puts the defect into a world. `theme`: of the plans in which it shows soon. `breaks`: at least one of these promises."""

    plant: Plant
    theme: str
    breaks: Collection[str]


def in_worker(tamper: Callable[[Worker], None]) -> Plant:
    """A defect in each worker of a world."""

    def plant(world: World) -> None:
        world.tamper = tamper

    return plant


def in_desk(desk: type[ManageEngineDesk]) -> Plant:
    """A defect in how the desk is called."""

    def plant(world: World) -> None:
        def alter(parts: Parts) -> Parts:
            assert isinstance(parts.desk, ManageEngineDesk)
            parts.desk.__class__ = desk
            return parts

        world.alter = alter

    return plant


def in_both_gates(gate: type[Gate]) -> Plant:
    """A defect in how gates close and open."""

    def tamper(worker: Worker) -> None:
        worker.desk_gate.__class__ = worker.ensono_gate.__class__ = gate

    return in_worker(tamper)


def in_lanes(lanes: type[Lanes]) -> Plant:
    """A defect in the order of a ticket's messages; the ledger's own check of the order is taken away, too."""

    def tamper(worker: Worker) -> None:
        worker.lanes.__class__ = lanes
        worker.parts.ledger.messages.__class__ = defects.TrustsItsList

    return in_worker(tamper)


def in_deliveries(deliveries: type[Deliveries]) -> Plant:
    """A defect in how a message is handled."""

    def tamper(worker: Worker) -> None:
        worker.lanes._parts.deliveries.__class__ = deliveries

    return in_worker(tamper)


def in_decisions(decisions: type[Decisions]) -> Plant:
    """A defect in how decisions are sent."""

    def tamper(worker: Worker) -> None:
        object.__setattr__(worker.relay._decisions, "__class__", decisions)  # it is frozen

    return in_worker(tamper)


def _gives_up_deleting(worker: Worker) -> None:
    given_up: set[MessageId] = set()

    class GivingUpLanes(Lanes):
        def offer(self, tickets: defects.Tickets, live: Mapping[MessageId, Live]) -> None:
            super().offer(tickets, live)
            for lane, _ in self._reading.values():
                lane.__class__ = defects.GivesUpDeleting
                lane.given_up = given_up  # type: ignore[attr-defined]

    worker.lanes.__class__ = GivingUpLanes


def _twice_at_a_time(worker: Worker) -> None:
    worker.lanes.__class__ = defects.TwiceAtATime
    worker.lanes.tickets.__class__ = defects.NoLocks


def _always_fits(worker: Worker) -> None:
    worker.lanes._parts.times.__class__ = defects.AlwaysFits


def _impatient(worker: Worker) -> None:
    worker.lanes._parts.deliveries._unsettled.__class__ = defects.Impatient


def _sees_no_repeats(worker: Worker) -> None:
    worker.parts.ledger.messages.__class__ = defects.SeesNoRepeats


def _reads_anyway(worker: Worker) -> None:
    worker.gates.__class__ = defects.ReadsAnyway


def _forgets_nothing(worker: Worker) -> None:
    worker.parts.ledger.approvals.__class__ = defects.ForgetsNothing


PLANTED: Mapping[str, Planted] = {
    "deletes before it applies": Planted(in_deliveries(defects.Hasty), "storm", {"P2"}),
    "does not look after a lost answer": Planted(in_deliveries(defects.BlindDeliveries), "late", {"P3"}),
    "does not wait until a lost write must have shown": Planted(in_worker(_impatient), "late", {"P3"}),
    "takes a lost answer for a refusal": Planted(in_desk(defects.TakesLostForRefused), "late", {"P3"}),
    "writes notes without their mark": Planted(in_desk(defects.Markless), "late", {"P3"}),
    "finds no counterpart on the desk": Planted(in_desk(defects.FindsNothing), "late", {"P3"}),
    "takes what is sent twice for new": Planted(in_worker(_sees_no_repeats), "again", {"P1", "P3"}),
    "loses a status": Planted(in_desk(defects.SetsNoStatus), "again", {"P4"}),
    "goes on with a lane after a failure": Planted(in_lanes(defects.GoingOnLanes), "poison", {"P1", "P6"}),
    "takes the newest message of a ticket first": Planted(in_lanes(defects.ReversedLanes), "slow", {"P1"}),
    "lets messages pass a dead letter": Planted(in_lanes(defects.PassingLanes), "poison", {"P1", "P6"}),
    "works on a ticket twice at a time": Planted(in_worker(_twice_at_a_time), "slow", {"P7"}),
    "takes an expired handle for a failure for ever": Planted(in_worker(_gives_up_deleting), "slow", {"P7"}),
    "ignores the visibility window": Planted(in_worker(_always_fits), "slow", {"P7"}),
    "never closes a gate": Planted(in_both_gates(defects.NeverCloses), "calm", {"P5"}),
    "never opens a gate": Planted(in_both_gates(defects.NeverOpens), "calm", {"P4", "P5"}),
    "reads while a gate is closed": Planted(in_worker(_reads_anyway), "calm", {"P5"}),
    "sends what each approver decides": Planted(in_decisions(defects.SendsEach), "board", {"P3"}),
    "sends a decision otherwise each time": Planted(in_decisions(defects.TellsAnotherTime), "board", {"P3"}),
    "forgets that a decision was withdrawn": Planted(in_worker(_forgets_nothing), "board", {"P3", "P4"}),
}
"""By what the worker with the defect does."""
