"""`envision-worker`, also `python -m envision_worker`."""

import sys

from envision_worker.cli.program import run_program


def main() -> None:
    """Run one command and end with its exit code."""
    sys.exit(run_program(sys.argv[1:]))


if __name__ == "__main__":
    main()
