"""One session of Claude Code on a proxy."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from ccp_core.cli.claude import INSTALL_HINT, find_claude, run_claude
from ccp_core.cli.client_env import child_environment, client_variables, session_tiers, token_for
from ccp_core.cli.running import known_window, proxy_for
from ccp_core.cli.start import make_gateway, stop
from ccp_core.config.settings import ModelSettings
from ccp_core.config.sources import LoadedSettings
from ccp_core.gateway import Gateway
from ccp_core.host import PluginHost
from ccp_core.route import split_model
from ccp_core.server.listening import CannotListen
from ccp_core.upstream import catalogue

WINDOW_TIMEOUT = 3.0
"""Seconds that the model's upstream may take to tell its context window."""


async def session(
    loaded: LoadedSettings,
    plugins: PluginHost,
    arguments: Sequence[str],
    environ: Mapping[str, str],
    route: str = "",
) -> int:
    """Run claude with ``arguments`` until it ends; its exit status. ``route`` replaces the configured models."""
    executable = find_claude()
    if executable is None:
        stop(INSTALL_HINT)
    gateway = make_gateway(loaded, plugins)
    server = gateway.settings.server
    routes = [route] if route else routes_of(gateway.settings.models, session_tiers(arguments, environ))
    try:
        async with proxy_for(gateway) as proxy:
            if proxy.started:
                await _learn_windows(gateway, routes)
            window = await known_window(proxy.url, server, routes)
            variables = client_variables(proxy.url, token_for(server.auth_token, route), window)
            if route:
                # What the client shows, and for which it knows the real window.
                variables["ANTHROPIC_MODEL"] = f"anthropic/{route}"
            return await run_claude(executable, arguments, child_environment(environ, variables))
    except CannotListen as error:
        stop(error)


def routes_of(models: ModelSettings, tiers: Sequence[str]) -> list[str]:
    """The routes of these tiers, each once."""
    return list({getattr(models, tier) or models.default: None for tier in tiers})


async def _learn_windows(gateway: Gateway, routes: Sequence[str]) -> None:
    """Ask for the models of those upstreams whose windows are not known; at a fresh start they are not."""
    pairs = [pair for route in routes if (pair := split_model(route)) and pair[0] in gateway.upstreams]
    asked = {
        provider: gateway.upstreams[provider]
        for provider, model in pairs
        if gateway.upstreams[provider].card(model).context_window is None
        and catalogue.is_configured(gateway.upstreams[provider])
    }
    await asyncio.gather(*(catalogue.refresh(upstream, WINDOW_TIMEOUT) for upstream in asked.values()))
