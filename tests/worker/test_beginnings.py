"""What the description of a ticket that replaced another tells of its beginning, and what it makes of what others wrote there."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from envision_worker.handlers.beginnings import Beginning
from envision_worker.vocabulary import EnsonoTicketNumber, PartnerTicketNumber

TICKET = EnsonoTicketNumber("e-CS0900001")
SENT = datetime(2026, 3, 2, 6, 0, 7, 123000, tzinfo=UTC)
OURS = Beginning(TICKET, PartnerTicketNumber("CH-12"), SENT, "0b8963d4")
ANOTHERS = replace(OURS, ticket=EnsonoTicketNumber("e-CS0900002"))
LATER = OURS.line.replace("2026", "2031")


@pytest.mark.parametrize(
    "description",
    [
        f"<div>test</div><div><br><b>Remarks</b><br>{OURS.line}</div>",
        f'<div class="sdp-ze-default-wrapper"><div>test</div>\n<div>{OURS.line.replace(" ", "  ")}</div></div>',
        f"<div>{LATER}</div><div>{ANOTHERS.line}</div><div>Remarks<br>{OURS.line}</div><div>{LATER}</div>",
    ],
    ids=["as written", "as a desk wraps it", "among what others wrote"],
)
def test_it_is_read_back_to_the_millisecond(description: str) -> None:
    assert Beginning.read(description, TICKET) == OURS


@pytest.mark.parametrize(
    "description",
    ["", "<div>test</div>", "Continues", ANOTHERS.line, LATER, OURS.line.replace("-03-02", "-13-02")],
    ids=["nothing", "no such line", "the beginning of one", "another ticket's", "changed by hand", "no such day"],
)
def test_what_tells_of_no_beginning_of_this_ticket_is_none(description: str) -> None:
    assert Beginning.read(description, TICKET) is None


def test_people_can_read_it() -> None:
    assert OURS.line.startswith("Continues CH-12 with what Ensono sent at 2026-03-02T06:00:07.123Z (ref 0b8963d4")
