"""What needs all settings and plugins to be told: routes, keys, transports, and who may reach the port."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping

from attrs import field, fields, frozen

from ccp_core.config.names import KNOWN_PROVIDERS, TRANSPORT_DISTRIBUTIONS, prefixes_of
from ccp_core.config.problems import Origin, Problem, closest
from ccp_core.config.settings import FallbackSettings, ModelSettings, ProviderSettings, Settings
from ccp_core.config.validators import is_loopback
from ccp_core.provider import ProviderSpec
from ccp_core.route import split_model

_KEY_HEADERS = frozenset({"authorization", "x-api-key", "api-key"})
_PROVIDER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def check(
    settings: Settings,
    installed: Mapping[str, ProviderSpec],
    *,
    origins: Mapping[str, Origin] | None = None,
    invalid: frozenset[str] = frozenset(),
    transports: Collection[str] | None = None,
) -> list[Problem]:
    """Problems of these settings with these providers, by id.

    ``origins`` (of LoadedSettings) let the texts name places. ``invalid`` are keys whose value is wrong,
    so that nobody asks for them again. ``transports`` are the installed transport libraries; None leaves them
    unchecked.
    """
    checker = _Checker(settings, installed, origins or {}, invalid)
    return [
        *checker.public_bind(),
        *checker.providers(transports),
        *checker.routes(),
    ]


def unknown_provider(
    provider_id: str, settings: Settings, installed: Mapping[str, ProviderSpec] | None = None
) -> str:
    """What to tell somebody who names a provider that does not exist, and what is probably meant."""
    return _Checker(settings, installed or {}, {}, frozenset()).unknown_provider(provider_id)


@frozen
class _Checker:
    settings: Settings = field(repr=False)
    installed: Mapping[str, ProviderSpec]
    origins: Mapping[str, Origin]
    invalid: frozenset[str]

    def _problem(self, key: str, text: str) -> Problem:
        origin = self.origins.get(key)
        return Problem(origin.place if origin else "settings", f"{origin.name if origin else key}{text}")

    def public_bind(self) -> Iterator[Problem]:
        """Anybody who reaches an open port spends the person's keys."""
        server = self.settings.server
        token = server.auth_token or "server.auth_token" in self.invalid
        if not is_loopback(server.host) and not token and not server.insecure:
            yield self._problem(
                "server.host",
                f' = "{server.host}" lets other machines in, but no token is set: set ANTHROPIC_AUTH_TOKEN '
                "(server.auth_token), or listen on 127.0.0.1, or start with --insecure.",
            )

    def providers(self, transports: Collection[str] | None) -> Iterator[Problem]:
        for provider_id, provider in self.settings.providers.items():
            key = f"providers.{provider_id}"
            spec = self.installed.get(provider_id)
            if spec is None:
                yield from self._own_provider(provider_id, provider, transports)
            elif provider.transport and provider.transport not in spec.transports:
                speaks = f"{spec.name} speaks {' and '.join(spec.transports)}"
                yield self._problem(
                    f"{key}.transport", f' = "{provider.transport}" is not possible: {speaks}.'
                )
            authority = provider.ca_file
            if authority and not (os.path.isfile(authority) and os.access(authority, os.R_OK)):
                yield self._problem(f"{key}.ca_file", f' = "{authority}" is not a file that can be read.')

    def _own_provider(
        self, provider_id: str, provider: ProviderSettings, transports: Collection[str] | None
    ) -> Iterator[Problem]:
        key = f"providers.{provider_id}"
        missing = [
            f"{key}.{name}"
            for name in ("transport", "base_url")
            if not getattr(provider, name) and f"{key}.{name}" not in self.invalid
        ]
        known = KNOWN_PROVIDERS.get(provider_id)
        if not _PROVIDER_ID.fullmatch(provider_id):
            yield self._problem(key, " is no name for a provider: letters, digits, - and _ are allowed.")
        elif missing and known:
            yield self._problem(key, f" needs the plugin of {known.name}: pip install {known.distribution}")
        elif missing:
            needs = f" has no plugin of this name, so it needs {' and '.join(missing)}."
            yield self._problem(key, f"{needs}{self._meant(provider_id)}")
        elif transports is not None and provider.transport and provider.transport not in transports:
            distribution = TRANSPORT_DISTRIBUTIONS[provider.transport]
            yield self._problem(f"{key}.transport", f' = "{provider.transport}": pip install {distribution}')

    def routes(self) -> Iterator[Problem]:
        without_key: set[str] = set()
        for key, text in self._route_texts():
            parts = split_model(text)
            if parts is None:
                continue  # settings that were loaded cannot get here: each value was tested
            provider_id = parts[0]
            spec = self.installed.get(provider_id)
            if spec is None:
                if provider_id not in self.settings.providers:
                    yield self._problem(key, f' = "{text}": {self.unknown_provider(provider_id)}')
            elif spec.needs_key and provider_id not in without_key and not self._has_key(provider_id):
                without_key.add(provider_id)
                prefix = (spec.env_prefixes or prefixes_of(provider_id))[0]
                where = f" A key is to be had at {spec.keys_url}." if spec.keys_url else ""
                yield self._problem(
                    key,
                    f' = "{text}": {spec.name} needs a key: set {prefix}_API_KEY '
                    f"or providers.{provider_id}.api_key.{where}",
                )

    def _route_texts(self) -> Iterator[tuple[str, str]]:
        for attribute in fields(ModelSettings):
            if text := getattr(self.settings.models, attribute.name):
                yield f"models.{attribute.name}", text
        for attribute in fields(FallbackSettings):
            for text in getattr(self.settings.fallbacks, attribute.name) or ():
                yield f"fallbacks.{attribute.name}", text

    def _has_key(self, provider_id: str) -> bool:
        if not self.invalid.isdisjoint(f"providers.{provider_id}.{name}" for name in ("api_key", "api_keys")):
            return True
        provider = self.settings.providers.get(provider_id)
        return provider is not None and (
            bool(provider.keys)
            or provider.auth == "none"
            or not _KEY_HEADERS.isdisjoint(name.lower() for name in provider.headers)
        )

    def unknown_provider(self, provider_id: str) -> str:
        if known := KNOWN_PROVIDERS.get(provider_id):
            return f"the plugin of {known.name} is not installed: pip install {known.distribution}"
        hint = self._meant(provider_id)
        if not hint:
            installed = [name for name, spec in self.installed.items() if spec.transports]  # not the demo
            existing = ", ".join(sorted({*installed, *self.settings.providers})) or "none"
            hint = (
                f" Those that exist: {existing}. An endpoint without a plugin needs a table "
                f"[providers.{provider_id}] with transport and base_url."
            )
        return f'there is no provider "{provider_id}".{hint}'

    def _meant(self, provider_id: str) -> str:
        """A sentence with the provider that is meant by an id, a usual name or a misspelling of them."""
        names = {
            **{prefix.lower(): name for name, known in KNOWN_PROVIDERS.items() for prefix in known.prefixes},
            **{known.distribution[4:]: name for name, known in KNOWN_PROVIDERS.items()},
            **{name: name for name in (*KNOWN_PROVIDERS, *self.settings.providers, *self.installed)},
        }
        others = [word for word, name in names.items() if name != provider_id]
        found = closest(provider_id.lower(), others)
        if found is None:
            return ""
        meant = names[found]
        if meant in self.installed or meant not in KNOWN_PROVIDERS:
            return f" Did you mean {meant}?"
        return f" Did you mean {meant} (pip install {KNOWN_PROVIDERS[meant].distribution})?"
