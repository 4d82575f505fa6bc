"""How many tokens a prompt is about, without any model's tokenizer.

Text is cut as byte-pair tokenizers cut it (words, numbers, punctuation, indentation); in scripts other than
Latin each character has a weight. Of a long prompt only a part is looked at, in slices spread evenly over it.
The weights were fitted against two public vocabularies on prose, code, JSON, logs and nine languages.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import orjson

from ccp_core.protocol.block_text import BILLING_HEADER
from ccp_core.protocol.events import Json
from ccp_core.protocol.messages import MessagesRequest

_ASCII = re.compile(
    r" ?+(?:[a-z]{1,12}+|[A-Z](?:[a-z]{1,12}+|[A-Z]{0,3}+)|[!-/:-@\[-`{-~]{1,4}+\n*+)|\d{1,3}+"
    r"|(?<![^\S\n])\s*\n|(?<![ \t])[ \t]++(?=[!-~])",  # blanks are looked at from their beginning alone
    re.ASCII,
)
_ASCII_AND_OTHERS = re.compile("([\0-\x7f]*)([^\0-\x7f]*)")
_BREAK = "\0"
"""Belongs to no token."""

_WEIGHTS = tuple(
    (re.compile(f"{characters}+"), weight)
    for characters, weight in (
        ("[\u3400-\u4dbf\u4e00-\u9fff]", 0.8),  # Han
        ("[\u3000-\u30ff\uff00-\uffef]", 0.7),  # Kana, full-width forms
        ("[\u1100-\u11ff\uac00-\ud7af]", 0.65),  # Hangul
        ("[\u0080-\u024f]", 0.5),  # Latin with accents
        ("[\u0370-\u052f]", 0.33),  # Greek, Cyrillic
        ("[\u0530-\u10ff\u1200-\u1fff]", 0.45),  # Hebrew, Arabic, Indic scripts …
        ("[\u2000-\u2dff]", 0.9),  # typographic signs, arrows, frames
        ("[\U00010000-\U0010ffff]", 1.4),  # emoji
    )
)

_BUDGET = 12_288
"""Characters that are looked at."""
_SLICE = 64
_JOINED = 64 * 1024
"""Characters of short texts that are cut into slices together."""

_BYTES = 4
"""A token takes about so many bytes of a request's JSON."""

_TOOLS = 100
_TOOL = 30
_MESSAGE = 4
_CALL = 10
"""Tokens that a chat template says about tools, and puts around a tool's definition, a message, a call and its result:
medians of the templates that llama.cpp comes with."""

_IMAGE_MIN, _IMAGE_MAX = 100, 1600
_IMAGE_BYTES = 100
"""Bytes of a compressed image for each token; models scale large images down to about the maximum."""
_PDF_BYTES = 25
_REMOTE = 1500
"""Tokens of an image or document that is only named by its URL."""


def count(body: Json) -> int:
    """The tokens of a Messages body: system, tools, messages, images, documents. Takes about half a millisecond."""
    reader = _Reader()
    reader.instructions(body)
    reader.conversation(body)
    return max(1, round(reader.fixed + _tokens(reader.texts)))


