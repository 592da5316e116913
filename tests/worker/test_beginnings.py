"""What the description of a ticket that replaced another tells of its beginning, and what it makes of what others wrote there."""

from datetime import UTC, datetime

import pytest

from envision_worker.handlers.beginnings import Beginning
from envision_worker.vocabulary import PartnerTicketNumber

OURS = Beginning(PartnerTicketNumber("CH-12"), datetime(2026, 3, 2, 6, 0, 7, 123000, tzinfo=UTC), "0b8963d4")
THEIRS = Beginning(PartnerTicketNumber("77"), datetime(2031, 1, 1, tzinfo=UTC), "ffffffff")


@pytest.mark.parametrize(
    "description",
    [
        f"<div>test</div><div><br><b>Remarks</b><br>{OURS.line}</div>",
        f'<div class="sdp-ze-default-wrapper"><div>test</div>\n<div>{OURS.line.replace(" ", "  ")}</div></div>',
        f"<div>{THEIRS.line}</div><div>Remarks<br>{OURS.line}</div>",
    ],
    ids=["as written", "as a desk wraps it", "below what Ensono's user wrote"],
)
def test_it_is_read_back_to_the_millisecond(description: str) -> None:
    assert Beginning.read(description) == OURS


@pytest.mark.parametrize(
    "description",
    ["", "<div>test</div>", OURS.line.replace("-03-02", "-13-02"), OURS.line.replace("07.123", "07:123"), "Continues"],
)
def test_what_tells_of_no_beginning_is_none(description: str) -> None:
    assert Beginning.read(description) is None


def test_people_can_read_it() -> None:
    assert OURS.line == "Continues CH-12 with what Ensono sent at 2026-03-02T06:00:07.123Z (ref 0b8963d4)"
