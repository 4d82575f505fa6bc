"""server.log: lines that several processes may append to, rotated at a size, readable by its owner alone."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import sys
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import IO


class LogFile(logging.handlers.RotatingFileHandler):
    """Appends lines to ``path``. When it cannot be written (a full disk) that is told once, and stops nothing.

    ``max_bytes``: size at which it is rotated; ``backups``: rotated files that are kept. ``complain``: tell on
    standard error. Raises OSError when the file cannot be opened.
    """

    def __init__(self, path: Path, *, max_bytes: int, backups: int, complain: bool) -> None:
        self._complain = complain
        self._opened: os.stat_result
        super().__init__(path, maxBytes=max_bytes, backupCount=backups, encoding="utf-8")

    def write(self, lines: bytes) -> None:
        """Append lines, given with their ends. Other threads wait."""
        self.acquire()
        try:
            stream, size = self._current()
            if size >= self.maxBytes:
                self.doRollover()
                stream, _ = self._current()
            os.write(stream.fileno(), lines)
        except (OSError, ValueError) as error:
            if self._complain:
                self._complain = False
                tell(Path(self.baseFilename), error)
        finally:
            self.release()

    def doRollover(self) -> None:
        """Rotate, unless another process of ours has just done it."""
        with _alone(self._current()[0]):
            if self._current()[1] >= self.maxBytes:
                super().doRollover()

    def _open(self) -> TextIOWrapper:
        stream = open(self.baseFilename, "a", encoding=self.encoding, opener=_for_owner)  # noqa: SIM115
        self._opened = os.fstat(stream.fileno())
        return stream

    def _current(self) -> tuple[TextIOWrapper, int]:
        """The open file and its size in bytes; the new one when another process has rotated the one open here."""
        now: os.stat_result | None = None
        with contextlib.suppress(FileNotFoundError):  # another one is just about to make it
            now = os.stat(self.baseFilename)
        if now is None or self.stream is None or not os.path.samestat(now, self._opened):
            if self.stream is not None:
                self.stream.close()
            self.stream = self._open()
            now = self._opened
        return self.stream, now.st_size


def tell(path: Path, error: Exception) -> None:
    """Say on standard error that the log file cannot be written, and what to do."""
    reason = getattr(error, "strerror", None) or error
    text = f"ccp: the log file {path} cannot be written: {reason}. CCP_LOG_FILE (logging.file) names another one."
    print(text, file=sys.stderr)  # noqa: T201 - the logger itself has failed


@contextlib.contextmanager
def _alone(stream: IO[str]) -> Iterator[None]:
    """Hold the lock of an open file, also when it is closed in between. On Windows one process alone writes it."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    held = os.dup(stream.fileno())
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
