"""Exit codes and words of every command where something is wrong with the question, the configuration or the ledger; never a traceback."""

import contextlib
import errno
import io
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import click
import pytest
from sqlite_utils import Database
from typing_extensions import override

from cli.command_line import INCIDENT, configuration
from envision_worker.cli import program
from envision_worker.cli.program import run_program
from envision_worker.ledger.upgrades import upgrades
from process.real_worker import plain_environment, run

ALL = [
    ["status"],
    ["history", INCIDENT],
    ["dead-letters", "list"],
    ["dead-letters", "show", INCIDENT],
    ["dead-letters", "retry", INCIDENT],
    ["dead-letters", "discard", INCIDENT, "--reason", "done by hand"],
    ["approvals", "list"],
    ["approvals", "show", "a-1"],
    ["approvals", "resend", "a-1"],
    ["approvals", "decide", "a-1", "approve", "--as", "cab@example.com", "--reason", "fine"],
    ["pause"],
    ["resume"],
]
USAGE = [
    [],
    ["no-such-command"],
    ["run"],
    ["status", "--no-such-option", "--config", "x"],
    ["status", "surplus", "--config", "x"],
    ["history", "--config", "x"],
    ["dead-letters"],
    ["dead-letters", "show", "--config", "x"],
    ["dead-letters", "retry", "--config", "x"],
    ["dead-letters", "discard", "m-1", "--config", "x"],
    ["dead-letters", "discard", "m-1", "--reason", " ", "--config", "x"],
    ["approvals", "decide", "a-1", "perhaps", "--as", "a@example.com", "--reason", "x", "--config", "x"],
    ["approvals", "decide", "a-1", "approve", "--reason", "x", "--config", "x"],
    ["approvals", "decide", "a-1", "approve", "--as", "nobody", "--reason", "x", "--config", "x"],
    ["approvals", "decide", "a-1", "reject", "--as", "a@example.com", "--reason", "", "--config", "x"],
    ["backup", "--config", "x"],
    ["backup", "/", "--config", "x"],
    ["simulate"],
    ["simulate", "halo"],
    ["simulate", "ensono", "--port", "65536"],
    ["demo", "surplus"],
]


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_wrong_usage_ends_with_64(arguments: list[str], config: Path) -> None:
    ran = run(*[str(config) if each == "x" and arguments[-1] == each else each for each in arguments])

    assert ran.code == 64
    assert ran.out == ""
    assert "Usage:" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["history", "e-CS\udcfc"],
        ["dead-letters", "list", "e-CS\udcfc"],
        ["dead-letters", "retry", "e-CS\udcfc"],
        ["dead-letters", "discard", INCIDENT, "--reason", "\udcfcberholt"],
    ],
)
def test_an_argument_that_is_no_utf_8_is_wrong_usage(arguments: list[str], config: Path) -> None:
    ran = run(*arguments, "--config", config)

    assert ran.code == 64
    assert "no UTF-8" in ran.err


@pytest.mark.parametrize("arguments", [*ALL, ["run"], ["backup", "copy.db"]], ids=" ".join)
def test_a_wrong_configuration_ends_with_78_and_every_fault_on_stderr(arguments: list[str], tmp_path: Path) -> None:
    config = configuration(tmp_path, queue={"poll_interval_s": 0}, desk={"kind": "halo"})

    ran = run(*arguments, "--config", config)

    assert ran.code == 78
    assert ran.out == ""
    assert [line.split(":")[0] for line in ran.err.splitlines()] == ["queue.poll_interval_s", "desk.kind"]


@pytest.mark.parametrize("arguments", ALL, ids=" ".join)
def test_a_ledger_that_is_no_database_ends_with_69(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is no database, but it is long enough to look like one" * 99)

    ran = run(*arguments, "--config", configuration(tmp_path))

    assert ran.code == 69
    assert ran.out == ""
    assert ran.err.startswith("state.url: ")
    assert "not a database" in ran.err


@pytest.mark.parametrize("arguments", [each for each in ALL if each[0] not in {"pause", "resume"}], ids=" ".join)
def test_a_ledger_that_is_not_there_ends_with_69_and_does_not_come_about_by_asking(
    arguments: list[str], tmp_path: Path
) -> None:
    ran = run(*arguments, "--config", configuration(tmp_path))

    assert ran.code == 69
    assert "ledger.db" in ran.err
    assert not (tmp_path / "ledger.db").exists()


def test_version_and_help_are_data(config: Path) -> None:
    assert run("--version").out.startswith("envision-worker, version ")
    assert (run("--help").code, run("-h").code) == (0, 0)
    for command in program._COMMANDS:
        ran = run(command, "--help")
        assert ran.code == 0
        assert "Usage:" in ran.out


def test_a_bug_ends_in_one_line_with_70_and_does_not_tell_what_the_exception_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @click.command()
    def command() -> None:
        raise ValueError("a-secret-in-an-exception")

    assert run_program([], command) == 70

    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "ValueError in " in said
    assert "a-secret" not in said


@pytest.mark.parametrize("arguments", [["history", INCIDENT], ["dead-letters", "list"]], ids=" ".join)
def test_a_damaged_row_of_the_ledger_ends_with_69(arguments: list[str], config: Path) -> None:
    with sqlite3.connect(config.with_name("ledger.db")) as connection:
        connection.execute("UPDATE messages SET raw = x'00ff00ff'")
    connection.close()

    ran = run(*arguments, "--config", config)

    assert ran.code == 69
    assert "ledger.db" in ran.err


def test_a_reader_that_has_seen_enough_is_no_error(config: Path) -> None:
    """`… | head -1`."""
    command = [sys.executable, "-m", "envision_worker", "history", INCIDENT, "--config", str(config)]
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=plain_environment(), check=False)  # noqa: S603 - fixed arguments
    os.close(write)

    assert ran.stderr == b""
    assert ran.returncode in {0, 1}


class Full(io.StringIO):
    """What a full disk makes of stdout."""

    @override
    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_an_output_that_cannot_be_written_is_said_in_one_line(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.redirect_stdout(Full()):
        code = run_program(["status", "--config", str(config), "--json"])

    assert code == 74
    assert capsys.readouterr().err == "the output can't be written: No space left on device\n"


def test_a_terminal_that_lacks_characters_gets_others(config: Path) -> None:
    command = [sys.executable, "-m", "envision_worker", "dead-letters", "show", INCIDENT, "--config", str(config)]
    environ = {**plain_environment(), "PYTHONIOENCODING": "ascii"}
    ran = subprocess.run(command, capture_output=True, env=environ, check=False)  # noqa: S603 - fixed arguments

    assert ran.returncode == 0
    assert b"rgen" in ran.stdout
    assert b"Traceback" not in ran.stderr


@pytest.mark.parametrize("arguments", [["history", "e-CHG0000001"], ["approvals", "list"]], ids=" ".join)
def test_a_ledger_of_an_older_version_is_said_to_be_one(arguments: list[str], tmp_path: Path) -> None:
    config = configuration(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as db:
        upgrades.apply(Database(db), stop_before="0003_words")
        db.execute("INSERT INTO links VALUES ('e-CHG0000001', 1, 'change', '7', '7', 1, 'm', 0, 1, '', 0, 1)")
    ran = run(*arguments, "--config", config)
    assert ran.code == 69
    assert "older version" in ran.err
    assert "daemon brings it up to date when it starts" in ran.err
