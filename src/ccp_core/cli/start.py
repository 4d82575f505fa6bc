"""What every command begins with: plugins and settings; and how a problem ends it, in one line with the cure."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, TypeVar

import click

if TYPE_CHECKING:
    from ccp_core.config.sources import LoadedSettings
    from ccp_core.gateway import Gateway
    from ccp_core.host import PluginHost

F = TypeVar("F", bound=Callable[..., Any])

PROBLEM = 2
"""Exit status of a command that the configuration keeps from doing anything."""


def config_option(command: F) -> F:
    """The option ``--config``."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path, readable=False),  # the reader of settings says it better
        metavar="FILE",
        help="Use this file, not the usual one (`ccp config path`).",
    )(command)


def named_config(file: Path) -> str:
    """`` --config FILE`` for further commands, blank for a file that they find by themselves."""
    from ccp_core.config.files import dotenv_candidates, home_folder, toml_candidates

    here, home = Path.cwd(), home_folder()
    if file in (*toml_candidates(here, home), *dotenv_candidates(here, home)):
        return ""
    return f' --config "{file}"' if " " in str(file) else f" --config {file}"


def complete_provider(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The installed providers, for shells that complete their names."""
    specs = load_plugins().providers.values()
    return sorted(spec.id for spec in specs if spec.transports and spec.id.startswith(incomplete))


def json_option(command: F) -> F:
    """The flag ``--json``, as the parameter ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


def note(text: str) -> None:
    """A line for the person that is not part of the output."""
    click.echo(wrapped(text, "ccp: ", on=sys.stderr), err=True)


def room_on(stream: TextIO) -> int | None:
    """How many letters a line on ``stream`` can have; None where that is no terminal."""
    return shutil.get_terminal_size().columns - 1 if stream.isatty() else None


def wrapped(text: str, label: str, *, on: TextIO) -> str:
    """``text`` after ``label``: in lines of the terminal's width without cutting a word, where ``on`` is a terminal."""
    room = room_on(on)
    if room is None:
        return f"{label}{text}"
    import textwrap

    return textwrap.fill(
        text,
        room,
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )


def counted(number: int, name: str) -> str:
    """``1 model``, ``2 models``."""
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def stop(*lines: object) -> NoReturn:
    """End the command with status 2, with one line for each problem."""
    for line in lines:
        note(str(line))
    sys.exit(PROBLEM)


def load_plugins() -> PluginHost:
    """All installed plugins. Logging is silent until a command configures it."""
    from ccp_core import logs
    from ccp_core.gateway import load_host

    logs.silence()
    return load_host()


def load(
    config: Path | None, plugins: PluginHost, flags: Mapping[str, object] | None = None
) -> LoadedSettings:
    """The settings, checked against the plugins; a problem ends the command."""
    from ccp_core.config.problems import ConfigError

    try:
        return read(config, plugins, flags)
    except ConfigError as error:
        stop(*error.problems)


def read(
    config: Path | None, plugins: PluginHost, flags: Mapping[str, object] | None = None
) -> LoadedSettings:
    """The same, for a process that goes on whatever is found. Raises ConfigError."""
    from ccp_core.config.sources import load_settings

    return load_settings(
        config, os.environ, flags or {}, installed=plugins.configurable, transports=plugins.transports
    )


def make_gateway(loaded: LoadedSettings, plugins: PluginHost, *, refresh_models: bool = True) -> Gateway:
    """The gateway of these settings; a route to a provider that cannot be used ends the command."""
    from ccp_core.config.problems import Origin, Problem
    from ccp_core.gateway import Gateway
    from ccp_core.route import split_model
    from ccp_core.upstream.storage import StorageError

    try:
        gateway = Gateway(loaded.settings, plugins, refresh_models=refresh_models)
    except StorageError as error:
        stop(error)
    problems = []
    for key, route in routes(gateway).items():
        pair = split_model(route)
        # A broken plugin is no mistake in the settings: the proxy starts, and requests for it are told.
        if pair is not None and pair[0] in gateway.unusable.keys() - plugins.unusable.keys():
            origin = loaded.origins.get(key, Origin("settings", key))
            problems.append(Problem(origin.place, f'{origin.name} = "{route}": {gateway.unusable[pair[0]]}.'))
    if problems:
        stop(*problems)
    return gateway


def routes(gateway: Gateway) -> dict[str, str]:
    """The routes in force by key (``models.opus``), those that are set; fallbacks are not among them."""
    from attrs import asdict

    return {f"models.{tier}": route for tier, route in asdict(gateway.settings.models).items() if route}
