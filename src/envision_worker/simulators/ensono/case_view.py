"""`GET /tickets/{number}`: a ticket as Ensono's own system shows it, far from the names of the messages."""

from typing import Any

from envision_worker.simulators.ensono.records import Ticket

_CREATED_BY = "Ensono.User@Ensono.com"


def case_view(ticket: Ticket) -> dict[str, Any]:
    """The inside of `Response`: the guide's sample, reduced to what follows from the ticket and a few constants."""
    case = _case(ticket)
    return {
        "task_ci": {},
        "attachments": {f"{index:032x}": _attachment(file) for index, file in enumerate(_added(ticket), 1)},
        "comments": {
            f"{index:032x}": {"element": "comments", "name": "sn_customerservice_case", "value": comment.body}
            for index, comment in enumerate(ticket.comments, 1)
        },
        "incident": case,
        "case": dict(case),
        "u_task_integ": {},
    }


def _added(ticket: Ticket) -> list[Any]:
    return [file for file in ticket.files if not file.refused]


def _attachment(file: Any) -> dict[str, str]:
    return {
        "content_type": file.content_type,
        "file_name": file.name,
        "size_bytes": str(file.size),
        "state": "Available",
        "sys_created_by": _CREATED_BY,
        "table_name": "sn_customerservice_case",
        "u_public": "false",
    }


def _case(ticket: Ticket) -> dict[str, str | None]:
    fields = ticket.fields
    status = fields.get("status", "")
    return {
        "account": ticket.company,
        "active": "false" if status in {"closed", "cancelled"} else "true",
        "approval": "Not Yet Requested",
        "assignment_group": fields.get("ensonoGroup", ""),
        "category": fields.get("category", ""),
        "company": ticket.company,
        "contact": ticket.contact.get("contactName", ""),
        "contact_type": fields.get("origin", ""),
        "description": fields.get("description", ""),
        "impact": fields.get("impact", ""),
        "number": ticket.number.removeprefix("e-"),
        "opened_at": fields.get("openedTime", ""),
        "priority": fields.get("priority", ""),
        "resolution_code": None,
        "short_description": fields.get("shortDescription", ""),
        "state": status,
        "sys_class_name": "sn_customerservice_case",
        "sys_created_by": _CREATED_BY,
        "u_case_type": ticket.ticket_type,
        "urgency": fields.get("urgency", ""),
        "x_aito_data_sync_client_number": ticket.client_ticket_number,
        "closeNotes": fields.get("closeNotes", ""),
    }
