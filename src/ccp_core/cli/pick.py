"""``ccp pick``: choose a model for one session."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ccp_core.cli.start import config_option, load, load_plugins, make_gateway, note, stop

if TYPE_CHECKING:
    from ccp_core.gateway import Gateway
    from ccp_core.host import PluginHost


@click.command(
    short_help="Choose a model from a list and start Claude Code with it.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@config_option
@click.option("--query", default="", metavar="LETTERS", help="Letters that are typed already.")
@click.option("--model", metavar="PROVIDER/MODEL", help="Do not ask: take this model.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGUMENTS OF CLAUDE]")
def command(config: Path | None, query: str, model: str | None, arguments: tuple[str, ...]) -> None:
    """Choose one of all models of all configured providers, and start Claude Code with it.

    The choice is for this session alone, and for all of its requests; the configuration stays as it
    is. Type a few letters of the model's name, in order: "gl47" finds z-ai/glm-4.7.
    """
    from ccp_core.cli.session import session
    from ccp_core.server.run import run_in_loop

    plugins = load_plugins()
    loaded = load(config, plugins)
    gateway = make_gateway(loaded, plugins, refresh_models=False)
    route = _checked(model, gateway, plugins) if model else _choose(gateway, query)
    note(f"this session uses {route}")
    sys.exit(run_in_loop(session(loaded, plugins, arguments, os.environ, route)))


def _checked(model: str, gateway: Gateway, plugins: PluginHost) -> str:
    from ccp_core.config.checks import unknown_provider
    from ccp_core.route import split_model

    pair = split_model(model)
    if pair is None:
        stop(f'--model "{model}" must be provider/model, for example nvidia_nim/z-ai/glm4.7')
    if pair[0] not in gateway.upstreams:
        stop(f"--model: {unknown_provider(pair[0], gateway.settings, plugins.providers)}")
    return model


def _choose(gateway: Gateway, query: str) -> str:
    from ccp_core.cli.model_rows import HEADINGS, ModelRow, fetch_rows, to_ask, worth_telling
    from ccp_core.cli.picker import Choice, pick
    from ccp_core.route import split_model

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        stop(
            "choosing needs a terminal; name the model: ccp pick --model PROVIDER/MODEL (`ccp models` lists them)"
        )

    async def fetch() -> tuple[list[ModelRow], dict[str, str]]:
        try:
            return await fetch_rows(to_ask(gateway))
        finally:
            await gateway.close()

    note("asking the providers for their models …")
    rows, failures = asyncio.run(fetch())
    failed = [f"{name}: {reason}" for name, reason in worth_telling(gateway, failures).items()]
    if not rows:
        stop(*failed or ["no provider has a key or is running here; `ccp init` sets one up"])
    for line in failed:
        note(line)
    choices = [Choice(row.route, f"{row.route} {row.card.name}", row.columns) for row in rows]

    def as_typed(text: str) -> str | None:
        pair = split_model(text.strip())
        return text.strip() if pair and pair[0] in gateway.upstreams else None

    route = pick("Model:", choices, headings=HEADINGS, query=query, as_typed=as_typed)
    if route is None:
        note("no model was chosen")
        sys.exit(130)  # as after Ctrl-C
    return route
