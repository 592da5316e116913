import io
import json
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal, Protocol

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.typing import FilteringBoundLogger

from envision_worker.clock import SystemClock
from envision_worker.telemetry.logs import Level, adopt_library_logs, new_log, writes_to_journal
from envision_worker.telemetry.scrubbing import VALUE_AT_MOST_BYTES, Scrubber

KEY = "u7Gk+/Zr==q"


class Clock(Protocol):
    seconds: float

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...


def open_log(
    clock: Clock, stream: io.TextIOBase, style: Literal["json", "console"] = "json", level: Level = "info", **more: bool
) -> FilteringBoundLogger:
    text: Any = stream
    return new_log(style=style, level=level, secrets=[KEY], clock=clock, stream=text, **more)


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def libraries(clock: Clock, stream: io.StringIO) -> Iterator[None]:
    undo = adopt_library_logs(open_log(clock, stream), clock)
    yield
    undo()


def only(stream: io.StringIO) -> dict[str, Any]:
    [line] = stream.getvalue().splitlines()
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def test_a_json_line_begins_with_time_level_and_event(clock: Clock, stream: io.StringIO) -> None:
    open_log(clock, stream).warning("gate_closed", gate="desk", reason=None)
    assert list(only(stream).items()) == [
        ("time", "2026-11-20T03:00:00.000Z"),
        ("level", "warning"),
        ("event", "gate_closed"),
        ("gate", "desk"),
        ("reason", None),
    ]


def test_lines_below_the_level_are_not_written(clock: Clock, stream: io.StringIO) -> None:
    log = open_log(clock, stream, level="warning")
    log.debug("queue_read")
    log.info("message_handled")
    log.warning("gate_closed")
    assert only(stream)["event"] == "gate_closed"


def test_a_console_line_is_for_people_and_shows_no_colour_codes_in_a_file(clock: Clock, stream: io.StringIO) -> None:
    open_log(clock, stream, "console").info("message_handled", ticket="e-CS0001", outcome="applied")
    assert re.fullmatch(
        r"2026-11-20T03:00:00.000Z \[info +\] message_handled +ticket=e-CS0001 outcome=applied\n", stream.getvalue()
    )


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_traceback_is_written_whole_and_without_secrets(
    clock: Clock, stream: io.StringIO, style: Literal["json", "console"]
) -> None:
    try:
        raise RuntimeError(f"asked https://h.example/file?X-Amz-Signature=abc123 with {KEY}")  # noqa: TRY301 - for its traceback
    except RuntimeError as error:
        open_log(clock, stream, style).error("unforeseen", exc_info=error)
    written = stream.getvalue()
    assert "RuntimeError: asked https://h.example/file?[removed] with [removed]" in written
    assert "test_a_traceback_is_written_whole" in written
    assert "abc123" not in written
    assert KEY not in written


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("GET https://b.s3.amazonaws.com/a.log?X-Amz-Expires=7200&X-Amz-Signature=ab12", "https://b.s3.amazonaws.com/a.log?[removed]"),
        ("X-Amz-Signature=ab12&x=1", "X-Amz-Signature=[removed]&x=1"),
        ("X-Amz-Credential%3Dab12%26X", "X-Amz-Credential%3D[removed]"),
        ('{"X-Amz-Security-Token": "ab12"}', '{"X-Amz-Security-Token": "[removed]"}'),
        ("headers: [(b'authtoken', b'ab12'), (b'x', b'y')]", "[(b'authtoken', b'[removed]'), (b'x', b'y')]"),
        ("AUTHTOKEN: ab12", "AUTHTOKEN: [removed]"),
        ("{'x-api-key': 'ab12'}", "{'x-api-key': '[removed]'}"),
        ("Authorization: Zoho-oauthtoken 1000.ab12.cd", "Zoho-oauthtoken [removed]"),
        ("Authorization: Bearer ab12ab12ab12ab12ab12", "Bearer [removed]"),
        ("Authorization: Basic ab12", "Basic [removed]"),
        ("refresh_token=ab12&grant_type=refresh_token", "refresh_token=[removed]&grant_type=refresh_token"),
        ("https://user:ab12@proxy.example:3128", "https://[removed]@proxy.example:3128"),
        ("X-Hook-Secret: ab12", "X-Hook-Secret: [removed]"),
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_removed(said: str, left: str) -> None:
    scrubbed = Scrubber([]).text(said)
    assert left in scrubbed
    assert "ab12" not in scrubbed


