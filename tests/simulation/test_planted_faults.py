from itertools import count
from pathlib import Path

import pytest

from simulation.planted import PLANTED
from simulation.storm import simulate

MOST_SEEDS = 8


@pytest.mark.parametrize("defect", PLANTED)
def test_a_planted_defect_is_found_within_a_few_seeds(defect: str, tmp_path: Path) -> None:
    planted = PLANTED[defect]
    for seed in count():
        report = simulate(f"{planted.theme} {seed}", tmp_path / "world", planted.plant)
        if any(line.startswith(tuple(planted.breaks)) for line in report.violations):
            return
        assert seed < MOST_SEEDS, f"{MOST_SEEDS} seeds did not show that the worker {defect}"
