"""Which names of the desk the configuration uses, and where."""

from configurations import MINIMAL, Load

from envision_worker.config.desk_names import by_key, names_on_desk, used_names

TEXT = (
    MINIMAL
    + """
[mapping.status]
closed = "Done"
solved = "Done"
[mapping.priority]
1 = "Urgent"
[mapping.group]
"Ensono Support" = "Managed Services"
[mapping.closure_code]
Successful = "Success"
[mapping.change_state]
Assess = { stage = "CAB Evaluation", status = "Approval Pending" }
Implement = [{ stage = "Planning" }, { status = "In Progress" }]
[approvals]
fallback_approver = { email_id = "change-manager@example.com" }
[approvals.approvers]
"noreply@client.com" = ["cab@example.com"]
"""
)


def test_all_names_are_collected_by_kind(load_text: Load) -> None:
    names = names_on_desk(load_text(TEXT))
    assert names.statuses == {"Open", "In Progress", "On Hold", "Resolved", "Done", "Cancelled"}
    assert names.priorities == {"Urgent"}
    assert names.groups == {"Managed Services"}
    assert names.closure_codes == {"Success"}
    assert names.change_stages == {"CAB Evaluation", "Planning"}
    assert names.change_statuses == {"Approval Pending", "In Progress"}
    assert names.approvers == {"cab@example.com", "change-manager@example.com"}
    assert names.requester == "ensono@example.com"
    assert (
        names.impacts == names.urgencies == names.categories == names.change_types == names.change_risks == frozenset()
    )


def test_a_requester_given_by_name_is_no_address_to_look_for(load_text: Load) -> None:
    config = load_text(MINIMAL.replace('{ email_id = "ensono@example.com" }', '{ name = "Ensono" }'))
    assert names_on_desk(config).requester is None


def test_every_name_tells_the_keys_that_use_it(load_text: Load) -> None:
    keys = {(used.among, used.name): used.key for used in used_names(load_text(TEXT))}
    assert keys["statuses", "Open"] == "mapping.status.open"
    assert keys["groups", "Managed Services"] == 'mapping.group."ensono support"'
    assert keys["change_statuses", "In Progress"] == "mapping.change_state.implement"
    assert keys["approvers", "cab@example.com"] == 'approvals.approvers."noreply@client.com"'
    assert keys["approvers", "change-manager@example.com"] == "approvals.fallback_approver.email_id"


def test_what_the_desk_lacks_is_told_by_the_keys_that_use_it(load_text: Load) -> None:
    missing = [
        "statuses: the desk has no status 'Done' (it has 'Open')",
        "approvers: the desk has no user 'cab@example.com'",
        "desk.ensono_number_field: the desk's requests have no field 'udf_sline_301'",
        "groups: the key may not list them: forbidden",
    ]
    assert [str(fault) for fault in by_key(load_text(TEXT), missing)] == [
        "mapping.status.closed: the desk has no status 'Done' (it has 'Open')",
        "mapping.status.solved: the desk has no status 'Done' (it has 'Open')",
        "approvals.approvers.\"noreply@client.com\": the desk has no user 'cab@example.com'",
        "desk.ensono_number_field: the desk's requests have no field 'udf_sline_301'",
        "groups: the key may not list them: forbidden",
    ]
