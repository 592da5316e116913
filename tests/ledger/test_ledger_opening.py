import asyncio
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from envision_worker.ledger.database import connect
from envision_worker.ledger.lock_file import LockFile
from envision_worker.ledger.records import LedgerHeld, LedgerUnavailable, State
from envision_worker.vocabulary import MessageId
from ledger.kept import NOW, arrival, opened, settled

AS_ROOT = os.geteuid() == 0


HOLDS_IT = """
import sys, time
from envision_worker.ledger.lock_file import LockFile
lock = LockFile(sys.argv[1])
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


async def test_a_second_process_is_refused_and_told_the_pid_of_the_first(tmp_path: Path) -> None:
    path = str(tmp_path / "ledger.db")
    first = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLDS_IT, path, stdout=asyncio.subprocess.PIPE)
    assert first.stdout is not None
    assert await first.stdout.readline() == b"held\n"
    with pytest.raises(LedgerHeld, match=rf"pid {first.pid}\b"):
        LockFile(path).acquire()
    first.kill()
    await first.wait()
    lock = LockFile(path)
    lock.acquire()  # the first died without a word, and its lock with it
    lock.release()


async def test_the_ledger_is_let_go_of_when_it_is_closed(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger.db"):
        with pytest.raises(LedgerHeld):
            LockFile(str(tmp_path / "ledger.db")).acquire()
    async with opened(tmp_path / "ledger.db"):
        pass


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is no database, and somebody may want it back " * 100)
    with pytest.raises(LedgerUnavailable, match=r"ledger\.db: file is not a database"):
        async with opened(path):
            pass
    assert path.read_bytes().startswith(b"this is no database")


async def test_a_ledger_whose_pages_are_damaged_says_so(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with opened(path) as ledger:
        await ledger.messages.store([arrival(f"m{number}", raw="x" * 500) for number in range(200)], at=NOW)
    content = bytearray(path.read_bytes())
    content[4096:-4096] = b"\xff" * (len(content) - 8192)
    path.write_bytes(bytes(content))
    with pytest.raises(LedgerUnavailable, match=r"malformed|disk image|not a database"):
        async with opened(path) as ledger:
            await ledger.messages.undone(arrival("m1").ticket)


async def test_a_ledger_that_another_program_locks_says_so(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with opened(path):
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerUnavailable, match="locked"):
            connect(str(path), busy_timeout_s=0.01)


@pytest.mark.skipif(AS_ROOT, reason="root may write anywhere")
async def test_a_ledger_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with opened(path):
        pass
    path.chmod(0o400)
    with pytest.raises(LedgerUnavailable, match="readonly"):
        async with opened(path) as ledger:
            await ledger.remember("a", "1")


async def test_a_ledger_in_a_folder_that_is_not_there_says_which_file(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match=r"nowhere.*No such file"):
        async with opened(tmp_path / "nowhere" / "ledger.db"):
            pass


async def test_what_was_in_hand_when_a_process_died_counts_one_unclean_end(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with opened(path) as ledger:
        await ledger.messages.store([arrival("m1"), arrival("m2", ticket="other")], at=NOW)
        await ledger.messages.begin(MessageId("m1"))
        await settled(ledger, "m2", State.RETRY_LATER)
    async with opened(path) as ledger:
        first, second = await ledger.messages.get(MessageId("m1")), await ledger.messages.get(MessageId("m2"))
        assert first is not None
        assert second is not None
        assert (first.unclean_ends, second.unclean_ends) == (1, 0)


async def test_what_a_clean_stop_cut_off_is_no_unclean_end(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with opened(path) as ledger:
        await ledger.messages.store([arrival("m1")], at=NOW)
        await ledger.messages.begin(MessageId("m1"))
        await ledger.messages.put_down()
    async with opened(path) as ledger:
        kept = await ledger.messages.get(MessageId("m1"))
        assert kept is not None
        assert kept.unclean_ends == 0
