"""How times and users are told: the same everywhere in the API."""

from datetime import UTC, datetime
from typing import Any

from envision_worker.simulators.manageengine.setup import User


def shown_time(milliseconds: int | None) -> Any:
    """A time as the API tells it, null where there is none."""
    if milliseconds is None:
        return None
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    clock = moment.strftime("%I:%M %p")
    return {"display_value": f"{moment:%b} {moment.day}, {moment.year} {clock}", "value": str(milliseconds)}


def shown_user(user: User, *, cloud: bool) -> dict[str, Any]:
    """A user as the API tells one."""
    common = {
        "email_id": user.email,
        "phone": user.phone,
        "name": user.name,
        "mobile": user.mobile,
        "id": user.id,
        "department": None,
    }
    if cloud:
        photo = f"https://contacts.example.com/file?ID={user.id}"
        return common | {"is_technician": user.technician, "sms_mail": None, "photo_url": photo, "is_vip_user": False}
    return common | {"is_vipuser": False}
