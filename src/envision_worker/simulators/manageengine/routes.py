"""Which call does what: the paths of both products."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from envision_worker.simulators.http import Request, Response
from envision_worker.simulators.manageengine import (
    approval_levels,
    approvals,
    attachments,
    changes,
    closing,
    lookups,
    notes,
    refusals,
    requests,
)
from envision_worker.simulators.manageengine.calls import Call
from envision_worker.simulators.manageengine.flavour import Kind
from envision_worker.simulators.manageengine.refusals import Complaint, Refusal
from envision_worker.simulators.manageengine.world import World

_KINDS = ("requests/{request}", "changes/{change}")
Operation = Callable[[Call], Response]
Access = Literal["read", "write", "any"]


@dataclass(frozen=True)
class Route:
    """A call.

    Attributes:
        path: its parts; one in braces is an id.
        access: what the ticket in the path must be good for; `any`: also one in the trash.
    """

    method: str
    path: tuple[str, ...]
    operation: Operation
    access: Access = "read"

    def ids(self, segments: tuple[str, ...]) -> dict[str, str] | None:
        """The ids in a path that fits, None where it does not fit. An id is a number."""
        if len(segments) != len(self.path):
            return None
        found: dict[str, str] = {}
        for wanted, given in zip(self.path, segments, strict=True):
            if not wanted.startswith("{"):
                if wanted != given:
                    return None
            elif given.isascii() and given.isdigit():
                found[wanted.strip("{}")] = given
            else:
                return None
        return found


def answer(world: World, routes: tuple[Route, ...], request: Request, segments: tuple[str, ...]) -> Response:
    """Do what a call asks for.

    Raises:
        Refusal: there is no such path, or the desk says no.
    """
    route, ids = find(routes, request.method, segments)
    ticket = None
    for kind in ("request", "change"):
        if kind in ids:
            ticket = world.writable(kind, ids[kind]) if route.access == "write" else world.readable(kind, ids[kind])
    return route.operation(Call(world, request, ids, ticket))


def find(routes: tuple[Route, ...], method: str, segments: tuple[str, ...]) -> tuple[Route, Mapping[str, str]]:
    """The route of a call and the ids in its path.

    Raises:
        Refusal: no such path (4007), or not with this method (4021).
    """
    known_path = False
    for route in routes:
        ids = route.ids(segments)
        if ids is None:
            continue
        if route.method == method:
            return route, ids
        known_path = True
    if known_path:
        raise Refusal(Complaint(refusals.WRONG_TYPE, "Invalid HTTP method"))
    raise refusals.not_found()


def routes_of(world: World) -> tuple[Route, ...]:
    """All calls that this desk serves."""
    flavour, switches = world.flavour, world.switches
    own = [
        *_common(),
        _write("PUT", f"requests/{{request}}/{flavour.close_request}", closing.close),
        *(_cloud() if flavour.is_cloud else _on_premises(switches.download_path)),
    ]
    approvals_path = "changes/{change}/approval_levels/{level}/approvals"
    content_path = switches.notification_path.replace("send_notification", "get_notification_content")
    own += [
        *(_write(flavour.upload_method, f"{kind}/{flavour.upload_path}", attachments.upload) for kind in _KINDS),
        _write("PUT", f"{approvals_path}/{switches.notification_path}", approvals.send_notification),
        _read(f"{approvals_path}/{content_path}", approvals.notification_content),
    ]
    return tuple(own)


def _read(path: str, operation: Operation) -> Route:
    return Route("GET", tuple(path.split("/")), operation)


def _write(method: str, path: str, operation: Operation) -> Route:
    return Route(method, tuple(path.split("/")), operation, "write")


def _common() -> list[Route]:
    return [
        *_tables(),
        Route("POST", ("requests",), requests.create),
        Route("POST", ("changes",), changes.create),
        _read("requests", requests.show_list),
        _read("changes", changes.show_list),
        _read("requests/{request}", requests.read),
        _read("changes/{change}", changes.read),
        _write("PUT", "requests/{request}", requests.update),
        _write("PUT", "changes/{change}", changes.update),
        _read("requests/{request}/resolutions", closing.read_resolution),
        _write("POST", "requests/{request}/resolutions", closing.write_resolution),
        _write("PUT", "requests/{request}/resolutions", closing.write_resolution),
        *_notes("requests/{request}/notes"),
        *_notes("changes/{change}/notes"),
        *_approvals("changes/{change}/approval_levels"),
    ]


def _tables() -> list[Route]:
    kinds: tuple[Kind, ...] = ("request", "change")
    return [
        *(_read(plural, lookups.table(plural)) for plural in lookups.TABLES),
        *(_read(plural, lookups.people(plural)) for plural in lookups.PEOPLE),
        *(_read(f"{kind}s/_metainfo", lookups.metainfo(kind)) for kind in kinds),
    ]


def _notes(path: str) -> list[Route]:
    return [
        _read(path, notes.show_list),
        _write("POST", path, notes.add),
        _read(f"{path}/{{note}}", notes.read),
        _write("PUT", f"{path}/{{note}}", notes.edit),
        _write("DELETE", f"{path}/{{note}}", notes.remove),
    ]


def _approvals(path: str) -> list[Route]:
    inner = f"{path}/{{level}}/approvals"
    return [
        _read(path, approval_levels.list_levels),
        _write("POST", path, approval_levels.add_level),
        _read(f"{path}/{{level}}", approval_levels.read_level),
        _write("DELETE", f"{path}/{{level}}", approval_levels.remove_level),
        _read(inner, approvals.list_approvals),
        _write("POST", inner, approvals.add_approver),
        _read(f"{inner}/{{approval}}", approvals.read_approval),
        _write("DELETE", f"{inner}/{{approval}}", approvals.remove_approver),
        _write("PUT", f"{inner}/{{approval}}/_approve", approvals.approve),
        _write("PUT", f"{inner}/{{approval}}/_reject", approvals.reject),
    ]


def _on_premises(download_path: str) -> list[Route]:
    kept = []
    for kind in _KINDS:
        kept += [
            Route("DELETE", (*kind.split("/"), "move_to_trash"), requests.trash, "any"),
            Route("PUT", (*kind.split("/"), "restore_from_trash"), requests.restore, "any"),
            Route("DELETE", tuple(kind.split("/")), requests.delete, "any"),
            _read(f"{kind}/attachments", attachments.show_list),
            _read(f"{kind}/attachments/{{attachment}}/{download_path}", attachments.download),
            _write("DELETE", f"{kind}/attachments/{{attachment}}", attachments.remove),
        ]
    return [
        *kept,
        _write("PUT", "changes/{change}/close_change", changes.close),
        _read("changes/{change}/approval_levels/approval_summary", approval_levels.summary),
        _read("approval_rules", lookups.approval_rules),
    ]


def _cloud() -> list[Route]:
    kept = []
    for kind in _KINDS:
        kept += [
            Route("DELETE", tuple(kind.split("/")), requests.trash, "any"),
            _read(f"{kind}/_uploads/{{attachment}}/download", attachments.download),
        ]
    return kept
