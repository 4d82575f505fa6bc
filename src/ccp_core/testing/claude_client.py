"""The real Claude Code client, run unattended against a server on loopback.

::

    client = ClaudeClient.find()
    run = client.run("Say hello", base_url="http://127.0.0.1:8082", folder=tmp_path)
    assert run.exit_code == 0
    assert run.result_text == "Hello"

Every run has a fresh home and configuration, and a web proxy that refuses every host but loopback.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from attrs import field, frozen

from .loopback_guard import LoopbackGuard
from .processes import clean_environment, kill_group, start_in_group

PACKAGE = "@anthropic-ai/claude-code"
LOCATION_VARIABLE = "CCP_E2E_CLIENT"
_VERSION = "claude_code_version"  # a key of the first event
_INSTALL_TIMEOUT = 300.0  # seconds


class ClientUnavailableError(Exception):
    """There is no client to run, and the message says what to do about it."""


class ClientTimeoutError(Exception):
    """A run took too long and was ended; the message holds what the client had said until then."""


@frozen
class ClientRun:
    """What one run of the client did. ``events`` are the lines of its ``stream-json`` output.

    ``outside`` lists the hosts that it tried to reach beyond loopback, all refused.
    """

    exit_code: int
    events: list[dict[str, Any]] = field(repr=False)
    stderr: str = field(repr=False)
    work_dir: Path
    outside: tuple[str, ...] = ()

    @property
    def client_version(self) -> str:
        """The version that the client gave when the session began."""
        return next((str(event[_VERSION]) for event in self.events if _VERSION in event), "")

    @property
    def result(self) -> dict[str, Any]:
        """The closing ``result`` event; empty when the client ended without one."""
        return next((event for event in self.events if event.get("type") == "result"), {})

    @property
    def result_text(self) -> str:
        """The final answer as the client would print it."""
        return str(self.result.get("result", ""))

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """All content blocks of all messages, the model's and the tool results, in order."""
        messages = (event.get("message") for event in self.events)
        contents = (message["content"] for message in messages if isinstance(message, dict))
        return [block for content in contents if isinstance(content, list) for block in content]

    @property
    def tool_results(self) -> list[dict[str, Any]]:
        """The ``tool_result`` blocks among them."""
        return [block for block in self.blocks if block["type"] == "tool_result"]

    @property
    def files(self) -> dict[str, bytes]:
        """The files in the work folder by relative path."""
        paths = (path for path in sorted(self.work_dir.rglob("*")) if path.is_file())
        return {path.relative_to(self.work_dir).as_posix(): path.read_bytes() for path in paths}


@frozen
class ClaudeClient:
    """One installed client."""

    executable: Path

    @classmethod
    def find(cls) -> ClaudeClient:
        """The client to test with.

        ``CCP_E2E_CLIENT`` names an executable, or a folder to install into; without it the folder is
        ``.cache/claude-code`` in the project. A folder without a client gets the newest release through npm;
        delete it to get a newer one. Raises :class:`ClientUnavailableError`.
        """
        configured = os.environ.get(LOCATION_VARIABLE)
        if configured and not Path(configured).exists():
            raise ClientUnavailableError(
                f"{LOCATION_VARIABLE} is {configured}, which does not exist: name an executable or a folder"
            )
        location = Path(configured or _project_root() / ".cache" / "claude-code").absolute()
        if location.is_file():
            return cls(location)
        return cls(_installed_in(location) or _install_into(location))

    def version(self) -> str:
        """What ``claude --version`` prints."""
        command = [str(self.executable), "--version"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
        return done.stdout.strip()

    def run(
        self,
        prompt: str,
        *,
        base_url: str,
        folder: Path,
        token: str = "freecc",  # noqa: S107 - the test's own server knows no secret
        env: Mapping[str, str | None] | None = None,
        arguments: Sequence[str] = (),
        timeout: float = 120.0,
    ) -> ClientRun:
        """Run ``claude -p prompt`` below ``folder`` and wait for it, at most ``timeout`` seconds.

        The work folder is ``folder/work`` and may hold files already. Tools run unasked. ``env`` adds
        variables, ``None`` removes one. Raises :class:`ClientTimeoutError`.
        """
        home, work = folder / "home", folder / "work"
        home.mkdir(parents=True, exist_ok=True)
        work.mkdir(parents=True, exist_ok=True)
        command = [str(self.executable), "-p", prompt, "--output-format", "stream-json", "--verbose"]
        command += ["--dangerously-skip-permissions", *arguments]
        with LoopbackGuard() as guard:
            variables = {**guard.environment, **(env or {})}
            process = start_in_group(
                command,
                env=client_environment(home, base_url, token, variables),
                cwd=work,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            with process:
                try:
                    stdout, stderr = process.communicate(timeout=timeout)
                except subprocess.TimeoutExpired:
                    kill_group(process)
                    stdout, stderr = process.communicate()
                    said = b"\n".join((*stdout.splitlines()[-3:], stderr)).decode(errors="replace")
                    raise ClientTimeoutError(
                        f"the client took more than {timeout:g} s; its last words:\n{said[-3000:]}"
                    ) from None
        events = [orjson.loads(line) for line in stdout.splitlines() if line.startswith(b"{")]
        return ClientRun(
            process.returncode, events, stderr.decode(errors="replace"), work, tuple(guard.attempts)
        )


def client_environment(
    home: Path, base_url: str, token: str, env: Mapping[str, str | None] | None = None
) -> dict[str, str]:
    """The variables for a client that has ``home`` to itself; ``env`` adds some, ``None`` removes one."""
    variables: dict[str, str | None] = {
        **clean_environment(home),
        "CLAUDE_CONFIG_DIR": str(home / "claude"),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "IS_SANDBOX": "1",
        "ANTHROPIC_BASE_URL": base_url,
        "ANTHROPIC_AUTH_TOKEN": token,
        **(env or {}),
    }
    return {name: value for name, value in variables.items() if value is not None}


def _project_root() -> Path:
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)


def _installed_in(folder: Path) -> Path | None:
    executable = folder / "node_modules" / ".bin" / ("claude.cmd" if os.name == "nt" else "claude")
    return executable if executable.exists() else None


def _install_into(folder: Path) -> Path:
    npm = shutil.which("npm")
    advice = f"or set {LOCATION_VARIABLE} to an installed claude executable"
    if npm is None:
        raise ClientUnavailableError(f"npm is not on the PATH: install Node.js, {advice}")
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--prefix", str(folder), "--no-save", "--no-audit", "--no-fund"]
    command = [npm, "install", *options, f"{PACKAGE}@latest"]
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT, check=False, cwd=folder
    )
    executable = _installed_in(folder)
    if done.returncode != 0 or executable is None:
        reason = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise ClientUnavailableError(f"npm could not install {PACKAGE}: {reason}\nTry it by hand, {advice}")
    return executable
