"""The stream of a Messages upstream, event by event, as hook events.

Order and numbering are left to the grammar. Here the upstream's own mistakes are made good: members that are
missing or misplaced, names and input of calls, thinking and calls that a model wrote as text. Neighbouring
deltas of one block that came in one read leave as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from ccp_anthropic_compat.calls import ToolCalls
from ccp_anthropic_compat.dialect import dialect_of
from ccp_anthropic_compat.tools import input_schemas
from ccp_anthropic_compat.usage import read_usage
from ccp_core.protocol.answer_text import AnswerText, Found
from ccp_core.protocol.events import (
    BlockStart,
    BlockStop,
    Json,
    MessageDelta,
    MessageStart,
    MessageStop,
    OtherDelta,
    Ping,
    SignatureDelta,
    StreamError,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from ccp_core.protocol.lenient_json import Halves, damaged, loads
from ccp_core.protocol.sse import SSEEvent
from ccp_core.protocol.tool_text import TextToolCall
from ccp_core.route import StreamContext

_loads = orjson.loads

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
"""Words of the other protocol, which servers that speak both mix up."""

_CUT = {"max_tokens", "model_context_window_exceeded"}
_DELTAS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
_THINKING_INDEX = 1_000_000
"""The index of thinking that was found in text; calls that were found in text are numbered from here."""


class MessagesStream:
    """The state of one stream: takes chunks, gives events."""

    def __init__(self, stream: StreamContext) -> None:
        dialect = dialect_of(stream.provider, stream.route.model)
        schemas = input_schemas(stream.request.tools)
        self._calls = ToolCalls(schemas)
        self._text = AnswerText(
            schemas,
            think_tags=dialect.think_tags,
            tool_calls=dialect.text_tool_calls and stream.provider.rescue_tool_calls,
        )
        self._out: list[StreamEvent] = []
        self._index = 0  # of the last delta
        self._text_index = 0
        self._own_index = _THINKING_INDEX
        self._kinds: dict[int, str] = {}
        self._signatures: dict[int, str] = {}  # that a block's start held
        self._halves: dict[tuple[str, int], Halves] | None = None  # once the stream holds cut characters
        self._begun = False  # something of a message has come
        self._stopped = False  # the upstream has said why it stopped
        self._over = False

    def feed(self, chunk: Sequence[SSEEvent]) -> list[StreamEvent]:
        """The events that the events of one read lead to."""
        out: list[StreamEvent] = []
        self._out = out
        member, index, pieces = "", 0, []  # deltas of one block, gathered
        for name, data in chunk:
            if self._over:
                break
            try:
                payload = _loads(data)
            except orjson.JSONDecodeError:
                payload = self._lenient(data)
            if type(payload) is not dict:
                continue
            delta = payload.get("delta")
            if type(delta) is dict and type(kind := delta.get("type")) is str and kind in _DELTAS:
                kind = _DELTAS[kind]
                piece = delta.get(kind)
                if not piece:
                    continue
                if type(piece) is not str:
                    piece = orjson.dumps(piece).decode()
                at = payload.get("index")
                if type(at) is not int:
                    at = self._index
                if kind == member and at == index:
                    pieces.append(piece)
                    continue
                if pieces:
                    self._give(member, index, pieces)
                member, index, pieces = kind, at, [piece]
                self._index = at
                continue
            if pieces:
                self._give(member, index, pieces)
                member, pieces = "", []
            self._event(payload.get("type"), name, payload)
        if pieces:
            self._give(member, index, pieces)
        return out

    def finish(self) -> list[StreamEvent]:
        """What is to be said when the upstream has closed the stream; without MessageStop it was cut."""
        self._out = []
        if self._stopped and not self._over:
            self._stop()
        return self._out

    def _lenient(self, data: bytes) -> Any:
        if data.strip() == b"[DONE]":
            return {"type": "message_stop"} if self._begun else {}
        try:
            payload = loads(data)
        except ValueError:
            return damaged(data)
        if self._halves is None:
            self._halves = {}
        return payload

    def _event(self, kind: Any, name: str, payload: Json) -> None:
        """Everything but the deltas that are gathered."""
        match kind:
            case "ping":
                self._out.append(Ping())
            case "content_block_delta":
                if isinstance(delta := payload.get("delta"), dict):
                    self._other_delta(_index(payload, self._index), delta)
            case "content_block_start":
                self._flush_text()
                self._out += self._calls.settle(reported_complete=True)
                block = payload.get("content_block")
                if isinstance(block, dict):
                    self._start(_index(payload, len(self._kinds)), block)
            case "content_block_stop":
                self._block_stop(_index(payload, self._index))
            case "message_start":
                self._begun = True
                message = payload.get("message")
                message = message if isinstance(message, dict) else {}
                id, model = _string(message.get("id")), _string(message.get("model"))
                self._out.append(MessageStart(id, model, read_usage(message.get("usage"))))
            case "message_delta":
                self._message_delta(payload.get("delta"), payload.get("usage"))
            case "message_stop":
                self._stop()
            case "message":
                self._whole(payload)
            case _:
                if kind == "error" or name == "error" or "error" in payload:
                    self._error(payload)

    def _start(self, index: int, block: Json) -> None:
        kind = _string(block.get("type"))
        if not kind:
            return
        self._begun = True
        if index in self._calls:  # an index that is used again without a stop
            self._block_stop(index)
            self._out += self._calls.settle(reported_complete=True)
        self._kinds[index] = kind
        if kind.endswith("tool_use"):
            self._out += self._calls.start(index, block)
            return
        if kind not in ("text", "thinking"):
            self._out.append(BlockStart(index, block))
            return
        self._out.append(BlockStart(index, {"type": kind, kind: ""}))
        if signature := _string(block.get("signature")):
            self._signatures[index] = signature
        if initial := _string(block.get(kind)):
            self._give(kind, index, [initial])
        citations = block.get("citations")
        for citation in citations if isinstance(citations, list) else ():
            self._other_delta(index, {"type": "citations_delta", "citation": citation})

    def _block_stop(self, index: int) -> None:
        if index in self._calls:
            self._out += self._calls.stop(index)
            return
        if self._kinds.get(index) == "text":
            self._flush_text()
        elif signature := self._signatures.pop(index, ""):
            self._out.append(SignatureDelta(index, signature))
        self._out.append(BlockStop(index))

    def _other_delta(self, index: int, delta: Json) -> None:
        kind = _string(delta.get("type"))
        if not kind:
            return
        if kind == "citations_delta":
            if isinstance(delta.get("citation"), dict):
                self._flush_text()
                self._out.append(OtherDelta(index, delta))
        elif kind != "signature_delta":
            self._out.append(OtherDelta(index, delta))
        elif signature := _string(delta.get("signature")):
            self._signatures.pop(index, None)
            self._out.append(SignatureDelta(index, signature))

    def _message_delta(self, delta: Any, usage: Any) -> None:
        self._flush_text()
        delta = delta if isinstance(delta, dict) else {}
        reason = _string(delta.get("stop_reason"))
        reason = _STOP_REASONS.get(reason or "", reason)
        sequence = _string(delta.get("stop_sequence"))
        if sequence and reason == "end_turn":
            reason = "stop_sequence"
        if reason:
            self._stopped = True
            self._out += self._calls.end(reported_complete=reason not in _CUT)
        details = {
            name: value for name, value in delta.items() if name not in ("stop_reason", "stop_sequence")
        }
        self._out.append(MessageDelta(reason, sequence, read_usage(usage), details))

    def _stop(self) -> None:
        self._flush_text()
        self._out += self._calls.end(reported_complete=False)
        self._out.append(MessageStop())
        self._over = True

    def _error(self, payload: Json) -> None:
        if self._stopped:  # all has been said; what failed came behind it
            self._stop()
            return
        self._flush_text()
        inner = payload.get("error")
        code = inner.get("code") if isinstance(inner, dict) else payload.get("code")
        self._out.append(StreamError(payload, code if type(code) is int and 400 <= code < 600 else None))
        self._over = True

    def _whole(self, message: Json) -> None:
        """A Message that came as one JSON object, though a stream was asked for."""
        self._event("message_start", "", {"message": message})
        content = message.get("content")
        for index, block in enumerate(content if isinstance(content, list) else ()):
            if isinstance(block, dict):
                self._event("content_block_start", "", {"index": index, "content_block": block})
                self._event("content_block_stop", "", {"index": index})
        delta = {name: message.get(name) for name in ("stop_reason", "stop_sequence")}
        self._event("message_delta", "", {"delta": delta, "usage": message.get("usage")})
        self._stop()

    def _give(self, member: str, index: int, pieces: list[str]) -> None:
        """Give out the gathered deltas of a block, whose text stood in ``member``."""
        self._begun = True
        text = pieces[0] if len(pieces) == 1 else "".join(pieces)
        if self._halves is not None:
            text = self._halves.setdefault((member, index), Halves()).feed(text)
        if not text:
            return
        if member == "text":
            self._text_index = index
            self._say(self._text.feed(text))
        elif member == "thinking":
            self._out.append(ThinkingDelta(index, text))
        else:
            self._out += self._calls.delta(index, text)

    def _flush_text(self) -> None:
        self._say(self._text.flush())

    def _say(self, found: Iterable[Found]) -> None:
        for piece in found:
            if type(piece) is not tuple:
                assert isinstance(piece, TextToolCall)
                self._own_index += 1
                self._out += self._calls.written(self._own_index, piece)
            elif piece[0] == "text":
                self._out.append(TextDelta(self._text_index, piece[1]))
            else:
                self._out.append(ThinkingDelta(_THINKING_INDEX, piece[1]))


def _index(payload: Json, default: int) -> int:
    index = payload.get("index")
    return index if type(index) is int else default


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None
