"""`python -m simulation SEEDS`: run seeds, print those that fail, and what it came to."""

import argparse
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from multiprocessing import Pool
from pathlib import Path

from simulation.plan import plan_of
from simulation.storm import Report, simulate, told

DAY_S = 86400.0
MOST_TOLD = 8
SEEDS_OF_A_PROCESS = 500
"""Then a new one takes over, so that hours of seeds take no more memory than minutes."""


def seeds_of(text: str) -> list[str]:
    """`7`, `0-99`, `late 0-99`, or several of them with commas."""
    return [seed for part in text.split(",") for seed in _expanded(part.strip())]


def _expanded(part: str) -> Iterator[str]:
    found = re.fullmatch(r"(\D*?)(\d+)-(\d+)", part)
    if found is None:
        return iter([part])
    return (f"{found[1]}{number}" for number in range(int(found[2]), int(found[3]) + 1))


def run_one(seed: str, folder: Path) -> Report:
    """One seed, in whatever process."""
    try:
        return simulate(seed, folder / str(os.getpid()))
    except Exception as exc:  # noqa: BLE001 - told with its seed
        return Report(seed, violations=[f"crashed: {type(exc).__name__}: {exc}"])


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("seeds", nargs="?", default="0-199", help="1234, 0-999, late 0-99, or several with commas")
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    parser.add_argument("--verbose", action="store_true", help="print what each seed means")
    args = parser.parse_args()
    seeds = seeds_of(args.seeds)
    if args.verbose:
        for seed in seeds:
            _say(told(plan_of(seed)))
    return _run(seeds, args.jobs)


def _run(seeds: list[str], jobs: int) -> int:
    started = time.monotonic()
    counts: Counter[str] = Counter()
    simulated_s, failed = 0.0, 0
    memory = Path("/dev/shm")  # noqa: S108 - scratch, and faster than a disk
    with (
        tempfile.TemporaryDirectory(prefix="simulation-", dir=memory if memory.is_dir() else None) as folder,
        Pool(jobs, maxtasksperchild=SEEDS_OF_A_PROCESS) as pool,
    ):
        for report in pool.imap_unordered(partial(run_one, folder=Path(folder)), seeds):
            counts += report.counts
            simulated_s += report.simulated_s
            if report.violations:
                failed += 1
                counts["violations"] += len(report.violations)
                _say(f"seed {report.seed} FAILED; again with: make simulate SEEDS='{report.seed}'")
                for line in report.violations[:MOST_TOLD]:
                    _say(f"    {line}")
    _say(_summary(len(seeds), failed, simulated_s / DAY_S, time.monotonic() - started, counts))
    return 1 if failed else 0


def _summary(seeds: int, failed: int, days: float, took_s: float, counts: Counter[str]) -> str:
    kills = counts["deaths"] - counts["stopped or bereaved"]
    met = f"{counts['messages']} messages, {counts['faults']} faults, {counts['outages']} outages"
    ends = f"{kills} kills, {counts['stop']} stops, {counts['lose_ledger']} ledgers lost"
    return f"{seeds} seeds, {failed} failed; {days:.1f} days simulated in {took_s:.0f} s; {met}, {ends}; {counts['violations']} violations"


if __name__ == "__main__":
    sys.exit(main())
