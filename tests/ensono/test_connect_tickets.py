import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
import pytest
from ensono_world import KEY, Cut, Garbage, HandClock, Loopback, Reply, Silence, ensono_settings, results, sample

from envision_worker.ensono.connect import EnvisionConnect
from envision_worker.errors import KeyRefused, Malformed, PeerError, Refused, RefusedFor, Throttled, Unreachable, Unsure
from envision_worker.vocabulary import EnsonoTicketNumber, PartnerTicketNumber, TicketType
from envision_worker.wire import Call, Wire

TICKET = EnsonoTicketNumber("e-CS0204070")
CHANGE = EnsonoTicketNumber("e-CHG0000642")
APPROVED = "Jason Doe, Email: Jason.Doe@abc.com, Phone: 000-000-000 approved Change Request CHG00029641 via Email at 2021-02-19 06:41:54 CST."

Ask = Callable[[EnvisionConnect], Awaitable[None]]


async def returns(connect: EnvisionConnect) -> None:
    await connect.return_ptn(TICKET, TicketType.INCIDENT, PartnerTicketNumber("1234567"))


async def approves(connect: EnvisionConnect, comment: str = APPROVED) -> None:
    await connect.approve(
        CHANGE,
        PartnerTicketNumber("123456"),
        approver="approver@clientname.com",
        approval_id="157efa0f1b702d1026a2da49b04bcbf4",
        comment=comment,
    )


async def rejects(connect: EnvisionConnect, comment: str = APPROVED) -> None:
    await connect.reject(
        CHANGE,
        PartnerTicketNumber("123456"),
        approver="approver@clientname.com",
        approval_id="157efa0f1b702d1026a2da49b04bcbf4",
        comment=comment,
    )


@dataclass(frozen=True)
class Write:
    """A call of the tickets API, its name for the observer, and the sample of its confirmation."""

    ask: Ask
    operation: str
    confirmation: str


RETURNS = Write(returns, "return_ptn", "returnptn-ok.json")
APPROVES = Write(approves, "approve", "approve-ok.json")
REJECTS = Write(rejects, "reject", "reject-ok.json")
every_write = pytest.mark.parametrize("write", [RETURNS, APPROVES, REJECTS], ids=["return_ptn", "approve", "reject"])


async def test_a_partner_ticket_number_is_returned_as_the_guide_prints_it(
    peer: Loopback, connect: EnvisionConnect, calls: list[Call]
) -> None:
    peer.answer(Reply(sample("returnptn-ok.json")))
    await returns(connect)
    (heard,) = peer.heard
    assert (heard.method, heard.raw_path) == ("PUT", "/testclient57/dev/tickets/e-CS0204070/returnptn")
    assert heard.headers["x-api-key"] == KEY
    assert heard.headers["content-type"] == "application/json"
    assert heard.json == {
        "payload": {"clientName": "YourCompanyName", "ticketType": "Incident", "clientTicketNumber": "1234567"}
    }
    assert results(calls) == [("return_ptn", "ok")]


@pytest.mark.parametrize("ticket_type", list(TicketType))
async def test_ticket_types_go_out_as_the_guide_spells_them(
    ticket_type: TicketType, peer: Loopback, connect: EnvisionConnect
) -> None:
    peer.answer(Reply(sample("returnptn-ok.json")))
    await connect.return_ptn(CHANGE, ticket_type, PartnerTicketNumber("1"))
    assert peer.heard[0].json["payload"]["ticketType"] in {"Incident", "Request", "Change"}


@pytest.mark.parametrize(("ask", "tail"), [(approves, "approve"), (rejects, "reject")])
async def test_a_decision_goes_out_as_the_guide_prints_it(
    ask: Ask, tail: str, peer: Loopback, connect: EnvisionConnect
) -> None:
    peer.answer(Reply(sample(f"{tail}-ok.json")))
    await ask(connect)
    (heard,) = peer.heard
    assert (heard.method, heard.raw_path) == ("PUT", f"/testclient57/dev/tickets/e-CHG0000642/{tail}")
    assert heard.json == {
        "payload": {
            "clientName": "YourCompanyName",
            "ticketType": "Change",
            "clientTicketNumber": "123456",
            "approver": "approver@clientname.com",
            "approvalId": "157efa0f1b702d1026a2da49b04bcbf4",
            "comments": [{"body": APPROVED}],
        }
    }


@pytest.mark.parametrize("ask", [approves, rejects])
async def test_a_comment_is_escaped_before_the_json_encoding_and_cut_after_it(
    ask: Callable[[EnvisionConnect, str], Awaitable[None]], peer: Loopback, connect: EnvisionConnect
) -> None:
    peer.answer(Reply(sample("approve-ok.json")))
    await ask(connect, 'no:\r\n\t"C:\\x"\x00 é😀')
    assert rb"no:\\r\\n\\t\\\"C:\\\\x\\\"" in peer.heard[0].body
    assert peer.heard[0].json["payload"]["comments"] == [{"body": r"no:\r\n\t\"C:\\x\" é😀"}]
    await ask(connect, "\n" * 5000)
    assert peer.heard[1].json["payload"]["comments"] == [{"body": r"\n" * 1999 + "…"}]


