import asyncio
from typing import Any

import httpx
import pytest
from desk_world import CLOUD_ROOT, TOKEN, Answer, HandClock, Script, cloud, desk, error_of, failed, listed

from envision_worker.desks.desk import DeskRef
from envision_worker.desks.manageengine.desk import ManageEngineDesk
from envision_worker.desks.manageengine.oauth import MAX_RENEWALS
from envision_worker.errors import KeyRefused, Throttled, Unreachable
from envision_worker.vocabulary import DeskKind, DeskTicketId
from envision_worker.wire import Call

REF = DeskRef(DeskKind.REQUEST, DeskTicketId("71"))
ROWS = listed("requests")
GRANT = "https://accounts.zoho.eu/oauth/v2/token"
REFUSED = failed(4022, "Invalid API key", http=401)


class Zoho:
    """Issues numbered tokens; the desk beside it answers as told."""

    def __init__(self, *desk_answers: Answer, life: Any = 3600) -> None:
        self.issued = 0
        self.desk = Script(*desk_answers or (ROWS,))
        self.accounts = Script(TOKEN)
        self.life = life
        self.clock = HandClock()
        self.asked: list[str] = []
        self.dead = ""
        self.observed: list[Call] = []

    def open(self) -> ManageEngineDesk:
        return desk(self, cloud(), self.clock)

    async def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != "accounts.zoho.eu":
            self.asked.append(request.headers["Authorization"])
            if self.asked[-1] == self.dead:
                return httpx.Response(401)
            return await self.desk.handle(request)
        if self.accounts.answers[0] is not TOKEN:
            return await self.accounts.handle(request)
        self.issued += 1
        await asyncio.sleep(0)
        self.accounts.answers[0] = {"access_token": f"1000.token-{self.issued}", "expires_in": self.life}
        answer = await self.accounts.handle(request)
        self.accounts.answers[0] = TOKEN
        return answer


async def test_the_grant_is_a_form_with_the_refresh_token_and_the_token_goes_into_the_header() -> None:
    zoho = Zoho()
    await zoho.open().probe()
    sent = zoho.accounts.sent[0]
    assert (sent.method, sent.url) == ("POST", GRANT)
    assert sent.form == {
        "grant_type": "refresh_token",
        "client_id": "1000.CLIENT",
        "client_secret": "made-up-client-secret",
        "refresh_token": "1000.made-up-refresh-token",
    }
    call = zoho.desk.sent[0]
    assert call.url == f"{CLOUD_ROOT}/requests"
    assert call.headers["Authorization"] == "Zoho-oauthtoken 1000.token-1"
    assert call.headers["Accept"] == "application/vnd.manageengine.sdp.v3+json"


async def test_many_calls_at_once_share_one_token() -> None:
    zoho = Zoho()
    opened = zoho.open()
    await asyncio.gather(*(opened.probe() for _ in range(20)))
    assert zoho.issued == 1
    assert len(zoho.asked) == 20


async def test_a_token_is_renewed_five_minutes_before_its_end() -> None:
    zoho = Zoho()
    opened = zoho.open()
    await opened.probe()
    zoho.clock.move(3299)
    await opened.probe()
    assert zoho.issued == 1
    zoho.clock.move(2)
    await opened.probe()
    assert zoho.issued == 2
    assert zoho.asked[-1] == "Zoho-oauthtoken 1000.token-2"


@pytest.mark.parametrize("life", ["3600", None, -5, True, "soon", 10**30])
async def test_a_strange_life_is_taken_for_an_hour(life: Any) -> None:
    zoho = Zoho(life=life)
    opened = zoho.open()
    await opened.probe()
    zoho.clock.move(3000)
    await opened.probe()
    assert zoho.issued == 1


async def test_a_refused_token_is_renewed_once_and_the_call_sent_again() -> None:
    zoho = Zoho()
    opened = zoho.open()
    await opened.probe()
    zoho.clock.move(1800)
    zoho.desk.answers[:] = [REFUSED, ROWS]
    await opened.probe()
    assert zoho.asked[-2:] == ["Zoho-oauthtoken 1000.token-1", "Zoho-oauthtoken 1000.token-2"]


async def test_calls_refused_together_renew_the_token_once() -> None:
    zoho = Zoho()
    opened = zoho.open()
    await opened.probe()
    zoho.clock.move(1800)
    zoho.dead = zoho.asked[0]
    await asyncio.gather(*(opened.probe() for _ in range(3)))
    assert zoho.issued == 2


