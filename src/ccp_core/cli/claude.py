"""Finding and running the ``claude`` command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

INSTALL_HINT = (
    "Claude Code is not installed, or `claude` is not on the PATH. Install it: npm install -g"
    " @anthropic-ai/claude-code"
)


def find_claude() -> str | None:
    """The ``claude`` executable: on the PATH, or where its installers put it."""
    usual = [os.path.expanduser(folder) for folder in ("~/.local/bin", "~/.claude/local")]
    found = shutil.which("claude") or shutil.which("claude", path=os.pathsep.join(usual))
    return found and _behind_shim(found)


def _behind_shim(found: str) -> str:
    """The program that npm's ``claude.cmd`` starts. A batch file would read ``%``, ``&`` and ``^`` in the arguments
    as its own, and on Ctrl-C asks whether to end.
    """
    shim = Path(found)
    if shim.suffix.lower() != ".cmd":
        return found
    for modules in (shim.parent / "node_modules", shim.parent.parent):  # installed for all, or in a project
        program = modules / "@anthropic-ai" / "claude-code" / "bin" / "claude.exe"
        if program.is_file():
            return str(program)
    return found


async def run_claude(executable: str, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run it in the foreground, on this terminal; its exit status (128 + N when signal N ended it).

    The loop goes on meanwhile. Ctrl-C is the client's business; a request to end is handed on to it.
    """
    process = subprocess.Popen([executable, *arguments], env=dict(environ))  # noqa: ASYNC220, S603
    with _signals_for(process):
        status = await asyncio.to_thread(_wait, process)
    return status if status >= 0 else 128 - status


def _wait(process: subprocess.Popen[bytes]) -> int:
    if sys.platform == "win32":
        return process.wait()
    while True:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            return _ended(process, status)
        # Ctrl-Z in the client. If that stopped the client alone, the shell has to see that its job has stopped; if it
        # stopped us both, this line is reached when the shell has let us go on.
        time.sleep(0.1)
        pid, status = os.waitpid(process.pid, os.WNOHANG | os.WCONTINUED)
        if pid == 0:
            os.kill(os.getpid(), signal.SIGSTOP)
        elif not os.WIFCONTINUED(status):
            return _ended(process, status)


def _ended(process: subprocess.Popen[bytes], status: int) -> int:
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode


@contextlib.contextmanager
def _signals_for(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """While it runs, SIGINT does nothing here (the terminal sends it to the client too), SIGTERM ends the client."""

    def hand_on(number: int, _: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)

    handlers = {signal.SIGINT: lambda *_: None, signal.SIGTERM: hand_on}
    if sys.platform != "win32":
        handlers[signal.SIGHUP] = hand_on
    # Set after the start: an ignored signal would stay ignored in the client.
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
