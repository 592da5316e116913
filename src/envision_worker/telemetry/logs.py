"""The log: one line for each fact on stderr, as JSON for machines or readable for people. Nothing is global, nothing happens at import."""

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from envision_worker.clock import Clock
from envision_worker.telemetry.scrubbing import Scrubber
from envision_worker.telemetry.telling import Ration

Style = Literal["json", "console"]
Level = Literal["debug", "info", "warning", "error"]

LIBRARIES = ("httpx", "httpcore", "aiohttp", "asyncio")
_LIBRARY_LINES_EVERY_S = 60.0
# sd-daemon(3): journald takes a leading <N> off the line and files it under that priority
_JOURNAL_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


def new_log(
    *, style: Style, level: Level, secrets: Iterable[str], clock: Clock, stream: TextIO, to_journal: bool = False
) -> FilteringBoundLogger:
    """A logger that writes scrubbed lines.

    Args:
        level: the least weight that is written.
        secrets: values that must never be seen (see `Scrubber`).
        clock: stamps the lines, in UTC.
        to_journal: put journald's priority before each line (see `writes_to_journal`).
    """
    renderer = _json_renderer() if style == "json" else _console_renderer(colours=stream.isatty())
    processors: list[Processor] = [
        structlog.processors.format_exc_info,
        Scrubber(secrets),
        _Stamp(clock),
        *([_Priority(renderer)] if to_journal else [renderer]),
    ]
    logger = structlog.wrap_logger(
        _Lines(stream),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return cast(FilteringBoundLogger, logger.bind())


def writes_to_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether what this stream writes ends in systemd's journal (systemd.exec(5), JOURNAL_STREAM)."""
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        opened = os.fstat(stream.fileno())
        return (opened.st_dev, opened.st_ino) == (int(device), int(inode))
    except (OSError, ValueError):  # no descriptor, or no such variable
        return False


def adopt_library_logs(log: FilteringBoundLogger, clock: Clock) -> Callable[[], None]:
    """Write what libraries say at warning and above as `library_said`; below that they name whole addresses.

    Returns:
        What undoes it.
    """
    root, handler = logging.getLogger(), _LibraryHandler(log, clock)
    before = {name: logging.getLogger(name).level for name in ("", *LIBRARIES)}
    for name in before:
        logging.getLogger(name).setLevel(logging.WARNING)
    root.addHandler(handler)
    logging.captureWarnings(True)

    def undo() -> None:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)

    return undo


class _Lines:
    """Writes whole lines. A stream that can't be written (disk full, closed) costs its lines, never the work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return

    log = debug = info = warning = error = critical = msg


class _Stamp:
    """Puts time, level and event first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, _logger: object, method: str, line: EventDict) -> EventDict:
        now = self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"time": now, "level": method, "event": line.pop("event"), **line}


class _Priority:
    """Renders and puts journald's priority in front."""

    def __init__(self, renderer: Processor) -> None:
        self._renderer = renderer

    def __call__(self, logger: object, method: str, line: EventDict) -> str:
        priority = _JOURNAL_PRIORITY.get(method, 6)
        return f"<{priority}>{self._renderer(logger, method, line)!s}"


def _json_renderer() -> Processor:
    return structlog.processors.JSONRenderer(ensure_ascii=False)


def _console_renderer(*, colours: bool) -> Processor:
    plain: Any = structlog.dev.plain_traceback
    return structlog.dev.ConsoleRenderer(
        colors=colours, timestamp_key="time", sort_keys=False, exception_formatter=plain, pad_event_to=24
    )


class _LibraryHandler(logging.Handler):
    """Passes records of the standard library's logging on to our log, repeated ones once a minute."""

    def __init__(self, log: FilteringBoundLogger, clock: Clock) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._ration = Ration(clock)

    def emit(self, record: logging.LogRecord) -> None:
        held_back = self._ration.admit((record.name, str(record.msg)[:100]), _LIBRARY_LINES_EVERY_S)
        if held_back is None:
            return
        try:
            said = record.getMessage()
        except (TypeError, ValueError, KeyError):  # arguments that don't fit the message
            said = str(record.msg)
        level = logging.ERROR if record.levelno >= logging.ERROR else logging.WARNING
        fields: dict[str, Any] = {"logger": record.name, "said": said, "held_back": held_back}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        self._log.log(level, "library_said", **fields)
