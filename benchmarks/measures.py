"""Start, rest, a large file, a large ledger."""

import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import runs
from benchmarks.processes import Usage, peers, wait_until_drained

FILE_BYTES = 48 * 1024 * 1024
SMALL_LEDGER = 1_000
_MESSAGES, _ROUNDS = 1_000, 3
_ROWS_A_MESSAGE = 5  # message, receive, event, two effects; a link for every fifth


def start_s() -> float:
    """Seconds from starting the process to its first read of the queue; the best of three."""
    return min(_start_once() for _ in range(3))


def _start_once() -> float:
    with peers(0) as ours:
        began = time.time()
        with runs.running(ours):
            return float(ours.ensono.ask("report")["asked_first"]) - began


def idle(seconds: float, poll_s: float = 10.0) -> str:
    """What a worker uses while nothing waits."""
    with peers(0) as ours, runs.running(ours, poll_s=poll_s) as pid:
        time.sleep(poll_s / 2)
        before, reads = Usage.of(pid), ours.ensono.ask("report")["calls"]["read_queue"]
        time.sleep(seconds)
        after = Usage.of(pid)
        reads = ours.ensono.ask("report")["calls"]["read_queue"] - reads
    wakeups = after.wakeups - before.wakeups
    cpu_ms = (after.cpu_s - before.cpu_s) * 1000
    return (
        f"idle for {seconds:g} s, a read every {poll_s:g} s: {cpu_ms:.0f} ms of processor time ({cpu_ms / seconds / 10:.3f} %), "
        f"{wakeups} wake-ups for {reads} reads ({wakeups / max(reads, 1):.1f} each)\n"
    )


def attachment_peak_mb() -> tuple[float, bool]:
    """Peak memory of a worker that carries a file of 48 MB, and whether it reached the desk byte by byte."""
    with peers(1, file_bytes=FILE_BYTES) as ours, runs.running(ours) as pid:
        ours.ensono.ask("open")
        wait_until_drained(ours.ensono, 1, pid)
        uploads = ours.desk.ask("report")["uploads"]
        return Usage.of(pid).peak_mb, len(uploads) == 1 and uploads[0][0] > FILE_BYTES


# --- a large ledger --------------------------------------------------------------------------------------------------


def large_ledger(rows: int) -> tuple[str, float]:
    """How much more a message costs (processor time) in a large ledger than in a small one: medians of rounds that alternate."""
    with tempfile.TemporaryDirectory(prefix="envision-worker-bench-") as name:
        ledgers = {count: Path(name) / f"{count}.db" for count in (SMALL_LEDGER, rows)}
        for count, path in ledgers.items():
            asyncio.run(_make(path))
            _fill(path, count // _ROWS_A_MESSAGE)
        costs: dict[int, list[float]] = {count: [] for count in ledgers}
        for _ in range(_ROUNDS):
            for count, path in ledgers.items():
                costs[count].append(runs.worker(_MESSAGES, ledger=path).cpu_ms)
                _forget_work(path)
        medians = {count: statistics.median(each) for count, each in costs.items()}
    return f"CPU of a message at {rows:,} ledger rows / at {SMALL_LEDGER:,}", medians[rows] / medians[SMALL_LEDGER]


async def _make(path: Path) -> None:
    from envision_worker.ledger.sqlite import open_ledger  # noqa: PLC0415 - only this needs the worker itself

    ledger = open_ledger(str(path), committed=lambda _, __: None, clock=time.monotonic)
    await ledger.remember("born", "1700000000.0")
    await ledger.close()


def _fill(path: Path, messages: int) -> None:
    """Settled messages with all that belongs to them, by SQL; the counters are set as the triggers would have."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    db.execute("BEGIN")
    for name, _ in triggers:
        db.execute(f"DROP TRIGGER {name}")
    db.executemany(
        """INSERT INTO messages (message_id, ticket, transaction_type, ticket_type, sent_ms, sequence, content_key, raw, state,
               attempts, receive_count, first_received, last_received, last_tried, settled, acknowledged)
           VALUES (?, ?, 'Notes', 'Incident', ?, ?, ?, ?, 'applied', 1, 1, ?, ?, ?, ?, ?)""",
        _messages(messages),
    )
    db.executemany("INSERT INTO receives VALUES (?, ?, 1)", ((f"old-{n:012}", _at(n)) for n in range(messages)))
    db.executemany(
        "INSERT INTO events (at, ticket, message_id, what, detail) VALUES (?, ?, ?, 'applied', '')",
        ((_at(n), f"e-OLD{n // 5:09}", f"old-{n:012}") for n in range(messages)),
    )
    db.executemany(
        """INSERT INTO effects (ticket, message_id, key, peer, what, known, intent, outcome, answer, finished)
           VALUES (?, ?, ?, 'desk', 'add note', '{}', ?, 'done', '{"id": "1"}', ?)""",
        (
            (f"e-OLD{n // 5:09}", f"old-{n:012}", f"note:{n}:{k}", _at(n), _at(n))
            for n in range(messages)
            for k in (0, 1)
        ),
    )
    db.executemany(
        "INSERT INTO links VALUES (?, 1, 'request', ?, ?, ?, ?, 0, 1, '', 0, ?)",
        ((f"e-OLD{n:09}", f"old{n}", f"old{n}", _at(n), f"old-{n * 5:012}", _at(n)) for n in range(messages // 5)),
    )
    db.execute("INSERT OR REPLACE INTO counts VALUES ('applied', ?)", (messages,))
    for _, sql in triggers:
        db.execute(sql)
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def _messages(count: int) -> Iterator[tuple[object, ...]]:
    raw = bytes(range(256)) * 2  # as long as a message, packed
    for n in range(count):
        at = _at(n)
        sequence = str(n).zfill(40)
        yield f"old-{n:012}", f"e-OLD{n // 5:09}", int(at * 1000), sequence, f"{n:032x}", raw, at, at, at, at, at


def _at(n: int) -> float:
    """Recent enough not to be forgotten while it is measured."""
    return time.time() - 86_400.0 + n * 1e-6


def _forget_work(path: Path) -> None:
    """The work's own rows go, so that the next round finds the ledger as this one did."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("DELETE FROM receives WHERE message_id NOT LIKE 'old-%'")
    db.execute("DELETE FROM events WHERE message_id NOT LIKE 'old-%'")
    for table in ("messages", "effects", "links"):
        db.execute(f"DELETE FROM {table} WHERE ticket LIKE 'e-CS%'")
    db.close()
