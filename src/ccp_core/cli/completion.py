"""``ccp completion``: the script with which a shell completes commands and options."""

from __future__ import annotations

import click


@click.command(short_help="Print the script that lets a shell complete ccp's commands.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that lets SHELL complete ccp's commands and options.

    \b
      bash:  echo 'source <(ccp completion bash)' >> ~/.bashrc
      zsh:   echo 'autoload -Uz compinit; compinit' >> ~/.zshrc
             echo 'source <(ccp completion zsh)' >> ~/.zshrc
      fish:  ccp completion fish > ~/.config/fish/completions/ccp.fish
    """
    from click.shell_completion import get_completion_class

    from ccp_core.cli.main import cli

    completion = get_completion_class(shell)
    assert completion is not None
    click.echo(completion(cli, {}, "ccp", "_CCP_COMPLETE").source())
