"""What an administrator can set up differently, and what differs from build to build: one switch for each.

Where the documentation is silent or its sources disagree, the switch's default is what a caller must at least cope with.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

Names = frozenset[str]
NO_NAMES: Names = frozenset()


@dataclass
class Switches:
    """The switches; set an attribute to turn one. Times are in seconds, sizes in bytes.

    Attributes:
        key_revoked: the key, or the access tokens, are refused from now on.
        bad_key: on premises a wrong key is answered 400 with code 401 (seen), or 401 with code 4022 (documented).
        auth_failures_per_minute: more wrong keys than this within a minute and every call is blocked for the rest of it.
        missing_accept: what the cloud answers without its Accept header.
        throttle_answer: on premises 400 with a sentence (seen), 400 or 429 with code 4015; the cloud always answers 429.
        portalless_urls: in the cloud `/api/v3` without the portal is served too.
        errors_name_fields: an error says which field it is about.
        all_faults_reported: an error lists everything that is wrong, not only the first thing.
        index_lag_s: how long a new ticket is missing from lists and searches; it can be read by its id at once.
        fields_required_honoured: lists bring the extra fields that were asked for.
        search_honoured: lists obey `search_criteria`; off: they ignore them (seen on live servers).
        search_ignores_case: text is compared without regard to case, as most of the databases do.
        criteria_form: whether `search_criteria` must be an object, an array, or may be either.
        dates_in_many_criteria: a date may stand among several criteria; off: 400 (seen on one server).
        trash_is_listed: trashed tickets appear in lists.
        trash_is_locked: what lies in the trash can be read but not changed.
        closed_is_locked: of a closed request only the status can be changed.
        requesters_created: an unknown requester is added instead of refused.
        template_mandatory: further fields that a new request must carry.
        change_template_mandatory: the same for a new change.
        not_on_template: fields that the request template lacks; they are refused.
        not_on_change_template: the same for changes.
        unknown_udfs_refused: a UDF that the desk lacks is refused; off: it is ignored.
        priority_matrix: the priority follows from impact and urgency and can't be given.
        closing_needs: fields without which a request can't be closed; `resolution` is one of them.
        rich_text_wrapped: descriptions and notes come back wrapped in a div, as the editor makes them.
        four_byte_characters: characters outside the basic plane (emoji) are taken.
        note_key: overrides the key that wraps a request's note (an old build on premises wants `request_note`).
        change_note_key: the key that wraps a change's note.
        note_touches_ticket: a new note sets the ticket's `last_updated_time`.
        max_attachment_bytes: larger files are refused; None: no limit.
        oversize_answer: how: 400 with an error, or a proxy's 413 with a page.
        attachment_form: entries with exact sizes (new builds) or rounded ones (old).
        download_path: the last part of the path that hands out a file.
        change_uploads: files can be attached to changes on premises; the documentation does not say.
        change_comment_accepted: on premises a PUT of a change takes `comment`.
        statuses_bound_to_stage: a change's status must belong to its stage.
        workflow: allowed moves of a change's status, by name; empty: any. A move that stays is always allowed.
        close_change_forms: which bodies `close_change` takes: `plain` (documented), `object` (new builds).
        reclose_change_refused: closing a closed change is refused.
        absent_lookups: lookups that this build does not serve.
        approver_by_email: on premises an approver can be named by address instead of id.
        level_needs_approver: on premises a level of approval must come with its approvers.
        notification_path: the last part of the path that sends the approvers their mail.
        condition_rules: on premises a rule may also be `{"type": "condition", "value": "anyone_approves"}` (new builds).
        unique_level_names: on premises two levels of a stage can't have one name.
        unique_level_numbers: in the cloud two levels of a stage can't have one number.
        levels_of_a_change_without: on premises the list of levels of a change that has none is an internal error (seen).
        removed_approvals_listed: on premises what was removed after it was sent stays in lists as `deleted`.
        rejected_name: the name of the status of what was rejected; the documentation says `Rejected`, the product shows `Denied`.
        shows_action_by: on premises an approval tells who decided (new builds).
        key_may_decide: the key's owner may decide for another approver.
        approval_moves_change: the outcome of a stage's approvals sets the change's status to Approved or Rejected.
    """

    key_revoked: bool = False
    bad_key: Literal["400", "401"] = "400"
    auth_failures_per_minute: int = 15
    missing_accept: Literal["415", "login_page"] = "415"
    throttle_answer: Literal["text", "400", "429"] = "text"
    portalless_urls: bool = False
    errors_name_fields: bool = True
    all_faults_reported: bool = False
    index_lag_s: float = 0.0
    fields_required_honoured: bool = True
    search_honoured: bool = True
    search_ignores_case: bool = True
    criteria_form: Literal["any", "object", "array"] = "any"
    dates_in_many_criteria: bool = True
    trash_is_listed: bool = False
    trash_is_locked: bool = True
    closed_is_locked: bool = False
    requesters_created: bool = False
    template_mandatory: Names = NO_NAMES
    change_template_mandatory: Names = NO_NAMES
    not_on_template: Names = NO_NAMES
    not_on_change_template: Names = NO_NAMES
    unknown_udfs_refused: bool = True
    priority_matrix: bool = False
    closing_needs: Names = NO_NAMES
    rich_text_wrapped: bool = False
    four_byte_characters: bool = True
    note_key: Literal["", "note", "request_note"] = ""
    change_note_key: Literal["note", "change_note"] = "note"
    note_touches_ticket: bool = False
    max_attachment_bytes: int | None = None
    oversize_answer: Literal["400", "413"] = "400"
    attachment_form: Literal["new", "old"] = "new"
    download_path: Literal["_download", "download"] = "_download"
    change_uploads: bool = True
    change_comment_accepted: bool = True
    statuses_bound_to_stage: bool = True
    workflow: Mapping[str, Names] = dataclasses.field(default_factory=dict)
    close_change_forms: Names = frozenset({"plain"})
    reclose_change_refused: bool = True
    absent_lookups: Names = NO_NAMES
    approver_by_email: bool = False
    level_needs_approver: bool = True
    notification_path: Literal["send_notification", "_send_notification"] = "send_notification"
    condition_rules: bool = False
    unique_level_names: bool = False
    unique_level_numbers: bool = True
    levels_of_a_change_without: Literal["internal_error", "empty"] = "internal_error"
    removed_approvals_listed: bool = True
    rejected_name: Literal["Rejected", "Denied"] = "Rejected"
    shows_action_by: bool = True
    key_may_decide: bool = False
    approval_moves_change: bool = False

    def turn(self, given: Any) -> None:
        """Turn several switches, as a person writes them in JSON: sets as lists.

        Raises:
            ValueError: one of them does not exist or does not take this value; then none was turned.
        """
        if not isinstance(given, dict):
            raise ValueError("an object of switches is wanted")  # noqa: TRY004 (one kind of error for bad input)
        hints = get_type_hints(type(self))
        read = {name: _read(name, value, hints) for name, value in given.items()}
        for name, value in read.items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, Any]:
        """The same form that `turn` reads."""
        return {each.name: _shown(getattr(self, each.name)) for each in dataclasses.fields(self)}


def _read(name: str, value: Any, hints: Mapping[str, Any]) -> Any:
    if name not in hints:
        raise ValueError(f"there is no switch {name!r}")
    hint = hints[name]
    if hint == Names:
        return _names(name, value)
    if name == "workflow":
        return _workflow(value)
    if get_origin(hint) is Literal:
        fits = value in get_args(hint)
    elif hint is bool:
        fits = isinstance(value, bool)
    elif hint is float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    else:
        fits = isinstance(value, hint) and not isinstance(value, bool)
    if not fits:
        raise ValueError(f"{name} can't be {value!r}")
    return value


def _workflow(value: Any) -> Mapping[str, Names]:
    if not isinstance(value, dict):
        raise ValueError(f"workflow can't be {value!r}")  # noqa: TRY004 (one kind of error for bad input)
    return {status: _names("workflow", to) for status, to in value.items()}


def _names(name: str, value: Any) -> Names:
    if not isinstance(value, list | tuple | set | frozenset) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{name} is a list of names, not {value!r}")
    return frozenset(value)


def _shown(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _shown(each) for name, each in value.items()}
    return sorted(value) if isinstance(value, frozenset) else value
