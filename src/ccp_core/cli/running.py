"""The proxy of one session: the one that runs already, or one that lives as long as the session."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Collection
from typing import Any, Literal

import aiohttp
import orjson
from attrs import asdict, frozen

from ccp_core import logs
from ccp_core.cli.client_env import token_for
from ccp_core.cli.start import note
from ccp_core.config.secrets import secrets_of
from ccp_core.config.settings import ServerSettings
from ccp_core.gateway import Gateway
from ccp_core.server.listening import shown_url
from ccp_core.server.run import serving

LOOK_TIMEOUT = 2.0
"""Seconds that a proxy may take to say that it is there."""

State = Literal["free", "fits", "other_token", "other_settings", "foreign"]


@frozen
class Found:
    """What is at the proxy's address: nobody, a proxy that fits our settings, another one, or another program."""

    url: str
    state: State
    version: str = ""


async def look(gateway: Gateway) -> Found:
    """See who listens at the configured address."""
    server = gateway.settings.server
    url = shown_url(server.host, server.port)
    if server.port == 0:
        return Found(url, "free")
    timeout = aiohttp.ClientTimeout(total=LOOK_TIMEOUT)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        try:
            health = await _json(session, f"{url}/health")
        except aiohttp.ClientConnectorError:
            return Found(url, "free")
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
            health = None
        if not isinstance(health, dict) or "providers" not in health:
            return Found(url, "foreign")
        version = str(health.get("version", ""))
        if health.get("models") != asdict(gateway.settings.models):
            return Found(url, "other_settings", version)
        try:
            await _json(session, f"{url}/v1/models", server.auth_token)
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
            return Found(url, "other_token", version)
    return Found(url, "fits", version)


@frozen
class Proxy:
    """A proxy to talk to. ``started``: by us, out of our gateway."""

    url: str
    started: bool


@contextlib.asynccontextmanager
async def proxy_for(gateway: Gateway) -> AsyncIterator[Proxy]:
    """A proxy with the settings of ``gateway``. One is started, and ended with the context, unless one runs already.

    Raises CannotListen.
    """
    found = await look(gateway)
    if found.state == "fits":
        note(f"using the proxy at {found.url}")
        await gateway.close()
        yield Proxy(found.url, started=False)
        return
    because = {
        "free": "",
        "foreign": f" ({found.url} is taken by another program)",
        "other_token": f" (the one at {found.url} has another token)",
        "other_settings": f" (the one at {found.url} has other settings)",
    }[found.state]
    settings = gateway.settings
    file = logs.configure(settings.logging, secrets_of(settings), terminal=False)
    async with serving(gateway, None if found.state == "free" else 0) as url:
        note(f"started a proxy at {url} for this session{because}; log: {file or 'none'}")
        yield Proxy(url, started=True)


async def known_window(url: str, server: ServerSettings, routes: Collection[str]) -> int | None:
    """The smallest context window in tokens among those that the proxy knows of these routes."""
    timeout = aiohttp.ClientTimeout(total=LOOK_TIMEOUT)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        try:
            payload = await _json(session, f"{url}/v1/models", server.auth_token)
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
            return None
    windows = {entry["id"].removeprefix("anthropic/"): entry["max_input_tokens"] for entry in payload["data"]}
    return min((window for route in routes if (window := windows.get(route))), default=None)


async def _json(session: aiohttp.ClientSession, url: str, token: str = "") -> Any:
    headers = {"authorization": f"Bearer {token_for(token)}"}
    async with session.get(url, headers=headers, raise_for_status=True) as response:
        return orjson.loads(await response.read())
