"""Variables in the words of each shell, and in the file that the shell reads at its start."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

BEGIN = "# >>> ccp: Claude Code through the proxy >>>"
END = "# <<< ccp <<<"


def _posix(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{escaped}'"


def _powershell(name: str, value: str) -> str:
    escaped = value.replace("'", "''")
    return f"$env:{name} = '{escaped}'"


SHELLS: Mapping[str, Callable[[str, str], str]] = {
    "bash": _posix,
    "zsh": _posix,
    "fish": _fish,
    "powershell": _powershell,
}


def lines(shell: str, variables: Mapping[str, str]) -> list[str]:
    """A line for each variable."""
    return [SHELLS[shell](name, value) for name, value in variables.items()]


def start_file(shell: str, home: Path) -> Path | None:
    """The file that the shell reads at its start; None when nobody can tell."""
    if shell == "bash":
        return home / (".bash_profile" if sys.platform == "darwin" else ".bashrc")
    if shell == "zsh":
        return Path(os.environ.get("ZDOTDIR") or home) / ".zshrc"
    if shell == "fish":
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        return folder / "fish" / "conf.d" / "ccp.fish"
    return _powershell_profile()


def with_block(text: str, block: list[str]) -> str:
    """``text`` with our block in it: in place of the one that is there, otherwise at the end."""
    ours = "\n".join([BEGIN, *block, END]) + "\n"
    before, begin, rest = text.partition(BEGIN)
    if begin and END in rest:
        return before + ours + rest.partition(END)[2].removeprefix("\n")
    gap = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{gap}{ours}"


def usual_shell() -> str:
    """The shell that the person probably uses."""
    if sys.platform == "win32":
        return "powershell"
    name = Path(os.environ.get("SHELL", "")).name
    return name if name in SHELLS else "bash"


def _powershell_profile() -> Path | None:
    # Its place depends on version, platform and redirected folders: PowerShell itself knows.
    executable = shutil.which("pwsh") or shutil.which("powershell")
    if executable is None:
        return None
    asked = [executable, "-NoProfile", "-NonInteractive", "-Command", "$PROFILE"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Path(done.stdout.strip()) if done.returncode == 0 and done.stdout.strip() else None
