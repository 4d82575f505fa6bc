"""Thinking that a model writes into its text, between tags.

Known tags: ``<think>``, ``<thinking>``, ``<reasoning>``, ``◁think▷`` and their closing forms. A model also
writes *about* tags, and a tag taken wrongly hides the rest of an answer, so:

1. An opening tag counts only where a model thinks: at the start of the answer or of a line (white space may
   come first) or right behind a closing tag, and never in a code fence or inline code.
2. In thinking, the closing tag of the same name counts anywhere (``think`` and ``thinking`` are one name),
   except when it stands between two equal quotation marks or backticks. Code fences are not respected
   there: thinking is often left in the middle of one, and the answer must not be lost.
3. A closing tag without an opening one vanishes, except in code or between two equal quotation marks.
4. Thinking that is never closed stays thinking.
5. The same opening tag again, as the first thing in thinking, vanishes (a template had put one into the
   prompt).
6. White space around thinking is not content: it is dropped before an opening tag that starts the answer,
   and at both ends of thinking; behind the closing tag blank lines and spaces go, the indentation of a
   first line stays.

Whatever the portions in which the text comes, joined pieces of one kind are the same.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from ccp_core.protocol.code_spans import CodeSpans

Piece: TypeAlias = tuple[Literal["text", "thinking"], str]

_TAGS = (
    "<think>", "</think>", "<thinking>", "</thinking>", "<reasoning>", "</reasoning>", "◁think▷", "◁/think▷",
)  # fmt: skip
_TAG = re.compile(r"(?:<(?P<close>/)?(?P<name>think(?:ing)?|reasoning)>|◁(?P<close2>/)?think▷)")
_THINK_END = re.compile(r"</think(?:ing)?>")
_ENDS = {
    "think": _THINK_END,
    "thinking": _THINK_END,
    "reasoning": re.compile("</reasoning>"),
    None: re.compile("◁/think▷"),
}
_ANY_END = re.compile(r"</(?:think(?:ing)?|reasoning)>|◁/think▷")
_BLANK_LINES_OR_SPACES = re.compile(r"(?:\s*\n)?(?:(?<!\n)\s+)?")


class ThinkTagSplitter:
    """Parts one answer's text into text and thinking.

    ``starts_inside``: the chat template puts the opening tag into the prompt, so the answer begins with
    thinking, and any closing tag ends that.
    """

    __slots__ = ("_answered", "_closing", "_code", "_fresh", "_held", "_last")

    def __init__(self, *, starts_inside: bool = False) -> None:
        self._closing: re.Pattern[str] | None = _ANY_END if starts_inside else None  # None while in text
        self._fresh = True  # nothing but white space since the start, or since the last tag
        self._answered = False  # some tag has come: white space in front of text is no content
        self._held = ""
        self._last = ""  # the last character given out
        self._code = CodeSpans()

    def feed(self, text: str) -> list[Piece]:
        """Return what ``text`` adds, in order; a possible beginning of a tag is held back."""
        if not text:
            return []
        if self.passes(text):
            return [("text", text)]
        if self._fresh or self._held or "<" in text or "◁" in text or text[-1].isspace():
            return self._scan(self._held + text, final=False)
        self._last = text[-1]
        return [("thinking", text)]

    def passes(self, text: str) -> bool:
        """Take in ``text`` if all of it is text that goes on, as most is; whether it was."""
        if self._closing is not None or self._fresh or self._held or "<" in text or "◁" in text or not text:
            return False
        self._last = text[-1]
        self._code.advance(text)
        return True

    def flush(self) -> list[Piece]:
        """Return what was held back, at the end of the answer."""
        return self._scan(self._held, final=True) if self._held else []

    def _scan(self, buffer: str, final: bool) -> list[Piece]:
        pieces: list[Piece] = []
        self._held = ""
        while buffer:
            step = self._scan_text if self._closing is None else self._scan_thinking
            buffer = step(buffer, final, pieces)
        return pieces

    def _scan_text(self, buffer: str, final: bool, pieces: list[Piece]) -> str:
        """Take text from the front of ``buffer``, up to a change to thinking; return the rest."""
        if self._fresh:
            content = buffer.lstrip()
            if not final and (not content or _begins_tag(content)):
                self._held = buffer
                return ""
            tag = _TAG.match(content)
            if tag is not None:
                self._answered = True
                if not _closes(tag):
                    self._start_thinking(tag)
                return content[tag.end() :]
            if self._answered and not content:
                return ""
            self._fresh = False
            if self._answered:
                trimmed = _BLANK_LINES_OR_SPACES.match(buffer)
                buffer = buffer[trimmed.end() :] if trimmed else buffer
        position = 0
        for tag in _TAG.finditer(buffer):
            self._say(buffer[position : tag.start()], pieces)
            position = tag.start()
            if self._code.inside(tag[0][0]):
                pass
            elif _closes(tag):
                if not final and tag.end() == len(buffer) and self._last in ("'", '"'):
                    self._held = tag[0]
                    return ""
                if not self._between_quotes(buffer, tag):
                    position = tag.end()
                    continue
            elif self._code.at_line_start:
                self._start_thinking(tag)
                return buffer[tag.end() :]
            self._say(tag[0], pieces)
            position = tag.end()
        end = len(buffer) if final else _held_from(buffer, position)
        self._say(buffer[position:end], pieces)
        self._held = buffer[end:]
        return ""

    def _scan_thinking(self, buffer: str, final: bool, pieces: list[Piece]) -> str:
        """Take thinking from the front of ``buffer``, up to its closing tag; return the rest."""
        assert self._closing is not None
        if self._fresh:
            buffer = buffer.lstrip()
            if not final and _begins_tag(buffer):
                self._held = buffer
                return ""
            again = _TAG.match(buffer)
            if again is not None and not _closes(again) and self._closing in (_ENDS[again["name"]], _ANY_END):
                return buffer[again.end() :]
        position = 0
        for tag in self._closing.finditer(buffer):
            before = buffer[tag.start() - 1] if tag.start() else self._last
            if not final and tag.end() == len(buffer) and before in ("'", '"', "`"):
                self._think(buffer[position : tag.start()], pieces)
                self._held = tag[0]
                return ""
            if before in ("'", '"', "`") and buffer[tag.end() : tag.end() + 1] == before:
                continue
            self._think(buffer[position : tag.start()].rstrip(), pieces)
            self._closing = None
            self._fresh = self._answered = True
            self._code = CodeSpans()
            self._last = ""
            return buffer[tag.end() :]
        end = len(buffer) if final else _held_from(buffer, position)
        content = buffer[position:end].rstrip()
        self._think(content, pieces)
        if not final:
            self._held = buffer[position + len(content) :]
        return ""

    def _start_thinking(self, tag: re.Match[str]) -> None:
        self._closing = _ENDS[tag["name"]]
        self._fresh = self._answered = True
        self._last = ""

    def _between_quotes(self, buffer: str, tag: re.Match[str]) -> bool:
        return self._last in ("'", '"') and buffer[tag.end() : tag.end() + 1] == self._last

    def _say(self, text: str, pieces: list[Piece]) -> None:
        if text:
            self._code.advance(text)
            self._last = text[-1]
            pieces.append(("text", text))

    def _think(self, text: str, pieces: list[Piece]) -> None:
        if text:
            self._fresh = False
            self._last = text[-1]
            pieces.append(("thinking", text))


def _closes(tag: re.Match[str]) -> bool:
    return tag["close"] is not None or tag["close2"] is not None


def _begins_tag(text: str) -> bool:
    """Whether ``text`` is an unfinished tag."""
    return bool(text) and any(tag.startswith(text) and tag != text for tag in _TAGS)


def _held_from(buffer: str, position: int) -> int:
    """Where an unfinished tag begins at the end of ``buffer``; its length when there is none."""
    start = max(buffer.rfind("<", position), buffer.rfind("◁", position))
    return start if start >= 0 and _begins_tag(buffer[start:]) else len(buffer)
