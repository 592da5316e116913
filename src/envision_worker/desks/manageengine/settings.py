"""The `[desk]` table of the configuration for ManageEngine ServiceDesk Plus."""

import json
import re
import ssl
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from envision_worker.desks.manageengine.flavour_settings import FlavourSettings


class Edition(StrEnum):
    """Which of the two products called ServiceDesk Plus it is; they have different APIs."""

    ON_PREMISES = "on_premises"
    CLOUD = "cloud"


ACCOUNTS_HOSTS: Mapping[str, str] = {
    "sdpondemand.manageengine.com": "accounts.zoho.com",
    "sdpondemand.manageengine.eu": "accounts.zoho.eu",
    "sdpondemand.manageengine.in": "accounts.zoho.in",
    "servicedeskplus.net.au": "accounts.zoho.com.au",
    "servicedeskplus.cn": "accounts.zoho.com.cn",
    "servicedeskplus.jp": "accounts.zoho.jp",
    "servicedeskplus.ca": "accounts.zohocloud.ca",
    "servicedeskplus.uk": "accounts.zoho.uk",
    "servicedeskplus.sa": "accounts.zoho.sa",
}
"""The data centres: host of the service, host that issues its tokens. A token is good in its own data centre only."""

_KEY_OF: Mapping[Edition, frozenset[str]] = {
    Edition.ON_PREMISES: frozenset({"auth_token"}),
    Edition.CLOUD: frozenset({"client_id", "client_secret", "refresh_token"}),
}
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_ONLY_CLOUD = frozenset({"accounts_url", "portal"})


def _url(value: str, problem: str) -> httpx.URL:
    """An http or https address whose host and port httpx can really call; no error quotes it, it may hold a password."""
    try:
        url = httpx.URL(value)
    except httpx.InvalidURL:
        raise ValueError(problem) from None
    is_port = url.port is None or 0 < url.port < 65536  # noqa: PLR2004 (16 bits)
    if url.scheme not in {"http", "https"} or not is_port or not _HOST.fullmatch(url.raw_host.decode()):
        raise ValueError(problem)
    return url


def _address(value: str) -> str:
    """An http or https address without a slash at its end."""
    address = value.strip().rstrip("/")
    url = _url(address, "give a whole address, such as https://sdp.example.com:8080")
    if url.userinfo or url.query or url.fragment:
        raise ValueError("the address must stand without user, query and fragment")
    if re.search(r"/api(/|$)", url.path):
        raise ValueError("the address must stand without /api and what follows")
    return address


def _proxy_address(value: SecretStr) -> SecretStr:
    address = value.get_secret_value().strip()
    _url(address, "give the proxy's address, such as http://proxy.example.com:3128")
    return SecretStr(address)


def _authorities(value: Path) -> Path:
    """A PEM file that TLS can use."""
    try:
        ssl.create_default_context(cafile=str(value))
    except OSError as exc:  # ssl.SSLError is one
        raise ValueError(f"{value} can't be used as a list of certificate authorities: {exc}") from exc
    return value


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as exc:  # not found, not a name, a folder of names
        raise ValueError(f"no IANA time zone is called {value!r}") from exc
    return value


def _json(value: dict[str, Any]) -> dict[str, Any]:
    """A table that can be sent as JSON: TOML's own dates can't."""
    if not isinstance(value.get("udf_fields", {}), dict):
        raise ValueError("udf_fields must be a table")  # noqa: TRY004 (pydantic turns only a ValueError into a fault)
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as exc:
        raise ValueError(
            f'only texts, numbers, booleans and tables; a time is {{ value = "<epoch ms>" }} ({exc})'
        ) from exc
    return value


Address = Annotated[str, AfterValidator(_address)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, pattern=r"^\S(.*\S)?$")]
FieldName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]
RawFields = Annotated[dict[str, Any], AfterValidator(_json)]


class CreateSettings(BaseModel):
    """`[desk.create]`: fields sent as given on every create, by the kind of ticket; the message's own values win."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    incident: RawFields = Field(default_factory=dict)
    request: RawFields = Field(default_factory=dict)
    change: RawFields = Field(default_factory=dict)


class ManageEngineSettings(BaseModel):
    """`[desk]` with `kind = "manageengine"`. Secrets stand here as read from their `*_file`.

    Attributes:
        auth_token: on premises: the key of a technician or an integration key.
        accounts_url: cloud: where tokens are issued; None only where `base_url` is a data centre of `ACCOUNTS_HOSTS`.
        portal: cloud: the portal's name in addresses; None: the account's default portal.
        note_key: the outer key of a request's notes; None: as the edition has it.
        flavour: what differs between builds and isn't told by `edition`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["manageengine"] = "manageengine"
    base_url: Address
    edition: Edition = Edition.ON_PREMISES
    auth_token: SecretStr | None = Field(default=None, validate_default=True)
    client_id: str | None = Field(default=None, validate_default=True)
    client_secret: SecretStr | None = Field(default=None, validate_default=True)
    refresh_token: SecretStr | None = Field(default=None, validate_default=True)
    accounts_url: Address | None = Field(default=None, validate_default=True)
    portal: Name | None = None
    ca_file: Annotated[Path, AfterValidator(_authorities)] | None = None
    proxy: Annotated[SecretStr, AfterValidator(_proxy_address)] | None = None
    request_timeout_s: Seconds = 30
    max_concurrency: int = Field(default=8, ge=1, le=1000)
    settle_s: Seconds = 60
    key_probe_interval_s: Seconds = 60
    ensono_number_field: FieldName
    ensono_change_number_field: FieldName
    note_key: Literal["note", "request_note"] | None = None
    default_requester: Annotated[dict[Literal["email_id", "name", "id"], str], Field(min_length=1)]
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    priority_from: Literal["priority", "impact_urgency"] = "priority"
    create: CreateSettings = CreateSettings()
    flavour: FlavourSettings = FlavourSettings()

    @field_validator("auth_token", "client_id", "client_secret", "refresh_token", "portal", "accounts_url")
    @classmethod
    def _belongs_to_the_edition(cls, value: Any, info: ValidationInfo) -> Any:
        edition, key = info.data.get("edition"), str(info.field_name)
        if edition is None:
            return value  # the edition itself is wrong, which has been told
        if value is None:
            if key in _KEY_OF[edition]:
                raise ValueError(f'missing: edition = "{edition}" needs it')
            return value
        if key not in _KEY_OF[edition] and not (edition is Edition.CLOUD and key in _ONLY_CLOUD):
            raise ValueError(f'edition = "{edition}" does not take it')
        return _not_blank(value)

    @field_validator("accounts_url")
    @classmethod
    def _known_in_the_cloud(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None or info.data.get("edition") is not Edition.CLOUD or "base_url" not in info.data:
            return value
        host = httpx.URL(info.data["base_url"]).host
        if host not in ACCOUNTS_HOSTS:
            raise ValueError(f"missing: which host issues the tokens for {host} is not known")
        return f"https://{ACCOUNTS_HOSTS[host]}"


def _not_blank(value: Any) -> Any:
    """A key that is really one: it goes into a header, where no blank or line end may stand."""
    secret = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not secret.strip():
        raise ValueError("is empty")
    if not all("!" <= character <= "~" for character in secret.strip()):
        raise ValueError("holds blanks, line ends or characters that no key has")
    return SecretStr(secret.strip()) if isinstance(value, SecretStr) else secret.strip()
