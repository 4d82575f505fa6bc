"""The client's messages, block by block, as one endpoint takes them."""

from __future__ import annotations

import re
from typing import Any

from attrs import define, field

from ccp_anthropic_compat.dialect import MessagesDialect
from ccp_core.protocol.block_text import (
    IMAGE_OMITTED,
    block_text,
    error_text,
    flatten_result,
    thinking_origin,
)
from ccp_core.protocol.events import Json

_KEYS = {
    "text": {"type", "text"},
    "image": {"type", "source"},
    "tool_use": {"type", "id", "name", "input"},
    "tool_result": {"type", "tool_use_id", "content"},
}
_NOT_PLAIN = re.compile(r"[^a-zA-Z0-9_-]")
_NEVER_SENT_AS_TEXT = {"thinking", "redacted_thinking"}


@define
class BlockConversion:
    """Converts messages for one request. ``notes`` gathers what was changed, without any of the content.

    ``vision`` says whether images are sent, ``refused`` names types of blocks that this endpoint has refused.
    """

    dialect: MessagesDialect
    provider: str
    vision: bool = True
    refused: frozenset[str] = frozenset()
    notes: dict[str, None] = field(factory=dict)
    _keys: dict[str, set[str]] = field(init=False)
    _keeps_cache_marks: bool = field(init=False)
    _passing: dict[str, set[str]] = field(init=False)
    """By type, the members that a block may have to pass as it is, if it holds no blocks itself."""

    def __attrs_post_init__(self) -> None:
        self._keeps_cache_marks = "messages" in self.dialect.cache_control
        more = {"cache_control"} if self._keeps_cache_marks else set()
        self._keys = {kind: keys | more for kind, keys in _KEYS.items()}
        if self.dialect.is_error:
            self._keys["tool_result"].add("is_error")
        self._passing = {"text": self._keys["text"]}
        if not self.dialect.plain_ids:
            self._passing["tool_use"] = self._keys["tool_use"]
            if not self.dialect.flat_results:
                self._passing["tool_result"] = self._keys["tool_result"]

    def message(self, message: Json) -> Json:
        """One message, its blocks converted; extra members stay only where everything does."""
        content = message.get("content")
        if isinstance(content, list):
            if self._all_pass(content) and message.get("role") in ("user", "assistant"):
                return message  # of which the repair takes the blocks
            converted: list[Json] = []
            for block in content:
                self._block(block, converted)
            content = converted
        if self.dialect.passes_all:
            return {**message, "content": content}
        return {"role": message.get("role"), "content": content}

    def _all_pass(self, blocks: list[Json]) -> bool:
        """Whether all of them are as the endpoint takes them."""
        for block in blocks:
            members = self._passing.get(block.get("type", ""))
            if not members or not block.keys() <= members or type(block.get("content")) is list:
                return False
        return True

    def _block(self, block: Json, out: list[Json]) -> None:
        kind = block.get("type")
        if kind == "text":
            out.append(self._trimmed(block, kind))
        elif kind == "tool_use":
            out.append(self._plain_id(self._trimmed(block, kind), "id"))
        elif kind == "tool_result":
            self._result(block, out)
        elif kind == "image":
            out.append(self._image(block))
        elif kind in _NEVER_SENT_AS_TEXT:
            self._thinking(block, kind, out)
        else:
            self._other(block, out)

    def _trimmed(self, block: Json, kind: str) -> Json:
        """The block without members that not every endpoint knows."""
        if self.dialect.blocks is None:
            return self._unmarked(block)
        keys = self._keys[kind]
        return (
            block if block.keys() <= keys else {name: value for name, value in block.items() if name in keys}
        )

    def _unmarked(self, block: Json) -> Json:
        if self._keeps_cache_marks or "cache_control" not in block:
            return block
        return {name: value for name, value in block.items() if name != "cache_control"}

    def _plain_id(self, block: Json, member: str) -> Json:
        id = block.get(member)
        if self.dialect.plain_ids and isinstance(id, str) and _NOT_PLAIN.search(id):
            self.notes["ids of tool uses were rewritten to plain characters"] = None
            return {**block, member: _NOT_PLAIN.sub("_", id)}
        return block

    def _image(self, block: Json) -> Json:
        if not self.vision:
            self.notes["images were left out: the model takes none"] = None
            return {"type": "text", "text": IMAGE_OMITTED}
        if self.dialect.blocks is None:
            return self._unmarked(block)
        source = block.get("source")
        kind = str(source.get("type")) if isinstance(source, dict) else "nothing"
        if kind in self.dialect.images:
            return self._trimmed(block, "image")
        self.notes[f"images given as {kind} were left out"] = None
        where = source.get("url", "") if isinstance(source, dict) else ""
        return {"type": "text", "text": f"[image {where} omitted: it can only be given as data]"}

    def _other(self, block: Json, out: list[Json]) -> None:
        kind = str(block.get("type"))
        allowed = self.dialect.blocks
        if kind not in self.refused and (allowed is None or kind in allowed):
            out.append(self._unmarked(block))
            return
        self.notes[f"{kind} blocks became text"] = None
        out.append({"type": "text", "text": block_text(block)})

    def _thinking(self, block: Json, kind: str, out: list[Json]) -> None:
        dialect = self.dialect
        if kind in self.refused or (dialect.blocks is not None and kind not in dialect.blocks):
            self.notes[f"{kind} blocks were left out"] = None
            return
        origin = thinking_origin(block, self.provider)
        genuine = origin.kind in ("own", "unmarked") and bool(origin.signature)
        if kind == "redacted_thinking":
            if genuine and dialect.thinking_history != "none":
                out.append({**self._unmarked(block), "data": origin.signature})
            else:
                self.notes["redacted thinking of another provider was left out"] = None
            return
        if dialect.thinking_history == "none" or (dialect.thinking_history == "own" and not genuine):
            self.notes["thinking that this provider cannot check was left out"] = None
            return
        text = block.get("thinking")
        if not isinstance(text, str) or (not text.strip() and not genuine):
            return
        signature = origin.signature if genuine else dialect.signature_placeholder
        out.append({"type": "thinking", "thinking": text, "signature": signature})

    def _result(self, block: Json, out: list[Json]) -> None:
        result = self._plain_id(self._trimmed(block, "tool_result"), "tool_use_id")
        if self.dialect.flat_results:
            text, images = flatten_result(block, keep=("image",) if self.vision else ())
            out.append({**result, "content": text})
            out.extend(self._image(image) for image in images)
            return
        content: Any = result.get("content")
        if isinstance(content, list):
            parts = self._parts(content)
            if parts is not content:
                result = {**result, "content": parts}
        if block.get("is_error") is True and not self.dialect.is_error:
            result = {**result, "content": _marked_as_error(result.get("content"))}
        out.append(result)

    def _parts(self, content: list[Any]) -> list[Any]:
        """The blocks inside a tool result; the very same list when there is nothing to change."""
        parts: list[Json] = []
        for part in content:
            if not isinstance(part, dict):
                continue
            if part.get("type") == "text":
                if part.get("text") and isinstance(part["text"], str):
                    parts.append(self._trimmed(part, "text"))
            elif part.get("type") == "image":
                parts.append(self._image(part))
            else:
                self._other(part, parts)
        same = len(parts) == len(content) and all(a is b for a, b in zip(parts, content, strict=True))
        return content if same else parts


def _marked_as_error(content: Any) -> Any:
    if isinstance(content, str):
        return error_text(content)
    parts = content if isinstance(content, list) else []
    for number, part in enumerate(parts):
        if part.get("type") == "text":
            return [*parts[:number], {**part, "text": error_text(part["text"])}, *parts[number + 1 :]]
    return [{"type": "text", "text": "Error"}, *parts]
