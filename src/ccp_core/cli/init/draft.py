"""The configuration as it grows in ``ccp init``, and the providers that can be part of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from attrs import define, evolve, field, frozen

from ccp_core.cli.model_rows import ModelRow, fetch_rows
from ccp_core.config.catalog import PROVIDER_SETTINGS
from ccp_core.config.names import KNOWN_PROVIDERS
from ccp_core.config.settings import ProviderSettings, Settings
from ccp_core.config.sources import load_settings
from ccp_core.errors import ApiError
from ccp_core.gateway import Gateway
from ccp_core.host import PluginHost
from ccp_core.upstream import catalogue
from ccp_core.upstream.client import AttemptFailed

LOOK_TIMEOUT = 2.0
"""Seconds that a server on this machine may take to list its models."""

CHECK_TIMEOUT = 15.0
"""Seconds that a hosted provider may take."""


@define
class Draft:
    """Settings in the making. Nothing is written before the end."""

    settings: Settings
    plugins: PluginHost
    environment: Mapping[str, ProviderSettings] = field(factory=dict, repr=False)
    """What variables say of installed providers, their keys aside: it is in effect, and not written."""
    environment_keys: dict[str, str] = field(factory=dict, repr=False)
    """Keys that are used and not written, by provider id."""

    @classmethod
    def begin(cls, settings: Settings, plugins: PluginHost, environ: Mapping[str, str]) -> Draft:
        """A draft that starts with ``settings``. Raises ConfigError for what is wrong in the environment."""
        nowhere = Path(os.devnull)  # no file is to be read
        prefixes = {spec.id: spec.env_prefixes for spec in plugins.providers.values()}
        said = load_settings(None, environ, {}, extra_prefixes=prefixes, cwd=nowhere, home=nowhere).settings
        return cls(
            settings,
            plugins,
            {
                name: evolve(own, api_key="", api_keys=())
                for name, own in said.providers.items()
                if name in plugins.providers
            },
        )

    def set_provider(self, provider_id: str, **values: Any) -> None:
        """Set some settings of a provider."""
        before = self.settings.providers.get(provider_id, ProviderSettings())
        providers = {**self.settings.providers, provider_id: evolve(before, **values)}
        self.settings = evolve(self.settings, providers=providers)

    def set_section(self, section: str, **values: Any) -> None:
        """Set some settings of a section."""
        changed = evolve(getattr(self.settings, section), **values)
        self.settings = evolve(self.settings, **{section: changed})

    @property
    def complete(self) -> Settings:
        """The settings with those of the environment: as they will be in effect."""
        providers = dict(self.settings.providers)
        for provider_id, said in self.environment.items():
            providers[provider_id] = _overruled(providers.get(provider_id, ProviderSettings()), said)
        for provider_id, key in self.environment_keys.items():
            providers[provider_id] = evolve(providers.get(provider_id, ProviderSettings()), api_key=key)
        return evolve(self.settings, providers=providers)

    async def models(
        self, provider_ids: Sequence[str], timeout: float = CHECK_TIMEOUT
    ) -> tuple[list[ModelRow], dict[str, str]]:
        """The models of these providers as they are configured so far, and why others cannot be had."""
        gateway = Gateway(self.complete, self.plugins, refresh_models=False)
        try:
            upstreams = [gateway.upstreams[name] for name in provider_ids if name in gateway.upstreams]
            rows, failures = await fetch_rows(upstreams, timeout)
            return rows, {**failures, **{n: r for n, r in gateway.unusable.items() if n in provider_ids}}
        finally:
            await gateway.close()

    async def is_key_untold(self, provider_id: str) -> bool:
        """Whether a provider has a key and lists its models without one too, so that the list says nothing of it."""
        own = self.complete.providers.get(provider_id)
        if own is None or not own.keys:
            return False
        gateway = Gateway(self.complete, self.plugins, refresh_models=False)
        try:
            await catalogue.fetch(gateway.upstreams[provider_id], "", CHECK_TIMEOUT)
        except (AttemptFailed, ApiError):
            return False
        finally:
            await gateway.close()
        return True


def _overruled(own: ProviderSettings, by: ProviderSettings) -> ProviderSettings:
    """``own`` with everything that ``by`` says."""
    blank = ProviderSettings()
    said = {name: getattr(by, name) for name in PROVIDER_SETTINGS}
    return evolve(own, **{name: value for name, value in said.items() if value != getattr(blank, name)})


@frozen
class LocalServer:
    """A server that runs on this machine. Without a plugin, ``distribution`` is what has to be installed."""

    provider_id: str
    name: str
    models: int
    distribution: str = ""


async def local_servers(draft: Draft) -> list[LocalServer]:
    """The servers that are running here, in the order of the known providers."""
    installed = [spec for spec in draft.plugins.providers.values() if spec.local and spec.models_paths]
    absent = {
        name: known
        for name, known in KNOWN_PROVIDERS.items()
        if known.local_url and name not in draft.plugins.providers
    }
    (rows, failures), counts = await asyncio.gather(
        draft.models([spec.id for spec in installed], LOOK_TIMEOUT),
        asyncio.gather(*(_count_models(known.local_url) for known in absent.values())),
    )
    found = [
        LocalServer(spec.id, spec.name, sum(row.provider_id == spec.id for row in rows))
        for spec in installed
        if spec.id not in failures
    ]
    for (name, known), count in zip(absent.items(), counts, strict=True):
        if count is not None:
            found.append(LocalServer(name, known.name, count, known.distribution))
    return found


async def _count_models(url: str) -> int | None:
    """How many models a server lists; None when it is not there, or is something else."""
    timeout = aiohttp.ClientTimeout(total=LOOK_TIMEOUT)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        try:
            async with session.get(url, raise_for_status=True) as response:
                payload = orjson.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None
    models = payload.get("data") if isinstance(payload, dict) else payload
    return len(models) if isinstance(models, list) else None
