"""The two products that share the name ServiceDesk Plus: every difference that a caller meets, as data.

Source: the two API documentations (sdpop-v3-api and sdpod-v3-api), which describe different APIs.
"""

from dataclasses import dataclass
from typing import Literal

FlavourName = Literal["on_premises", "cloud"]
Kind = Literal["request", "change"]


@dataclass(frozen=True)
class Flavour:
    """What differs between on premises and cloud.

    Attributes:
        name: `on_premises` or `cloud`.
        request_note_key: the key that wraps a request's note.
        request_note_names: who and when, as a request's note names them.
        change_note_names: who and when, as a change's note names them.
        close_request: the last part of the path that closes a request.
        upload_method, upload_path, upload_part: how a file is attached.
        change_create_mandatory: what a new change must carry.
        comment_mandatory: a change's status can't be changed without a comment.
        max_change_attachments: files a change takes, None: any number.
        note_sort_field: the order in which a list of notes comes.
    """

    name: FlavourName
    request_note_key: str
    request_note_names: tuple[str, str]
    change_note_names: tuple[str, str]
    close_request: str
    upload_method: str
    upload_path: str
    upload_part: str
    change_create_mandatory: tuple[str, ...]
    comment_mandatory: bool
    max_change_attachments: int | None
    note_sort_field: str

    @property
    def is_cloud(self) -> bool:
        """Whether it is the cloud's API."""
        return self.name == "cloud"


ON_PREMISES = Flavour(
    name="on_premises",
    request_note_key="note",
    request_note_names=("added_by", "added_time"),
    change_note_names=("added_by", "added_time"),
    close_request="close",
    upload_method="PUT",
    upload_path="upload",
    upload_part="input_file",
    change_create_mandatory=("title",),
    comment_mandatory=False,
    max_change_attachments=None,
    note_sort_field="last_updated_time",
)

CLOUD = Flavour(
    name="cloud",
    request_note_key="request_note",
    request_note_names=("created_by", "created_time"),
    change_note_names=("performed_by", "performed_time"),
    close_request="_close",
    upload_method="POST",
    upload_path="_uploads",
    upload_part="filename",
    change_create_mandatory=("title", "stage", "status"),
    comment_mandatory=True,
    max_change_attachments=10,
    note_sort_field="created_time",
)

FLAVOURS: dict[str, Flavour] = {each.name: each for each in (ON_PREMISES, CLOUD)}
