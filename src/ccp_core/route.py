"""Who asks, and where the request goes."""

from __future__ import annotations

import string
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from attrs import define, field, fields, frozen

from ccp_core.protocol.events import StreamEvent
from ccp_core.protocol.messages import MessagesRequest
from ccp_core.provider import BuildOptions, Provider, UpstreamRequest

_HEADER_SAFE = string.punctuation.replace("%", "")


@frozen(kw_only=True)
class Caller:
    """The client of one request, as far as routing may depend on it. The token itself is not kept."""

    token_route: str | None = None
    """The ``provider/model`` that followed the token (``TOKEN:provider/model``)."""
    session_id: str = ""
    agent_id: str = ""
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    """Request headers with lower-case names, without those that can hold a token."""


@frozen(kw_only=True)
class Route:
    """Where a request goes: provider, the upstream's model id, and how."""

    provider_id: str
    model: str
    tier: str = "default"
    """opus, sonnet, haiku, fable or default."""
    thinking: bool = True
    """Whether this tier's thinking is asked for and shown."""
    fallbacks: tuple[Route, ...] = ()
    """Tried in order when this route gives up before content."""

    def __str__(self) -> str:
        return f"{self.provider_id}/{self.model}"


@define(kw_only=True, eq=False)
class StreamContext:
    """One upstream stream, as the stream hooks see it. ``state`` is what ccp_open_stream returned.

    ``request`` and ``upstream_request`` are whole until content of the answer has reached the client; then nothing
    is asked again, and the core frees their messages, tools and system prompt. What a hook needs of these later it
    keeps from ccp_open_stream on.
    """

    provider: Provider
    request: MessagesRequest
    upstream_request: UpstreamRequest
    route: Route
    options: BuildOptions
    state: Any = None

    def free_conversation(self) -> None:
        """Let go of what makes a request large: a stream may last for minutes, and there may be many."""
        for body in (self.request.body, self.upstream_request.body):
            for name in ("messages", "tools", "system"):
                body.pop(name, None)
        self.request.nested.clear()


@frozen(kw_only=True)
class LocalAnswer:
    """An answer made without an upstream. ``events`` may be an async iterator of batches, which the core drives."""

    name: str
    """What answered, for the log and the counters: quota, title, demo …"""
    events: Sequence[StreamEvent] | AsyncIterator[Sequence[StreamEvent]]


@define(kw_only=True)
class RequestRecord:
    """What the log says of one request: no content, no key. Times are in seconds, sizes in bytes."""

    request_id: str = ""
    session_id: str = ""
    agent_id: str = ""
    client_model: str = ""
    tier: str = ""
    provider: str = ""
    model: str = ""
    key_number: int = 0
    """Position of the key in the provider's list, from 1; 0 when none was used."""
    stream: bool = True
    status: int = 0
    error: str = ""
    request_bytes: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    first_token: float | None = None
    duration: float = 0.0
    retries: int = 0
    fallbacks: int = 0
    stop_reason: str | None = None
    answered_locally: str = ""

    def said(self) -> dict[str, Any]:
        """The members of the log's line."""
        return {name: getattr(self, name) for name in _MEMBERS}

    @property
    def headers(self) -> dict[str, str]:
        """What the client's answer says of it: ``request-id``, ``ccp-route`` and ``ccp-fallbacks``.

        The route is the one that answers, or that failed last; fallbacks are the routes that were given up before it.
        """
        headers = {"request-id": self.request_id}
        if not self.answered_locally:
            headers["ccp-route"] = quote(f"{self.provider}/{self.model}", safe=_HEADER_SAFE)
            headers["ccp-fallbacks"] = str(self.fallbacks)
        return headers


_MEMBERS = tuple(member.name for member in fields(RequestRecord))


def split_model(text: str) -> tuple[str, str] | None:
    """Provider id and model of ``provider/model``; the model may hold ``/`` and ``:``. None for any other form."""
    provider, slash, model = text.strip().partition("/")
    return (provider, model) if slash and provider and model and len(text.split()) == 1 else None
