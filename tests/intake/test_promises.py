"""Every promise has tests named after it, and the README's table leads to them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROMISES = [f"P{number}" for number in range(1, 13)]
ROW = re.compile(r"^\| (P\d+) \| (.+?) \| (.+?) \| (.+) \|$", re.MULTILINE)
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")


def shown_by() -> dict[str, list[str]]:
    """The test files that the table names for each promise."""
    rows = ROW.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    return {promise: [path for _, path in LINK.findall(tests)] for promise, _, _, tests in rows}


def test_the_table_has_a_row_for_every_promise() -> None:
    assert list(shown_by()) == PROMISES


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_leads_to_tests_that_exist_and_bear_its_name(promise: str) -> None:
    paths = shown_by()[promise]
    assert [path for path in paths if not (ROOT / path).is_file()] == []
    named = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob(f"test_{promise.lower()}_*.py"))
    assert named
    assert set(named) <= set(paths)
