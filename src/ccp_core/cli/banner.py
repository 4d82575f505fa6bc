"""What ``ccp serve`` shows once it listens."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from socket import gethostname

from ccp_core.builtins.demo import PROVIDER_ID as DEMO
from ccp_core.cli.client_env import ANY_TOKEN
from ccp_core.cli.start import counted, named_config, routes, wrapped
from ccp_core.config.sources import LoadedSettings
from ccp_core.config.validators import is_loopback
from ccp_core.gateway import Gateway
from ccp_core.route import split_model
from ccp_core.upstream.catalogue import is_configured
from ccp_core.upstream.upstream import Upstream

_PROTOCOLS = {"openai": "chat", "anthropic": "Messages"}


def banner(gateway: Gateway, loaded: LoadedSettings, url: str, log_file: Path | None) -> list[str]:
    """The lines of the banner."""
    lines = [f"ccp {version('ccp-core')} listens on {url}", ""]
    for title, values in _sections(gateway, loaded, log_file):
        for number, value in enumerate(values):
            lines.append(wrapped(value, f"  {title if not number else '':<10} ", on=sys.stdout).rstrip())
    return [*lines, "", *_usage(gateway, loaded, url)]


def _sections(
    gateway: Gateway, loaded: LoadedSettings, log_file: Path | None
) -> Iterator[tuple[str, list[str]]]:
    if gateway.is_demo:
        yield "DEMO", ["No model is configured, so a scripted demo model answers.", "Next step: ccp init"]
    else:
        chosen = {key.removeprefix("models."): route for key, route in routes(gateway).items()}
        yield "models", [f"{tier:<8} {route}" for tier, route in chosen.items()]
        yield "providers", [_provider(gateway, upstream) for upstream in _in_use(gateway)]
    yield "plugins", _plugins(gateway)
    server = gateway.settings.server
    is_open = not is_loopback(server.host)
    if is_open:
        yield "network", [f"open to other machines, by the name {gethostname()} or this machine's address"]
    if server.auth_token:
        yield "token", ["yes: clients must send it (server.auth_token)"]
    else:
        who = "everybody who reaches the port" if is_open else "every program on this machine"
        yield "token", [f"no: {who} may use the proxy"]
    yield "settings", [str(path) for path in loaded.files] or ["no file; defaults and environment"]
    yield "log", [str(log_file or "none")]
    yield "warning", list(loaded.warnings)
    yield "broken", [f"{b.distribution or b.name} is left out: {b.reason}" for b in gateway.host.broken]


def _in_use(gateway: Gateway) -> list[Upstream]:
    """Providers that are routed to, have a table in the settings, or have a key."""
    routed = {pair[0] for route in routes(gateway).values() if (pair := split_model(route))}
    return [
        upstream
        for name, upstream in gateway.upstreams.items()
        if name in routed
        or name in gateway.settings.providers
        or (is_configured(upstream) and not upstream.provider.spec.local)
    ]


def _provider(gateway: Gateway, upstream: Upstream) -> str:
    provider, keys = upstream.provider, len(upstream.keys)
    plugin = gateway.host.providers.get(provider.id)
    words = [_PROTOCOLS[provider.transport]]
    if keys:
        words.append(counted(keys, "key"))
    elif provider.spec.needs_key:
        words.append("no key")
    if plugin is None or plugin.local or provider.base_url != plugin.base_url.rstrip("/"):
        words.append(provider.base_url)
    return f"{provider.id} ({', '.join(words)})"


def _plugins(gateway: Gateway) -> list[str]:
    names = {
        f"{plugin.distribution} {plugin.version}".rstrip()
        for plugin in gateway.host.plugins
        if plugin.name != DEMO
    }
    lines: list[str] = []
    for name in sorted(names) or ["none"]:
        if lines and len(lines[-1]) + len(name) < 64:
            lines[-1] += f", {name}"
        else:
            lines.append(name)
    return lines


def _usage(gateway: Gateway, loaded: LoadedSettings, url: str) -> list[str]:
    has_token = bool(gateway.settings.server.auth_token)
    option = named_config(loaded.files[0]) if loaded.files else ""
    origins = (loaded.origins.get("server.host"), loaded.origins.get("server.port"))
    lines = ["In another terminal:"]
    if not any(origin and origin.place == "command line" for origin in origins):
        # Other commands find this proxy by themselves.
        lines += [
            f"  ccp run{option}       Claude Code on this proxy",
            f"  ccp pick{option}      the same, on a model of your choice",
            "or by hand, in bash or zsh, or in PowerShell:",
            f'  eval "$(ccp env{option})"; claude',
            f"  ccp env --shell powershell{option} | iex; claude",
            f"In VS Code or JetBrains: ccp env --shell vscode --write{option}, or --shell jetbrains",
        ]
    else:
        token = "TOKEN" if has_token else ANY_TOKEN  # the real one is not for a screen that others may see
        lines += [
            f'  ANTHROPIC_BASE_URL="{url}" ANTHROPIC_AUTH_TOKEN="{token}" claude',
            "or in PowerShell:",
            f'  $env:ANTHROPIC_BASE_URL="{url}"; $env:ANTHROPIC_AUTH_TOKEN="{token}"; claude',
            "For `ccp run`, `ccp pick` and `ccp env`, put host and port into the configuration.",
        ]
    return [*lines, ""]
