"""The doctor's look at this machine: the client, the environment, the port, the configuration files."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from ccp_core.cli.claude import INSTALL_HINT, find_claude
from ccp_core.cli.doctor.findings import Finding, Section
from ccp_core.cli.running import look
from ccp_core.config.problems import place_of
from ccp_core.config.sources import LoadedSettings
from ccp_core.config.validators import is_loopback
from ccp_core.gateway import Gateway
from ccp_core.server.listening import shown_url

VERSION_TIMEOUT = 20.0
"""Seconds that the client may take to tell its version."""


async def check_machine(gateway: Gateway, loaded: LoadedSettings, environ: Mapping[str, str]) -> Section:
    """Everything that has nothing to do with a provider."""
    server = gateway.settings.server
    url = shown_url(server.host, server.port)
    findings = [await asyncio.to_thread(_client), await _port(gateway)]
    findings += _environment(dict(environ), url, "environment")
    findings += _client_settings(environ, url)
    findings += _files(loaded)
    findings += [
        Finding(
            "plugin",
            "problem",
            f"{b.distribution or b.name} is left out: {b.reason}",
            "Update or uninstall it.",
        )
        for b in gateway.host.broken
    ]
    findings += [Finding("settings", "warning", warning) for warning in loaded.warnings]
    if gateway.is_demo:
        findings.append(
            Finding(
                "settings", "problem", "no model is configured: a scripted demo answers", "Run `ccp init`."
            )
        )
    return Section("This machine", findings)


def _client() -> Finding:
    executable = find_claude()
    if executable is None:
        text, _, cure = INSTALL_HINT.partition(". ")
        return Finding("Claude Code", "problem", text, cure)
    try:
        done = subprocess.run(  # noqa: S603
            [executable, "--version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(
            "Claude Code", "problem", f"{executable} does not run ({type(error).__name__})", "Reinstall it."
        )
    version = done.stdout.strip().partition(" ")[0]
    if done.returncode or not version:
        return Finding("Claude Code", "problem", f"{executable} does not tell its version", "Reinstall it.")
    return Finding("Claude Code", "ok", f"{version} ({executable})")


async def _port(gateway: Gateway) -> Finding:
    found = await look(gateway)
    port = gateway.settings.server.port
    match found.state:
        case "free":
            return Finding("port", "ok", f"{port} is free; the proxy is not running")
        case "fits":
            return Finding("port", "ok", f"a proxy with these settings runs at {found.url}")
        case "other_settings":
            text = f"the proxy that runs at {found.url} was started with other settings"
            return Finding("port", "warning", text, "Restart it, or let it read them again: ccp reload")
        case "other_token":
            text = f"the proxy that runs at {found.url} asks for another token"
            return Finding(
                "port", "warning", text, "Restart it, or let it read its settings again: ccp reload"
            )
        case _:
            text = f"another program listens at {found.url}"
            return Finding("port", "problem", text, "Stop it, or choose another port: PORT (server.port)")


def _environment(environ: Mapping[str, str], url: str, place: str) -> Iterator[Finding]:
    """What in the client's environment gets in the way."""
    base = environ.get("ANTHROPIC_BASE_URL", "")
    if base.rstrip("/").endswith("/v1"):
        text = "ANTHROPIC_BASE_URL ends in /v1, which the client appends itself"
        yield Finding(place, "problem", text, f"ANTHROPIC_BASE_URL={url}")
    elif base and _address(base) != _address(url):
        text = f"ANTHROPIC_BASE_URL is {base}, and the proxy's address is {url}"
        yield Finding(
            place, "warning", text, f"ANTHROPIC_BASE_URL={url}, or start Claude Code with `ccp run`."
        )
    if environ.get("ANTHROPIC_API_KEY") and environ.get("ANTHROPIC_AUTH_TOKEN"):
        text = "ANTHROPIC_API_KEY and ANTHROPIC_AUTH_TOKEN are both set, and the client sends both"
        yield Finding(place, "warning", text, "Unset ANTHROPIC_API_KEY.")
    elif environ.get("ANTHROPIC_API_KEY"):
        text = "ANTHROPIC_API_KEY is set: the client would send that key to the proxy"
        yield Finding(place, "warning", text, "Unset it, and use ANTHROPIC_AUTH_TOKEN: `ccp env` prints it.")
    for name in ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY"):
        if environ.get(name) not in (None, "", "0", "false"):
            yield Finding(place, "warning", f"{name} leads the client past the proxy", f"Unset {name}.")
    if proxy := next((n for n in _PROXY_NAMES if environ.get(n) or environ.get(n.lower())), None):
        direct = (environ.get("NO_PROXY") or environ.get("no_proxy") or "").replace(",", " ").split()
        if not {"*", "127.0.0.1", "localhost"} & set(direct):
            text = f"{proxy} is set without NO_PROXY: the client would ask the web proxy for {url}"
            yield Finding(place, "warning", text, "NO_PROXY=127.0.0.1,localhost")


_PROXY_NAMES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


def _address(url: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        return ("loopback" if is_loopback(host) else host), parts.port
    except ValueError:
        return url, None


def _client_settings(environ: Mapping[str, str], url: str) -> Iterator[Finding]:
    """The client's own settings file can hold variables, too, and they count more than the environment."""
    folder = environ.get("CLAUDE_CONFIG_DIR") or os.path.expanduser("~/.claude")
    path = Path(folder, "settings.json")
    try:
        settings = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return
    variables = settings.get("env") if isinstance(settings, dict) else None
    if isinstance(variables, dict):
        yield from _environment({k: str(v) for k, v in variables.items()}, url, str(path))


def _files(loaded: LoadedSettings) -> Iterator[Finding]:
    """Configuration files that hold secrets are for their owner alone."""
    if sys.platform == "win32":
        return
    for path in loaded.files:
        name = os.fspath(path)
        holds_secret = any(
            origin.place.partition(", line ")[0] == place_of(path) and key.rpartition(".")[2] in _SECRET_KEYS
            for key, origin in loaded.origins.items()
        )
        mode = stat.S_IMODE(path.stat().st_mode)
        if holds_secret and mode & 0o077:
            text = f"{name} holds a key or a token, and others on this machine can read it (mode {mode:o})"
            yield Finding("files", "warning", text, f"chmod 600 {name}")
        else:
            yield Finding("files", "ok", f"{name} (mode {mode:o})")


_SECRET_KEYS = ("api_key", "api_keys", "auth_token", "headers", "proxy", "storage")
