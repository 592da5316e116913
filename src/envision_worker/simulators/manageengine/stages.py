"""Where a change stands: its stage and status, and which moves its workflow allows.

Source: stage and status are siblings, a status belongs to a stage, and a workflow controls the transitions; a straight
way to a terminal status was refused on a live server.
"""

from dataclasses import dataclass

from envision_worker.simulators.manageengine import refusals
from envision_worker.simulators.manageengine.tickets import Ticket
from envision_worker.simulators.manageengine.world import World


@dataclass(frozen=True)
class Move:
    """Stage and status that a change is to have, by their ids."""

    stage: str
    status: str


def first(world: World, stage: str | None, statuses: tuple[str, ...] | None) -> tuple[str, str]:
    """Stage and status of a new change; without a stage it is the first one, without a status the stage's first."""
    if stage is None and statuses is not None:
        stage = world.setup.row("change_statuses", statuses[0]).parent
    stage = stage or next(world.setup.rows("change_stages")).id
    return stage, _status_in(world, stage, statuses)


def planned(world: World, ticket: Ticket, stage: str | None, statuses: tuple[str, ...] | None) -> Move | None:
    """The move that is asked for, None where the change stays.

    Raises:
        Refusal: the status is not one of the stage, or the workflow does not allow it.
    """
    if stage is None and statuses is None:
        return None
    target_stage = stage or ticket.fields["stage"]
    if statuses is None and target_stage == ticket.fields["stage"]:
        return None
    status = _status_in(world, target_stage, statuses)
    if (target_stage, status) == (ticket.fields["stage"], ticket.fields["status"]):
        return None
    check_workflow(world, ticket, world.setup.row("change_statuses", status).name)
    return Move(target_stage, status)


def check_workflow(world: World, ticket: Ticket, after: str) -> None:
    """Whether the workflow that is set up allows this status next.

    Raises:
        Refusal: it does not.
    """
    workflow = world.switches.workflow
    before = world.status_of(ticket).name
    if workflow and before != after and after not in workflow.get(before, frozenset()):
        raise refusals.invalid("status", "Status transition is not allowed by the workflow")


def carry_out(world: World, ticket: Ticket, move: Move, *, comment: str, by: str = "api") -> None:
    """Move a change."""
    before = _place(world, ticket)
    ticket.fields |= {"stage": move.stage, "status": move.status}
    ticket.completed = world.now_ms if world.status_of(ticket).closes else None
    world.record("status", ticket, by=by, before=before, after=_place(world, ticket), comment=comment)


def place(world: World, stage: str, status: str) -> Move:
    """The move to a stage and a status given by their names.

    Raises:
        Refusal: there is no such status in that stage.
    """
    row = world.setup.named("change_stages", stage)
    return Move(
        row.id, _status_in(world, row.id, tuple(each.id for each in world.setup.find("change_statuses", name=status)))
    )


def _status_in(world: World, stage: str, statuses: tuple[str, ...] | None) -> str:
    if statuses is None:
        return next(row.id for row in world.setup.rows("change_statuses") if row.parent == stage and row.in_use)
    for status in statuses:
        if world.setup.row("change_statuses", status).parent == stage:
            return status
    if world.switches.statuses_bound_to_stage or not statuses:
        raise refusals.invalid("status")
    return statuses[0]


def _place(world: World, ticket: Ticket) -> str:
    return f"{world.setup.row('change_stages', ticket.fields['stage']).name} / {world.status_of(ticket).name}"
