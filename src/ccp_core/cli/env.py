"""``ccp env``: what a client needs in its environment."""

from __future__ import annotations

import asyncio
import codecs
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ccp_core.cli.start import config_option, load, load_plugins, make_gateway, note, stop

if TYPE_CHECKING:
    from ccp_core.gateway import Gateway

CLIENTS = ("bash", "zsh", "fish", "powershell", "vscode", "jetbrains")


@click.command(short_help="Print what clients need in their environment, or write it.")
@click.option(
    "--shell", "client", type=click.Choice(CLIENTS), help="What to print for. [default: your shell]"
)
@click.option("--write", is_flag=True, help="Write it into the right file; what is there stays.")
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file for --write, where it is not at the usual place.",
)
@config_option
def command(client: str | None, write: bool, file: Path | None, config: Path | None) -> None:
    """Print what Claude Code needs in its environment to use the proxy, or write it with --write.

    \b
      eval "$(ccp env --shell bash)"     for this terminal alone
      ccp env --shell bash --write       for every new terminal
      ccp env --shell vscode --write     for the VS Code extension
      ccp env --shell jetbrains --write  for JetBrains

    What is printed and written holds the token.
    """
    from ccp_core.cli import editors, shells

    plugins = load_plugins()
    variables = _variables(make_gateway(load(config, plugins), plugins, refresh_models=False))
    client = client or shells.usual_shell()
    if write or file is not None:
        _write(client, file, variables)
    elif client == "vscode":
        value = json.dumps(editors.vscode_value(variables), indent=2)
        click.echo(f"{json.dumps(editors.VSCODE_SETTING)}: {value}")
        note("paste it into settings.json (Preferences: Open User Settings (JSON)), then reload the window")
    elif client == "jetbrains":
        click.echo(f'"env": {json.dumps(variables, indent=2)}')
        note(f"paste it into the entry {editors.JETBRAINS_AGENT} of {editors.jetbrains_file(Path.home())}")
    else:
        for line in shells.lines(client, variables):
            click.echo(line)


def _variables(gateway: Gateway) -> dict[str, str]:
    from ccp_core.cli.client_env import client_variables, session_tiers, token_for
    from ccp_core.cli.running import known_window, look
    from ccp_core.cli.session import routes_of
    from ccp_core.server.listening import shown_url

    async def running_window(url: str) -> int | None:
        try:
            if (await look(gateway)).state != "fits":
                return None
            return await known_window(url, server, routes_of(gateway.settings.models, session_tiers((), {})))
        finally:
            await gateway.close()

    server = gateway.settings.server
    url = shown_url(server.host, server.port)
    return client_variables(url, token_for(server.auth_token), asyncio.run(running_window(url)))


def _write(client: str, file: Path | None, variables: Mapping[str, str]) -> None:
    from ccp_core.cli import editors, shells
    from ccp_core.config.write import write_in_one_step

    if client == "vscode":
        file = file or editors.vscode_file(Path.home())
    elif client == "jetbrains":
        file = file or editors.jetbrains_file(Path.home())
    else:
        file = file or shells.start_file(client, Path.home())

    def change(text: str) -> str:
        if client == "vscode":
            return editors.vscode_settings(text, variables)
        if client == "jetbrains":
            return editors.jetbrains_config(text, variables)
        return shells.with_block(text, shells.lines(client, variables))

    if file is None:
        stop("PowerShell cannot be asked where its profile is; name the file with --file, or paste the lines")
    try:
        content = file.read_bytes() if file.exists() else b""
        mark = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
        before = content.removeprefix(mark).decode()
        newline = "\r\n" if "\r\n" in before else "\n"
        after = change(before.replace(newline, "\n"))
        write_in_one_step(file, mark + after.replace("\n", newline).encode(), keep_mode=True)
    except editors.UnusableFile as error:
        stop(f"{file}: {error}")
    except (OSError, UnicodeDecodeError) as error:
        stop(
            f"{file}: it cannot be changed ({getattr(error, 'strerror', None) or error}); paste the lines by hand"
        )
    click.echo(f"{'Changed' if before else 'Wrote'} {file}")
    if sys.platform != "win32" and file.stat().st_mode & 0o077:
        note(f"others on this machine can read the token in it: chmod 600 {file}")
    after_words = {
        "vscode": "Reload the window of VS Code. If it shows a login screen, choose the Console login once.",
        "jetbrains": "Restart the IDE.",
    }
    click.echo(after_words.get(client, "Open a new terminal, and run claude."))
