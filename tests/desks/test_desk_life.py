import pytest

from envision_worker.desks.desk import Life
from envision_worker.desks.life import LifeNames

OURS = LifeNames.with_names(
    resolved=["Fixed"],
    closed=["Archived "],
    cancelled=["Withdrawn"],
    change_closed=["Done", "Completed"],
    change_cancelled=["Dropped"],
)


@pytest.mark.parametrize(
    ("status", "life"),
    [
        ("fixed", Life.RESOLVED),
        ("Resolved", Life.RESOLVED),
        ("archived", Life.CLOSED),
        (" CLOSED", Life.CLOSED),
        ("WITHDRAWN", Life.CANCELLED),
        ("Cancelled", Life.CANCELLED),
        ("", Life.OPEN),
        ("Completed", Life.OPEN),
    ],
)
def test_a_request_lives_by_the_usual_names_and_by_ours(status: str, life: Life) -> None:
    assert OURS.of_request(status) is life


@pytest.mark.parametrize(
    ("stage", "status", "life"),
    [
        ("Review", "done", Life.CLOSED),
        ("Review", "Dropped", Life.CANCELLED),
        ("Close", "Dropped", Life.CANCELLED),
        ("Closed", "whatever", Life.CLOSED),
        ("Submission", "Resolved", Life.OPEN),
        ("", "", Life.OPEN),
        ("Implementation", "Completed", Life.OPEN),
        ("Close", "Completed", Life.CLOSED),
        ("", "Completed", Life.CLOSED),
        ("CAB Evaluation", "Rejected", Life.CLOSED),
        ("Close", "Rejected", Life.CLOSED),
    ],
)
def test_a_change_lives_by_its_stage_too(stage: str, status: str, life: Life) -> None:
    assert OURS.of_change(stage, status) is life


def test_the_last_stage_can_have_another_name() -> None:
    assert LifeNames().with_closing_stage("Abschluss ").of_change("abschluss", "Completed") is Life.CLOSED
    assert LifeNames().of_change("Abschluss", "Completed") is Life.OPEN
