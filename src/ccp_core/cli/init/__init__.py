"""``ccp init``: from nothing to a working configuration."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ccp_core.cli.start import config_option, load_plugins, note, stop

if TYPE_CHECKING:
    from ccp_core.cli.init.target import Target
    from ccp_core.config.settings import Settings
    from ccp_core.host import PluginHost


@click.command(short_help="Set up the proxy: providers, keys, models.")
@config_option
@click.option(
    "--from-env",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Make ccp.toml of an old .env.",
)
@click.option(
    "--force", is_flag=True, help="Replace a configuration that exists; it is kept as ccp.toml.bak."
)
@click.option("--non-interactive", is_flag=True, help="Ask nothing; the options below say all.")
@click.option("--model", metavar="PROVIDER/MODEL", help="The model for everything.")
@click.option("--opus", metavar="PROVIDER/MODEL", help="Another model for opus.")
@click.option("--sonnet", metavar="PROVIDER/MODEL", help="The same for sonnet.")
@click.option("--haiku", metavar="PROVIDER/MODEL", help="The same for haiku.")
@click.option("--fable", metavar="PROVIDER/MODEL", help="The same for fable.")
@click.option(
    "--api-key", "keys", multiple=True, metavar="PROVIDER=KEY", help="A key; KEY may be - (standard input)."
)
@click.option("--base-url", "base_urls", multiple=True, metavar="PROVIDER=URL", help="An address.")
@click.option(
    "--transport", "transports", multiple=True, metavar="PROVIDER=NAME", help="openai or anthropic."
)
@click.option("--token", metavar="TOKEN", help="The proxy's token. [default: a new one; blank for none]")
@click.option("--host", metavar="ADDRESS", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on.")
@click.option("--no-check", is_flag=True, help="Do not ask the providers whether the keys work.")
def command(
    config: Path | None, from_env: Path | None, force: bool, non_interactive: bool, **answers: object
) -> None:
    """Set up the proxy: a few questions, then ccp.toml is written.

    Finds servers that run on this machine, checks keys by listing models, and lets you choose models by
    a few letters of their names. Nothing is overwritten without asking.

    \b
      ccp init
      ccp init --from-env ~/.config/free-claude-code/.env
      ccp init --non-interactive --model ollama/qwen3-coder
    """
    from ccp_core.cli.init.flags import settings_from_flags
    from ccp_core.cli.init.target import Target

    plugins = load_plugins()
    target = Target.find(config, os.environ)
    interactive = not non_interactive and sys.stdin.isatty() and sys.stdout.isatty()
    try:
        if from_env is not None:
            settings = _from_env(from_env, plugins)
            _may_replace(target, force, interactive)
        elif interactive:
            settings = _interview(target, plugins, force)
        elif non_interactive:
            _may_replace(target, force, interactive)
            settings = settings_from_flags(plugins, answers, os.environ)
        else:
            stop(
                "the questions need a terminal; without one: ccp init --non-interactive --model PROVIDER/MODEL"
            )
        target.write(settings, plugins)
    except (KeyboardInterrupt, EOFError):  # Ctrl-C and Ctrl-D
        note("nothing was written")
        sys.exit(130)


def _may_replace(target: Target, force: bool, interactive: bool) -> None:
    if force or not target.path.exists():
        return
    if not interactive:
        stop(f"{target.path} exists already; --force replaces it, and keeps it as {target.backup.name}")
    import questionary

    question = f"{target.path} exists already. Replace it? (It is kept as {target.backup.name}.)"
    if not questionary.confirm(question, default=False).unsafe_ask():
        raise KeyboardInterrupt


def _interview(target: Target, plugins: PluginHost, force: bool) -> Settings:
    import questionary

    from ccp_core.cli.init.draft import Draft
    from ccp_core.cli.init.from_env import old_files
    from ccp_core.cli.init.questions import Interview
    from ccp_core.config.files import home_folder
    from ccp_core.config.problems import ConfigError
    from ccp_core.config.settings import Settings

    settings = Settings()
    if target.path.exists() and not force:
        what = questionary.select(
            f"There is a configuration already: {target.path}",
            choices=[
                questionary.Choice("Change it: answer the questions again, keep the rest", "change"),
                questionary.Choice(f"Begin anew (it is kept as {target.backup.name})", "anew"),
                questionary.Choice("Leave it as it is", "leave"),
            ],
        ).unsafe_ask()
        if what == "leave":
            raise KeyboardInterrupt
        settings = target.load() if what == "change" else settings
    elif old := old_files(Path.cwd(), home_folder()):
        name = questionary.select(
            "There are settings of an earlier version. Take them over?",
            choices=[*old, questionary.Choice("No, ask me", "")],
        ).unsafe_ask()
        if name:
            return _from_env(old[name], plugins)
    try:
        draft = Draft.begin(settings, plugins, os.environ)
    except ConfigError as error:
        stop(*error.problems)
    Interview(draft).run()
    return draft.settings


def _from_env(file: Path, plugins: PluginHost) -> Settings:
    from ccp_core.cli.init.from_env import settings_from_env
    from ccp_core.config.problems import ConfigError

    try:
        settings, lines = settings_from_env(file, plugins)
    except ConfigError as error:
        stop(*error.problems)
    for line in lines:
        note(line)
    return settings
