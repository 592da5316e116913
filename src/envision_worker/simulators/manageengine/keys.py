"""Who may call: the key on premises, the access token in the cloud, and how tokens are had.

Sources: the pages about the integration key and about OAuth; limits of the token endpoint from Zoho's accounts pages.
"""

import hmac
from dataclasses import dataclass, field
from hashlib import sha256

from envision_worker.simulators.faults import LOGIN_PAGE
from envision_worker.simulators.http import Request, Response, json_response
from envision_worker.simulators.manageengine import refusals
from envision_worker.simulators.manageengine.refusals import Complaint, Page, Refusal
from envision_worker.simulators.manageengine.world import World

ACCEPT = "application/vnd.manageengine.sdp.v3+json"
TOKEN_LIFE_S = 3600
MAX_TOKENS_PER_WINDOW = 10
TOKEN_WINDOW_S = 600
MAX_LIVE_TOKENS = 30
TOO_MANY = "You have made too many requests continuously. Please try again after some time."


@dataclass
class Credentials:
    """What a caller must know. All of it is made up; a simulator guards nothing."""

    auth_token: str = "5A0D3C1E-0000-4000-8000-51D0C0FFEE00"  # noqa: S105 (made up)
    client_id: str = "1000.SIMULATEDCLIENT"
    client_secret: str = "simulated-client-secret"  # noqa: S105 (made up)
    refresh_token: str = "1000.simulated.refresh"  # noqa: S105 (made up)
    portal: str = "itdesk"


@dataclass
class Keys:
    """Checks calls and hands out access tokens.

    Attributes:
        tokens: the access tokens that live, with the second at which each dies.
    """

    world: World
    credentials: Credentials
    tokens: dict[str, float] = field(default_factory=dict)
    _issued: list[float] = field(default_factory=list)
    _serial: int = 0

    def check(self, request: Request) -> None:
        """Whether the call may pass.

        Raises:
            Refusal: its key or token is missing, wrong or has died; in the cloud also without the Accept header.
        """
        if self.world.flavour.is_cloud:
            self._check_accept(request)
            if not self.knows_token(request.headers.get("authorization", "")):
                raise Refusal(Complaint(refusals.BAD_KEY, "Invalid OAuth token"))
        elif not self.knows_key(request.headers.get("authtoken", "")):
            self._refuse_key()

    def knows_key(self, given: str) -> bool:
        """Whether this is the key of the desk on premises."""
        right = hmac.compare_digest(given.encode(), self.credentials.auth_token.encode())
        return right and not self.world.switches.key_revoked

    def knows_token(self, authorization: str) -> bool:
        """Whether this header carries an access token that lives."""
        scheme, _, token = authorization.partition(" ")
        living = self.tokens.get(token, 0.0) > self.world.now()
        return scheme == "Zoho-oauthtoken" and living and not self.world.switches.key_revoked

    def expire_tokens(self) -> None:
        """Let all access tokens die now."""
        self.tokens.clear()

    def grant(self, request: Request) -> Response:
        """`POST /oauth/v2/token`: an access token for the refresh token; a bad grant is answered 200 with an error."""
        given = {**request.query_values, **request.form_values}
        now = self.world.now()
        self._issued = [at for at in self._issued if at > now - TOKEN_WINDOW_S]
        if len(self._issued) >= MAX_TOKENS_PER_WINDOW:
            refused = {"error_description": TOO_MANY, "error": "Access Denied", "status": "failure"}
            return json_response(refused, 400)
        error = self._grant_error(given)
        if error:
            return json_response({"error": error})
        self._issued.append(now)
        return json_response(
            {
                "access_token": self._new_token(now),
                "api_domain": "https://www.zohoapis.com",
                "token_type": "Bearer",
                "expires_in": TOKEN_LIFE_S,
            }
        )

    def _grant_error(self, given: dict[str, str]) -> str:
        right = self.credentials
        if given.get("grant_type") != "refresh_token":
            return "unsupported_grant_type"
        if given.get("client_id") != right.client_id:
            return "invalid_client"
        if given.get("client_secret") != right.client_secret:
            return "invalid_client_secret"
        if given.get("refresh_token") != right.refresh_token or self.world.switches.key_revoked:
            return "invalid_code"
        return ""

    def _new_token(self, now: float) -> str:
        self._serial += 1
        token = f"1000.{sha256(f'token {self._serial}'.encode()).hexdigest()}"
        while len(self.tokens) >= MAX_LIVE_TOKENS:
            del self.tokens[next(iter(self.tokens))]
        self.tokens[token] = now + TOKEN_LIFE_S
        return token

    def _check_accept(self, request: Request) -> None:
        if ACCEPT in request.headers.get("accept", ""):
            return
        if self.world.switches.missing_accept == "login_page":
            raise Page(Response(200, LOGIN_PAGE, "text/html; charset=utf-8"))
        raise Refusal(Complaint(refusals.CONTENT_TYPE, "Unsupported media type"))

    def _refuse_key(self) -> None:
        if self.world.switches.bad_key == "401":
            raise Refusal(Complaint(refusals.BAD_KEY, "Invalid API key"))
        raise BadKey


class BadKey(Refusal):
    """A wrong key as seen on premises: HTTP 400 with code 401."""

    def __init__(self) -> None:
        super().__init__(Complaint(401, "AuthToken in the request is invalid"), http_status=400)
