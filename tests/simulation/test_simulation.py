from pathlib import Path

import pytest

from simulation.storm import simulate

SEEDS_AT_ONCE = 10


@pytest.mark.parametrize("first", range(0, 300, SEEDS_AT_ONCE))
def test_every_promise_is_kept_whatever_happens(first: int, tmp_path: Path) -> None:
    reports = [simulate(str(seed), tmp_path / "world") for seed in range(first, first + SEEDS_AT_ONCE)]
    failed = {report.seed: report.violations for report in reports if report.violations}
    assert not failed, f"again with: make simulate SEEDS='{','.join(failed)}': {failed}"


def test_the_same_seed_does_the_same_again(tmp_path: Path) -> None:
    first, second = simulate("7", tmp_path / "world"), simulate("7", tmp_path / "world")
    assert (first.simulated_s, first.counts) == (second.simulated_s, second.counts)
