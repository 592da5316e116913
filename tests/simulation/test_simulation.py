from multiprocessing import get_context
from pathlib import Path

import pytest

from simulation.plan import THEMES
from simulation.storm import simulate

SEEDS_AT_ONCE = 10
SEEDS = 200
SEEDS_OF_EACH_THEME = 5


def failures(seeds: list[str], folder: Path) -> dict[str, list[str]]:
    reports = [simulate(seed, folder / "world") for seed in seeds]
    return {report.seed: report.violations for report in reports if report.violations}


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_AT_ONCE))
def test_every_promise_is_kept_whatever_happens(first: int, tmp_path: Path) -> None:
    failed = failures([str(seed) for seed in range(first, first + SEEDS_AT_ONCE)], tmp_path)
    assert not failed, f"again with: make simulate SEEDS='{','.join(failed)}': {failed}"


@pytest.mark.parametrize("theme", THEMES)
def test_every_promise_is_kept_in_much_trouble_of_one_kind(theme: str, tmp_path: Path) -> None:
    failed = failures([f"{theme} {seed}" for seed in range(SEEDS_OF_EACH_THEME)], tmp_path)
    assert not failed, f"again with: make simulate SEEDS='{','.join(failed)}': {failed}"


def test_the_same_seed_does_the_same_again(tmp_path: Path) -> None:
    first, second = simulate("storm 7", tmp_path / "world"), simulate("storm 7", tmp_path / "world")
    assert first.counts["messages"] > 0
    assert (first.simulated_s, first.counts, first.trace) == (second.simulated_s, second.counts, second.trace)


def traced(seed: str, folder: Path) -> str:
    return simulate(seed, folder).trace


def test_the_same_seed_does_the_same_in_another_process(tmp_path: Path) -> None:
    """A new interpreter hashes texts otherwise and puts its objects elsewhere."""
    with get_context("spawn").Pool(1) as pool:
        assert pool.apply(traced, ("storm 3", tmp_path / "another")) == traced("storm 3", tmp_path / "world")
