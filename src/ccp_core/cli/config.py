"""``ccp config``: which settings are in effect, and where they come from."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ccp_core.cli.start import config_option, json_option, load, load_plugins, make_gateway, note, room_on


@click.group(name="config", short_help="Show and check the configuration.")
def command() -> None:
    """Show and check the configuration."""


@command.command(short_help="Show the settings in effect.")
@click.option("--all", "everything", is_flag=True, help="Also those that nobody has set.")
@config_option
@json_option
def show(everything: bool, config: Path | None, as_json: bool) -> None:
    """Show the settings in effect and where each comes from. Keys and tokens are masked."""
    from ccp_core.cli.table import aligned
    from ccp_core.config.show import rows

    plugins = load_plugins()
    loaded = load(config, plugins)
    shown = [row for row in rows(loaded, plugins.providers) if everything or not row.is_default]
    if as_json:
        import orjson
        from attrs import asdict

        click.echo(orjson.dumps([asdict(row) for row in shown], option=orjson.OPT_INDENT_2).decode())
        return
    if not shown:
        note("nothing is set; `ccp init` sets the proxy up, --all shows the defaults")
    cells = [(row.key, row.value, f"({row.origin}; {row.variable})") for row in shown]
    for line in aligned(cells, room_on(sys.stdout)):
        click.echo(line)
    for warning in loaded.warnings:
        note(f"warning: {warning}")


@command.command(short_help="Check the configuration.")
@config_option
def check(config: Path | None) -> None:
    """Check the configuration without starting anything.

    Each problem is one line with its cure; the exit status is then 2. `ccp doctor` asks the providers, too.
    """
    plugins = load_plugins()
    loaded = load(config, plugins)
    make_gateway(loaded, plugins, refresh_models=False)
    for warning in loaded.warnings:
        note(f"warning: {warning}")
    files = ", ".join(map(str, loaded.files)) or "no file; defaults and environment"
    click.echo(f"The configuration is in order ({files}).")


@command.command(short_help="Print where the configuration is.")
@click.option("--all", "everything", is_flag=True, help="All places that are looked at, and what is there.")
@config_option
def path(everything: bool, config: Path | None) -> None:
    """Print the configuration files that are read, one a line; the first counts most within its kind.

    Exit status 1 when there is none.
    """
    import os

    from ccp_core.config.files import dotenv_candidates, home_folder, toml_candidates
    from ccp_core.config.names import CONFIG_VARIABLE

    here, home = Path.cwd(), home_folder()
    named = str(config or os.environ.get(CONFIG_VARIABLE, "").strip())
    tomls = [Path(os.path.expanduser(named))] if named else toml_candidates(here, home)
    in_use = [file for file in tomls if os.path.isfile(file)][:1]
    in_use += [file for file in dotenv_candidates(here, home) if os.path.isfile(file)]
    if everything:
        for file in [*tomls, *dotenv_candidates(here, home)]:
            state = "read" if file in in_use else "not read" if os.path.isfile(file) else "absent"
            click.echo(f"{state:<9} {file}")
        return
    for file in in_use:
        click.echo(file)
    if not in_use:
        note(f"there is no configuration file; `ccp init` writes {tomls[-1]}")
        sys.exit(1)
