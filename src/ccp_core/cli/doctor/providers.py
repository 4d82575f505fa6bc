"""The doctor's questions to a provider: its list of models with every key, then one request to each model in use."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import count

from attrs import frozen

from ccp_core.cli.doctor.faults import fault
from ccp_core.cli.doctor.findings import Finding, Section
from ccp_core.cli.doctor.probe import Observer, ProbeResult, probe
from ccp_core.cli.model_rows import window_text
from ccp_core.errors import ApiError
from ccp_core.errors import VerdictKind as Kind
from ccp_core.gateway import Gateway
from ccp_core.route import Route
from ccp_core.server.errors import Situation
from ccp_core.upstream import catalogue
from ccp_core.upstream.client import AttemptFailed
from ccp_core.upstream.upstream import Upstream

LEAST_WINDOW = 32_000
"""Tokens. The client's own prompt and tools take more than 20,000 before the person has said a word."""

SLOW_SECONDS = 20.0
"""A first token that takes longer than this is worth a word."""

_KEY_KINDS = (Kind.AUTHENTICATION, Kind.PERMISSION, Kind.BILLING)


@frozen
class RoutedModel:
    """A model that the settings route to. ``places`` are the settings that name it."""

    route: Route
    places: tuple[str, ...]


async def check_provider(
    gateway: Gateway, upstream: Upstream, observer: Observer, models: Sequence[RoutedModel], timeout: float
) -> list[tuple[Section, int]]:
    """A section for the provider and one for each of ``models``, each with the tokens that were spent."""
    provider = upstream.provider
    findings = await _access(upstream, timeout)
    if not models:
        findings.append(Finding("models", "unknown", "no tier uses it, so no model is asked"))
    sections = [(Section(f"{provider.name} ({provider.id}, {provider.base_url})", findings), 0)]
    if _is_hopeless(findings):
        return sections
    for model in models:
        result = await probe(gateway, observer, model.route, timeout)
        title = f"{model.route} ({', '.join(model.places)})"
        sections.append((Section(title, _judge(upstream, model, result)), result.tokens))
    return sections


def _is_hopeless(findings: Sequence[Finding]) -> bool:
    """Whether every request would end like the ones before: nobody is there, or no key is accepted."""
    keys = [finding for finding in findings if finding.check.startswith("key")]
    unreachable = any(finding.status == "problem" and finding.check == "reachable" for finding in findings)
    return unreachable or (bool(keys) and all(finding.status == "problem" for finding in keys))


async def _access(upstream: Upstream, timeout: float) -> list[Finding]:
    """Whether the provider is there, and takes each of the keys."""
    secrets = upstream.keys.secrets
    if not catalogue.is_configured(upstream):
        if upstream.provider.spec.models_paths:
            at = Situation(provider=upstream.provider, model="")
            url = upstream.provider.spec.keys_url
            cure = f"Set {at.key_setting}.{f' Keys are made at {url}' if url else ''}"
            return [Finding("key", "problem", "no key is set", cure)]
        return []
    findings: list[Finding] = []
    for number, secret in zip(count(1), secrets or ("",), strict=False):
        started = time.monotonic()
        check = "key" if len(secrets) < 2 else f"key {number}"
        found = await _list_with(upstream, secret, timeout, check)
        if isinstance(found, Finding):
            if found.check == "reachable":
                return [found]
            findings.append(found)
        else:
            if not any(finding.check == "reachable" for finding in findings):
                text = f"models listed: {len(upstream.models)}, in {time.monotonic() - started:.1f} s"
                findings.append(Finding("reachable", "ok", text))
            if secret:
                findings.append(await _key(upstream, check, timeout))
    return findings


async def _list_with(upstream: Upstream, secret: str, timeout: float, check: str) -> Finding | None:
    """Bring the models up to date with one key; None when that worked, which says nothing of a public list."""
    situation = Situation(provider=upstream.provider, model="", keys=len(upstream.keys))
    try:
        upstream.set_models(await catalogue.fetch(upstream, secret, min(timeout, catalogue.LIST_TIMEOUT)))
    except AttemptFailed as failed:
        verdict = upstream.lane.classify_error(failed.failure)
        found = fault(verdict, situation, "")
        if verdict.kind in _KEY_KINDS:
            return Finding(check, found.status, upstream.redact(found.text), found.cure)
        if failed.failure.cause == "status":  # it is there, but has no list: that is no obstacle
            status = failed.failure.status
            return Finding(
                "models", "warning", f"its list of models cannot be had (status {status})", found.cure
            )
        return Finding("reachable", found.status, upstream.redact(found.text), found.cure)
    except ApiError as error:
        return Finding("models", "problem", upstream.redact(error.message), "See `ccp plugins`.")
    return None


async def _key(upstream: Upstream, check: str, timeout: float) -> Finding:
    """What a list that was answered says of the key: nothing, if it is answered without one too."""
    try:
        await catalogue.fetch(upstream, "", min(timeout, catalogue.LIST_TIMEOUT))
    except AttemptFailed:
        return Finding(check, "ok", "accepted")
    return Finding(check, "unknown", "the list of models is public; the requests below tell")


