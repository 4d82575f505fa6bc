"""The conversation as chat messages, in one pass over the turns of the repaired history.

What a message becomes depends on nothing that comes after its turn, so two requests of one conversation
share their beginning byte for byte, and upstreams can reuse their prompt caches. Nothing of the client's
request is changed; strings are shared with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import orjson
from attrs import Factory, define

from ccp_core.protocol.block_text import block_text, flatten_result, thinking_origin
from ccp_core.protocol.events import Json
from ccp_core.protocol.history import Turn
from ccp_openai_compat.dialect import ChatDialect
from ccp_openai_compat.request.media import is_pdf, media_part, text_part
from ccp_openai_compat.request.tools import Toolset, wire_name

_NO_OUTPUT = "(no output)"
_NO_ANSWER = "(no answer)"
_NO_WORDS = "(empty message)"
_FIELDS = ("reasoning_content", "reasoning")


@define
class Conversation:
    """Writes chat messages. ``vision`` and ``pdf`` say what the model takes, ``placeholder`` stands for the
    thinking that a turn with calls has lost; ``notes`` gathers what was changed, without any of the content."""

    provider_id: str
    dialect: ChatDialect
    toolset: Toolset
    vision: bool
    pdf: bool
    placeholder: str | None
    messages: list[Json] = Factory(list)
    notes: dict[str, None] = Factory(dict)

    def add(self, turns: Iterable[Turn]) -> None:
        """Write the turns of a repaired history."""
        for turn in turns:
            if turn.speech or turn.calls:
                self.messages.append(self._assistant(turn.speech, turn.calls))
            shown = self._results(turn.results)
            if turn.rest or shown:
                self._user(turn.rest, shown, after_results=bool(turn.results))

    def _assistant(self, speech: list[Json], calls: list[Json]) -> Json:
        texts: list[str] = []
        thoughts: list[Json] = []
        for block in speech:
            kind = block.get("type")
            if kind == "text":
                texts.append(block["text"])
            elif kind == "thinking":
                thoughts.append(block)
            elif piece := self._as_text(block):
                texts.append(piece)
        text = "\n\n".join(texts)
        message: Json = {"role": "assistant", "content": text}
        if calls:
            message["tool_calls"] = self._calls(calls)
            if not text:
                message["content"] = self.dialect.empty_content
        elif not text:
            message["content"] = _NO_ANSWER
        placeholder = self.placeholder if calls else None
        if placeholder or (thoughts and (calls or self.dialect.replay_turns == "all")):
            self._replay(thoughts, placeholder, message)
        return message

    def _as_text(self, block: Json) -> str:
        """What stands for a block that has no form here."""
        text = block_text(block)
        self.notes[f"{block.get('type')} blocks {'became text' if text else 'were left out'}"] = None
        return text

    def _calls(self, blocks: list[Json]) -> list[Json]:
        calls: list[Json] = []
        for block in blocks:
            name = wire_name(str(block.get("name") or "unknown"))
            arguments = orjson.dumps(self.toolset.wire_input(name, block["input"])).decode()
            function = {"name": name, "arguments": arguments}
            calls.append({"id": self._call_id(block["id"]), "type": "function", "function": function})
        return calls

    def _call_id(self, given: str) -> str:
        limit = self.dialect.call_id_limit
        if limit is None or len(given) <= limit:
            return given
        return "call_" + blake2b(given.encode(), digest_size=12).hexdigest()

    def _replay(self, thoughts: list[Json], placeholder: str | None, message: Json) -> None:
        """Put a turn's thinking where the provider wants it."""
        where = self.dialect.replay
        if where == "drop":
            return
        own: list[str] = []
        foreign: list[str] = []
        for block in thoughts:
            origin = thinking_origin(block, self.provider_id)
            if (text := block.get("thinking")) and isinstance(text, str):
                (own if origin.kind in ("own", "unsigned") else foreign).append(text)
            if where == "as_received" and origin.kind == "own" and origin.signature in _FIELDS:
                where = origin.signature  # type: ignore[assignment]
        if own:
            thinking = "\n\n".join(own)
        elif placeholder is not None:  # another model's thinking is better than none
            thinking = "\n\n".join(foreign) or placeholder
        else:
            if foreign:
                self.notes["thinking that is not of this provider was left out"] = None
            return
        if where == "think_tags":
            message["content"] = f"<think>\n{thinking}\n</think>\n\n{message['content'] or ''}"
        else:
            message["reasoning_content" if where == "as_received" else where] = thinking

    def add_system(self, blocks: Iterable[Json]) -> None:
        """Write the system prompt, if it has text."""
        texts = [self._marked(block["text"], block) for block in blocks]
        if texts:
            self.messages.append({"role": "system", "content": _content(texts)})

    def _marked(self, text: str, block: Json) -> str | Json:
        """Text as it is, or as a part with the block's cache mark where these are kept."""
        if self.dialect.cache_control and "cache_control" in block:
            return {**text_part(text), "cache_control": block["cache_control"]}
        return text

    def _user(self, blocks: list[Json], shown: list[Json], *, after_results: bool) -> None:
        parts: list[str | Json] = []  # a plain string is text
        if shown:
            parts += ["[from the tool results above]", *shown]
        for block in blocks:
            kind = block.get("type")
            if kind == "text":
                parts.append(self._marked(block["text"], block))
            elif (kind == "image" and self.vision) or (kind == "document" and self.pdf and is_pdf(block)):
                parts.append(media_part(block))
            elif piece := self._as_text(block):
                parts.append(piece)
        if not parts:
            if after_results:
                return
            parts.append(_NO_WORDS)
        self.messages.append({"role": "user", "content": _content(parts)})

    def _results(self, blocks: list[Json]) -> list[Json]:
        """Write tool results; returns what they show beside text."""
        shown: list[Json] = []
        for block in blocks:
            content = block.get("content")
            if type(content) is not str or block.get("is_error"):
                content = self._flat(block, shown)
            part = self._marked(content or _NO_OUTPUT, block)
            self.messages.append(
                {
                    "role": "tool",
                    "tool_call_id": self._call_id(block["tool_use_id"]),
                    "content": part if type(part) is str else [part],
                }
            )
        return shown

    def _flat(self, block: Json, shown: list[Json]) -> str:
        """The text of a result; images and documents of it are added to ``shown``."""
        content = block.get("content")
        if type(content) is list:
            block = {**block, "content": [_as_declared(part) for part in content]}
        keep = (*(("image",) if self.vision else ()), *(("document",) if self.pdf else ()))
        text, rest = flatten_result(block, keep=keep)
        shown += map(media_part, rest)
        return text


def _as_declared(part: Any) -> Any:
    """A part of a result; a tool that it refers to has the name by which the model can call it."""
    if type(part) is dict and part.get("type") == "tool_reference" and type(part.get("tool_name")) is str:
        return {**part, "tool_name": wire_name(part["tool_name"])}
    return part


def _content(parts: list[str | Json]) -> str | list[Json]:
    """One string where all parts are text, which every server understands; otherwise a list of parts."""
    if len(parts) == 1 and type(parts[0]) is str:  # nearly always
        return parts[0]
    if all(type(part) is str for part in parts):
        return "\n\n".join(parts)  # type: ignore[arg-type]
    return [text_part(part) if isinstance(part, str) else part for part in parts]
