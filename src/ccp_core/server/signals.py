"""What the operating system asks of the proxy: to stop, to stop at once, to read its configuration again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

from ccp_core.server.reload import Reload


class Signals:
    """Signals of this process as events. Make it inside the running loop; ``close`` gives the signals back.

    ``stopping``: the signals that ask to stop. ``on_reload`` is called for SIGHUP, where that exists; when the terminal
    has been closed it asks to stop.
    """

    def __init__(
        self,
        on_reload: Reload | None = None,
        stopping: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM),
    ) -> None:
        self.stop = asyncio.Event()
        """Set by the first signal to stop."""
        self.at_once = asyncio.Event()
        """Set by the second one: whoever asks twice does not want to wait."""
        self._loop = asyncio.get_running_loop()
        self._on_reload = on_reload
        self._terminal = next((number for number in (0, 1, 2) if os.isatty(number)), None)
        self._reloads: set[asyncio.Task[object]] = set()
        self._before: dict[int, Any] = {}
        for number in stopping:
            self._handle(number, self._request_stop)
        if on_reload is not None and hasattr(signal, "SIGHUP"):
            self._handle(signal.SIGHUP, self._request_reload)

    def close(self) -> None:
        """Let signals do again what they did before."""
        for number, before in self._before.items():
            with contextlib.suppress(NotImplementedError, RuntimeError):  # as in _handle: Windows has none
                self._loop.remove_signal_handler(number)
            with contextlib.suppress(
                ValueError, TypeError
            ):  # not the main thread; a handler that was not Python's
                signal.signal(number, before)

    def _request_stop(self) -> None:
        (self.at_once if self.stop.is_set() else self.stop).set()

    def _request_reload(self) -> None:
        if self._has_lost_its_terminal():
            self.stop.set()
        elif self._on_reload is not None:
            task = self._loop.create_task(self._on_reload())
            self._reloads.add(task)
            task.add_done_callback(self._reloads.discard)

    def _has_lost_its_terminal(self) -> bool:
        if self._terminal is None:
            return False
        try:
            os.tcgetpgrp(self._terminal)
        except OSError:
            return True
        return False

    def _handle(self, number: signal.Signals, act: Callable[[], None]) -> None:
        before = signal.getsignal(number)
        try:
            self._loop.add_signal_handler(number, act)
        except (NotImplementedError, RuntimeError):  # Windows has no loop.add_signal_handler
            try:
                signal.signal(number, lambda *_: self._loop.call_soon_threadsafe(act))
            except ValueError:  # not the main thread, which alone may handle signals
                return
        self._before[number] = before