def estimate(request: MessagesRequest) -> int:
    """A rough figure from the body's size, in microseconds: what ``message_start`` reports before the upstream counts.

    JSON costs about four bytes a token. What Learned knows of a model makes it better.
    """
    reader = _Reader()
    packed = 0
    for message in request.nested:
        content = message.get("content") if type(message) is dict else None
        if type(content) is list and message.get("role") != "assistant":
            packed += reader.packed(content)
    return max(1, reader.fixed + (request.size - packed) // _BYTES)


def count_text(text: str) -> int:
    """The tokens of a text."""
    return round(_tokens([text]))


def _tokens(texts: list[str]) -> float:
    """The tokens of the texts; of long ones those of a sample, taken for the whole."""
    size = sum(map(len, texts)) + len(texts)
    # From the beginning of one slice to that of the next.
    step = max(_SLICE, math.ceil(size * _SLICE / _BUDGET))
    start = 0
    sample: list[str] = []
    for text in _joined(texts, _JOINED):
        sample += [text[at : at + _SLICE] for at in range(start, len(text), step)]
        start = (start - len(text)) % step
    return _weigh("".join(sample)) * step / _SLICE


def _joined(texts: list[str], length: int) -> Iterator[str]:
    """The texts, short ones joined until they have ``length`` characters."""
    some: list[str] = []
    characters = 0
    for text in texts:
        some.append(text)
        characters += len(text)
        if characters >= length:
            yield _BREAK.join(some)
            some, characters = [], 0
    yield _BREAK.join(some)


def _weigh(text: str) -> float:
    if text.isascii():
        return _matches(_ASCII, text)
    ascii_parts, other_parts = zip(*_ASCII_AND_OTHERS.findall(text), strict=True)
    tokens: float = _matches(_ASCII, _BREAK.join(ascii_parts))
    others = "".join(other_parts)
    for characters, weight in _WEIGHTS:
        rest = characters.sub("", others)
        tokens += weight * (len(others) - len(rest))
        others = rest
    return tokens


def _matches(pattern: re.Pattern[str], text: str) -> int:
    return pattern.subn("", text)[1]  # quicker than a list of them


class _Reader:
    """Collects the texts of a body, and the tokens of what is not text."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.fixed = 0

    def instructions(self, body: Json) -> None:
        self._content(body.get("system"))
        if tools := body.get("tools"):
            self.fixed += _TOOLS + _TOOL * len(tools)
            self._json(tools)

    def conversation(self, body: Json) -> None:
        for message in body.get("messages") or ():
            self.fixed += _MESSAGE
            if isinstance(message, dict):
                self._content(message.get("content"))

    def packed(self, content: list[Any]) -> int:
        """The bytes of images and documents in base64 among a message's blocks, which have a weight of their own."""
        packed = 0
        for block in content:
            kind = block.get("type") if type(block) is dict else None
            if kind == "tool_result":
                if type(shown := block.get("content")) is list:
                    packed += self.packed(shown)
            elif kind in ("image", "document"):
                source = block.get("source")
                data = source.get("data") if isinstance(source, dict) else None
                if isinstance(data, str) and source.get("type") == "base64":
                    packed += len(data)
                    self._block(block)
        return packed

    def _content(self, content: Any) -> None:
        if isinstance(content, str):
            self.texts.append(content)
        elif isinstance(content, list):
            for block in content:
                if isinstance(block, dict):
                    self._block(block)

    def _block(self, block: Json) -> None:
        match block.get("type"):
            case "text":
                self._text(block.get("text"))
            case "thinking":
                self._text(block.get("thinking"))
            case "tool_use" | "server_tool_use":
                self.fixed += _CALL
                self._text(block.get("name"))
                self._json(block.get("input"))
            case "tool_result":
                self.fixed += _CALL
                self._content(block.get("content"))
            case "image":
                self._image(block.get("source"))
            case "document":
                self._text(block.get("title"))
                self._text(block.get("context"))
                self._document(block.get("source"))
            case "redacted_thinking":
                data = block.get("data")
                self.fixed += len(data) // 8 if isinstance(data, str) else 0
            case _:
                self._json({name: value for name, value in block.items() if name != "cache_control"})

    def _text(self, text: Any) -> None:
        if isinstance(text, str) and not text.startswith(BILLING_HEADER):
            self.texts.append(text)

    def _json(self, value: Any) -> None:
        self.texts.append(orjson.dumps(value).decode())

    def _image(self, source: Any) -> None:
        data = source.get("data") if isinstance(source, dict) else None
        if isinstance(data, str):
            size = len(data) * 3 // 4
            self.fixed += min(_IMAGE_MAX, max(_IMAGE_MIN, size // _IMAGE_BYTES))
        else:
            self.fixed += _REMOTE

    def _document(self, source: Any) -> None:
        if not isinstance(source, dict):
            return
        data = source.get("data")
        match source.get("type"):
            case "text":
                self._text(data)
            case "content":
                self._content(source.get("content"))
            case "base64" if isinstance(data, str):
                self.fixed += max(_REMOTE, len(data) * 3 // 4 // _PDF_BYTES)
            case _:
                self.fixed += _REMOTE
