"""An old ``.env`` as settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from attrs import evolve, fields

from ccp_core.config.files import dotenv_candidates
from ccp_core.config.names import KNOWN_PROVIDERS
from ccp_core.config.settings import FallbackSettings, ModelSettings, ProviderSettings, Settings
from ccp_core.config.sources import load_env_file
from ccp_core.host import PluginHost
from ccp_core.route import split_model


def settings_from_env(path: Path, plugins: PluginHost) -> tuple[Settings, list[str]]:
    """The settings of the file, without what says nothing; and lines for the person. Raises ConfigError.

    Such files name all providers, with their usual addresses. A provider without a plugin stays only when a
    route needs it: its table would stop the start.
    """
    loaded = load_env_file(path, plugins.providers)
    lines = list(loaded.warnings)
    routed = _routed(loaded.settings)
    providers: dict[str, ProviderSettings] = {}
    for name, own in loaded.settings.providers.items():
        spec = plugins.providers.get(name)
        if spec is not None and own.base_url == spec.base_url.rstrip("/"):
            own = evolve(own, base_url=None)
        known = KNOWN_PROVIDERS.get(name)
        if spec is None and known is not None and name not in routed:
            if own.keys:
                lines.append(
                    f"the keys of {known.name} were left out: pip install {known.distribution}, and run this again"
                )
        elif own != ProviderSettings():
            providers[name] = own
    return evolve(loaded.settings, providers=providers), lines


def _routed(settings: Settings) -> set[str]:
    texts = [getattr(settings.models, attribute.name) for attribute in fields(ModelSettings)]
    for attribute in fields(FallbackSettings):
        texts += getattr(settings.fallbacks, attribute.name) or ()
    return {pair[0] for text in texts if (pair := split_model(text))}


def old_files(cwd: Path, home: Path | None) -> Mapping[str, Path]:
    """The ``.env`` files of earlier versions that exist, by the way people write them."""
    return {str(path): path for path in dotenv_candidates(cwd, home) if os.path.isfile(path)}
