from itertools import count
from pathlib import Path

import pytest

from simulation.defects import DEFECTS
from simulation.storm import simulate

MOST_SEEDS = 80


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_found_within_a_few_seeds(defect: str, tmp_path: Path) -> None:
    plant, broken = DEFECTS[defect]
    for seed in count():
        report = simulate(f"rough {seed}", tmp_path / "world", plant)
        if any(line.startswith(tuple(broken)) for line in report.violations):
            return
        assert seed < MOST_SEEDS, f"{MOST_SEEDS} seeds did not show that the worker {defect}"