async def test_a_token_that_was_good_and_is_refused_soon_after_is_renewed_all_the_same() -> None:
    zoho = Zoho()
    opened = zoho.open()
    await opened.probe()
    zoho.clock.move(3)
    zoho.dead = zoho.asked[0]
    await opened.probe()
    assert zoho.asked[-1] == "Zoho-oauthtoken 1000.token-2"


async def test_a_new_token_that_never_let_a_call_in_is_not_renewed_for_being_refused() -> None:
    zoho = Zoho(REFUSED)
    opened = zoho.open()
    for _ in range(3):
        assert isinstance(await error_of(opened.probe()), KeyRefused)
        zoho.clock.move(3)
    assert zoho.issued == 1


@pytest.mark.parametrize("failure", [(200, {"error": "invalid_code"}), httpx.ConnectError("refused")])
async def test_grants_that_issued_nothing_leave_the_limit_alone(failure: Answer) -> None:
    zoho = Zoho()
    zoho.accounts = Script(failure)
    opened = zoho.open()
    for _ in range(3 * MAX_RENEWALS):
        await error_of(opened.probe())
        zoho.clock.move(1)
    zoho.accounts.answers[:] = [TOKEN]
    await opened.probe()


async def test_grants_whose_answer_was_lost_count_because_a_token_may_have_been_issued() -> None:
    zoho = Zoho()
    zoho.accounts = Script(httpx.ReadTimeout("slow"))
    opened = zoho.open()
    errors = [await error_of(opened.probe()) for _ in range(MAX_RENEWALS + 1)]
    assert [type(each) for each in errors] == [Unreachable] * MAX_RENEWALS + [Throttled]


async def test_a_key_that_stays_refused_costs_one_renewal_and_no_more() -> None:
    zoho = Zoho()
    opened = zoho.open()
    await opened.probe()
    zoho.clock.move(1800)
    zoho.desk.answers[:] = [REFUSED]
    assert isinstance(await error_of(opened.probe()), KeyRefused)
    assert isinstance(await error_of(opened.probe()), KeyRefused)
    assert zoho.issued == 2


async def test_probing_a_refused_key_for_hours_never_reaches_the_limit_of_ten_in_ten_minutes() -> None:
    zoho = Zoho(REFUSED)
    opened = zoho.open()
    issued_at: list[float] = []
    for _ in range(240):
        before = zoho.issued
        await error_of(opened.probe())
        issued_at += [zoho.clock.seconds] * (zoho.issued - before)
        zoho.clock.move(60)
    most = max(sum(start <= at < start + 600 for at in issued_at) for start in issued_at)
    assert most <= MAX_RENEWALS


async def test_tokens_that_die_at_once_run_into_our_own_limit_and_not_into_zohos() -> None:
    zoho = Zoho(life=1)
    opened = zoho.open()
    for _ in range(MAX_RENEWALS):
        await opened.probe()
        zoho.clock.move(2)
    error = await error_of(opened.probe())
    assert isinstance(error, Throttled)
    assert error.retry_after == 600 - 2 * MAX_RENEWALS
    assert zoho.issued == MAX_RENEWALS
    zoho.clock.move(error.retry_after)
    await opened.probe()


@pytest.mark.parametrize("status", [200, 400, 401])
async def test_a_grant_that_is_refused_with_any_status_is_a_refused_key(status: int) -> None:
    zoho = Zoho()
    zoho.accounts = Script((status, {"error": "invalid_code"}))
    error = await error_of(zoho.open().probe())
    assert isinstance(error, KeyRefused)
    assert "invalid_code" in str(error)
    assert zoho.desk.sent == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(200, text="<html>maintenance</html>"), Unreachable),
        (httpx.Response(503, text=""), Unreachable),
        ((200, {}), Unreachable),
        ((200, {"access_token": "two\nlines"}), Unreachable),
        ((200, {"access_token": 5}), Unreachable),
        (httpx.ConnectError("refused"), Unreachable),
        (httpx.ReadTimeout("slow"), Unreachable),
        (httpx.Response(429, headers={"Retry-After": "30"}), Throttled),
        ((400, {"error": "Access Denied", "error_description": "You have made too many requests"}), Throttled),
    ],
)
async def test_without_a_token_nothing_is_sent_to_the_desk_so_nothing_happened(
    answer: Answer, kind: type[Exception]
) -> None:
    zoho = Zoho()
    zoho.accounts = Script(answer)
    error = await error_of(zoho.open().set_status(REF, "Open"))
    assert type(error) is kind
    assert zoho.desk.sent == []


async def test_no_secret_is_in_an_error() -> None:
    zoho = Zoho(REFUSED)
    error = await error_of(zoho.open().probe())
    assert "token-1" not in repr(error)
    assert "made-up" not in repr(error)
