"""``ccp models``: what can be asked for."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ccp_core.cli.start import (
    complete_provider,
    config_option,
    json_option,
    load,
    load_plugins,
    make_gateway,
    note,
    room_on,
    stop,
)

if TYPE_CHECKING:
    from ccp_core.cli.model_rows import ModelRow
    from ccp_core.gateway import Gateway
    from ccp_core.host import PluginHost
    from ccp_core.upstream.upstream import Upstream


@click.command(short_help="List the models of the configured providers.")
@click.argument("provider", required=False, shell_complete=complete_provider)
@config_option
@json_option
def command(provider: str | None, config: Path | None, as_json: bool) -> None:
    """List the models of PROVIDER, or of all configured providers.

    Each line begins with what MODEL, the settings and the token take: provider/model. A provider whose
    list cannot be had is told on standard error; the exit status is then 1.
    """
    from ccp_core.cli.model_rows import HEADINGS, worth_telling
    from ccp_core.cli.table import aligned

    plugins = load_plugins()
    gateway = make_gateway(load(config, plugins), plugins, refresh_models=False)
    rows, failures = asyncio.run(_fetch(gateway, _asked(gateway, plugins, provider)))
    if provider is None:
        failures = worth_telling(gateway, failures)
    if as_json:
        click.echo(_json(rows))
    elif rows:
        for line in aligned([HEADINGS, *(row.columns for row in rows)], room_on(sys.stdout)):
            click.echo(line)
    elif not failures:
        note("no provider has a key or is running here; `ccp init` sets one up")
    for name, reason in failures.items():
        note(f"{name}: {reason}")
    sys.exit(1 if failures else 0)


def _asked(gateway: Gateway, plugins: PluginHost, provider: str | None) -> list[Upstream]:
    from ccp_core.cli.model_rows import to_ask
    from ccp_core.config.checks import unknown_provider

    if provider is None:
        return to_ask(gateway)
    provider = provider.rstrip("/")
    if provider in gateway.unusable:
        stop(f"{provider}: {gateway.unusable[provider]}")
    upstream = gateway.upstreams.get(provider)
    if upstream is None:
        stop(unknown_provider(provider, gateway.settings, plugins.providers))
    return [upstream]


async def _fetch(gateway: Gateway, upstreams: list[Upstream]) -> tuple[list[ModelRow], dict[str, str]]:
    from ccp_core.cli.model_rows import fetch_rows

    try:
        return await fetch_rows(upstreams)
    finally:
        await gateway.close()


def _json(rows: list[ModelRow]) -> str:
    import orjson
    from attrs import asdict

    entries = [{"route": row.route, "provider": row.provider_id, **asdict(row.card)} for row in rows]
    return orjson.dumps(entries, option=orjson.OPT_INDENT_2).decode()
