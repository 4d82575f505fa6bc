"""Logging: structlog for all, readable on a terminal, JSON lines in the file, redacted everywhere.

A line is an event: it passes the processors once, and each output writes it in its own form. What libraries say to
Python's ``logging`` (aiohttp, asyncio, warnings) becomes such an event too. Nothing is computed for a level that is
off: the filter sits in the bound logger's methods.

The one line of each request may wait for others, a tenth of a second at most: many are then made and written at once.
Everything else is written at once, behind the lines that wait.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, TypeAlias

import orjson
import platformdirs
import structlog
from structlog.typing import EventDict, WrappedLogger

from ccp_core import log_file as files
from ccp_core.config.settings import LoggingSettings
from ccp_core.protocol import lenient_json
from ccp_core.redact import Redactor

MAX_BYTES = 10 * 1024 * 1024
"""Size of server.log at which it is rotated, in bytes."""

BACKUPS = 3
"""Rotated files that are kept."""

RAW = "ccp.raw"
"""Name of the logger for contents (LOG_RAW_*). They go to the file; to the terminal only when there is no file."""

WAIT = 0.1
"""Seconds that a request's line may wait to be written."""

Output: TypeAlias = Callable[[Sequence[EventDict]], None]
"""Writes events, oldest first."""

_SHOWN_OF_REQUESTS = (
    *("status", "error", "input_tokens", "output_tokens", "cached_tokens"),
    *("first_token", "duration", "retries", "fallbacks", "stop_reason"),
)
"""What the terminal shows of a request."""

_NOT_SHOWN = ("event", "level", "time")
_COLOURS = {
    "debug": "\x1b[2m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[31;1m",
}

_redactor = Redactor()


def log_file(settings: LoggingSettings) -> Path | None:
    """Where server.log goes: the configured file, or the platform's log folder; None when it is switched off."""
    if settings.file == "":
        return None
    if settings.file is not None:
        return Path(settings.file).expanduser()
    return Path(platformdirs.user_log_dir("claude-code-proxy", appauthor=False)) / "server.log"


def learn(secrets: Iterable[str]) -> None:
    """Keep further secrets out of what is written, also by loggers that are in use: a reload may bring some."""
    _redactor.learn(secrets)


def silence() -> None:
    """Say nothing: for commands whose output is an answer, and until ``configure`` is called."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    if not root.handlers:  # otherwise warnings of libraries would go to the terminal
        root.addHandler(logging.NullHandler())


def configure(
    settings: LoggingSettings, secrets: Iterable[str] = (), *, terminal: bool = True
) -> Path | None:
    """Set logging up for the process; returns the log file in use, None when there is none.

    ``terminal``: also write to standard error. A file that cannot be written is told there, in one line, and
    stops nothing.
    """
    global _redactor
    _redactor = Redactor(secrets)
    path = log_file(settings)
    file = _open_file(path, complain=terminal) if path is not None else None
    outputs: list[Output] = []
    if file is not None:
        outputs.append(_json_lines(file))
    if terminal:
        outputs.append(_terminal(with_contents=file is None))
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _add_logger_name,
            structlog.processors.format_exc_info,
            _Lines(_redactor, outputs),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda name="": name,
        cache_logger_on_first_use=True,
    )
    _take_in_libraries(level)
    return path if file is not None else None


class _FromLibraries(logging.Handler):
    """Makes an event of what a library logs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log it, as anything else."""
        try:
            text = record.getMessage()
        except Exception:  # arguments that do not fit: the library's mistake must stop nothing
            text = str(record.msg)
        level = min(record.levelno // 10 * 10, logging.CRITICAL)  # a library may have levels of its own
        structlog.get_logger(record.name).log(level, text, exc_info=record.exc_info)


def _take_in_libraries(level: int) -> None:
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(_FromLibraries())
    root.setLevel(level)
    logging.captureWarnings(True)
    for name in ("aiohttp", "asyncio"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _add_logger_name(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    event["logger"] = logger
    return event


class _Lines:
    """The last processor: takes the events, and has every output write them without secrets."""

    def __init__(self, redactor: Redactor, outputs: Sequence[Output]) -> None:
        self._redactor = redactor
        self._outputs = outputs
        self._waiting: deque[EventDict] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None  # whose timer writes what waits
        atexit.register(self.write)

    def __call__(self, logger: WrappedLogger, name: str, event: EventDict) -> NoReturn:
        """Take an event; the whole line is done here, so nothing goes back to structlog."""
        event["time"] = time.time()
        self._waiting.append(event)
        if event["event"] != "request" or not self._is_written_later():
            self.write()
        raise structlog.DropEvent

    def write(self) -> None:
        """Write all that waits."""
        self._loop = None
        clean: list[EventDict] = []
        while self._waiting:  # another thread may be adding to it
            clean.append(self._clean(self._waiting.popleft()))
        if clean:
            for output in self._outputs:
                output(clean)

    def _is_written_later(self) -> bool:
        """Whether a timer will write what waits: it needs a loop that runs."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(WAIT, self.write)
        return True

    def _clean(self, event: EventDict) -> EventDict:
        redactor = self._redactor
        if redactor.is_clean(event):
            return event
        return {key: redactor.clean(value, key) for key, value in event.items()}


def _open_file(path: Path, *, complain: bool) -> files.LogFile | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return files.LogFile(path, max_bytes=MAX_BYTES, backups=BACKUPS, complain=complain)
    except OSError as error:
        if complain:
            files.tell(path, error)
        return None


def _json_lines(file: files.LogFile) -> Output:
    def write(events: Sequence[EventDict]) -> None:
        file.write(b"".join(map(_json, events)))

    return write


def _json(event: EventDict) -> bytes:
    now = datetime.fromtimestamp(event["time"], UTC).isoformat(timespec="milliseconds")
    event = {**event, "time": now.replace("+00:00", "Z")}
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:  # a client's header may hold bytes that are no text
        return lenient_json.clean(json.dumps(event, default=str, ensure_ascii=False)).encode() + b"\n"


def _terminal(*, with_contents: bool) -> Output:
    stream, colours = sys.stderr, _COLOURS if sys.stderr.isatty() else {}

    def line(event: EventDict) -> str:
        level = event["level"]
        shown = f"{colours[level]}{level}\x1b[0m" if level in colours else level
        when = time.strftime("%H:%M:%S", time.localtime(event["time"]))
        return " ".join((when, f"[{shown}]", *_in_words(event))) + "\n"

    def write(events: Sequence[EventDict]) -> None:
        lines = [line(event) for event in events if with_contents or event["logger"] != RAW]
        with contextlib.suppress(OSError, ValueError):  # the terminal is gone; the proxy goes on
            stream.write("".join(lines))
            stream.flush()

    return write


def _in_words(event: EventDict) -> Iterator[str]:
    """What a person reads on a terminal; the file has the rest."""
    name = event["event"]
    if name == "request":
        source = event.get("answered_locally") or f"{event.get('provider')}/{event.get('model')}"
        yield f"{event.get('client_model') or name} -> {source}"
        for key in _SHOWN_OF_REQUESTS:
            if value := event.get(key):
                yield f"{key}={value:.2f}s" if type(value) is float else f"{key}={value}"
        return
    yield str(name)
    for key, value in event.items():
        if key == "exception":
            yield f"\n{value}"
        elif key not in _NOT_SHOWN and not (key == "logger" and str(value).startswith("ccp.")):
            yield f"{key}={value!r}" if type(value) is str and " " in value else f"{key}={value}"
