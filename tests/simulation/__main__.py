"""`python -m simulation SEEDS`: run seeds, print those that fail, and what it came to."""

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path

from simulation.plan import plan_of
from simulation.storm import Report, simulate, told

DAY_S = 86400.0
MOST_TOLD = 8


def spool_root() -> Path:
    """Somewhere in memory, where there is such a place."""
    memory = Path("/dev/shm")  # noqa: S108 - scratch
    return Path(tempfile.mkdtemp(prefix="simulation-", dir=memory if memory.is_dir() else None))


def seeds_of(text: str) -> list[str]:
    """`7`, `0-99`, `rough 0-99`, or several of them with commas."""
    return [seed for part in text.split(",") for seed in _expanded(part.strip())]


def _expanded(part: str) -> Iterator[str]:
    found = re.fullmatch(r"(\D*?)(\d+)-(\d+)", part)
    if found is None:
        return iter([part])
    return (f"{found[1]}{number}" for number in range(int(found[2]), int(found[3]) + 1))


_folder: Path | None = None


def run_one(seed: str) -> Report:
    """One seed, in whatever process."""
    global _folder  # noqa: PLW0603 - one for each process
    _folder = _folder or spool_root()
    try:
        return simulate(seed, _folder / "world")
    except Exception as exc:  # noqa: BLE001 - told with its seed
        return Report(seed, violations=[f"crashed: {type(exc).__name__}: {exc}"])


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("seeds", nargs="?", default="0-199", help="1234, 0-999, rough 0-99, or several with commas")
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
    with Pool(jobs) as pool:
        for report in pool.imap_unordered(run_one, seeds):
            counts += report.counts
            simulated_s += report.simulated_s
            if report.violations:
                failed += 1
                _say(f"seed {report.seed} FAILED; again with: make simulate SEEDS='{report.seed}'")
                for line in report.violations[:MOST_TOLD]:
                    _say(f"    {line}")
    shown = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
    took_s = time.monotonic() - started
    _say(f"{len(seeds)} seeds, {failed} failed; {simulated_s / DAY_S:.1f} days simulated in {took_s:.0f} s; {shown}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
