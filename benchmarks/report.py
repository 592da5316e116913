"""Numbers as tables, aims as ratios."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import runs, work

QUEUE_RATE = 300.0
"""Calls a second that SQS FIFO grants for each action; deletes take one message each."""


@dataclass(frozen=True, slots=True)
class Aim:
    """A number that was measured, and what it should be."""

    what: str
    measured: float
    wanted: float
    unit: str
    at_least: bool

    @property
    def met(self) -> bool:
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted


def print_runs(results: Sequence[runs.Result]) -> None:
    print(
        f"{'':12}{'messages':>9}{'msg/s':>9}{'CPU ms':>9}{'peak MB':>9}{'p50 s':>8}{'p99 s':>8}{'calls/msg':>11}{'others':>8}"
    )
    for each in results:
        calls = sum(each.calls.values()) / each.messages
        numbers = f"{each.rate:9.1f}{each.cpu_ms:9.2f}{each.peak_mb:9.0f}{each.p50_s:8.2f}{each.p99_s:8.2f}"
        print(f"{each.way:12}{each.messages:9}{numbers}{calls:11.2f}{each.others_busy:8.2f}")
        for wrong in each.wrong:
            print(f"{'':12}WRONG: {wrong}")
    print(
        "CPU: milliseconds of processor time for a message. p50, p99: SentTimestamp to acknowledged. others: processors busy with"
    )
    print("something else meanwhile; above about 0.2 trust only what is compared within one size.\n")


def aims_of(results: Sequence[runs.Result]) -> list[Aim]:
    """The aims about throughput, for each size."""
    by = {(each.way, each.messages): each for each in results}
    alone = next(each for each in results if each.way == "sequential")
    aims: list[Aim] = []
    for each in (each for each in results if each.way == "worker"):
        floor, plain = by.get(("floor", each.messages)), by.get(("httpx", each.messages))
        if floor is None:
            continue
        best = min(QUEUE_RATE, runs.AT_DESK / work.DESK_S, floor.rate)
        aims += [
            Aim(f"{each.messages}: throughput / min(300, desk, floor)", each.rate / best, 0.9, "x", at_least=True),
            Aim(f"{each.messages}: throughput / sequential loop", each.rate / alone.rate, 25.0, "x", at_least=True),
            Aim(f"{each.messages}: CPU / floor", each.cpu_ms / floor.cpu_ms, 1.5, "x", at_least=False),
            Aim(f"{each.messages}: duplicates, disorder, losses", float(len(each.wrong)), 0.0, "", at_least=False),
        ]
        if plain is not None:
            aims.append(
                Aim(
                    f"{each.messages}: CPU / plain httpx's calls alone",
                    each.cpu_ms / plain.cpu_ms,
                    1.0,
                    "x",
                    at_least=False,
                )
            )
    return aims


def print_aims(aims: Sequence[Aim]) -> None:
    for aim in aims:
        bound = f"{'at least' if aim.at_least else 'at most'} {aim.wanted:g} {aim.unit}".rstrip()
        print(f"{aim.what:52}{aim.measured:9.2f} {aim.unit:3}{bound:>18}   {'met' if aim.met else 'NOT MET'}")
