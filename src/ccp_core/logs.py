"""Logging: structlog for all, readable on a terminal, JSON lines in the file, redacted everywhere.

A line is an event: it passes the processors once, and each output writes it in its own form. What libraries say to
Python's ``logging`` (aiohttp, asyncio, warnings) becomes such an event too. Nothing is computed for a level that is
off: the filter sits in the bound logger's methods.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, TypeAlias

import orjson
import platformdirs
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from ccp_core import log_file as files
from ccp_core.config.settings import LoggingSettings
from ccp_core.redact import Redactor

MAX_BYTES = 10 * 1024 * 1024
"""Size of server.log at which it is rotated, in bytes."""

BACKUPS = 3
"""Rotated files that are kept."""

RAW = "ccp.raw"
"""Name of the logger for contents (LOG_RAW_*). They go to the file; to the terminal only when there is no file."""

Output: TypeAlias = Callable[[EventDict], None]

_SHOWN_OF_REQUESTS = (
    *("status", "error", "input_tokens", "output_tokens", "cached_tokens"),
    *("first_token", "duration", "retries", "fallbacks", "stop_reason"),
)
"""What the terminal shows of a request."""

_NOT_SHOWN = ("event", "level")
_COLOURS = {
    "debug": "\x1b[2m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[31;1m",
}

_JSON = orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE

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
            _redaction(_redactor),
            _writing(outputs),
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
        structlog.get_logger(record.name).log(record.levelno, text, exc_info=record.exc_info)


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


def _redaction(redactor: Redactor) -> Processor:
    def redact(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
        if redactor.is_clean(event):
            return event
        return {key: redactor.clean(value, key) for key, value in event.items()}

    return redact


def _writing(outputs: Iterable[Output]) -> Processor:
    """The last processor: every output writes the event, in turn."""

    def write(logger: WrappedLogger, name: str, event: EventDict) -> NoReturn:
        for output in outputs:
            output(event)
        raise structlog.DropEvent

    return write


def _open_file(path: Path, *, complain: bool) -> files.LogFile | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return files.LogFile(path, max_bytes=MAX_BYTES, backups=BACKUPS, complain=complain)
    except OSError as error:
        if complain:
            files.tell(path, error)
        return None


def _json_lines(file: files.LogFile) -> Output:
    def write(event: EventDict) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
        file.write(orjson.dumps({**event, "time": f"{now}Z"}, default=str, option=_JSON))

    return write


def _terminal(*, with_contents: bool) -> Output:
    stream, colours = sys.stderr, _COLOURS if sys.stderr.isatty() else {}

    def write(event: EventDict) -> None:
        if event["logger"] == RAW and not with_contents:
            return
        level = event["level"]
        shown = f"{colours[level]}{level}\x1b[0m" if level in colours else level
        words = [time.strftime("%H:%M:%S"), f"[{shown}]", *_in_words(event)]
        with contextlib.suppress(OSError, ValueError):  # the terminal is gone; the proxy goes on
            stream.write(" ".join(words) + "\n")
            stream.flush()

    return write


def _in_words(event: EventDict) -> Iterator[str]:
    """What a person reads on a terminal; the file has the rest."""
    name = event["event"]
    if name == "request":
        source = event.get("answered_locally") or f"{event.get('provider')}/{event.get('model')}"
        yield f"{event.get('client_model') or name} -> {source}"
        for key in _SHOWN_OF_REQUESTS:
            if (value := event.get(key)) is not None:
                yield f"{key}={value:.2f}s" if type(value) is float else f"{key}={value}"
        return
    yield str(name)
    for key, value in event.items():
        if key == "exception":
            yield f"\n{value}"
        elif key not in _NOT_SHOWN and not (key == "logger" and str(value).startswith("ccp.")):
            yield f"{key}={value!r}" if type(value) is str and " " in value else f"{key}={value}"
