"""The settings in effect, as rows for people: masked, and with the place where each value was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import frozen

from ccp_core.config.catalog import PROVIDER_SETTINGS, SETTINGS, Key, Setting
from ccp_core.config.names import prefixes_of
from ccp_core.config.secrets import shown
from ccp_core.config.sources import LoadedSettings
from ccp_core.provider import ProviderSpec


@frozen
class Row:
    """One setting: its key in ccp.toml, its environment variable, its value (safe to show) and its origin."""

    key: str
    variable: str
    value: str
    """JSON; secrets are masked; blank when there is none."""
    origin: str
    """A file with line, ``environment``, ``command line`` or ``default``."""

    @property
    def is_default(self) -> bool:
        """Whether nobody set it."""
        return self.origin == "default"


def rows(loaded: LoadedSettings, installed: Mapping[str, ProviderSpec] | None = None) -> list[Row]:
    """All settings, and of each provider those that were set. ``installed`` tells the prefixes of plugins."""
    return [*_section_rows(loaded), *_provider_rows(loaded, installed or {})]


def _section_rows(loaded: LoadedSettings) -> Iterator[Row]:
    for key, setting in SETTINGS.items():
        value = getattr(getattr(loaded.settings, setting.section), setting.key)
        yield _row(loaded, key, setting, setting.variable, value)


def _provider_rows(loaded: LoadedSettings, installed: Mapping[str, ProviderSpec]) -> Iterator[Row]:
    for provider_id, provider in loaded.settings.providers.items():
        spec = installed.get(provider_id)
        prefix = (spec.env_prefixes if spec and spec.env_prefixes else prefixes_of(provider_id))[0]
        for name, setting in PROVIDER_SETTINGS.items():
            if f"providers.{provider_id}.{name}" in loaded.origins:
                key = ("providers", provider_id, name)
                yield _row(loaded, key, setting, f"{prefix}_{setting.variable}", getattr(provider, name))


def _row(loaded: LoadedSettings, key: Key, setting: Setting, variable: str, value: object) -> Row:
    name = ".".join(key)
    origin = loaded.origins.get(name)
    if origin is not None and setting.can_be_off and value == setting.attribute.metadata["off"]:
        value = "off"
    return Row(
        key=name,
        # The variable that was used may be another spelling than the one to tell people.
        variable=origin.name if origin and origin.place == "environment" else variable,
        value="" if value is None else shown(value, setting),
        origin=origin.place if origin else "default",
    )
