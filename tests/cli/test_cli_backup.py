"""`backup`: a copy that can take the ledger's place."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from cli.command_line import INCIDENT
from process.real_worker import run


def test_a_copy_holds_everything_and_can_take_the_ledgers_place(config: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copies" / "copy.db"
    copy.parent.mkdir()
    story = run("history", INCIDENT, "--config", config, "--json").json[0]["timeline"]

    ran = run("backup", copy, "--config", config)

    assert ran.code == 0
    with sqlite3.connect(copy) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    ledger = tmp_path / "ledger.db"
    for each in tmp_path.glob("ledger.db*"):
        each.unlink()
    copy.rename(ledger)
    assert run("history", INCIDENT, "--config", config, "--json").json[0]["timeline"] == story
    assert run("pause", "--config", config).code == 0


def test_a_copy_is_for_its_owner_alone_and_replaces_an_older_one(config: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("an older one")

    assert run("backup", copy, "--config", config).code == 0

    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert not (tmp_path / "copy.db.part").exists()


@pytest.mark.parametrize("name", ["no/such/folder/copy.db", "worker.toml/copy.db", "/proc/copy.db"])
def test_a_copy_that_cannot_be_written_ends_with_69(config: Path, tmp_path: Path, name: str) -> None:
    ran = run("backup", tmp_path / name, "--config", config)

    assert ran.code == 69
    assert "copy.db" in ran.err


def test_a_ledger_that_is_not_there_or_no_database_ends_with_69_and_leaves_an_older_copy(
    config: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("an older one")
    (tmp_path / "ledger.db").write_text("no database" * 100)
    assert run("backup", copy, "--config", config).code == 69
    (tmp_path / "ledger.db").unlink()
    assert run("backup", copy, "--config", config).code == 69
    assert copy.read_text() == "an older one"


@pytest.mark.parametrize("end", ["", "-wal", "-shm", ".lock", ".sock"])
def test_the_ledger_is_never_replaced_by_its_own_copy(config: Path, tmp_path: Path, end: str) -> None:
    ran = run("backup", f"{tmp_path}/./ledger.db{end}", "--config", config)

    assert ran.code == 64
    assert run("status", "--config", config).code == 0


def test_what_is_there_and_no_file_is_left_as_it_is(config: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    ran = run("backup", pipe, "--config", config)

    assert ran.code == 64
    assert "no file" in ran.err
    assert pipe.is_fifo()
