"""The answers of ``ccp init --non-interactive``: options instead of questions."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import asdict

from ccp_core.cli.init.draft import Draft
from ccp_core.cli.init.questions import new_token
from ccp_core.cli.start import note, stop
from ccp_core.config.catalog import PROVIDER_SETTINGS, SETTINGS
from ccp_core.config.checks import check
from ccp_core.config.problems import ConfigError
from ccp_core.config.settings import Settings
from ccp_core.config.values import structure
from ccp_core.host import PluginHost
from ccp_core.route import split_model
from ccp_core.routing import TIERS


def settings_from_flags(
    plugins: PluginHost, answers: Mapping[str, Any], environ: Mapping[str, str]
) -> Settings:
    """The settings that the options describe; a problem ends the command."""
    try:
        draft = Draft.begin(Settings(), plugins, environ)
    except ConfigError as error:
        stop(*error.problems)
    routes = {"default": answers["model"], **{tier: answers[tier] for tier in TIERS}}
    given = {tier: route for tier, route in routes.items() if route}
    if not given:
        stop("--model PROVIDER/MODEL is missing: which model should answer? `ccp models` lists them.")
    for tier, route in given.items():
        option = "--model" if tier == "default" else f"--{tier}"
        draft.set_section("models", **{tier: _value(("models", tier), route, f"{option} ")})
    for given_pairs, key in (("keys", "api_key"), ("base_urls", "base_url"), ("transports", "transport")):
        option = f"--{key.replace('_', '-')}"
        for provider_id, text in _pairs(answers[given_pairs], option):
            value = sys.stdin.readline().strip() if key == "api_key" and text == "-" else text
            typed = _value(("providers", provider_id, key), value, f"{option} {provider_id}=")
            draft.set_provider(provider_id, **{key: typed})
    answers = {**answers, "auth_token": new_token() if answers["token"] is None else answers["token"]}
    for name, option in (("auth_token", "--token"), ("host", "--host"), ("port", "--port")):
        if answers[name] is not None:
            draft.set_section("server", **{name: _value(("server", name), answers[name], f"{option} ")})
    _take_keys_of_environment(draft, environ)
    if problems := check(draft.complete, plugins.providers, transports=plugins.transports):
        stop(*(problem.text for problem in problems))
    if not answers["no_check"]:
        _ask_providers(draft)
    return draft.settings


def _take_keys_of_environment(draft: Draft, environ: Mapping[str, str]) -> None:
    for provider_id in _used(draft):
        spec = draft.plugins.providers.get(provider_id)
        own = draft.settings.providers.get(provider_id)
        if spec is not None and spec.needs_key and (own is None or not own.keys):
            for prefix in spec.env_prefixes:
                if key := environ.get(f"{prefix}_API_KEY", "").strip():
                    draft.environment_keys[provider_id] = key
                    note(f"{prefix}_API_KEY is taken from the environment, and not written")
                    break


def _ask_providers(draft: Draft) -> None:
    """Whether the keys work, as far as a list of models can tell."""
    used = _used(draft)
    rows, failures = asyncio.run(draft.models(used))
    if failures:
        stop(*(f"{name}: {reason} (--no-check skips this)" for name, reason in failures.items()))
    listed = {row.route for row in rows}
    for route in dict.fromkeys(_routes(draft)):
        if route not in listed:
            note(f"{route} is not in the provider's list of models; `ccp models` shows it")


def _routes(draft: Draft) -> list[str]:
    return [route for route in asdict(draft.settings.models).values() if route]


def _used(draft: Draft) -> list[str]:
    pairs = map(split_model, _routes(draft))
    return list(dict.fromkeys(pair[0] for pair in pairs if pair is not None))


def _pairs(texts: Iterable[str], option: str) -> Iterable[tuple[str, str]]:
    for text in texts:
        provider_id, equals, value = text.partition("=")
        if not equals or not provider_id:
            stop(f"{option} wants PROVIDER=VALUE, for example {option} groq=…")
        yield provider_id, value


def _value(key: tuple[str, ...], text: Any, before: str) -> Any:
    setting = PROVIDER_SETTINGS[key[-1]] if key[0] == "providers" else SETTINGS[key]
    try:
        return structure(text, setting, text=isinstance(text, str))
    except ValueError as error:
        stop(f"{before}{'***' if setting.secret else text} must be {error}")
