"""The ``ccp`` command. Each subcommand is a module of this package and is imported when it is used."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module

import click

COMMANDS = {
    "init": "Set up the proxy: providers, keys, models.",
    "serve": "Start the proxy.",
    "reload": "Let the running proxy read its configuration again.",
    "run": "Start Claude Code, and the proxy if none is running.",
    "pick": "Choose a model from a list and start Claude Code with it.",
    "models": "List the models of the configured providers.",
    "doctor": "Find out what does not work, and what to do about it.",
    "env": "Print what clients need in their environment, or write it.",
    "config": "Show and check the configuration.",
    "plugins": "List the installed plugins, and what is broken.",
    "explain": "Show what the proxy makes of a request, without sending it.",
    "new-plugin": "Begin a provider plugin of your own.",
    "completion": "Print the script that lets a shell complete ccp's commands.",
}
"""Subcommand to its short help; ``ccp_core.cli.<name>`` has the click command ``command``."""


class LazyGroup(click.Group):
    """A group that imports a subcommand's module only when that subcommand is used."""

    _has_plugin_commands = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, those of plugins included."""
        self._add_plugin_commands()
        return [*COMMANDS, *sorted(self.commands)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        if cmd_name in COMMANDS:
            command: click.Command = import_module(f"ccp_core.cli.{cmd_name.replace('-', '_')}").command
            return command
        self._add_plugin_commands()
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is asked for, or the one that is probably meant as an error."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            meant = get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f" Did you mean {meant[0]!r}?" if meant else ""
            raise click.UsageError(f"{error.format_message()}{hint}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        self._add_plugin_commands()
        added = [(name, command.get_short_help_str()) for name, command in sorted(self.commands.items())]
        for title, entries in (("Commands", list(COMMANDS.items())), ("Commands of plugins", added)):
            if entries:
                with formatter.section(title):
                    formatter.write_dl(entries)

    def _add_plugin_commands(self) -> None:
        if not self._has_plugin_commands:
            self._has_plugin_commands = True
            from ccp_core.cli.registrar import CommandRegistrar
            from ccp_core.cli.start import load_plugins

            load_plugins().each("ccp_register_commands", commands=CommandRegistrar(self, COMMANDS))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with `ccp init`. `ccp config show --all` lists every setting.",
)
@click.version_option(package_name="ccp-core", prog_name="ccp")
def cli() -> None:
    """Run Claude Code on the model of your choice."""


def main(args: list[str] | None = None) -> None:
    """Entry point of ``ccp``."""
    try:
        os.getcwd()
    except FileNotFoundError:  # somebody has deleted it
        click.echo("ccp: the current folder does not exist any more; go to another one: cd", err=True)
        sys.exit(2)
    # All that a start makes stays: a seventh of its time went into looking for garbage. What lives long looks again.
    gc.disable()
    try:
        cli.main(args=args, prog_name="ccp")
    except KeyboardInterrupt:  # click sees to it only while a command runs
        sys.exit(130)
    except Exception as error:  # nobody but a developer can do anything with a traceback
        from ccp_core.cli.crash import report

        sys.exit(report(error))
    finally:
        gc.enable()


def serve() -> None:
    """Entry point of ``claude-code-proxy`` and ``free-claude-code``."""
    main(["serve", *sys.argv[1:]])


def init() -> None:
    """Entry point of ``ccp-init`` and ``fcc-init``."""
    main(["init", *sys.argv[1:]])


def pick() -> None:
    """Entry point of ``claude-pick``."""
    main(["pick", *sys.argv[1:]])
