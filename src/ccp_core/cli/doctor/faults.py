"""What a failed request to a provider says about it, and the cure."""

from __future__ import annotations

from collections.abc import Mapping

from ccp_core.cli.doctor.findings import Finding
from ccp_core.errors import Verdict
from ccp_core.errors import VerdictKind as Kind
from ccp_core.server.errors import Situation

_MAX_QUOTED = 300

_CHECKS: Mapping[Kind, tuple[str, str]] = {
    Kind.UNREACHABLE: ("reachable", "{name} cannot be reached at {url}"),
    Kind.TIMEOUT: ("reachable", "{name} did not answer in time"),
    Kind.BROKEN: ("answer", "{name} gave no whole answer"),
    Kind.AUTHENTICATION: ("key", "{name} does not accept the key"),
    Kind.PERMISSION: ("key", "the key may not be used for {route}"),
    Kind.BILLING: ("key", "the account is out of credit, over its quota or suspended"),
    Kind.MODEL_NOT_FOUND: ("model", "{name} has no model {model}"),
    Kind.ENDPOINT_NOT_FOUND: ("endpoint", "{name} at {url} does not know the path of the request"),
    Kind.RATE_LIMIT: ("answer", "{name} limits the rate"),
    Kind.OVERLOADED: ("answer", "{name} is overloaded"),
    Kind.SERVER_ERROR: ("answer", "{name} failed"),
    Kind.OVERFLOW: ("context", "even a short request is too long for the model"),
    Kind.INVALID_REQUEST: ("request", "{name} refuses the request"),
    Kind.CONTENT_FILTER: ("request", "the content filter of {name} refuses a harmless request"),
}

_CURES: Mapping[Kind, str] = {
    Kind.TIMEOUT: "Try again with a longer --timeout; a model that has to be loaded first takes minutes.",
    Kind.BROKEN: "Check {base_url}; then try again. If it lasts, choose another model: ccp models {id}",
    Kind.AUTHENTICATION: "Put a valid key into {keys}.{keys_url}",
    Kind.PERMISSION: "Ask the provider for access to the model, or choose another one: ccp models {id}",
    Kind.BILLING: "Add credit at the provider, or set another key in {keys}.",
    Kind.MODEL_NOT_FOUND: "See what there is with `ccp models {id}`, and change {places}.",
    Kind.RATE_LIMIT: "Wait, lower PROVIDER_RATE_LIMIT (limits.rate), or add keys of other accounts to {keys}.",
    Kind.OVERLOADED: "Try again in a minute; if it lasts, choose another model: ccp models {id}",
    Kind.SERVER_ERROR: "Try again in a minute; if it lasts, choose another model: ccp models {id}",
    Kind.OVERFLOW: "Give the server a larger context; Claude Code needs 32,000 tokens at the least.",
    Kind.INVALID_REQUEST: "`ccp explain` shows what would be sent. Choose another model, or report it.",
    Kind.CONTENT_FILTER: "Choose another model: ccp models {id}",
}


def fault(verdict: Verdict, at: Situation, places: str) -> Finding:
    """The finding for a request that ended with ``verdict``. ``places`` are the settings that name the model."""
    check, text = _CHECKS[verdict.kind]
    words = {
        "name": at.name,
        "id": at.provider.id,
        "url": at.provider.base_url,
        "model": at.model,
        "route": at.route,
        "keys": at.key_settings,
        "keys_url": f" Keys are made at {at.provider.spec.keys_url}" if at.provider.spec.keys_url else "",
        "base_url": at.setting("BASE_URL", "base_url"),
        "places": places,
    }
    cure = _CURES[verdict.kind] if verdict.kind in _CURES else _cure_of_place(verdict.kind, at)
    said = " ".join(verdict.message.split())
    quoted = f": {said[:_MAX_QUOTED]}" if said else ""
    return Finding(check, "problem", text.format_map(words) + quoted, cure.format_map(words))


def _cure_of_place(kind: Kind, at: Situation) -> str:
    """For a server that is not there, or is not the one that is meant."""
    spec, transport = at.provider.spec, at.setting("TRANSPORT", "transport")
    if kind is Kind.ENDPOINT_NOT_FOUND:
        cure = "Check {base_url}."
        if at.provider.transport == "anthropic" and "openai" in spec.transports:
            cure += f" Old servers lack Anthropic Messages: take a newer one, or {transport} = openai."
        return cure
    if spec.local:
        hint = (spec.start_hint or "Start the server.").replace("{", "{{").replace("}", "}}")
        return f"{hint} If it listens at another address, set {{base_url}}."
    return "Check the network, {base_url}, and the web proxy on the way if there is one."