@pytest.mark.parametrize(
    "said",
    ["Basic authentication is required", "the authtoken, which is old, was refused", "a key that the desk lacks"],
)
def test_plain_sentences_about_secrets_stay(said: str) -> None:
    assert Scrubber([]).text(said) == said


@pytest.mark.parametrize("spelling", [KEY, "u7Gk%2B%2FZr%3D%3Dq", "u7Gk%2B/Zr%3D%3Dq"])
def test_a_configured_secret_is_removed_however_it_is_encoded(spelling: str) -> None:
    assert Scrubber([KEY]).text(f"sent {spelling}.") == "sent [removed]."


def test_secrets_are_removed_inside_lists_dictionaries_and_foreign_objects() -> None:
    class Holder:
        def __str__(self) -> str:
            return f"Holder({KEY})"

    line = Scrubber([KEY])(None, "info", {"event": "x", "a": [{KEY: (KEY, Holder())}], "b": {KEY}})
    assert KEY not in json.dumps(line)
    assert line["a"] == [{"[removed]": ["[removed]", "Holder([removed])"]}]


def test_an_empty_secret_removes_nothing() -> None:
    assert Scrubber(["", "abc"]).text("x") == "x"


@given(
    secret=st.text("ABCXYZ0189+/=%", min_size=6, max_size=60),
    before=st.text("abcxyz ?&:'\"{}\n\\é€", max_size=3000),
    after=st.text("abcxyz ?&:'\"{}\n\\é€", max_size=3000),
)
def test_no_line_ever_holds_a_secret(secret: str, before: str, after: str) -> None:
    stream = io.StringIO()
    log = new_log(style="json", level="info", secrets=[secret], clock=SystemClock(), stream=stream)
    log.info("x", text=before + secret + after, twice=[secret + secret], named={secret: before})
    assert secret not in stream.getvalue()
    assert secret[:-1] not in stream.getvalue()


def test_long_values_are_cut_and_say_so(clock: Clock, stream: io.StringIO) -> None:
    open_log(clock, stream).info("x", value="ü" * 5000, exception="\n".join(f"line {n}" for n in range(5000)))
    line = only(stream)
    assert line["value"].startswith("üüü")
    assert line["value"].endswith("ü… (5000 characters)")
    assert line["exception"].endswith("line 4999")
    assert all(len(line[field].encode()) <= VALUE_AT_MOST_BYTES for field in ("value", "exception"))


def test_a_secret_does_not_escape_through_the_cut(clock: Clock, stream: io.StringIO) -> None:
    for before in range(VALUE_AT_MOST_BYTES - 40, VALUE_AT_MOST_BYTES + 5):
        open_log(clock, stream).info("x", value="a" * before + KEY + "b" * 100)
    assert KEY[:4] not in stream.getvalue()


