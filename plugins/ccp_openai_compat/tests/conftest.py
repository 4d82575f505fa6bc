"""Requests, providers and streams for the tests of the chat transport, all through its hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import ccp_openai_compat as transport
import orjson
import pytest
from attrs import frozen
from ccp_openai_compat import ChatDialect

from ccp_core.errors import UpstreamFailure, Verdict
from ccp_core.protocol.encode import encode
from ccp_core.protocol.grammar import Grammar
from ccp_core.protocol.messages import MessagesRequest
from ccp_core.protocol.sse import SSEDecoder
from ccp_core.provider import BuildOptions, Provider, ProviderSpec, UpstreamHead, UpstreamRequest
from ccp_core.route import Route, StreamContext
from ccp_core.testing import Message, parse_frames, reduce_events, validate_stream
from ccp_core.testing.stream_rules import ToolInputInvalid

Json = dict[str, Any]

READ: Json = {
    "name": "Read",
    "description": "Reads a file.",
    "input_schema": {
        "type": "object",
        "properties": {"file_path": {"type": "string"}, "limit": {"type": "integer"}},
        "required": ["file_path"],
        "additionalProperties": False,
    },
}
LIST: Json = {"name": "List", "input_schema": {"type": "object", "properties": {}}}
ROUTE = Route(provider_id="acme", model="org/model")


@frozen
class Chat:
    """A provider with one dialect, and the transport's hooks applied to it."""

    provider: Provider

    def build(self, body: Json, **options: Any) -> UpstreamRequest:
        """The upstream request for a Messages body."""
        body = {"model": "claude", "max_tokens": 1000, **body}
        body.setdefault("messages", [{"role": "user", "content": "Hi"}])
        request = MessagesRequest(body, len(orjson.dumps(body)))
        return transport.ccp_build_request(self.provider, request, ROUTE, BuildOptions(**options))

    def messages(self, *messages: Json, **body: Any) -> list[Json]:
        """The chat messages for Messages messages."""
        return list(self.build({"messages": list(messages), **body}).body["messages"])

    def stream(self, **body: Any) -> Stream:
        """An open stream that answers a request with these members."""
        body.setdefault("tools", [READ, LIST])
        body.setdefault("messages", [{"role": "user", "content": "Hi"}])
        request = MessagesRequest({"model": "claude", **body})
        built = transport.ccp_build_request(self.provider, request, ROUTE, BuildOptions())
        return Stream(self.provider, request, built)

    def answer(self, *chunks: Any, **body: Any) -> Message:
        """The Message that a complete chat stream amounts to; a chunk is a delta, or bytes as they are."""
        stream = self.stream(**body)
        stream.read(wire(*chunks))
        return stream.end()

    def classify(self, status: int, error: Any, body: Json) -> Verdict | None:
        """The transport's own verdict on an error."""
        failure = UpstreamFailure(
            cause="status",
            status=status,
            body=orjson.dumps(error),
            request=UpstreamRequest(path="/chat/completions", body=body),
        )
        return transport.ccp_classify_error(self.provider, failure)


class Stream:
    """One upstream stream, from bytes to what the client reads."""

    def __init__(self, provider: Provider, request: MessagesRequest, built: UpstreamRequest) -> None:
        self.context = StreamContext(
            provider=provider, request=request, upstream_request=built, route=ROUTE, options=BuildOptions()
        )
        head = UpstreamHead(status=200, headers={})
        self.context.state = transport.ccp_open_stream(self.context, head)
        self.grammar = Grammar(model="claude", provider=provider.id, prompt_tokens=7)
        self.decoder = SSEDecoder()
        self.sent = b""

    def read(self, data: bytes) -> None:
        """One network read."""
        events = transport.ccp_translate_chunk(self.context, self.decoder.feed(data))
        assert events is not None
        self._send(events)

    def close(self) -> bool:
        """The upstream closes; whether the answer was complete."""
        events = transport.ccp_translate_chunk(self.context, self.decoder.finish()) or ()
        self._send(events)
        self._send(transport.ccp_finish_stream(self.context) or ())
        return self.grammar.finished

    def again(self) -> Stream:
        """Another stream that answers the same request."""
        return Stream(self.context.provider, self.context.request, self.context.upstream_request)

    def end(self) -> Message:
        """The upstream closes after a complete answer."""
        assert self.close(), "the stream counts as cut"
        return validate_stream(self.sent).message

    def broken_input(self) -> str:
        """The upstream closes; the input of the first call as the client reads it, which is no JSON."""
        assert self.close(), "the stream counts as cut"
        with pytest.raises(ToolInputInvalid):
            validate_stream(self.sent)
        message = reduce_events(orjson.loads(frame.data) for frame in parse_frames(self.sent))
        return str(message.tool_uses[0]["input"])

    def _send(self, events: Iterable[Any]) -> None:
        self.sent += encode(self.grammar.accept(events))


def wire(*chunks: Any) -> bytes:
    """Chat chunks as bytes: a mapping with ``choices``, ``usage`` or ``error`` is a payload, any other a delta."""
    return b"".join(map(_frame, chunks))


def _frame(chunk: Any) -> bytes:
    if isinstance(chunk, bytes):
        return chunk
    if chunk == "[DONE]":
        return b"data: [DONE]\n\n"
    if isinstance(chunk, str):
        chunk = {"choices": [{"index": 0, "delta": {}, "finish_reason": chunk}]}
    elif not chunk.keys() & {"choices", "usage", "error", "x_groq", "object"}:
        chunk = {"choices": [{"index": 0, "delta": chunk, "finish_reason": None}]}
    return b"data: %b\n\n" % orjson.dumps(chunk)


def make_chat(dialect: ChatDialect | None = None, **settings: Any) -> Chat:
    """A provider ``acme`` with a dialect."""
    spec = ProviderSpec(
        id="acme",
        name="Acme",
        base_url="http://acme.test/v1",
        transports=("openai",),
        env_prefixes=("ACME",),
        dialects={} if dialect is None else {"openai": dialect},
    )
    return Chat(Provider(spec=spec, base_url=spec.base_url, transport="openai", **settings))


@pytest.fixture(scope="session")
def chat() -> Chat:
    """A provider with the default dialect."""
    return make_chat()


@pytest.fixture(scope="session")
def chat_with() -> Callable[..., Chat]:
    """Makes a provider: members of ChatDialect, or a whole ``dialect``."""

    def make(dialect: ChatDialect | None = None, *, rescue: bool = True, **facts: Any) -> Chat:
        return make_chat(dialect or ChatDialect(**facts), rescue_tool_calls=rescue)

    return make


@pytest.fixture(scope="session")
def to_wire() -> Callable[..., bytes]:
    """Chat chunks as bytes."""
    return wire


@pytest.fixture(scope="session")
def read_tool() -> Mapping[str, Any]:
    """The tool ``Read``: ``file_path`` is required, ``limit`` optional."""
    return READ
