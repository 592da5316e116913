"""The fields of a ticket about which nothing particular is said: those of the guide's samples, in their order."""

from envision_worker.simulators.ensono.records import utc

DAY_S = 86400
_HOUR_S = 3600
_PLANS = ("justification", "preChangeChecks", "implementationPlan", "testPlan", "backoutPlan")


def plain_ticket(now: float) -> dict[str, str]:
    """An open incident or request."""
    return {
        "status": "open",
        "description": "test",
        "shortDescription": "test",
        "group": "Ensono Support",
        "ensonoGroup": "CS - 1st Line",
        "priority": "4",
        "impact": "3",
        "urgency": "3",
        "openedTime": utc(now),
        "category": "Private Cloud",
        "origin": "Web",
        "cis": "",
    }


def plain_change(now: float) -> dict[str, str]:
    """A draft of a normal change, planned for the hour after this time tomorrow."""
    return {
        "group": "CLIENT - Ensono Other",
        "ensonoGroup": "Platform BPMDevandSupport",
        "openedAt": utc(now),
        "requestedByName": "Ensono User",
        "shortDescription": "test",
        "type": "Normal",
        "category": "Other",
        "approval": "not requested",
        "startDate": utc(now + DAY_S),
        "endDate": utc(now + DAY_S + _HOUR_S),
        "risk": "High",
        "impact": "Low",
        "description": "test",
        **dict.fromkeys(_PLANS, "test"),
        "state": "",
        "priority": "4",
        "cis": "2000",
    }
