"""The grammar: whatever hooks produce goes in, a stream that the client accepts comes out.

Rules, in the order in which they matter to the client:

1. One ``message_start``, and not before there is content to show (so that a failure before content can still become
   an HTTP status).
2. Blocks are strictly sequential and numbered 0, 1, 2 …: one is stopped before the next starts.
3. A text or thinking block exists only when it has content; an upstream's empty block leaves no trace.
4. A text or thinking block stays open until another one starts or the answer ends, whatever the upstream says: the
   client recovers from an answer that is cut in an open block, and not from one that is cut behind a finished one.
5. A block that starts while text or thinking is open closes it; text or thinking does so when it has content, for the
   same reason. A block that starts while a tool use is open waits until that tool use ends, because a call that is
   cut in two is lost.
6. A thinking block ends with exactly one signature, which says where the thinking came from.
7. ``stop_reason`` agrees with what was sent: tool_use exactly when there is a tool use.
8. An answer without any content becomes one text block that holds a single space: the client would ask again.
9. Every tool use has an id of its own: the client drops a second call with the same one.
10. One ``message_delta`` with integer counts, one ``message_stop``, nothing afterwards.

A block that an upstream closes late (some end all blocks together) is closed by rule 5; what comes late for it is
dropped when it is empty and reopened as a new block when it is not.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from attrs import evolve

from ccp_core.protocol.events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    InputJSONDelta,
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
    Usage,
)
from ccp_core.protocol.thinking import sign

_LAZY = {"text", "thinking"}
_THINKING = {"thinking", "redacted_thinking"}
_TOOL = "tool_use"
_AWAKE = -1  # the key of an open block that goes on with the next content of its kind
_ENDED = -2  # the key of an open block that nothing more belongs to
_STOP_REASONS = {
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
}


class UpstreamStreamError(Exception):
    """The upstream reported an error inside its stream; ``event`` holds what it said.

    ``before``: the legal events that came before it in the same batch.
    """

    def __init__(self, event: StreamError, before: list[StreamEvent]) -> None:
        super().__init__("the upstream reported an error inside its stream")
        self.event = event
        self.before = before


class Grammar:
    """Makes one legal answer out of hook events.

    ``model`` is what the client asked for, ``provider`` names the source in signatures of thinking, ``prompt_tokens``
    is the estimate that ``message_start`` carries, ``show_thinking`` False drops thinking.
    """

    def __init__(
        self, *, model: str, provider: str, prompt_tokens: int = 0, show_thinking: bool = True
    ) -> None:
        self.message_id = "msg_" + secrets.token_hex(12)
        self.model = model
        self.provider = provider
        self.show_thinking = show_thinking
        self.started = False
        """True once message_start is out."""
        self.has_content = False
        """True once something of the model's own answer is out: from then on nothing can be tried again."""
        self.finished = False
        """True once message_stop is out."""
        self.stop_reason: str | None = None
        self.usage = Usage(input_tokens=prompt_tokens)
        self.prompt_counted = False
        """True once the upstream has counted the prompt; until then ``usage`` holds the estimate."""
        self._prompt_tokens = prompt_tokens
        self._number = -1  # of the open block, or of the last one
        self._key: int | None = None  # the open block, in the hook's numbering
        self._kind = ""  # its type; "" when no block is open
        self._begun = False  # whether its content_block_start is out
        self._block: dict[str, Any] = {}
        self._next: BlockStart | None = None  # text or thinking; closes the open block once it has content
        self._signature = ""
        self._source = provider  # of the open block
        self._last_kind = ""  # of the block that was stopped last
        self._only_words = True  # no block but text and thinking is out
        self._waiting: dict[int, list[StreamEvent]] = {}
        self._tool_ids: set[str] = set()
        self._end = MessageDelta()

    def accept(self, events: Iterable[StreamEvent]) -> list[StreamEvent]:
        """The legal events that ``events`` lead to. Raises UpstreamStreamError for a StreamError."""
        out: list[StreamEvent] = []
        for event in events:
            if (
                type(event) is TextDelta  # of the open block, whose number is the hook's: nearly all of them
                and event.index == self._key == self._number
                and self._begun
                and self._kind == "text"
                and event.text
            ):
                self.has_content = True
                out.append(event)
            else:
                self._accept(event, out)
        return out

    def finish(self) -> list[StreamEvent]:
        """The events that end the answer; after them the stream is complete."""
        if self.finished:
            return []
        out: list[StreamEvent] = []
        self._close(out)
        if not self.has_content:
            self._open(0, {"type": "text", "text": ""}, out)
            self._emit(TextDelta(0, " "), out)
            self._close(out)
        reason = self._end.stop_reason
        if self._tool_ids:
            reason = "tool_use"
        elif reason == "tool_use" or reason not in _STOP_REASONS:
            reason = "end_turn"
        self.stop_reason = reason
        out.append(MessageDelta(reason, self._end.stop_sequence, self.usage, self._end.details))
        out.append(MessageStop())
        self.finished = True
        return out

    def start(self) -> list[StreamEvent]:
        """Begin the message before there is content: for an upstream that is silent for long."""
        if self.started:
            return []
        self.started = True
        return [MessageStart(self.message_id, self.model, self.usage)]

    def keepalive(self) -> list[StreamEvent]:
        """An empty delta, which the client counts as progress, in the open block or in one opened for it.

        The block opened here is of the kind that the model is expected to begin with, so its content may follow in it.
        """
        out: list[StreamEvent] = []
        if not self._kind:
            kind = "thinking" if self.show_thinking else "text"
            self._open(_AWAKE, {"type": kind, kind: ""}, out)
        if self._kind == "thinking":
            self._emit_now(ThinkingDelta(self._number, ""), out)
        elif self._kind == "text":
            self._emit_now(TextDelta(self._number, ""), out)
        elif self._kind == _TOOL:
            self._emit_now(InputJSONDelta(self._number, ""), out)
        return out

    @property
    def ends_with_call(self) -> bool:
        """Whether a finished tool use was the last thing that came, so that the answer may end here."""
        return not self._begun and self._last_kind == _TOOL

    @property
    def can_go_on(self) -> bool:
        """Whether only text and thinking are out and the last of it is open: another stream may go on from there."""
        return self._only_words and self._begun and self._kind in _LAZY

    def restart(self) -> None:
        """Prepare for another stream that answers the same request; what is out stays.

        New text goes on in an open text block. Thinking begins a block of its own, so that its signature fits it.
        """
        self._waiting.clear()
        self._next = None
        self._end = MessageDelta()
        if not self._begun:
            self._kind, self._key = "", None
        elif self.has_content and self._kind == "thinking":
            self._key = _ENDED
        else:
            self._key = _AWAKE

    def anew(self) -> Grammar:
        """A grammar for the same answer from its beginning, for when nothing of it has reached the client."""
        return Grammar(
            model=self.model,
            provider=self.provider,
            prompt_tokens=self._prompt_tokens,
            show_thinking=self.show_thinking,
        )

    def _accept(self, event: StreamEvent, out: list[StreamEvent]) -> None:
        kind = type(event)
        if kind is TextDelta:
            self._delta(event, "text", out)  # type: ignore[arg-type]
        elif kind is ThinkingDelta:
            if self.show_thinking:
                self._delta(event, "thinking", out)  # type: ignore[arg-type]
        elif kind is InputJSONDelta:
            self._delta(event, _TOOL, out)  # type: ignore[arg-type]
        elif not self.finished:
            self._rare(event, out)

    def _delta(self, event: BlockDelta, kind: str, out: list[StreamEvent]) -> None:
        key = event.index
        if key == self._key and (kind == self._kind or (kind == _TOOL and self._kind.endswith(_TOOL))):
            self._emit(event, out)  # arguments also of server_tool_use and its kin
        elif key in self._waiting:
            self._waiting[key].append(event)
        elif self.finished or kind == _TOOL or not _content(event):
            return  # late and empty, or arguments of a call that never began
        elif self._key == _AWAKE and kind == self._kind:  # goes on in the block that kept the client awake
            self._key = key
            self._emit(event, out)
        else:
            self._start(BlockStart(key, {"type": kind, kind: ""}), out, has_content=True)
            self._delta(event, kind, out)

    def _rare(self, event: StreamEvent, out: list[StreamEvent]) -> None:
        match event:
            case BlockStart():
                self._start(event, out)
            case BlockStop():
                if event.index == self._key and self._kind not in _LAZY:
                    self._close_open(out)
                    self._promote(out)
                elif event.index in self._waiting:
                    self._waiting[event.index].append(event)
            case SignatureDelta():
                if event.signature:
                    self._begin_next(event.index, {"thinking"}, out)
                if event.index == self._key:
                    if event.signature and self._kind == "thinking":
                        self._signature += event.signature
                        self._begin(out)
                        self.has_content = True
                elif event.index in self._waiting:
                    self._waiting[event.index].append(event)
            case OtherDelta():
                is_citation = event.delta.get("type") == "citations_delta"
                if event.delta:
                    self._begin_next(event.index, {"text"} if is_citation else _LAZY, out)
                if event.index == self._key:
                    if self._kind == "text" or not is_citation:
                        self._emit(event, out)
                elif event.index in self._waiting:
                    self._waiting[event.index].append(event)
            case MessageStart():
                self._count(event.usage)
            case MessageDelta():
                self._count(event.usage)
                self._end = MessageDelta(
                    event.stop_reason or self._end.stop_reason,
                    event.stop_sequence or self._end.stop_sequence,
                    details={**self._end.details, **event.details},
                )
            case MessageStop():
                out.extend(self.finish())
            case Ping():
                if self.started:
                    out.append(event)
            case StreamError():
                raise UpstreamStreamError(event, out)

    def _count(self, usage: Usage) -> None:
        if usage.prompt_tokens and not self.prompt_counted:
            self.prompt_counted = True
            self.usage = evolve(self.usage, input_tokens=None)  # all of the prompt may have come from a cache
        self.usage = self.usage.merged(usage)

    def _start(self, event: BlockStart, out: list[StreamEvent], *, has_content: bool = False) -> None:
        kind = event.block.get("type", "")
        if kind in _THINKING and not self.show_thinking:
            return
        if self._key == _AWAKE and kind == self._kind:
            self._key = event.index
        elif self._begun and self._kind in _LAZY and kind in _LAZY and not has_content:
            self._next = event
            if event.index == self._key:  # an index used again without a stop
                self._key = _ENDED
        elif self._kind == _TOOL and event.index != self._key:
            self._waiting.setdefault(event.index, []).append(event)
        else:
            self._close_open(out)
            self._open(event.index, event.block, out)

    def _begin_next(self, index: int, kinds: set[str], out: list[StreamEvent]) -> None:
        """Begin the block that waits for content, now that there is some which blocks of ``kinds`` can hold."""
        if self._next is not None and self._next.index == index and self._next.block.get("type") in kinds:
            self._start(self._next, out, has_content=True)

    def _open(self, key: int, block: dict[str, Any], out: list[StreamEvent]) -> None:
        self._key, self._block, self._signature, self._next = key, block, "", None
        self._kind = block.get("type", "")
        self._source = self.provider
        self._begun = False
        if self._kind not in _LAZY:
            self._begin(out)

    def _begin(self, out: list[StreamEvent]) -> None:
        if self._begun:
            return
        if not self.started:
            out.extend(self.start())
        self._begun = True
        self._number += 1
        block = self._block
        if self._kind == "text":
            block = {"type": "text", "text": ""}
        elif self._kind == "thinking":
            block = {"type": "thinking", "thinking": "", "signature": ""}
        elif self._kind == _TOOL:
            tool_id = block.get("id")
            if not isinstance(tool_id, str) or not tool_id or tool_id in self._tool_ids:
                tool_id = "toolu_" + secrets.token_hex(12)
            self._tool_ids.add(tool_id)
            block = {**block, "id": tool_id, "input": {}}  # input comes as deltas only
        elif self._kind.endswith(_TOOL):
            block = {**block, "input": {}}
        elif self._kind == "redacted_thinking":
            block = {**block, "data": sign(self.provider, block.get("data", ""))}
        if self._kind not in _LAZY:
            self.has_content = True
            self._only_words = self._only_words and self._kind in _THINKING
        out.append(BlockStart(self._number, block))

    def _emit(self, event: BlockDelta, out: list[StreamEvent]) -> None:
        if not _content(event):
            return
        self.has_content = True
        self._emit_now(event, out)

    def _emit_now(self, event: BlockDelta, out: list[StreamEvent]) -> None:
        self._begin(out)
        number = self._number
        if event.index == number:
            out.append(event)
        elif type(event) is TextDelta:
            out.append(TextDelta(number, event.text))
        elif type(event) is ThinkingDelta:
            out.append(ThinkingDelta(number, event.thinking))
        elif type(event) is InputJSONDelta:
            out.append(InputJSONDelta(number, event.partial_json))
        elif type(event) is OtherDelta:
            out.append(OtherDelta(number, event.delta))

    def _close_open(self, out: list[StreamEvent]) -> None:
        if self._begun:
            if self._kind == "thinking":
                out.append(SignatureDelta(self._number, sign(self._source, self._signature)))
            out.append(BlockStop(self._number))
            self._last_kind = self._kind
        self._key, self._kind, self._begun = None, "", False

    def _promote(self, out: list[StreamEvent]) -> None:
        while self._waiting and self._kind != _TOOL:
            for event in self._waiting.pop(next(iter(self._waiting))):
                if type(event) is BlockStop and self._kind not in _LAZY:
                    self._close_open(out)
                else:
                    self._accept(event, out)

    def _close(self, out: list[StreamEvent]) -> None:
        self._close_open(out)
        while self._waiting:
            self._promote(out)
            self._close_open(out)


def _content(event: BlockDelta) -> str | dict[str, Any]:
    if type(event) is TextDelta:
        return event.text
    if type(event) is ThinkingDelta:
        return event.thinking
    if type(event) is InputJSONDelta:
        return event.partial_json
    if type(event) is OtherDelta:
        return event.delta
    return ""
