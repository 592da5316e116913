"""`[desk.flavour]`: what differs between builds of ServiceDesk Plus, or is told differently by its sources.

Every key may be left out; then the value of the edition in `flavour.py` holds. A setting exists for what no source settles.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class ChangeEnd(StrEnum):
    """How a change is closed or cancelled."""

    ACTION = "action"
    """`PUT …/close_change` with `{"comment", "status": "completed"|"canceled"}`, not wrapped (documented on premises)."""
    ACTION_WITH_DETAILS = "action_with_details"
    """The same address with status by name, `close_details` and `closure_code` (newest builds on premises)."""
    STAGE_AND_STATUS = "stage_and_status"
    """`PUT /changes/{id}` with stage, status and comment (cloud)."""


class Upload(StrEnum):
    """How a file gets onto a ticket."""

    DIRECT = "direct"
    """One call that uploads and attaches."""
    THEN_BIND = "then_bind"
    """Upload first, then name the upload in the ticket's `attachments`."""


class FilesFrom(StrEnum):
    """Where a ticket's files are listed."""

    LIST = "list"
    """`GET …/attachments`."""
    TICKET = "ticket"
    """The `attachments` of the ticket itself."""


PathPart = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]
Name = Annotated[str, Field(min_length=1)]


class FlavourSettings(BaseModel):
    """Overrides of `Flavour`, key by key; the meaning of each stands there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_path: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_.-]+)+$")] | None = None
    key_header: Annotated[str, Field(pattern=r"^[A-Za-z_-]+$")] | None = None
    portal_id: Annotated[str, Field(pattern=r"^[0-9]+$")] | None = None
    search_form: Literal["object", "array"] | None = None
    request_number_search: Name | None = None
    change_number_search: Name | None = None
    change_note_key: PathPart | None = None
    close_path: PathPart | None = None
    status_comments: bool | None = None
    change_comments: bool | None = None
    change_end: ChangeEnd | None = None
    change_end_path: PathPart | None = None
    change_closed_stage: Name | None = None
    change_closed_status: Name | None = None
    change_cancelled_stage: Name | None = None
    change_cancelled_status: Name | None = None
    upload: Upload | None = None
    upload_method: Literal["POST", "PUT"] | None = None
    upload_path: PathPart | None = None
    upload_part: PathPart | None = None
    request_files: FilesFrom | None = None
    change_files: FilesFrom | None = None
    approval_summary: bool | None = None
    approval_level_named: bool | None = None
    approval_level_numbered: bool | None = None
    approval_level_path: Literal["id", "level"] | None = None
    approval_stage_key: PathPart | None = None
    approvers_with_level: bool | None = None
    approver_key: Literal["id", "email_id"] | None = None
    approval_rule_anyone: dict[str, Any] | None = None
    approval_rule_everyone: dict[str, Any] | None = None
    notify_path: PathPart | None = None
    notify_content_path: PathPart | None = None
    notify_content: Literal["wrapped", "bare", "none"] | None = None
