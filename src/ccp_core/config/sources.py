"""From files, environment and flags to Settings: defaults < ccp.toml < .env < environment < flags.

Each source gives raw values by key; of equal keys the highest source counts. Only then a value is typed and
tested, so that a flag can cure what the environment of somebody's machine holds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import Factory, frozen

from ccp_core.config.catalog import PROVIDER_SETTINGS, SECTIONS, Key, setting_of
from ccp_core.config.checks import check
from ccp_core.config.files import home_folder
from ccp_core.config.problems import ConfigError, Origin, Problem, shortened, value_hint
from ccp_core.config.reader import Given, Reader
from ccp_core.config.secrets import shown
from ccp_core.config.settings import ProviderSettings, Settings
from ccp_core.config.values import structure
from ccp_core.provider import ProviderSpec


@frozen
class LoadedSettings:
    """Settings, and where they came from."""

    settings: Settings
    files: tuple[Path, ...] = ()
    """The files that were read: ccp.toml, then .env files, the stronger first."""
    origins: Mapping[str, Origin] = Factory(dict)
    """By ``section.key``, ``providers.ID.key``, for a table ``providers.ID``; what is absent is a default."""
    warnings: tuple[str, ...] = ()
    """Lines for the person; nothing that stops the start."""


def load_settings(
    config_path: Path | None,
    environ: Mapping[str, str],
    flags: Mapping[str, object],
    *,
    installed: Mapping[str, ProviderSpec] | None = None,
    transports: Collection[str] | None = None,
    extra_prefixes: Mapping[str, Sequence[str]] | None = None,
    cwd: Path | None = None,
    home: Path | None = None,
) -> LoadedSettings:
    """Load the settings. Raises ConfigError with all problems that were found.

    ``flags`` are values of the command line by key (``server.port``); None means "not given". ``installed``
    are the specs of the plugins by provider id: with them, what needs a provider is checked too
    (``config.checks``), and what the environment says of providers that do not exist is left out.
    ``transports`` are the installed transport libraries. ``extra_prefixes`` adds prefixes of variables by
    provider id. ``cwd`` and ``home`` replace this process's current and home folder.
    """
    reader = Reader(cwd or Path.cwd(), home or home_folder())
    reader.read(config_path, environ, flags, {**_prefixes(installed), **(extra_prefixes or {})})
    return _loaded(reader, installed, transports)


def load_env_file(path: Path, installed: Mapping[str, ProviderSpec] | None = None) -> LoadedSettings:
    """The settings of one ``.env`` file and of nothing else, to make a ccp.toml of them.

    ``installed`` brings the prefixes of plugins; whether the settings fit them is not checked. Raises
    ConfigError.
    """
    reader = Reader(Path.cwd(), None)
    reader.read_env_file(path, _prefixes(installed))
    return _loaded(reader, None, None)


def _prefixes(installed: Mapping[str, ProviderSpec] | None) -> dict[str, Sequence[str]]:
    return {spec.id: spec.env_prefixes for spec in (installed or {}).values()}


def _loaded(
    reader: Reader, installed: Mapping[str, ProviderSpec] | None, transports: Collection[str] | None
) -> LoadedSettings:
    if installed is not None:
        _drop_absent_providers(reader.given, {*reader.tables, *installed})
    values, rejected = _structured(reader.given)
    if installed is not None:
        _drop_what_is_usual(values, reader.given, installed)
    loaded = LoadedSettings(
        settings=_settings(values, reader.tables),
        files=tuple(reader.files),
        origins={
            **{f"providers.{name}": origin for name, origin in reader.tables.items()},
            **{".".join(key): reader.given[key].origin for key in values},
        },
        warnings=tuple(reader.warnings),
    )
    problems = [*reader.problems, *rejected.values()]
    if installed is not None:
        invalid = frozenset(".".join(key) for key in rejected)
        problems += check(
            loaded.settings, installed, origins=loaded.origins, invalid=invalid, transports=transports
        )
    if problems:
        raise ConfigError(problems)
    return loaded


def _drop_absent_providers(given: dict[Key, Given], existing: Collection[str]) -> None:
    """Forget variables of providers that are not there: an old .env names all of them."""
    for provider_id in {key[1] for key in given if key[0] == "providers"} - set(existing):
        keys = [key for key in given if key[:2] == ("providers", provider_id)]
        if not {"transport", "base_url"} <= {key[2] for key in keys}:
            for key in keys:
                del given[key]


def _drop_what_is_usual(
    values: dict[Key, Any], given: Mapping[Key, Given], installed: Mapping[str, ProviderSpec]
) -> None:
    """Forget variables that say of a provider what is so anyway. An old .env has the usual address of every local
    server, and that does not mean that somebody wants to use it.
    """
    for key in [key for key in values if key[0] == "providers" and given[key].text]:
        _, provider_id, name = key
        if name == "base_url" and provider_id in installed:
            is_usual = values[key].rstrip("/") == installed[provider_id].base_url.rstrip("/")
        else:
            is_usual = values[key] == PROVIDER_SETTINGS[name].default
        if is_usual:
            del values[key]


def _structured(given: Mapping[Key, Given]) -> tuple[dict[Key, Any], dict[Key, Problem]]:
    """Values of their types, and a problem for each that is not allowed."""
    values: dict[Key, Any] = {}
    rejected: dict[Key, Problem] = {}
    for key, item in given.items():
        setting = setting_of(key)
        assert setting is not None, key
        try:
            values[key] = structure(item.raw, setting, text=item.text)
        except ValueError as error:
            written = f"{item.origin.name} = {shortened(shown(item.raw, setting))}"
            text = f"{written} must be {error}.{value_hint(item.raw, setting)}"
            rejected[key] = Problem(item.origin.place, text)
    return values, rejected


def _settings(values: Mapping[Key, Any], tables: Collection[str]) -> Settings:
    sections: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    providers: dict[str, dict[str, Any]] = {provider_id: {} for provider_id in tables}
    for key, value in values.items():
        (providers.setdefault(key[1], {}) if len(key) == 3 else sections[key[0]])[key[-1]] = value
    return Settings(
        **{section: SECTIONS[section](**entries) for section, entries in sections.items()},
        providers={provider_id: ProviderSettings(**entries) for provider_id, entries in providers.items()},
    )
