"""How the desk says yes."""

from typing import Any

from envision_worker.simulators.http import Response, json_response

CREATED = 201


def entity(key: str, shown: Any, *, status: int = 200) -> Response:
    """One thing under its singular key."""
    return json_response({key: shown, "response_status": {"status_code": 2000, "status": "success"}}, status)


def done(message: str, *, status: int = 200) -> Response:
    """An action that has no thing to show."""
    told = {"status_code": 2000, "type": "success", "message": message}
    return json_response({"response_status": {"status_code": 2000, "messages": [told], "status": "success"}}, status)
