"""`[mapping]`, and who decides in `[approvals]`."""

import pytest
from configurations import MINIMAL, Faults, Load
from hypothesis import given
from hypothesis import strategies as st

from envision_worker.config.mapping import DEFAULT_STATUSES, ChangeStep, MappingKind, MappingSettings


def test_a_value_is_found_trimmed_and_in_any_case(load_text: Load) -> None:
    mapping = load_text(
        MINIMAL + '[mapping.priority]\n" 4" = "Low "\n[mapping.closure_code]\n"resolved*" = "Success"'
    ).mapping
    assert mapping.lookup(MappingKind.PRIORITY, "4 ") == "Low"
    assert mapping.lookup(MappingKind.CLOSURE_CODE, "RESOLVED*") == "Success"


def test_statuses_have_defaults_that_single_lines_replace(load_text: Load) -> None:
    mapping = load_text(MINIMAL + '[mapping.status]\nPending = "Waiting"\n"pending-vendor" = "With Vendor"').mapping
    assert mapping.lookup(MappingKind.STATUS, "pending") == "Waiting"
    assert mapping.lookup(MappingKind.STATUS, "pending-vendor") == "With Vendor"
    assert mapping.lookup(MappingKind.STATUS, "WorkingProgress") == "In Progress"
    assert mapping.lookup(MappingKind.STATUS, "pending-caller") is None


@pytest.mark.parametrize("kind", [MappingKind.GROUP, MappingKind.CATEGORY])
def test_groups_and_categories_without_a_line_go_as_they_are(load_text: Load, kind: MappingKind) -> None:
    mapping = load_text(MINIMAL + f'[mapping.{kind}]\n"Ensono Support" = "Managed Services"').mapping
    assert mapping.lookup(kind, "ensono support") == "Managed Services"
    assert mapping.lookup(kind, " CLIENT - Other ") == "CLIENT - Other"


@pytest.mark.parametrize("kind", list(MappingKind))
def test_a_blank_value_has_no_name(kind: MappingKind) -> None:
    assert MappingSettings().lookup(kind, "") is None
    assert MappingSettings().lookup(kind, "  ") is None


@pytest.mark.parametrize("kind", [kind for kind in MappingKind if kind not in {"status", "group", "category"}])
def test_any_other_value_without_a_line_has_no_name(kind: MappingKind) -> None:
    assert MappingSettings().lookup(kind, "3") is None


def test_the_steps_of_a_change_s_state_stand_in_their_order(load_text: Load) -> None:
    mapping = load_text(
        MINIMAL
        + """
[mapping.change_state]
Assess = { stage = "CAB Evaluation", status = "Approval Pending" }
implement = [{ stage = "Planning" }, { stage = "Implementation", status = "In Progress" }]
"""
    ).mapping
    assert mapping.steps(" ASSESS") == (ChangeStep(stage="CAB Evaluation", status="Approval Pending"),)
    assert mapping.steps("Implement") == (
        ChangeStep(stage="Planning"),
        ChangeStep(stage="Implementation", status="In Progress"),
    )
    assert mapping.steps("Review") == ()


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ('[mapping.status]\nopen = "A"\nOpen = "B"', "mapping.status", "twice"),
        ('[mapping.group]\n"" = "A"', "mapping.group", "empty value"),
        ('[mapping.group]\na = ""', "mapping.group.a", "at least 1 character"),
        ('[mapping.group]\na = "  "', "mapping.group.a", "at least 1 character"),
        ("[mapping]\ngroup = []", "mapping.group", "should be a table, not a list"),
        ("[mapping.change_state]\nAssess = []", "mapping.change_state.Assess", "give a step"),
        ("[mapping.change_state]\nAssess = {}", "mapping.change_state.Assess", "give stage, status or both"),
        (
            "[mapping.change_state]\nAssess = [{ stage = 'a' }, {}]",
            "mapping.change_state.Assess.1",
            "stage, status or both",
        ),
        ("[mapping.change_state]\nAssess = { stag = 'a' }", "mapping.change_state.Assess.stag", "did you mean stage?"),
        ("[mapping.change_state]\nAssess = [{ stage = 3 }]", "mapping.change_state.Assess.0.stage", "should be text"),
        ("[approvals.approvers]\n'a@b.c' = []", 'approvals.approvers."a@b.c"', "name an approver"),
        ("[approvals.approvers]\n'a@b.c' = 'd@e.f'", 'approvals.approvers."a@b.c"', "should be a list, not text"),
        ("[approvals.approvers]\n'a@b.c' = ['d']", 'approvals.approvers."a@b.c".0', "e-mail address"),
        ("[approvals.approvers]\ncab = ['d@e.f']", "approvals.approvers.cab", "e-mail address"),
        ("[approvals.approvers]\n'a@b.c' = ['d@e.f']\n'A@b.c' = ['d@e.f']", "approvals.approvers", "twice"),
    ],
)
def test_a_wrong_line_is_told_by_its_key(faults_of: Faults, text: str, key: str, problem: str) -> None:
    faults = faults_of(f"{MINIMAL}\n{text}")
    assert faults.keys() == {key}
    assert problem in faults[key]


def test_an_approver_is_found_in_any_case_and_stands_for_himself_without_a_line(load_text: Load) -> None:
    approvals = load_text(
        MINIMAL + "[approvals.approvers]\n'NoReply@client.com' = ['cab@example.com', 'b@c.d']"
    ).approvals
    assert approvals.approvers_for(" noreply@CLIENT.com") == ("cab@example.com", "b@c.d")
    assert approvals.approvers_for("Jane@example.com ") == ("Jane@example.com",)


@given(st.text(), st.sampled_from(MappingKind))
def test_any_value_has_a_name_or_none(value: str, kind: MappingKind) -> None:
    name = MappingSettings().lookup(kind, value)
    if kind in {MappingKind.GROUP, MappingKind.CATEGORY}:
        assert name == (value.strip() or None)
    else:
        assert name in {None, *DEFAULT_STATUSES.values()}
