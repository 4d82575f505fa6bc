"""Virtual environments that hold wheels and nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SECONDS = 600
"""That one step may take: what the network brings is slow on a busy machine."""


class Failed(Exception):
    """A check that did not hold; the text says which and what was seen."""


@dataclass(frozen=True)
class Wheels:
    """Where wheels come from: our own, and those of third parties, which are fetched once."""

    own: Path
    third_party: Path

    @classmethod
    def gather(cls, own: Path, *requirements: str) -> Wheels:
        """Fetch what ``requirements`` need beside our own wheels, unless an earlier run did. This is the only step that
        needs the network.
        """
        third_party = own.parent / "third_party"
        third_party.mkdir(exist_ok=True)
        found = ("--find-links", own, "--find-links", third_party, "--dest", third_party)
        try:
            pip("download", "--no-index", *found, *requirements)
        except Failed:
            pip("download", "--only-binary", ":all:", *found, *requirements)
        for copy in third_party.glob("ccp_*"):  # our own are taken from where they were built
            copy.unlink()
        return cls(own, third_party)


@dataclass(frozen=True)
class Environment:
    """A virtual environment, used from a home folder of its own."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, wheels: Wheels, *requirements: str) -> Environment:
        """An empty environment, and ``requirements`` in it, from wheels alone."""
        venv.create(folder, with_pip=False, symlinks=os.name != "nt", clear=True)
        environment = cls(folder)
        (folder / "home").mkdir()
        found = ("--find-links", wheels.own, "--find-links", wheels.third_party)
        environment.install("--no-index", *found, *requirements)
        return environment

    def install(self, *arguments: str | Path) -> None:
        """Run `pip install` for this environment, which has no pip of its own."""
        pip("--python", self.script("python"), "install", "--no-compile", *arguments)

    def script(self, name: str) -> Path:
        """A program of the environment."""
        return (
            self.folder
            / ("Scripts" if os.name == "nt" else "bin")
            / (name + (".exe" if os.name == "nt" else ""))
        )

    def variables(self, more: Mapping[str, str]) -> dict[str, str]:
        """What its processes see: nothing of the settings of whoever runs the check."""
        kept = {
            name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP", "TMP") if name in os.environ
        }
        home = str(self.folder / "home")
        return {**kept, "HOME": home, "USERPROFILE": home, "PYTHONUNBUFFERED": "1", **more}

    def run(self, *command: str, status: int = 0, **variables: str) -> str:
        """What a program prints. Raises Failed when it ends with another status."""
        program, *arguments = command
        return _run(
            [str(self.script(program)), *arguments],
            status=status,
            cwd=self.folder / "home",
            env=self.variables(variables),
        )

    def distributions(self) -> set[str]:
        """What is installed."""
        code = "from importlib.metadata import *; import json; print(json.dumps([d.name for d in distributions()]))"
        return set(json.loads(self.run("python", "-c", code)))

    @contextmanager
    def serve(self, **variables: str) -> Iterator[str]:
        """A proxy of this environment, at the address that is given; it is ended afterwards."""
        with (self.folder / "serve.log").open("w+b") as log:
            process = subprocess.Popen(
                [str(self.script("ccp")), "serve", "--port", "0"],
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.folder / "home",
                env=self.variables(variables),
                text=True,
            )
            assert process.stdout is not None
            try:
                seen = ""
                for line in process.stdout:
                    seen += line
                    if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                        yield found[0]
                        return
                log.seek(0)
                raise Failed(f"ccp serve did not start:\n{seen}{log.read().decode(errors='replace')}")
            finally:
                process.terminate()
                process.wait(30)
                process.stdout.close()


def pip(*arguments: str | Path) -> None:
    """Run the pip of this Python. Raises Failed with what it says."""
    quiet = ("--quiet", "--disable-pip-version-check")
    _run([sys.executable, "-m", "pip", *quiet, *map(str, arguments)])


def _run(
    command: list[str], *, status: int = 0, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(command[:4])} … did not end within {SECONDS} s") from None
    if done.returncode != status:
        raise Failed(f"{' '.join(command[:4])} … ended with {done.returncode}, not {status}:\n{done.stdout}")
    return done.stdout