async def test_the_tickets_of_echo_are_at_echo(
    peer: Loopback, client: httpx.AsyncClient, clock: HandClock, calls: list[Call]
) -> None:
    wire = Wire("ensono", client, clock, timeout_s=5, observe=calls.append)
    peer.answer(Reply(sample("returnptn-ok.json")))
    await returns(EnvisionConnect(ensono_settings(peer.url, environment="echo"), wire))
    assert peer.heard[0].raw_path == "/echo/tickets/e-CS0204070/returnptn"


@pytest.mark.parametrize("ticket", ["e-CS1/../../queue", "e-CS 1", "e-CS1?x#y", "e-CS\ud800"])
async def test_an_odd_ticket_number_stays_one_segment_of_the_path(
    ticket: str, peer: Loopback, connect: EnvisionConnect
) -> None:
    peer.answer(Reply(sample("returnptn-ok.json")))
    await connect.return_ptn(EnsonoTicketNumber(ticket), TicketType.INCIDENT, PartnerTicketNumber("1"))
    path = peer.heard[0].raw_path
    assert path.startswith("/testclient57/dev/tickets/e-CS")
    assert path.endswith("/returnptn")
    assert path.count("/") == 5


@pytest.mark.parametrize("ticket", ["", ".", ".."])
async def test_what_can_be_no_ticket_number_is_refused_without_a_call(
    ticket: str, peer: Loopback, connect: EnvisionConnect
) -> None:
    with pytest.raises(Refused):
        await connect.return_ptn(EnsonoTicketNumber(ticket), TicketType.INCIDENT, PartnerTicketNumber("1"))
    assert peer.heard == []


async def test_numbers_with_characters_that_utf8_can_not_carry_are_sent_without_them(
    peer: Loopback, connect: EnvisionConnect
) -> None:
    peer.answer(Reply(sample("returnptn-ok.json")))
    await connect.return_ptn(TICKET, TicketType.INCIDENT, PartnerTicketNumber("12\ud800\n3"))
    assert peer.heard[0].json["payload"]["clientTicketNumber"] == "123"


@every_write
@pytest.mark.parametrize("status", [200, 202])
async def test_every_write_is_confirmed_by_any_text_with_2xx(
    write: Write,
    status: int,
    peer: Loopback,
    connect: EnvisionConnect,
    calls: list[Call],
) -> None:
    peer.answer(Reply(sample(write.confirmation), status), Reply(b'{"Response": "Done, thank you"}', status))
    await write.ask(connect)
    await write.ask(connect)
    assert results(calls) == [(write.operation, "ok")] * 2


@every_write
@pytest.mark.parametrize(
    "lost",
    [
        Cut(),
        Garbage(),
        Reply(sample("returnptn-ok.json"), breaks_off=True),
        Reply(b'{"message": "Endpoint request timed out"}', 504),
        Reply(b'{"message": "Internal server error"}', 502),
        Reply(b"<html>bad gateway</html>", 502),
        Reply(sample("returnptn-ok.json"), 500),
    ],
)
async def test_a_write_whose_answer_was_lost_is_unsure_and_not_repeated_by_itself(
    write: Write,
    lost: Reply | Cut | Garbage,
    peer: Loopback,
    connect: EnvisionConnect,
    calls: list[Call],
) -> None:
    peer.answer(lost)
    with pytest.raises(Unsure):
        await write.ask(connect)
    assert results(calls) == [(write.operation, "unsure")]
    assert calls[0].writes
    assert len(peer.heard) == 1


@every_write
async def test_a_slow_write_is_unsure(write: Write, peer: Loopback, hasty: EnvisionConnect) -> None:
    peer.answer(Silence(begun=True))
    with pytest.raises(Unsure):
        await write.ask(hasty)


@every_write
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>login</html>",
        b'{"Response": "PTN ad',
        b"{}",
        b'{"Response": null}',
        b'{"Response": "  "}',
        b'{"Response": 200}',
        b'{"Response": {"code": 200, "body": "x"}}',
        b'{"errorMessage": "Task timed out after 29.00 seconds"}',
        b'{"message": "PTN added"}',
    ],
)
async def test_a_write_answered_with_something_undocumented_is_malformed(
    write: Write, content: bytes, peer: Loopback, connect: EnvisionConnect
) -> None:
    peer.answer(Reply(content))
    with pytest.raises(Malformed):
        await write.ask(connect)


