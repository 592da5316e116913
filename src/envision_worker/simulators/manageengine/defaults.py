"""A desk as it might come out of the box, with the names that the documentation and its samples show."""

from typing import Any, NamedTuple

from envision_worker.simulators.manageengine.flavour import Flavour, Kind
from envision_worker.simulators.manageengine.setup import Setup

KEY_OWNER = "ensono@example.com"
PEOPLE = (
    (KEY_OWNER, "Ensono Integration", "+1 555 0100", True),
    ("tech@example.com", "Terry Technician", "+1 555 0101", True),
    ("cab@example.com", "Carla Board", "+1 555 0110", True),
    ("cab.second@example.com", "Sam Second", "+1 555 0111", True),
    ("change-manager@example.com", "Maria Manager", "+1 555 0112", True),
    ("requester@example.com", "Robin Requester", None, False),
)

_PLAIN: dict[str, tuple[str, ...]] = {
    "urgencies": ("Urgent", "High", "Normal", "Low"),
    "impacts": ("Affects Business", "High", "Medium", "Low", "Affects Department", "Affects Group", "Affects User"),
    "levels": ("Tier 1", "Tier 2", "Tier 3", "Tier 4"),
    "modes": ("E-Mail", "Web Form", "Phone Call"),
    "request_types": ("Incident", "Request For Information", "Service Request"),
    "request_templates": ("Default Request",),
    "change_templates": ("General Template",),
    "sites": ("Test Site",),
    "groups": ("Network", "Hardware Problems", "Database", "Ensono", "Service Desk"),
    "service_categories": ("User Management",),
    "closure_codes": ("success", "Failed", "Canceled", "Closed - Completed", "Unable to Reproduce"),
    "change_risks": ("Low", "Medium", "High"),
    "reason_for_changes": ("Business Requirement", "Hardware Upgrade"),
    "slas": ("Low SLA", "Normal SLA"),
}
_PRIORITIES = (
    ("Low", "#666666"),
    ("Normal", "#006600"),
    ("Medium", "#0066ff"),
    ("High", "#ff0000"),
    ("Critical", "#990000"),
)
_CATEGORIES = {
    "General": ("Other",),
    "Hardware": ("Server", "Desktop"),
    "Software": ("MS Office", "Operating System"),
    "Network": ("Router", "Switch"),
    "Managed Services": ("Monitoring", "Backup"),
}


class _Status(NamedTuple):
    name: str
    color: str
    in_progress: bool = True
    stop_timer: bool = False
    closes: bool = False
    cancels: bool = False


_STATUSES = (
    _Status("On Hold", "#ff0000", stop_timer=True),
    _Status("Open", "#0066ff"),
    _Status("Assigned", "#f88888"),
    _Status("In Progress", "#00ffcc"),
    _Status("Resolved", "#009900", in_progress=False, stop_timer=True),
    _Status("Closed", "#006600", in_progress=False, stop_timer=True, closes=True),
    _Status("Cancelled", "#999999", in_progress=False, stop_timer=True, closes=True, cancels=True),
)
_CHANGE_TYPES = (
    ("Minor", False),
    ("Standard", True),
    ("Major", False),
    ("Significant", False),
    ("Normal", False),
    ("Emergency", False),
)
_STAGES = {
    "Submission": ("Requested", "Requested for Information", "In Review", "Accepted", "On Hold", "Canceled"),
    "Planning": (
        "Planning In Progress",
        "In Review",
        "Approval Pending",
        "Approved",
        "Rejected",
        "On Hold",
        "Canceled",
    ),
    "CAB Evaluation": ("Requested", "Approval Pending", "Approved", "Rejected", "On Hold", "Canceled"),
    "Implementation": ("Approved", "In Progress", "Completed", "On Hold", "Canceled"),
    "UAT": ("In Progress", "Completed", "On Hold"),
    "Release": ("In Progress", "Completed", "On Hold"),
    "Review": ("In Progress", "In Review", "Completed"),
    "Close": ("Completed", "Canceled", "Rejected"),
}


def fill(setup: Setup, flavour: Flavour) -> None:
    """Configure the desk."""
    for table, names in _PLAIN.items():
        for name in names:
            setup.add(table, name)
    for name, color in _PRIORITIES:
        setup.add("priorities", name, color=color)
    for status in _STATUSES:
        _add_status(setup, flavour, status)
    _add_categories(setup)
    _add_change_tables(setup)
    for email, name, phone, technician in PEOPLE:
        setup.add_user(email, name, phone=phone, technician=technician)
    _add_udfs(setup, flavour)


def _add_status(setup: Setup, flavour: Flavour, status: _Status) -> None:
    told: dict[str, Any] = {"color": status.color}
    if flavour.is_cloud:
        internal_name = status.name.replace(" ", "")
        told |= {"internal_name": internal_name, "in_progress": status.in_progress, "stop_timer": status.stop_timer}
    setup.add("statuses", status.name, closes=status.closes, cancels=status.cancels, **told)


def _add_categories(setup: Setup) -> None:
    for name, subcategories in _CATEGORIES.items():
        category = setup.add("categories", name)
        for each in subcategories:
            subcategory = setup.add("subcategories", each, parent=category.id)
            setup.add("items", "Upgrade", parent=subcategory.id)


def _add_change_tables(setup: Setup) -> None:
    for name, pre_approved in _CHANGE_TYPES:
        setup.add("change_types", name, color="#0066ff", pre_approved=pre_approved)
    for name, statuses in _STAGES.items():
        stage = setup.add("change_stages", name, internal_name=name)
        for each in statuses:
            ends = {"closes": name == "Close", "cancels": each == "Canceled"}
            setup.add("change_statuses", each, parent=stage.id, internal_name=each, **ends)


def _add_udfs(setup: Setup, flavour: Flavour) -> None:
    own: dict[Kind, tuple[str, ...]]
    if flavour.is_cloud:
        own = {"request": ("udf_char1", "udf_long1", "txt_ensono_number"), "change": ("udf_char1", "txt_ensono_number")}
    else:
        own = {"request": ("udf_sline_301", "udf_pick_303"), "change": ("udf_sline_501",)}
    for kind, names in own.items():
        setup.udfs[kind].update(names)
