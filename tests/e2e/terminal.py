"""The real client in a terminal, as a person uses it: keys are pressed, and the screen is read (with tmux)."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from ccp_core.testing.claude_client import ClaudeClient, client_environment
from ccp_core.testing.loopback_guard import LoopbackGuard

_LOOKS_EVERY = 0.1  # seconds
_SIZE = ("-x", "160", "-y", "60")  # columns and lines


def tmux_is_missing() -> bool:
    """Whether there is no terminal to run the client in."""
    return os.name == "nt" or shutil.which("tmux") is None


class Terminal:
    """A context manager that runs ``client`` below ``folder``, its first questions answered already."""

    def __init__(
        self,
        client: ClaudeClient,
        *,
        base_url: str,
        token: str,
        folder: Path,
        env: Mapping[str, str | None] | None = None,
    ) -> None:
        self._client = client
        self._socket = folder / "tmux"
        self._work = folder / "work"
        self._home = folder / "home"
        self._guard = LoopbackGuard()
        self._open = contextlib.ExitStack()
        variables = {**self._guard.environment, "TERM": "xterm-256color", **(env or {})}
        self._env = client_environment(self._home, base_url, token, variables)

    def __enter__(self) -> Self:
        self._work.mkdir(parents=True)
        config = self._home / "claude"
        config.mkdir(parents=True)
        answered = {
            "hasCompletedOnboarding": True,
            "theme": "dark",
            "projects": {str(self._work): {"hasTrustDialogAccepted": True}},
        }
        (config / ".claude.json").write_bytes(orjson.dumps(answered))
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._guard)
            self._tmux("new-session", "-d", *_SIZE, "-c", str(self._work), str(self._client.executable))
            stack.callback(self._end)
            self.see("❯")
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def screen(self) -> str:
        """What is on the screen now."""
        return self._tmux("capture-pane", "-p")

    def see(self, text: str, timeout: float = 30.0) -> str:
        """Wait until ``text`` is on the screen; the whole screen. Fails after ``timeout`` seconds."""
        end = time.monotonic() + timeout
        while text not in (screen := self.screen):
            assert time.monotonic() < end, f"{text!r} is not on the screen:\n{screen}"
            time.sleep(_LOOKS_EVERY)
        return screen

    def choose(self, entry: str) -> None:
        """Move the mark of a menu down to ``entry``, and press Enter."""
        lines = self.see(entry).splitlines()
        position = next(number for number, line in enumerate(lines) if entry in line)
        mark = max(
            number for number, line in enumerate(lines[: position + 1]) if line.strip().startswith("❯")
        )
        numbers = (int(lines[at].strip(" ❯").partition(".")[0]) for at in (mark, position))
        here, there = numbers
        self.press(*["Down"] * (there - here))
        self.see(f"❯ {there}.")
        self.press("Enter")

    def say(self, line: str) -> None:
        """Type a line, and press Enter once it can be seen."""
        self._tmux("send-keys", "-l", line)
        self.see(line)
        self.press("Enter")

    def press(self, *keys: str) -> None:
        """Press keys, by the names that tmux has for them."""
        self._tmux("send-keys", *keys)

    def _end(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):  # the client has ended by itself
            self._tmux("kill-server")

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", str(self._socket), *arguments]
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, check=True, timeout=30)
        return done.stdout