def _judge(upstream: Upstream, model: RoutedModel, result: ProbeResult) -> list[Finding]:
    situation = Situation(provider=upstream.provider, model=model.route.model, keys=len(upstream.keys))
    places = " and ".join(model.places)
    if result.timed_out:
        text = "no whole answer in the time given"
        cure = "Try again with a longer --timeout; a model that has to be loaded first takes minutes."
        return [Finding("answer", "problem", text, cure)]
    if result.error is not None:
        if result.verdict is None:
            return [
                Finding("request", "problem", upstream.redact(result.error.message), "See `ccp plugins`.")
            ]
        found = fault(result.verdict, situation, places)
        return [Finding(found.check, found.status, upstream.redact(found.text), found.cure)]
    return [
        Finding("answer", "ok", _listed(upstream, model.route.model)),
        _first_token(result),
        _streams(result, situation),
        _calls(upstream, model, result),
        _thinks(upstream, model, result),
        _window(upstream, model, situation),
    ]


def _listed(upstream: Upstream, model: str) -> str:
    """The model answered, whether the list has it or not."""
    if not upstream.models or model in upstream.models:
        return "it answers"
    return "it answers, though the provider's list of models does not have it"


def _first_token(result: ProbeResult) -> Finding:
    seconds = result.first_token or 0.0
    text = f"after {seconds:.2f} s"
    if seconds <= SLOW_SECONDS:
        return Finding("first token", "ok", text)
    return Finding(
        "first token", "warning", text, "Every turn will begin like this; a smaller model is quicker."
    )


def _streams(result: ProbeResult, at: Situation) -> Finding:
    if result.streamed:
        return Finding("streaming", "ok", "yes")
    cure = f"Answers come whole and late. Check {at.setting('BASE_URL', 'base_url')}, and what is in between."
    return Finding("streaming", "warning", "no: the answer came in one piece", cure)


def _calls(upstream: Upstream, model: RoutedModel, result: ProbeResult) -> Finding:
    called = result.tool_input
    if isinstance(called, dict) and "ok" in called:
        return Finding("tool call", "ok", "yes")
    cure = (
        f"Claude Code does everything with tools: choose a model that can. ccp models {upstream.provider.id}"
    )
    if called is not None:
        return Finding("tool call", "warning", "with a wrong input", cure)
    card = upstream.card(model.route.model)
    return Finding(
        "tool call", "problem", f"no{': the list says so, too' if card.tools is False else ''}", cure
    )


def _thinks(upstream: Upstream, model: RoutedModel, result: ProbeResult) -> Finding:
    if not model.route.thinking:
        if result.thought:
            text = "shown, though it is switched off for this tier"
            return Finding(
                "thinking", "warning", text, "The model cannot stop thinking; it costs time and tokens."
            )
        return Finding("thinking", "ok", "switched off for this tier")
    if result.thought:
        return Finding("thinking", "ok", "yes")
    if upstream.card(model.route.model).thinking:
        return Finding(
            "thinking", "unknown", "none for this small question, though the list says that it can"
        )
    return Finding("thinking", "unknown", "none was shown; the model may not reason")


def _window(upstream: Upstream, model: RoutedModel, at: Situation) -> Finding:
    window = upstream.card(model.route.model).context_window
    if not window:
        where = f"providers.{upstream.provider.id}.context_windows in ccp.toml"
        cure = f"Tell it in {where}; then the client compacts in time."
        return Finding("context", "unknown", "the provider does not tell", cure)
    text = f"{window_text(window)} tokens"
    if window >= LEAST_WINDOW:
        return Finding("context", "ok", text)
    fix = (
        "Start the server with a larger context"
        if at.provider.spec.local
        else "Choose a model with a larger one"
    )
    cure = f"{fix}: the first request of Claude Code alone has more than 20,000 tokens."
    return Finding("context", "problem", text, cure)


def routed_models(gateway: Gateway) -> Mapping[str, list[RoutedModel]]:
    """By provider id, every model that a tier or a fallback routes to, with the settings that name it."""
    settings = gateway.settings
    places: dict[tuple[str, str], list[str]] = {}
    thinking: dict[tuple[str, str], bool] = {}
    for section, tier, text in _routes(gateway):
        provider, _, model = text.partition("/")
        places.setdefault((provider, model), []).append(f"{section}.{tier}")
        wanted = getattr(settings.thinking, tier, None)
        thinking.setdefault((provider, model), settings.thinking.default if wanted is None else wanted)
    models: dict[str, list[RoutedModel]] = {}
    for (provider, model), names in places.items():
        route = Route(provider_id=provider, model=model, thinking=thinking[provider, model])
        models.setdefault(provider, []).append(RoutedModel(route, tuple(names)))
    return models


def _routes(gateway: Gateway) -> list[tuple[str, str, str]]:
    settings = gateway.settings
    tiers = ("default", "opus", "sonnet", "haiku", "fable")
    found = [("models", tier, getattr(settings.models, tier)) for tier in (*tiers, "vision")]
    found += [("fallbacks", tier, text) for tier in tiers for text in getattr(settings.fallbacks, tier) or ()]
    return [entry for entry in found if entry[2]]
