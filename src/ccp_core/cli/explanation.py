"""A captured request on its way through the proxy, as far as it goes without an upstream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from attrs import Factory, define

from ccp_core.cli.start import counted
from ccp_core.errors import ApiError
from ccp_core.gateway import Gateway
from ccp_core.protocol.messages import InvalidRequest, MessagesRequest, parse_request
from ccp_core.protocol.tokens import estimate
from ccp_core.provider import UpstreamRequest
from ccp_core.route import Caller, Route
from ccp_core.server.auth import authenticate
from ccp_core.server.routes.messages import caller_of
from ccp_core.upstream.keys import NoKeyReady
from ccp_core.upstream.upstream import Upstream

_MASKED_KEY = "***"


class NotARequest(Exception):
    """The file does not hold a request; the text says what is wrong."""


@define(kw_only=True)
class Explanation:
    """What would happen to one request."""

    client: MessagesRequest
    tokens: int
    """An estimate of the prompt's length."""
    route: Route
    reason: str
    """Why this route."""
    provider: str
    transport: str
    key_number: int
    keys: int
    local_answer: str = ""
    token_problem: str = ""
    request: UpstreamRequest | None = None
    """What the upstream would be sent; None when it would not be asked."""
    url: str = ""
    headers: Mapping[str, str] = Factory(dict)

    def facts(self) -> Iterator[tuple[str, str]]:
        """Title and words of each thing worth a line."""
        body = self.client
        kind = "a stream" if body.stream else "one JSON answer"
        yield (
            "request",
            f"{body.model or '(no model)'}, wants {kind}, {counted(len(body.messages), 'message')},"
            f" {counted(len(body.tools), 'tool')}, {body.size} bytes, about {self.tokens} tokens",
        )
        if self.token_problem:
            yield "token", f"would be refused: {self.token_problem}"
        yield "route", f"{self.route} ({self.reason})"
        if self.route.fallbacks:
            yield "fallbacks", ", ".join(map(str, self.route.fallbacks))
        yield "thinking", "asked for and shown" if self.route.thinking else "off"
        yield "provider", f"{self.provider}, {self.transport}"
        if self.local_answer:
            yield "answer", f"by the proxy itself ({self.local_answer}); no upstream is asked"
        else:
            yield "key", f"number {self.key_number} of {self.keys}" if self.key_number else "none"

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        request = self.request and {
            "method": "POST",
            "url": self.url,
            "headers": dict(self.headers),
            "body": self.request.body,
        }
        return {
            "route": str(self.route),
            "reason": self.reason,
            "tier": self.route.tier,
            "thinking": self.route.thinking,
            "fallbacks": [str(fallback) for fallback in self.route.fallbacks],
            "provider": self.provider,
            "transport": self.transport,
            "key_number": self.key_number,
            "keys": self.keys,
            "local_answer": self.local_answer,
            "token_problem": self.token_problem,
            "notes": list(self.request.notes) if self.request else [],
            "request": request,
        }


async def explain(gateway: Gateway, captured: bytes) -> Explanation:
    """Follow a captured request. Raises NotARequest, or ApiError with what the client would get."""
    headers, body = _parts(captured)
    try:
        client = parse_request(orjson.dumps(body), headers.get("anthropic-beta", ""))
    except InvalidRequest as error:
        raise NotARequest(f"this is not a request to /v1/messages: {error}") from None
    token_route, token_problem = _token_route(gateway, headers)
    caller = caller_of(headers, token_route)
    route = gateway.resolve_route(client, caller)
    upstream = gateway.upstream(route.provider_id)
    explanation = Explanation(
        client=client,
        tokens=estimate(client),
        route=route,
        reason=_reason(gateway, client, route, caller),
        provider=upstream.provider.name,
        transport={"openai": "chat completions", "anthropic": "Anthropic Messages"}[
            upstream.provider.transport
        ],
        key_number=await _key_number(upstream, route),
        keys=len(upstream.keys),
        token_problem=token_problem,
    )
    local = upstream.lane.answer_locally(client, route, gateway.settings)
    if local is not None:
        explanation.local_answer = local.name
        return explanation
    built = upstream.lane.build_request(client, route, upstream.options(route, client))
    explanation.request = built
    explanation.url = str(upstream.client.url(built.path))
    explanation.headers = upstream.client.headers(built, _MASKED_KEY if explanation.key_number else "")
    return explanation


def _parts(captured: bytes) -> tuple[dict[str, str], Any]:
    try:
        content = orjson.loads(captured)
    except orjson.JSONDecodeError as error:
        raise NotARequest(f"this is not JSON: {error}") from None
    if isinstance(content, dict) and "body" in content and "messages" not in content:
        headers, body = content.get("headers", {}), content["body"]
        if not isinstance(headers, dict):
            raise NotARequest('"headers" must be an object with the names and values of the headers')
        return {str(name).lower(): str(value) for name, value in headers.items()}, body
    return {}, content


def _token_route(gateway: Gateway, headers: Mapping[str, str]) -> tuple[str | None, str]:
    """The route that the token names, and why the token would be refused; a body without headers has none."""
    if not headers:
        return None, ""
    try:
        return authenticate(headers, gateway.settings.server.auth_token, gateway.provider_ids), ""
    except ApiError as error:
        return None, error.message


async def _key_number(upstream: Upstream, route: Route) -> int:
    try:
        key = await upstream.keys.acquire(route.model)
    except NoKeyReady:
        return 0
    return key.number if key is not None else 0


def _reason(gateway: Gateway, client: MessagesRequest, route: Route, caller: Caller) -> str:
    models = gateway.settings.models
    chosen = gateway.root.resolve_route(client, caller, gateway.settings)
    if route != chosen:
        return f"models.vision, since {chosen} takes no images"
    if caller.token_route is not None:
        return "the token names it"
    if client.model.removeprefix("anthropic/") == str(route):
        return "the model id names it"
    if route.tier != "default" and getattr(models, route.tier) == str(route):
        return f"models.{route.tier}, for ids that contain {route.tier!r}"
    return "models.default" if models.default == str(route) else "a plugin chose it"