@pytest.mark.parametrize(
    "evil", ["https://", "x-amz-", "secret ", "authtoken'", "authorization:", "://?", "secret" + " " * 9]
)
def test_a_megabyte_made_to_be_slow_is_not(evil: str) -> None:
    started = SystemClock().monotonic()
    Scrubber([KEY]).text(evil * (1_000_000 // len(evil)))
    assert SystemClock().monotonic() - started < 1.0


def test_values_that_json_can_not_hold_become_text(clock: Clock, stream: io.StringIO) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    open_log(clock, stream).info(
        "x", nan=float("nan"), huge=10**5000, broken=Broken(), surrogate="a\udc80", bytes=b"\x00", deep=[[[[[[[1]]]]]]]
    )
    line = only(stream)
    assert (line["nan"], line["surrogate"], line["broken"]) == ("nan", "a?", "<Broken that can't be printed>")
    assert line["huge"] == "<a number of 16610 bits>"


@pytest.mark.parametrize("style", ["json", "console"])
def test_nobody_outside_can_forge_a_line_or_paint_the_terminal(
    clock: Clock, stream: io.StringIO, style: Literal["json", "console"]
) -> None:
    forged = '\n{"event": "forged"}\r\x1b[2Jgone\u2028\u202e'
    open_log(clock, stream, style).info("x", name=forged)
    written = stream.getvalue()
    assert written.count("\n") == 1
    assert not {"\x1b", "\r", "\u2028", "\u202e"} & set(written)


@pytest.mark.parametrize(("level", "priority"), [("debug", 7), ("info", 6), ("warning", 4), ("error", 3)])
def test_the_journal_gets_the_priority_in_front(clock: Clock, stream: io.StringIO, level: Level, priority: int) -> None:
    getattr(open_log(clock, stream, level="debug", to_journal=True), level)("x")
    assert stream.getvalue().startswith(f'<{priority}>{{"time"')


def test_the_journal_is_known_by_its_device_and_inode() -> None:
    with tempfile.TemporaryFile("w") as stream:
        opened = os.fstat(stream.fileno())
        assert writes_to_journal(stream, {"JOURNAL_STREAM": f"{opened.st_dev}:{opened.st_ino}"})
        assert not writes_to_journal(stream, {"JOURNAL_STREAM": f"{opened.st_dev}:{opened.st_ino + 1}"})
        assert not writes_to_journal(stream, {"JOURNAL_STREAM": "nonsense"})
        assert not writes_to_journal(stream, {})
    assert not writes_to_journal(io.StringIO(), {"JOURNAL_STREAM": "1:2"})


def test_a_stream_that_takes_nothing_costs_the_line_and_not_the_work(clock: Clock) -> None:
    class FullDisk(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    open_log(clock, FullDisk()).error("ledger_unavailable")
    closed = io.StringIO()
    closed.close()
    log = new_log(style="json", level="info", secrets=[], clock=clock, stream=closed)
    log.error("ledger_unavailable")


@pytest.mark.usefixtures("libraries")
async def test_httpx_never_shows_the_addresses_it_calls(stream: io.StringIO) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:
        await client.get("https://b.s3.amazonaws.com/a?X-Amz-Signature=ab12", headers={"authtoken": "ab12"})
    assert stream.getvalue() == ""


@pytest.mark.usefixtures("libraries")
def test_what_a_library_warns_of_is_a_line_of_ours_once_a_minute(stream: io.StringIO, clock: Clock) -> None:
    for _ in range(5):
        logging.getLogger("aiohttp.server").error("answering %s with %s", "https://h/x?secret=ab12", KEY)
    clock.seconds += 60
    logging.getLogger("aiohttp.server").error("answering %s with %s", "https://h/x", KEY)
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["event"], first["level"], first["logger"]) == ("library_said", "error", "aiohttp.server")
    assert first["said"] == "answering https://h/x?[removed] with [removed]"
    assert (first["held_back"], second["held_back"]) == (0, 4)


@pytest.mark.usefixtures("libraries")
def test_a_library_that_can_not_format_its_own_message_breaks_nothing(stream: io.StringIO) -> None:
    record = logging.makeLogRecord({"name": "httpcore", "levelno": 30, "msg": "two %s %s", "args": ("one",)})
    [ours] = [each for each in logging.getLogger().handlers if type(each).__module__.startswith("envision_worker")]
    ours.handle(record)
    assert only(stream)["said"] == "two %s %s"


def test_library_logs_can_be_given_back(clock: Clock, stream: io.StringIO) -> None:
    before = (logging.getLogger().level, logging.getLogger("httpx").level, list(logging.getLogger().handlers))
    adopt_library_logs(open_log(clock, stream), clock)()
    assert before == (logging.getLogger().level, logging.getLogger("httpx").level, list(logging.getLogger().handlers))


def test_opening_a_log_configures_nothing_for_others(clock: Clock, stream: io.StringIO) -> None:
    handlers = list(logging.getLogger().handlers)
    open_log(clock, stream)
    assert not structlog.is_configured()
    assert logging.getLogger().handlers == handlers
