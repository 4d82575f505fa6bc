"""The file that ``ccp init`` writes, and the words with which it ends."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import click
from attrs import frozen

from ccp_core.cli.claude import INSTALL_HINT, find_claude
from ccp_core.cli.start import named_config, note, stop
from ccp_core.config.files import home_folder, toml_candidates
from ccp_core.config.names import CONFIG_VARIABLE
from ccp_core.config.problems import ConfigError, place_of
from ccp_core.config.settings import Settings
from ccp_core.config.sources import LoadedSettings, load_settings
from ccp_core.config.write import write_settings
from ccp_core.host import PluginHost


@frozen
class Target:
    """Where the configuration goes."""

    path: Path

    @classmethod
    def find(cls, config: Path | None, environ: Mapping[str, str]) -> Target:
        """The named file, or the one in use, or the one in the user's configuration folder."""
        candidates = toml_candidates(Path.cwd(), home_folder())
        named = str(config or environ.get(CONFIG_VARIABLE, "").strip())
        if named:
            return cls(Path(os.path.abspath(os.path.expanduser(named))))
        return cls(next((path for path in candidates if os.path.exists(path)), candidates[-1]))

    @property
    def backup(self) -> Path:
        """Where a file that is replaced is kept."""
        return self.path.with_name(f"{self.path.name}.bak")

    def load(self) -> Settings:
        """The settings of the file that exists, and of nothing else; what is wrong in it ends the command."""
        nowhere = self.path.parent / ".nowhere"  # no .env file and no other ccp.toml is to be read
        try:
            return load_settings(self.path, {}, {}, cwd=nowhere, home=nowhere).settings
        except ConfigError as error:
            stop(*error.problems)

    def write(self, settings: Settings, plugins: PluginHost) -> None:
        """Write the file, and tell what to do next."""
        try:
            existed = self.path.exists()
            if existed:
                shutil.copy2(self.path, self.backup)
            write_settings(self.path, settings, overwrite=existed)
        except OSError as error:
            stop(f"{self.path} cannot be written: {error.strerror or error}. --config names another file.")
        click.echo()
        click.echo(f"Wrote {self.path}{'' if sys.platform == 'win32' else '; only you can read it'}.")
        if existed:
            click.echo(f"What it held before is in {self.backup}.")
        self._remaining(plugins)
        for line in self._next_steps():
            click.echo(line)

    def _remaining(self, plugins: PluginHost) -> None:
        """What keeps the proxy from starting, now that the file is there."""
        try:
            loaded = load_settings(
                self.path, os.environ, {}, installed=plugins.providers, transports=plugins.transports
            )
        except ConfigError as error:
            click.echo("\nBefore you start it:")
            for problem in error.problems:
                note(str(problem))
        else:
            self._overruled(loaded)

    def _overruled(self, loaded: LoadedSettings) -> None:
        """An .env file, or the environment, that counts more than what was just written."""
        places = {
            origin.place.partition(", line ")[0]
            for key, origin in loaded.origins.items()
            if key.startswith(("models.", "server."))
        }
        for place in sorted(places - {place_of(self.path)}):
            note(f"{place} holds some of these settings, too, and counts more: `ccp config show` tells which")

    def _next_steps(self) -> list[str]:
        option = named_config(self.path)
        lines = [
            "",
            "What to do next:",
            f"  In a terminal  ccp run{option}",
            f"  In an editor   ccp serve{option}   (as long as you work there)",
            "                 and once in another terminal, for VS Code or for JetBrains:",
            f"                 ccp env --shell vscode --write{option}",
            f"                 ccp env --shell jetbrains --write{option}",
            f"  It fails?      ccp doctor{option}",
        ]
        if find_claude() is None:
            lines.append(f"\n{INSTALL_HINT}")
        return lines
