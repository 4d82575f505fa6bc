"""``ccp plugins``: what is installed, what is broken, and who answers which hook."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ccp_core.cli.start import complete_provider, config_option, json_option, load_plugins, note, stop

if TYPE_CHECKING:
    from ccp_core.config.settings import Settings
    from ccp_core.gateway import Gateway
    from ccp_core.host import PluginHost


LANE_HOOKS = (
    "ccp_answer_locally",
    "ccp_build_request",
    "ccp_open_stream",
    "ccp_translate_chunk",
    "ccp_finish_stream",
    "ccp_classify_error",
    "ccp_list_models",
    "ccp_request_finished",
)
"""The hooks that a provider's lane is asked for, in the order of a request."""


@click.command(short_help="List the installed plugins, and what is broken.")
@click.option(
    "--lane",
    metavar="ID",
    shell_complete=complete_provider,
    help="Show in which order the hooks of this provider are answered.",
)
@config_option
@json_option
def command(lane: str | None, config: Path | None, as_json: bool) -> None:
    """List the installed plugins: distribution, version, provider, transport, and what is broken and why.

    A plugin without a provider is middleware: it takes part in the requests of all providers.
    """
    from ccp_core.gateway import Gateway

    plugins = load_plugins()
    gateway = Gateway(_settings(config, plugins), plugins, refresh_models=False)
    if lane is not None:
        _show_lane(gateway, lane, as_json)
        return
    found = _found(gateway)
    if as_json:
        import orjson

        click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
        return
    for line in _lines(found):
        click.echo(line)


def _settings(config: Path | None, plugins: PluginHost) -> Settings:
    """The settings in effect, or the defaults: a list of plugins must not depend on a good configuration."""
    from ccp_core.config.problems import ConfigError
    from ccp_core.config.settings import Settings
    from ccp_core.config.sources import load_settings

    try:
        return load_settings(config, os.environ, {}, installed=plugins.providers).settings
    except ConfigError:
        return Settings()


def _found(gateway: Gateway) -> dict[str, list[dict[str, Any]]]:
    from ccp_core.builtins.demo import PROVIDER_ID as DEMO
    from ccp_core.config.names import TRANSPORT_DISTRIBUTIONS

    host = gateway.host
    owners = {spec.id: plugin for plugin in host.plugins for spec in plugin.providers}
    providers = []
    left_out = {broken.name for broken in host.broken} - {*gateway.upstreams}
    for provider_id in sorted({*gateway.upstreams, *gateway.unusable} - {DEMO, *left_out}):
        owner, upstream = owners.get(provider_id), gateway.upstreams.get(provider_id)
        own_endpoint = owner is None  # a table of ccp.toml, served by the transport library alone
        transports = owner.providers[0].transports if owner else ()
        providers.append(
            {
                "id": provider_id,
                "distribution": owner.distribution if owner else "",
                "version": owner.version if owner else "",
                "transport": upstream.provider.transport if upstream else "",
                "transports": list(transports),
                "own_endpoint": own_endpoint,
                "problem": gateway.unusable.get(provider_id, ""),
            }
        )
    transport_names = {name: TRANSPORT_DISTRIBUTIONS.get(name, name) for name in host.transports}
    return {
        "providers": providers,
        "middleware": [
            {"name": plugin.name, "distribution": plugin.distribution, "version": plugin.version}
            for plugin in host.plugins
            if plugin.is_middleware
        ],
        "transports": [
            {"name": name, "distribution": distribution, "version": _version(distribution)}
            for name, distribution in transport_names.items()
        ],
        "broken": [
            {"name": b.name, "distribution": b.distribution, "version": b.version, "reason": b.reason}
            for b in host.broken
        ],
    }


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _lines(found: dict[str, list[dict[str, Any]]]) -> list[str]:
    from ccp_core.cli.table import aligned

    rows = [("DISTRIBUTION", "VERSION", "PROVIDES", "TRANSPORT")]
    for provider in found["providers"]:
        others = [name for name in provider["transports"] if name != provider["transport"]]
        transport = " ".join([provider["transport"], *([f"(or {' '.join(others)})"] if others else [])])
        source = provider["distribution"] or "(ccp.toml)"
        rows.append((source, provider["version"], provider["id"], "-" if provider["problem"] else transport))
    rows += [(p["distribution"], p["version"], "middleware", "") for p in found["middleware"]]
    rows += [(t["distribution"], t["version"], f"transport {t['name']}", "") for t in found["transports"]]
    lines = aligned(rows)
    problems = [
        *(f"{p['id']} cannot be used: {p['problem']}" for p in found["providers"] if p["problem"]),
        *(
            f"{b['distribution'] or b['name']} {b['version']} is left out: {b['reason']}"
            for b in found["broken"]
        ),
    ]
    if len(rows) == 1:
        lines = ["No plugin is installed: pip install ccp-nim (or another provider; ccp-core[all] for all)."]
    return [*lines, *(["", *(f"BROKEN  {problem}" for problem in problems)] if problems else [])]


def _show_lane(gateway: Gateway, provider_id: str, as_json: bool) -> None:
    from ccp_core.config.checks import unknown_provider

    if provider_id in gateway.unusable:
        stop(f"{provider_id} cannot be used: {gateway.unusable[provider_id]}")
    upstream = gateway.upstreams.get(provider_id)
    if upstream is None:
        stop(unknown_provider(provider_id, gateway.settings, gateway.host.providers))
    orders = {"ccp_resolve_route": gateway.root.order("ccp_resolve_route")}
    orders |= {hook: upstream.lane.order(hook) for hook in LANE_HOOKS}
    if as_json:
        import orjson

        click.echo(orjson.dumps(orders, option=orjson.OPT_INDENT_2).decode())
        return
    for hook, order in orders.items():
        click.echo(f"{hook}: {', '.join(order) or '-'}")
    note("asked from left to right; of most hooks the first answer counts")
