"""Every difference between the editions of ServiceDesk Plus, as data; nothing else asks which edition it is.

The sources are ManageEngine's API v3 pages for the two editions, and where those are silent public clients that ran against
real servers. What no source settles can be changed in `[desk.flavour]`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import quote

from envision_worker.desks.manageengine.flavour_settings import ChangeEnd, FilesFrom, Upload
from envision_worker.desks.manageengine.settings import Edition, ManageEngineSettings


@dataclass(frozen=True, slots=True)
class Flavour:
    """What one edition, or one build of it, does differently.

    Attributes:
        api_path: the API's root under the desk's address; `{portal}` stands for the portal's name.
        key_header: the header that carries the key; `key_prefix` stands before it.
        portal_id: on premises with several portals: their `PORTALID` header.
        search_form: `search_criteria` as an object or as a list of one.
        number: what people call a ticket by: its id, or `display_id`.
        request_number_search, change_number_search: the field to search for that number.
        request_note_key, change_note_key: the outer key of a note.
        close_path: the last part of the address that closes a request.
        status_comments: a request's status takes `status_change_comments`.
        change_comments: a change's stage and status take `comment` (in the cloud it is mandatory).
        change_defaults: fields that a new change must have and that get these values where nothing else is given.
        change_end: how a change is closed and cancelled; `change_end_path` is the last part of that address where there is one.
        change_closed_stage … change_cancelled_status: what these are called on the desk.
        upload: with `upload_method`, `upload_path`, `upload_part` (the multipart name) and `upload_form` (further parts).
        request_files, change_files: where files are listed.
        approval_summary: ask `approval_summary` first, since the list of a change without levels is answered 500.
        approval_level_named, approval_level_numbered: a level takes a `name`, or a `level` from 1 to 5.
        approval_level_path: what stands for a level in addresses: its id or its number.
        approval_stage_key: what a level calls the change's stage.
        approvers_with_level: approvers come in the call that makes the level, which is refused without them; else one by one.
        approver_key: how an approver is named.
        approval_rule_anyone, approval_rule_everyone: a level's `rule`.
        notify_path: the last part of the address that sends the approvers' mails.
        notify_content_path: the last part of the address that this mail's content is fetched from.
        notify_content: the mail's content (fetched from the desk) wrapped in `approval`, bare, or not sent at all.
        user_lists, group_lists, risk_lists: where these are listed, by build; all that exist are looked at.
    """

    api_path: str
    key_header: str
    key_prefix: str
    number: Literal["id", "display_id"]
    request_note_key: str
    close_path: str
    status_comments: bool
    change_end: ChangeEnd
    upload_method: Literal["POST", "PUT"]
    upload_path: str
    upload_part: str
    request_files: FilesFrom
    change_files: FilesFrom
    approval_summary: bool
    approval_level_named: bool
    approval_level_numbered: bool
    approval_stage_key: str
    approvers_with_level: bool
    approver_key: Literal["id", "email_id"]
    approval_rule_anyone: Mapping[str, Any]
    approval_rule_everyone: Mapping[str, Any]
    notify_content: Literal["wrapped", "bare", "none"]
    portal_id: str = ""
    search_form: Literal["object", "array"] = "object"
    request_number_search: str = "display_id"
    change_number_search: str = "display_id.display_value"
    change_note_key: str = "note"
    change_comments: bool = True
    change_defaults: Mapping[str, Any] = field(default_factory=dict)
    change_end_path: str = "close_change"
    change_closed_stage: str = "Close"
    change_closed_status: str = "Completed"
    change_cancelled_stage: str = "Close"
    change_cancelled_status: str = "Canceled"
    upload: Upload = Upload.DIRECT
    upload_form: Mapping[str, str] = field(default_factory=dict)
    approval_level_path: Literal["id", "level"] = "id"
    notify_path: str = "send_notification"
    notify_content_path: str = "get_notification_content"
    user_lists: tuple[str, ...] = ("users", "requesters", "technicians")
    group_lists: tuple[str, ...] = ("support_groups", "groups")
    risk_lists: tuple[str, ...] = ("change_risks", "risks")


ON_PREMISES = Flavour(
    api_path="/api/v3",
    key_header="authtoken",
    key_prefix="",
    number="id",
    request_note_key="note",
    close_path="close",
    status_comments=False,
    change_end=ChangeEnd.ACTION,
    upload_method="PUT",
    upload_path="upload",
    upload_part="input_file",
    request_files=FilesFrom.LIST,
    change_files=FilesFrom.LIST,
    approval_summary=True,
    approval_level_named=True,
    approval_level_numbered=False,
    approval_stage_key="stage",
    approvers_with_level=True,
    approver_key="id",
    approval_rule_anyone={"type": "percent", "value": "1"},
    approval_rule_everyone={"type": "percent", "value": "100"},
    notify_content="wrapped",
)
"""ServiceDesk Plus on premises, as its documents describe builds of 15100 and later."""

CLOUD = Flavour(
    api_path="/app/{portal}/api/v3",
    key_header="Authorization",
    key_prefix="Zoho-oauthtoken ",
    number="display_id",
    request_note_key="request_note",
    close_path="_close",
    status_comments=True,
    change_defaults={"stage": {"name": "Submission"}, "status": {"name": "Requested"}},
    change_end=ChangeEnd.STAGE_AND_STATUS,
    upload_method="POST",
    upload_path="_uploads",
    upload_part="filename",
    upload_form={"addtoattachment": "true"},
    request_files=FilesFrom.TICKET,
    change_files=FilesFrom.TICKET,
    approval_summary=False,
    approval_level_named=False,
    approval_level_numbered=True,
    approval_stage_key="change_stage",
    approvers_with_level=False,
    approver_key="email_id",
    approval_rule_anyone={"name": "Anyone to Approve"},
    approval_rule_everyone={"name": "Everyone to approve"},
    notify_content="bare",
)
"""ServiceDesk Plus Cloud (sdpondemand)."""

_OF_EDITION: Mapping[Edition, Flavour] = {Edition.ON_PREMISES: ON_PREMISES, Edition.CLOUD: CLOUD}
_WITHOUT_PORTAL = "/api/v3"  # addresses the account's default portal


def flavour_of(settings: ManageEngineSettings) -> Flavour:
    """The edition's flavour with what the configuration says otherwise."""
    chosen = settings.flavour.model_dump(exclude_none=True)
    if settings.note_key is not None:
        chosen["request_note_key"] = settings.note_key
    flavour = replace(_OF_EDITION[settings.edition], **chosen)
    return replace(flavour, api_path=_api_path(flavour.api_path, settings.portal))


def _api_path(pattern: str, portal: str | None) -> str:
    if "{portal}" not in pattern:
        return pattern
    return pattern.format(portal=quote(portal, safe="")) if portal else _WITHOUT_PORTAL
