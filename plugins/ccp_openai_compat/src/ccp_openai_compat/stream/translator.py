"""One chat stream on its way to the client.

Theory of operation. A chunk holds all the events of one network read. Their pieces of text, reasoning or
arguments are collected as long as they are of one kind (a *run*) and leave joined, so tags and calls in
text are looked for once a chunk and not once a token. Within one event reasoning comes first, then text,
tool calls, the finish.

The text passes two filters, which hold back what may be the beginning of something: thinking tags, then
tool calls that the model wrote as text. What they hold leaves, decided, when the run ends.

Blocks are numbered in the order in which they appear; the grammar of the core puts them one after the
other. White space alone opens no block. The answer is complete at ``[DONE]``, or at the end of the stream
when a finish reason was seen; otherwise it was cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import orjson

from ccp_core.protocol.events import (
    Json,
    MessageDelta,
    MessageStop,
    SignatureDelta,
    StreamError,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from ccp_core.protocol.lenient_json import Halves, damaged, loads
from ccp_core.protocol.sse import SSEEvent
from ccp_core.protocol.think_tags import ThinkTagSplitter
from ccp_core.protocol.tool_text import TextToolCall, ToolTextRescue
from ccp_openai_compat.request.body import ChatMemo
from ccp_openai_compat.request.tools import DeclaredTool
from ccp_openai_compat.stream import reading
from ccp_openai_compat.stream.tool_calls import Call, ToolCalls, name_and_arguments

_TEXT: Literal["text"] = "text"
_THINKING: Literal["thinking"] = "thinking"


class ChatStream:
    """The state of one stream. ``memo`` is of the request that it answers; ``rescue``: find calls in text."""

    def __init__(self, memo: ChatMemo, *, rescue: bool = True) -> None:
        dialect = memo.dialect
        self.ended = False
        """Whether the last event, or an error, has been given."""
        self._stop_sequences = memo.stop_sequences
        self._sign = dialect.replay == "as_received"
        self._splitter = (
            ThinkTagSplitter(starts_inside=dialect.thinking_starts_in_prompt) if dialect.think_tags else None
        )
        self._rescuable = _Schemas(memo.tools) if rescue and memo.tools else None
        self._rescue: ToolTextRescue | None = None  # made for the first text, and anew behind a call
        self._calls = ToolCalls(memo.tools, memo.call_ids)
        self._run: str | Call = ""  # the kind of what comes in: text, thinking, or the arguments of a call
        self._pieces: list[str] = []  # of the run, in this chunk
        self._halves: Halves | None = None  # from the first JSON on that the fast parser refuses
        self._block = ""  # the kind of the block that text goes into; empty for none
        self._key = -1  # of the last block
        self._blank = ""  # white space at the beginning of a block that is not open yet
        self._blank_kind = ""
        self._reasoning_field: str | None = None
        self._begun = False  # a choice has come
        self._streamed = False  # something of the answer has come
        self._failed = False  # the upstream reported an error
        self._stop_reason: str | None = None
        self._stop_sequence: str | None = None
        self._usage: Json | None = None

    def feed(self, chunk: Sequence[SSEEvent]) -> list[StreamEvent]:
        """The events that one network read leads to."""
        out: list[StreamEvent] = []
        for name, data in chunk:
            if self.ended:
                break
            if not data.startswith(b"{") and data.lstrip().startswith(b"[DONE]"):
                self._done(out)
                continue
            try:
                payload = orjson.loads(data)
            except orjson.JSONDecodeError:
                payload = _unusual(data)
                self._halves = self._halves or Halves()
            if type(payload) is dict:
                self._payload(payload, out)
            if name == "error" or self._failed:
                self._fail(payload, out)
        self._send_run(out)
        return out

    def finish(self) -> list[StreamEvent]:
        """The end of the stream: what is still to be said; of an answer that was cut, the ends of whole calls."""
        out: list[StreamEvent] = []
        if self.ended:
            return out
        if self._stop_reason is not None:
            self._end(out)
        else:
            self._calls.stop_whole(out)
        return out

    def _payload(self, payload: Json, out: list[StreamEvent]) -> None:
        choices = payload.get("choices")
        if choices and type(choices) is list:
            choice = choices[0]
            if type(choice) is dict:
                self._begun = True
                delta = choice.get("delta")
                if delta and type(delta) is dict:
                    self._delta(delta, out)
                elif not self._streamed and type(message := choice.get("message")) is dict:
                    self._delta(message, out)
                if reason := choice.get("finish_reason"):
                    self._finish_reason(reason, choice)
                if type(usage := choice.get("usage")) is dict and usage:
                    self._usage = usage
        if (payload.get("usage") or "x_groq" in payload) and (usage := reading.usage_in(payload)):
            self._usage = usage
        if "choices" not in payload or "error" in payload or "x_groq" in payload:
            self._failed = self._failed or reading.error_in(payload)

    def _delta(self, delta: Json, out: list[StreamEvent]) -> None:
        content = delta.get("content")
        if type(content) is str and len(delta) == 1:  # nearly all of them
            if content and self._run is _TEXT:
                self._pieces.append(content)
            else:
                self._add(_TEXT, content, out)
            return
        thought, self._reasoning_field = reading.reasoning_of(delta, self._reasoning_field)
        self._add(_THINKING, thought, out)
        if type(content) is list:
            self._add(_THINKING, reading.thinking_of(content), out)
        self._add(_TEXT, reading.text_of(content), out)
        self._add(_TEXT, reading.text_of(delta.get("refusal")), out)
        if type(calls := delta.get("tool_calls")) is list:
            for call in calls:
                if type(call) is dict:
                    self._call(call, out)
        if type(call := delta.get("function_call")) is dict:
            self._call({"index": 0, "function": call}, out)

    def _finish_reason(self, reason: Any, choice: Json) -> None:
        if reason == "error":
            self._failed = True
            return
        meaning = reading.STOP_REASONS.get(str(reason), "end_turn")
        if self._stop_reason in (None, "end_turn"):
            self._stop_reason = meaning
        matched = choice.get("stop_reason")  # vLLM names the sequence
        if matched in self._stop_sequences and type(matched) is str:
            self._stop_sequence = matched

    def _add(self, kind: str, piece: str, out: list[StreamEvent]) -> None:
        if piece:
            if self._run is not kind:
                self._change_run(kind, out)
            self._pieces.append(piece)
            self._streamed = True

    def _call(self, delta: Json, out: list[StreamEvent]) -> None:
        if not isinstance(self._run, Call):
            self._change_run("", out)  # the text in front of a call leaves before the call gets its number
        call = self._calls.of(delta, self._key + 1)
        if call.key > self._key:
            self._key = call.key
        if self._run is not call:
            self._change_run(call, out)
            self._block = ""
            self._calls.stop_complete(out, but=call)
        self._streamed = True
        arguments = name_and_arguments(delta)[1]
        if arguments:
            call.take(arguments)
        self._calls.start(call, out, certain=bool(arguments))

    def _change_run(self, run: str | Call, out: list[StreamEvent]) -> None:
        self._send_run(out)
        if self._run is _TEXT:
            self._release(out)
        if self._halves is not None:
            self._halves = Halves()
        self._run = run

    def _send_run(self, out: list[StreamEvent]) -> None:
        """Send on what has come in of the run."""
        run = self._run
        if isinstance(run, Call):
            self._calls.send(run, out)
        elif self._pieces:
            text = "".join(self._pieces)
            self._pieces.clear()
            if self._halves is not None:
                text = self._halves.feed(text)
            if run is _THINKING:
                self._speak(_THINKING, text, out)
            else:
                self._text(text, out)

    def _text(self, text: str, out: list[StreamEvent]) -> None:
        if self._splitter is None or self._splitter.passes(text):
            self._plain(text, out)
            return
        for kind, piece in self._splitter.feed(text):
            if kind == _THINKING:
                self._speak(_THINKING, piece, out)
            else:
                self._plain(piece, out)

    def _plain(self, text: str, out: list[StreamEvent]) -> None:
        if self._rescuable is None or (self._rescue is not None and self._rescue.passes(text)):
            self._speak(_TEXT, text, out)
            return
        if self._rescue is None:
            self._rescue = ToolTextRescue(self._rescuable)
        self._rescued(self._rescue.feed(text), out)

    def _rescued(self, parts: Sequence[str | TextToolCall], out: list[StreamEvent]) -> None:
        for part in parts:
            if isinstance(part, str):
                self._speak(_TEXT, part, out)
            else:
                self._block, self._blank = "", ""
                self._key += 1
                self._calls.whole(part, self._key, out)

    def _release(self, out: list[StreamEvent]) -> None:
        """Send on what the filters of text hold back."""
        if self._splitter is not None:
            for kind, piece in self._splitter.flush():
                if kind == _THINKING:
                    self._speak(_THINKING, piece, out)
                else:
                    self._plain(piece, out)
        if self._rescue is not None:
            self._rescued(self._rescue.flush(), out)
            self._rescue = None

    def _speak(self, kind: str, text: str, out: list[StreamEvent]) -> None:
        """Send text or thinking: in the open block if that is of its kind, otherwise in a new one."""
        opens = self._block != kind
        if opens:
            text, self._blank = self._blank + text if self._blank_kind == kind else text, ""
            if text.isspace():
                self._blank, self._blank_kind = text, kind
                return
            if self._block == _THINKING:
                text = text.lstrip("\r\n")
            self._block = kind
            self._key += 1
            self._calls.stop_complete(out)
        if kind == _TEXT:
            out.append(TextDelta(self._key, text))
            return
        out.append(ThinkingDelta(self._key, text))
        if opens and self._sign and self._run is _THINKING and self._reasoning_field:
            out.append(SignatureDelta(self._key, self._reasoning_field))

    def _done(self, out: list[StreamEvent]) -> None:
        if self._begun:
            self._end(out)
        self.ended = True

    def _end(self, out: list[StreamEvent]) -> None:
        self._change_run("", out)
        self._calls.finish(out, self._stop_reason)
        reason = "stop_sequence" if self._stop_sequence else self._stop_reason
        usage = reading.usage_of(self._usage) if self._usage else Usage()
        out.append(MessageDelta(reason, self._stop_sequence, usage))
        out.append(MessageStop())
        self.ended = True

    def _fail(self, payload: Any, out: list[StreamEvent]) -> None:
        if self._stop_reason is not None:  # all has been said; the error is of what would have come behind it
            self._end(out)
            return
        self._send_run(out)
        self._calls.stop_whole(out)
        out.append(StreamError(reading.error_of(payload), reading.error_status(payload)))
        self.ended = True


class _Schemas(Mapping[str, Json]):
    """The schemas of declared tools by wire name, of which an answer without calls in its text needs none."""

    def __init__(self, tools: Mapping[str, DeclaredTool]) -> None:
        self._tools = tools

    def __getitem__(self, name: str) -> Json:
        return self._tools[name].wire_schema

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)


def _unusual(data: bytes) -> Any:
    """The JSON that the fast parser refuses; an error for half of an object, as text what else is none."""
    try:
        return loads(data)
    except ValueError:
        return damaged(data) or data.decode("utf-8", "replace")
