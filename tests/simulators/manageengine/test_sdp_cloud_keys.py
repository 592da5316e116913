"""OAuth, the Accept header and the portal of the cloud (reference: authentication)."""

import pytest
from sdp_caller import Caller, Time, cloud, fetch_token


async def test_a_refresh_token_is_turned_into_an_access_token(cloud_desk: Caller) -> None:
    answer = await fetch_token(cloud_desk)
    assert answer.status == 200
    said = answer.said
    assert said.pop("access_token").startswith("1000.")
    assert said == {"api_domain": "https://www.zohoapis.com", "token_type": "Bearer", "expires_in": 3600}


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("grant_type", "unsupported_grant_type"),
        ("client_id", "invalid_client"),
        ("client_secret", "invalid_client_secret"),
        ("refresh_token", "invalid_code"),
    ],
)
async def test_a_bad_grant_is_answered_200_with_an_error(cloud_desk: Caller, name: str, error: str) -> None:
    answer = await fetch_token(cloud_desk, **{name: "wrong"})
    assert (answer.status, answer.said) == (200, {"error": error})


async def test_ten_tokens_in_ten_minutes_and_no_more(cloud_desk: Caller, time: Time) -> None:
    for _ in range(9):
        assert "access_token" in (await fetch_token(cloud_desk)).said
    blocked = await fetch_token(cloud_desk)
    assert blocked.status == 400
    assert blocked.said["error"] == "Access Denied"
    time.advance(601)
    assert "access_token" in (await fetch_token(cloud_desk)).said


async def test_an_access_token_lives_for_an_hour(cloud_desk: Caller, time: Time) -> None:
    time.advance(3599)
    assert (await cloud_desk.get("requests")).status == 200
    time.advance(1)
    assert (await cloud_desk.get("requests")).code == (401, 4022, None)


async def test_tokens_that_are_withdrawn_are_refused_with_401(cloud_desk: Caller) -> None:
    cloud_desk.simulator.keys.expire_tokens()
    assert (await cloud_desk.get("requests")).status == 401


async def test_the_thirty_first_token_ends_the_oldest(cloud_desk: Caller, time: Time) -> None:
    for _ in range(30):
        time.advance(61)
        await fetch_token(cloud_desk)
    assert len(cloud_desk.simulator.keys.tokens) == 30
    assert (await cloud_desk.get("requests")).status == 401


@pytest.mark.parametrize("scheme", ["Bearer", "zoho-oauthtoken", ""])
async def test_only_the_documented_scheme_is_taken(cloud_desk: Caller, scheme: str) -> None:
    token = cloud_desk.headers["authorization"].partition(" ")[2]
    assert (await cloud_desk.send("GET", "requests", authorization=f"{scheme} {token}")).status == 401


async def test_without_the_accept_header_the_answer_is_415(cloud_desk: Caller) -> None:
    assert (await cloud_desk.send("GET", "requests", accept="*/*")).status == 415


async def test_without_the_accept_header_some_portals_show_their_login_page(time: Time) -> None:
    desk = await cloud(time, missing_accept="login_page")
    answer = await desk.send("GET", "requests", accept=None)
    assert answer.status == 200
    assert answer.response.content_type.startswith("text/html")


async def test_the_portal_stands_in_the_path(cloud_desk: Caller) -> None:
    assert (await cloud_desk.get("/app/another/api/v3/requests")).code == (404, 4007, None)
    assert (await cloud_desk.get("/api/v3/requests")).status == 404
    cloud_desk.simulator.switches.portalless_urls = True
    assert (await cloud_desk.get("/api/v3/requests")).status == 200


async def test_there_is_no_token_endpoint_on_premises(desk: Caller) -> None:
    assert (await fetch_token(desk)).status == 404


async def test_the_record_of_calls_hides_what_tokens_are_bought_with(cloud_desk: Caller) -> None:
    known = cloud_desk.simulator.credentials
    await cloud_desk.get("requests")
    recorded = str([vars(call) for call in cloud_desk.simulator.calls])
    for secret in (known.client_secret, known.refresh_token, *cloud_desk.simulator.keys.tokens):
        assert secret not in recorded
