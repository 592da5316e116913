"""`[scope]`: what is deleted unprocessed."""

from collections.abc import Mapping

import pytest
from configurations import MINIMAL, Load

REQUEST_NOTES = {
    "ticket_type": "Request",
    "transaction_type": "Notes",
    "group": "CLIENT - Other ",
    "ensono_group": "CS - 1st Line",
    "category": "Private Cloud",
    "priority": "4",
}


def matching(load_text: Load, rules: str, transaction: Mapping[str, str]) -> list[int]:
    """Which of the rules match, counted from 0."""
    scope = load_text(MINIMAL + f"[scope]\nout_of_scope = {rules}").scope
    return [number for number, rule in enumerate(scope.out_of_scope) if rule.matches(transaction)]


@pytest.mark.parametrize(
    "rule",
    [
        '{ ticket_type = "Request" }',
        '{ ticket_type = " request " }',
        '{ transaction_type = "NOTES" }',
        '{ group = "client - other" }',
        '{ priority = "4" }',
        "{ priority = 4 }",
        '{ ticket_type = "Request", group = "CLIENT - Other", ensono_group = "CS - 1st Line", category = "private cloud" }',
    ],
)
def test_a_rule_matches_when_all_its_keys_equal(load_text: Load, rule: str) -> None:
    assert matching(load_text, f"[{rule}]", REQUEST_NOTES) == [0]


@pytest.mark.parametrize(
    "rule",
    [
        '{ ticket_type = "Incident" }',
        '{ ticket_type = "Request", group = "CLIENT" }',
        '{ ticket_type = "Request", priority = "3" }',
        '{ group = "" }',
    ],
)
def test_a_rule_does_not_match_when_one_key_differs(load_text: Load, rule: str) -> None:
    assert matching(load_text, f"[{rule}]", REQUEST_NOTES) == []


def test_each_rule_is_looked_at_by_itself(load_text: Load) -> None:
    rules = '[{ ticket_type = "Change" }, { priority = "4" }, { ticket_type = "Request" }]'
    assert matching(load_text, rules, REQUEST_NOTES) == [1, 2]


def test_a_value_that_the_transaction_lacks_equals_an_empty_one(load_text: Load) -> None:
    rules = '[{ ticket_type = "Change", group = "" }]'
    assert matching(load_text, rules, {"ticket_type": "Change"}) == [0]
    assert matching(load_text, rules, {}) == []


def test_without_rules_everything_is_in_scope(load_text: Load) -> None:
    assert load_text().scope.out_of_scope == ()