@every_write
@pytest.mark.parametrize("status", [200, 400, 403])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("error-bad-path.json", RefusedFor.CONFIGURATION),
        ("error-client-name.json", RefusedFor.CONFIGURATION),
        ("error-missing-authentication-token.json", RefusedFor.CONFIGURATION),
        ("error-not-authorized-for-company.json", RefusedFor.OTHER),
    ],
)
async def test_a_documented_error_is_a_refusal_even_with_200(
    write: Write,
    status: int,
    name: str,
    why: RefusedFor,
    peer: Loopback,
    connect: EnvisionConnect,
    calls: list[Call],
) -> None:
    peer.answer(Reply(sample(name), status))
    with pytest.raises(Refused) as refused:
        await write.ask(connect)
    assert refused.value.why is why
    assert results(calls) == [(write.operation, "refused")]


@every_write
async def test_servicenows_list_and_an_error_object_are_refusals_even_with_200(
    write: Write, peer: Loopback, connect: EnvisionConnect
) -> None:
    peer.answer(
        Reply(sample("error-group-not-found.json")), Reply(b'{"Response": []}'), Reply(b'{"Error": {"Code": "X"}}')
    )
    for _ in range(3):
        with pytest.raises(Refused) as refused:
            await write.ask(connect)
        assert refused.value.why is RefusedFor.OTHER


@every_write
async def test_a_throttle_a_refused_key_and_a_refused_connection_change_nothing(
    write: Write, peer: Loopback, connect: EnvisionConnect
) -> None:
    peer.answer(Reply(b'{"message":"Limit Exceeded"}', 429), Reply(sample("error-forbidden.json"), 403))
    with pytest.raises(Throttled):
        await write.ask(connect)
    with pytest.raises(KeyRefused):
        await write.ask(connect)
    await peer.stop()
    with pytest.raises(Unreachable):
        await write.ask(connect)


# --- get ticket -------------------------------------------------------------------------------------------------------


async def test_a_ticket_is_shown_in_dev(peer: Loopback, connect: EnvisionConnect, calls: list[Call]) -> None:
    peer.answer(Reply(b'{"Response": {"case": {"number": "CS0879714"}, "task_ci": {}}}'))
    assert await connect.get_ticket(TICKET) == {"case": {"number": "CS0879714"}, "task_ci": {}}
    (heard,) = peer.heard
    assert (heard.method, heard.raw_path, heard.body) == ("GET", "/testclient57/dev/tickets/e-CS0204070", b"")
    assert results(calls) == [("get_ticket", "ok")]
    assert not calls[0].writes


@pytest.mark.parametrize("environment", ["echo", "cert", "prod"])
async def test_elsewhere_no_ticket_is_asked_for(
    environment: str, peer: Loopback, client: httpx.AsyncClient, clock: HandClock, calls: list[Call]
) -> None:
    wire = Wire("ensono", client, clock, timeout_s=5, observe=calls.append)
    with pytest.raises(Refused) as refused:
        await EnvisionConnect(ensono_settings(peer.url, environment=environment), wire).get_ticket(TICKET)
    assert refused.value.why is RefusedFor.CONFIGURATION
    assert "ensono.environment" in refused.value.detail
    assert peer.heard == []
    assert calls == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Cut(), Unreachable),
        (Reply(b'{"message": "Endpoint request timed out"}', 504), Unreachable),
        (Reply(b"<html>"), Malformed),
        (Reply(b'{"Response": "e-CS1"}'), Malformed),
        (Reply(sample("error-not-authorized-for-company.json")), Refused),
        (Reply(sample("error-group-not-found.json"), 404), Refused),
    ],
)
async def test_a_ticket_that_could_not_be_read_changed_nothing(
    answer: Reply | Cut, error: type[PeerError], peer: Loopback, connect: EnvisionConnect
) -> None:
    peer.answer(answer)
    with pytest.raises(error):
        await connect.get_ticket(TICKET)


# --- without a network --------------------------------------------------------------------------------------------------


async def test_a_transport_that_tells_nothing_of_its_progress_may_have_sent_a_write(clock: HandClock) -> None:
    def lose(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("gone", request=request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(lose)) as client:
        wire = Wire("ensono", client, clock, timeout_s=5, observe=lambda _: None)
        with pytest.raises(Unsure):
            await returns(EnvisionConnect(ensono_settings("https://smconnect.ensono.com/t"), wire))


async def test_the_body_is_json_in_utf8(clock: HandClock) -> None:
    bodies: list[bytes] = []

    def confirm(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(200, content=sample("approve-ok.json"))

    async with httpx.AsyncClient(transport=httpx.MockTransport(confirm)) as client:
        wire = Wire("ensono", client, clock, timeout_s=5, observe=lambda _: None)
        await approves(EnvisionConnect(ensono_settings("https://smconnect.ensono.com/t"), wire), "größer 😀")
    assert json.loads(bodies[0].decode("utf-8"))["payload"]["comments"][0]["body"] == "größer 😀"
