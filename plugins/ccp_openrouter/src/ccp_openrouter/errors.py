"""What OpenRouter's errors mean. Its error object has ``metadata``, whose ``error_type`` is stable.

A failure of the provider behind OpenRouter comes as "Provider returned error", with that provider's own answer in
``metadata.raw``; no other key of ours can help against it.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from typing import Any

import ccp_anthropic_compat
import ccp_openai_compat
import orjson
from attrs import evolve

from ccp_core.builtins import classify as core
from ccp_core.errors import Adjustment, UpstreamErrorFields, UpstreamFailure, Verdict, VerdictKind
from ccp_core.provider import IMAGES, Provider

Kind = VerdictKind

_AFFORD = re.compile(r"can only afford (\d+)")
_LEAST_ANSWER = 1024
"""Tokens: a shorter answer than this is of no use to the client."""

_TRANSIENT = {
    "provider_overloaded": Kind.OVERLOADED,
    "provider_unavailable": Kind.OVERLOADED,
    "server": Kind.SERVER_ERROR,
    "timeout": Kind.TIMEOUT,
}
_FINAL = {
    "content_policy_violation": Kind.CONTENT_FILTER,
    "refusal": Kind.CONTENT_FILTER,
    "invalid_image": Kind.INVALID_REQUEST,
    "image_too_large": Kind.INVALID_REQUEST,
    "permission_denied": Kind.PERMISSION,
}
_OVERFLOW = {"context_length_exceeded", "token_limit_exceeded", "string_too_long"}


def classify(provider: Provider, failure: UpstreamFailure) -> Verdict | None:
    """The verdict on an error that only OpenRouter words like this; None leaves it to the core."""
    if failure.cause not in ("status", "stream"):
        return None
    error = failure.error
    metadata = error.raw.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    status = failure.status or (int(error.code) if error.code.isdecimal() else 0)
    match status:
        case 402:
            return _credit(failure, error, metadata)
        case 403 if "reasons" in metadata or "moderation" in error.text:
            return Verdict(kind=Kind.CONTENT_FILTER, message=error.message)
        case 404:
            return _no_endpoint(error, metadata)
        case 429:
            return _rate(failure, error, metadata)
    if metadata.get("provider_name") and metadata.get("raw"):
        return _of_provider(provider, failure, metadata)
    return _by_type(provider, failure, str(metadata.get("error_type", "")))


def _credit(failure: UpstreamFailure, error: UpstreamErrorFields, metadata: Mapping[str, Any]) -> Verdict:
    wait = failure.headers.get("retry-after", "")
    if metadata.get("limit_source") == "openrouter_in_flight_budget" and wait.isdecimal():
        # Requests under way have reserved what is left of the credit; it is free again when they end.
        return Verdict(kind=Kind.BILLING, message=error.message, retry=True, retry_after=float(wait))
    afford = _AFFORD.search(error.message)
    tokens = int(afford[1]) if afford else 0
    fewer = Adjustment(max_tokens=tokens, for_this_request=True) if tokens >= _LEAST_ANSWER else None
    return Verdict(kind=Kind.BILLING, message=error.message, rotate_key=True, adjustment=fewer)


def _no_endpoint(error: UpstreamErrorFields, metadata: Mapping[str, Any]) -> Verdict | None:
    step = f"{metadata.get('failed_routing_step', '')} {error.message}".lower()
    if "image" in step:
        change = Adjustment(omit=frozenset({IMAGES}))
        return Verdict(kind=Kind.INVALID_REQUEST, message=error.message, adjustment=change)
    if "tool" in step:
        message = f"{error.message} Choose a model that can call tools."
        return Verdict(kind=Kind.INVALID_REQUEST, message=message)
    if "data policy" in step or "privacy" in step or "guardrail" in step:
        return Verdict(kind=Kind.PERMISSION, message=error.message)
    return None


def _rate(failure: UpstreamFailure, error: UpstreamErrorFields, metadata: Mapping[str, Any]) -> Verdict:
    if metadata.get("provider_name") or metadata.get("raw"):
        message = f"{metadata.get('provider_name') or 'its provider'}: {_words(metadata) or error.message}"
        return Verdict(kind=Kind.RATE_LIMIT, message=message, retry=True)
    return Verdict(
        kind=Kind.RATE_LIMIT,
        message=error.message.strip(),
        retry=True,
        rotate_key=True,
        retry_after=_reset(failure.headers, metadata),
    )


def _reset(headers: Mapping[str, str], metadata: Mapping[str, Any]) -> float | None:
    """Seconds until the limit is lifted, which OpenRouter tells as milliseconds since 1970."""
    inner = metadata.get("headers")
    inner = {str(name).lower(): value for name, value in inner.items()} if isinstance(inner, dict) else {}
    for source in (inner, headers):
        value = str(source.get("x-ratelimit-reset", ""))
        if value.isdecimal() and len(value) >= 13:
            return float(max(0, math.ceil(int(value) / 1000 - time.time())))
        if (seconds := str(source.get("retry-after", ""))).isdecimal():
            return float(seconds)
    return None


def _of_provider(provider: Provider, failure: UpstreamFailure, metadata: Mapping[str, Any]) -> Verdict:
    """Judge the answer of the provider behind OpenRouter as if it had come directly."""
    raw = metadata["raw"]
    body = raw.encode() if isinstance(raw, str) else orjson.dumps(raw)
    inner = UpstreamFailure(
        cause=failure.cause,
        status=failure.status,
        model=failure.model,
        url=failure.url,
        headers=failure.headers,
        body=body,
        request=failure.request,
    )
    transport = ccp_anthropic_compat if provider.transport == "anthropic" else ccp_openai_compat
    verdict = transport.ccp_classify_error(provider, inner) or core.ccp_classify_error(provider, inner)
    name = metadata["provider_name"]
    return evolve(verdict, message=f"{name}: {verdict.message}", rotate_key=False)


def _by_type(provider: Provider, failure: UpstreamFailure, error_type: str) -> Verdict | None:
    message = failure.error.message
    if kind := _TRANSIENT.get(error_type):
        return Verdict(kind=kind, message=message, retry=True)
    if kind := _FINAL.get(error_type):
        return Verdict(kind=kind, message=message)
    if error_type in _OVERFLOW:
        verdict = core.ccp_classify_error(provider, failure)
        return verdict if verdict.kind is Kind.OVERFLOW else Verdict(kind=Kind.OVERFLOW, message=message)
    return None


def _words(metadata: Mapping[str, Any]) -> str:
    raw = metadata.get("raw")
    return raw[:500] if isinstance(raw, str) else ""
