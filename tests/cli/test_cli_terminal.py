"""What commands look like on a terminal: tables that fit it, however narrow it is."""

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from cli.command_line import INCIDENT
from envision_worker.cli.terminal import as_json, duration, printable
from process.real_worker import plain_environment


def on_a_terminal(columns: int, *arguments: str) -> list[str]:
    """The lines that a terminal of this width shows, without colours."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environ = {**plain_environment(), "TERM": "xterm"}
    environ.pop("LINES", None)
    command = [sys.executable, "-m", "envision_worker", *arguments]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=environ) as process:  # noqa: S603 - fixed arguments
        os.close(theirs)
        shown = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # how a terminal says that nobody writes any more
                break
            if not chunk:
                break
            shown += chunk
    os.close(ours)
    assert process.returncode == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode().replace("\r", "")).splitlines()


@pytest.mark.parametrize("columns", [40, 140])
def test_a_history_fits_the_terminal_and_loses_nothing(config: Path, columns: int) -> None:
    lines = on_a_terminal(columns, "history", INCIDENT, "--config", str(config))

    assert all(len(line.rstrip()) <= columns for line in lines[1:])
    whole = "".join("".join(lines).split())
    assert "deskcreaterequest" in whole.replace(":", "")
    assert "done,id71,number71" in whole
    assert "4002notesInvalidInput" in whole
    assert ("came of it" in "\n".join(lines)) is (columns == 140)


def test_lengths_of_time_are_said_in_their_two_largest_units() -> None:
    said = {0: "0 s", 59.9: "59 s", 61: "1 min 1 s", 3600: "1 h", 3661: "1 h 1 min", 90000: "1 d 1 h", 86401: "1 d"}
    assert {seconds: duration(seconds) for seconds in said} == said


def test_text_from_outside_steers_nothing_and_holds_no_signature() -> None:
    text = "a\x1b[2Jb\nc\x9bd\u202ee https://h/f?X-Amz-Signature=1 f"
    assert printable(text) == "a [2Jb c d e https://h/f?[removed] f"
    broken = "::::X-Amz-Signature=1&x=2 http:/h?x-amz-security-token%3D3"
    assert printable(broken) == "::::X-Amz-Signature=[removed]&x=2 http:/h?x-amz-security-token%3D[removed]"
    assert as_json({"https://h/f?s=1": [text]}).isprintable() is False
    assert "\x9b" not in as_json(text)
    assert "Signature" not in as_json(text)
